"""What a method finds in its run folder when it becomes a scorer."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from a2r.core import checkpoint
from a2r.core import text as text_lib
from a2r.learners import encoding
from a2r.models import encoders, trained, wording
from a2r.models.singularity import singularity

DEMOS_FILE = "demos.npz"


class RunFiles(NamedTuple):
  """The parts of a run folder.

  Attributes:
    config: of the backbone.
    settings: config.json.
    spec: reward.json.
    tokenizer: of its texts.
    params: of the checkpoint.
    extra: of the checkpoint; {} where it was not asked for.
  """

  config: singularity.Config
  settings: Mapping[str, Any]
  spec: Mapping[str, Any]
  tokenizer: text_lib.Tokenizer
  params: Any
  extra: Any

  def text_fn(self) -> Callable[[Sequence[str]], np.ndarray]:
    """Features of texts by the run's text tower, see `make_text_fn`."""
    return make_text_fn(
      self.config,
      self.params["backbone"],
      self.tokenizer,
      self.spec["instructions"],
    )


def read(
  folder: pathlib.Path, which: str, *, with_extra: bool = False
) -> RunFiles:
  """Reads a run folder.

  Args:
    folder: the run folder.
    which: the weights, 'best' or 'newest'.
    with_extra: whether to read what the method keeps beside its parameters.

  Raises:
    FileNotFoundError: no such run, or nothing saved in it yet.
    ValueError: a file is broken.
  """
  settings = trained.read_file(folder, "config.json")
  parts = ("params", "extra") if with_extra else ("params",)
  stored = checkpoint.load(folder, which=which, parts=parts)
  return RunFiles(
    config=singularity.Config(**settings["model"]["backbone"]),
    settings=settings,
    spec=trained.read_file(folder, trained.SPEC_FILE),
    tokenizer=text_lib.Tokenizer.load(folder / "tokenizer.json"),
    params=stored.parts["params"],
    extra=stored.parts.get("extra", {}),
  )


def make_text_fn(
  config: singularity.Config,
  backbone: Any,
  tokenizer: text_lib.Tokenizer,
  known: Sequence[str],
) -> Callable[[Sequence[str]], np.ndarray]:
  """Returns `texts -> [L, E]` unit features of the backbone's text tower.

  Args:
    config: of the backbone.
    backbone: its parameters.
    tokenizer: the one it was trained with.
    known: the run's instructions; a text that differs from one of them in
      articles and the verb's form alone is read as that.
  """
  model = encoding.plain_model(config)
  text_fn = encoders.make_encoders(
    model, {"backbone": backbone}, tokenizer
  ).text

  def read_and_encode(texts):
    places = [wording.find(text, known) for text in texts]
    read = [
      text if place is None else known[place]
      for text, place in zip(texts, places, strict=True)
    ]
    return text_fn(read)

  return read_and_encode

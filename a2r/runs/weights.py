"""The network of a run and where its weights start from.

A `WeightSource` is nothing ('scratch'), a file, a run, or an exported reward;
what launch.convert writes is a folder with such a file.
"""

import contextlib
import dataclasses
import importlib.resources
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
import safetensors
import safetensors.numpy
import tokenizers

from a2r import assets
from a2r.core import checkpoint, text, trees
from a2r.learners import adapt2reward
from a2r.models import adapt2reward as net
from a2r.models import convert, saved
from a2r.models.convert import sizes
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips
from data import text as text_data

# What launch.convert writes into its folder.
CONVERTED = "backbone.safetensors"
_SHIPPED = "small_backbone"
_VOCABULARY = "bert_vocab.txt"
_MAX_LENGTH = 32


@dataclasses.dataclass(frozen=True)
class Model:
  """The network of a run: what a config has under `model`.

  Attributes:
    init: where its weights start from: 'scratch', 'small_backbone' (which ships
      with the project), a .safetensors file, or a folder: a run, an exported
      reward, or a conversion. Pictures may have another size than the weights
      are for, clips another number of frames.
    backbone: its sizes.
    num_failure_prompts: of a task.
    failure_prompt_length: in tokens.
    domain_prompt_length: the same.
  """

  init: str
  backbone: singularity.Config
  num_failure_prompts: int = 0
  failure_prompt_length: int = 0
  domain_prompt_length: int = 0

  @contextlib.contextmanager
  def explained(self):
    """Adds where the weights are from to what is wrong with them."""
    try:
      yield
    except ValueError as e:
      raise ValueError(
        f"model.init={self.init}: {e}; these are fields of "
        "config.model.backbone"
      ) from e


def read_model(config: Any, **changes: Any) -> Model:
  """Returns the settings that a config has under `model`.

  Args:
    config: what it has there, a mapping.
    **changes: other values of its keys.
  """
  fields = dict(config) | changes
  fields["backbone"] = singularity.Config(**fields["backbone"])
  return Model(**fields)


class Backbone(NamedTuple):
  """Weights and what belongs to them.

  Attributes:
    params: nested dicts of arrays; None where they are to be drawn.
    config: of the model they are for, if it is on record.
    tokenizer: of its texts.
    card: what is known of them.
  """

  params: dict[str, Any] | None
  config: singularity.Config | None
  tokenizer: text.Tokenizer
  card: dict[str, Any]


class WeightSource(Protocol):
  """Where the weights of a backbone are.

  Its functions raise FileNotFoundError where there are none, and ValueError if
  a file is of another kind or has sizes that this code does not know.
  """

  def config(self) -> singularity.Config | None:
    """Returns the config of the backbone, None if it is not on record."""

  def load(self) -> Backbone:
    """Reads the weights."""


@dataclasses.dataclass(frozen=True)
class Scratch:
  """No weights: they are drawn.

  Attributes:
    texts: what the run reads besides human captions.
    vocab_size: pieces of the tokenizer.
  """

  texts: Sequence[str]
  vocab_size: int

  def config(self) -> None:
    """Returns None."""

  def load(self) -> Backbone:
    """Makes a tokenizer of the texts."""
    known = text_data.corpus(human_clips.TEMPLATES, human_clips.NOUNS)
    tokenizer = text.Tokenizer.train(
      known + list(self.texts), vocab_size=self.vocab_size
    )
    return Backbone(None, None, tokenizer, {})


@dataclasses.dataclass(frozen=True)
class File:
  """A file that `save_backbone` wrote."""

  path: pathlib.Path

  def config(self) -> singularity.Config | None:
    """Returns the config on the card."""
    return _make_config(self.path, self._metadata()["card"].get("config"))

  def load(self) -> Backbone:
    """Reads the weights."""
    metadata = self._metadata()
    with safetensors.safe_open(self.path, "numpy") as file:
      flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tokenizer = text.Tokenizer(
      tokenizers.Tokenizer.from_str(metadata["tokenizer"])
    )
    card = metadata["card"]
    config = _make_config(self.path, card.pop("config", None))
    return Backbone(trees.nest(flat), config, tokenizer, card)

  def _metadata(self) -> dict[str, Any]:
    """Returns what stands beside the arrays: 'tokenizer' and 'card'."""
    if not self.path.is_file():
      if self.path == shipped_backbone():
        raise FileNotFoundError(
          f"{self.path} is not there, though it ships with the project; make "
          "it (python -m launch.pretrain --config=configs/pretrain.py) or "
          "train with --config.model.init=scratch"
        )
      raise FileNotFoundError(
        f"{self.path} is not there; expected is a folder of launch.train, "
        "launch.finetune, launch.convert or launch.export, or a file of "
        "launch.pretrain; or train with --config.model.init=scratch"
      )
    try:
      with safetensors.safe_open(self.path, "numpy") as file:
        metadata = file.metadata() or {}
    except safetensors.SafetensorError as e:
      raise ValueError(f"{self.path} is damaged: {e}") from e
    if not {"tokenizer", "card"} <= metadata.keys():
      raise ValueError(
        f"{self.path} is not of this project; python -m launch.convert "
        f"--from={self.path} converts published weights"
      )
    return metadata | {"card": json.loads(metadata["card"])}


@dataclasses.dataclass(frozen=True)
class Run:
  """The folder of a run, its best checkpoint."""

  path: pathlib.Path

  def config(self) -> singularity.Config | None:
    """Returns the config in config.json."""
    file = self.path / "config.json"
    settings = saved.read_json(file) if file.is_file() else {}
    return _make_config(self.path, settings.get("model", {}).get("backbone"))

  def load(self) -> Backbone:
    """Reads the weights."""
    config = self.config()
    stored = checkpoint.load(self.path)
    params = stored.parts["params"]
    # launch.finetune keeps this head beside the backbone.
    head = {name: params[name] for name in params if name == "mlm_head"}
    backbone = params.get("backbone", params) | head
    tokenizer = text.Tokenizer.load(self.path / "tokenizer.json")
    return Backbone(backbone, config, tokenizer, {"step": stored.step})


class Export(Run):
  """The folder of an exported reward."""

  def load(self) -> Backbone:
    """Reads the weights."""
    found = saved.load(self.path)
    params, step = found.params["backbone"], {"step": found.record["step"]}
    return Backbone(params, self.config(), found.tokenizer, step)


def _make_config(path, fields) -> singularity.Config | None:
  try:
    return fields and singularity.Config(**fields)
  except TypeError as e:
    raise ValueError(f"{path}: sizes that this code does not know: {e}") from e


def open_path(path: pathlib.Path) -> WeightSource:
  """Returns the source at a path: of a run, a reward, a conversion, a file."""
  if not path.is_dir():
    return File(path)
  if (path / CONVERTED).is_file():
    return File(path / CONVERTED)
  return Export(path) if saved.is_exported(path) else Run(path)


def open_init(model: Model, texts: Sequence[str] = ()) -> WeightSource:
  """Returns the source that `model.init` names.

  Args:
    model: of which `init` is read, and from scratch the size of the vocabulary.
    texts: what the run reads, for the vocabulary of 'scratch'.

  Raises:
    FileNotFoundError: no such folder.
  """
  if model.init == "scratch":
    return Scratch(tuple(texts), model.backbone.vocab_size)
  if model.init == _SHIPPED:
    return File(shipped_backbone())
  path = pathlib.Path(model.init).expanduser()
  if path.suffix != ".safetensors" and not path.is_dir():
    raise FileNotFoundError(
      f"model.init: {model.init!r} is not a folder; known besides folders: "
      f"scratch, {_SHIPPED}, *.safetensors"
    )
  return open_path(path)


def check(model: Model):
  """Fails before any clip is made or read if the first weights do not fit.

  Raises:
    ValueError: sizes that the weights are not for; names them.
    FileNotFoundError: no such folder or weights.
  """
  stored = open_init(model).config()
  if stored:
    with model.explained():
      sizes.check(stored, model.backbone)


def load(model: Model, texts: Sequence[str]) -> Backbone:
  """Returns the first weights of a backbone, fitted to its sizes.

  Args:
    model: the network.
    texts: see `open_init`.

  Returns:
    The weights (None from scratch), the tokenizer and a card.

  Raises:
    ValueError: weights or a tokenizer that do not fit the sizes.
    FileNotFoundError: no such folder or weights.
  """
  backbone = open_init(model, texts).load()
  backbone = backbone._replace(card={"init": model.init} | backbone.card)
  if backbone.config is not None:
    with model.explained():
      fitted = convert.fit(backbone.params, backbone.config, model.backbone)
    backbone = backbone._replace(params=fitted)
  if backbone.tokenizer.vocab_size > model.backbone.vocab_size:
    raise ValueError(
      f"the tokenizer has {backbone.tokenizer.vocab_size} pieces, "
      f"model.backbone.vocab_size is {model.backbone.vocab_size}"
    )
  return backbone


def fit(init: str, params: Any, stored: dict[str, Any] | None) -> Any:
  """Returns stored weights in the shape of a model's; these if there are none.

  Args:
    init: where the weights are from, `model.init`.
    params: random parameters of the backbone, or their shapes.
    stored: what `load` returned.

  Raises:
    ValueError: they do not fit; lists all differences.
  """
  if stored is None:
    return params
  return trees.fit(params, stored, f"model.init={init}")


class Start(NamedTuple):
  """A network, its texts and its first weights.

  Attributes:
    model: the module.
    tokenizer: of its texts.
    max_length: longest text in tokens, [CLS] included, prompts not.
    init_fn: `rng -> params`.
    card: what is known of the backbone.
  """

  model: net.Adapt2Reward
  tokenizer: text.Tokenizer
  max_length: int
  init_fn: Callable[[jax.Array], Any]
  card: dict[str, Any]


def make_start(model: Model, texts: list[str], num_trained: int) -> Start:
  """Builds the network and finds its weights.

  Args:
    model: the network.
    texts: the run's instructions.
    num_trained: how many have robot clips.

  Raises:
    ValueError: sizes that do not fit the weights or the texts.
    FileNotFoundError: no such folder or weights.
  """
  module = net.Adapt2Reward(
    model.backbone,
    num_tasks=num_trained,
    num_failure_prompts=model.num_failure_prompts,
    failure_prompt_length=model.failure_prompt_length,
    domain_prompt_length=model.domain_prompt_length,
  )
  backbone = load(model, texts)
  prompts = model.failure_prompt_length + model.domain_prompt_length
  max_length = min(_MAX_LENGTH, model.backbone.max_positions - prompts)
  _, mask = backbone.tokenizer(texts, max_length + 1)
  if mask[:, max_length:].any():
    longest = texts[int(mask.sum(axis=1).argmax())]
    raise ValueError(
      f"the instruction {longest!r} is longer than {max_length} tokens; raise "
      "model.backbone.max_positions"
    )

  def draw(rng):
    return adapt2reward.init_params(module, rng)

  def init_fn(rng):
    if backbone.params is None:
      return jax.jit(draw)(rng)
    shapes = jax.eval_shape(draw, rng)
    fitted = fit(model.init, shapes["backbone"], backbone.params)
    # XLA leaves out what is not returned: weights that are there already.
    rest = jax.jit(lambda rng: draw(rng) | {"backbone": None})(rng)
    return rest | {"backbone": fitted}

  return Start(module, backbone.tokenizer, max_length, init_fn, backbone.card)


def shipped_vocabulary() -> pathlib.Path:
  """Returns the vocabulary of BERT base uncased, one word piece per line."""
  return pathlib.Path(str(importlib.resources.files(assets))) / _VOCABULARY


def shipped_backbone() -> pathlib.Path:
  """Returns the file of the backbone that ships with the project."""
  folder = pathlib.Path(str(importlib.resources.files(assets)))
  return folder / f"{_SHIPPED}.safetensors"


def save_backbone(
  path: pathlib.Path,
  params: dict[str, Any],
  tokenizer_file: pathlib.Path,
  card: dict[str, Any],
):
  """Writes a backbone as one safetensors file.

  Args:
    path: of the file.
    params: nested dicts of arrays.
    tokenizer_file: what `Tokenizer.save` wrote; goes into the file.
    card: plain values: data, steps, seed, accuracy, command.
  """
  flat = {k: np.asarray(v) for k, v in trees.flatten(params).items()}
  metadata = {
    "tokenizer": tokenizer_file.read_text(encoding="utf-8"),
    "card": json.dumps(card),
  }
  safetensors.numpy.save_file(flat, path, metadata)

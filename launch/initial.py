"""The network of a training run and where its weights start from."""

import importlib.resources
import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors
import safetensors.numpy
import tokenizers

from a2r import assets
from a2r.core import checkpoint, text, trees
from a2r.learners import adapt2reward
from a2r.models import artifact, reward, singularity
from a2r.sim import humans
from data import text as text_data
from launch import prepare

_SHIPPED = "small_backbone"
_MAX_LENGTH = 32


class Start(NamedTuple):
  """A network, its texts and its first weights.

  Attributes:
    model: the module.
    tokenizer: of its texts.
    max_length: longest text in tokens, [CLS] included, prompts not.
    init_fn: `rng -> params`.
    card: what is known of the backbone.
  """

  model: reward.Adapt2Reward
  tokenizer: text.Tokenizer
  max_length: int
  init_fn: Callable[[jax.Array], Any]
  card: dict[str, Any]


class _Backbone(NamedTuple):
  params: dict[str, Any] | None
  tokenizer: text.Tokenizer
  card: dict[str, Any]


def make_start(config: Any, data: prepare.Data) -> Start:
  """Builds the network and finds its weights.

  Args:
    config: the settings under `model`; `init` is 'scratch', 'small_backbone'
      (which ships with the project), a .safetensors file of `save_backbone`, or
      a folder: a run, an exported reward, or a conversion.
    data: the run's clips and texts.

  Raises:
    ValueError: sizes that do not fit the weights or the texts.
    FileNotFoundError: no such folder or weights.
  """
  backbone_config = singularity.Config(**config.backbone)
  model = reward.Adapt2Reward(
    backbone_config,
    num_tasks=data.num_trained,
    num_failure_prompts=config.num_failure_prompts,
    failure_prompt_length=config.failure_prompt_length,
    domain_prompt_length=config.domain_prompt_length,
  )
  backbone = _find_backbone(config, data, backbone_config)
  if backbone.tokenizer.vocab_size > backbone_config.vocab_size:
    raise ValueError(
      f"the tokenizer has {backbone.tokenizer.vocab_size} pieces, "
      f"model.backbone.vocab_size is {backbone_config.vocab_size}"
    )
  prompts = config.failure_prompt_length + config.domain_prompt_length
  max_length = min(_MAX_LENGTH, backbone_config.max_positions - prompts)
  _, mask = backbone.tokenizer(data.texts, max_length + 1)
  if mask[:, max_length:].any():
    longest = data.texts[int(mask.sum(axis=1).argmax())]
    raise ValueError(
      f"the instruction {longest!r} is longer than {max_length} tokens; raise "
      "model.backbone.max_positions"
    )

  def init_fn(rng):
    ids = np.zeros((1, max_length), np.int32)
    params = jax.jit(lambda rng: adapt2reward.init_params(model, rng, ids))(rng)
    if backbone.params is None:
      return params
    fitted = trees.fit(
      params["backbone"], backbone.params, f"model.init={config.init}"
    )
    return params | {"backbone": fitted}

  return Start(model, backbone.tokenizer, max_length, init_fn, backbone.card)


def _find_backbone(config, data, backbone_config) -> _Backbone:
  card = {"init": config.init}
  if config.init == "scratch":
    texts = text_data.corpus(humans.TEMPLATES, humans.NOUNS) + data.texts
    tokenizer = text.Tokenizer.train(
      texts, vocab_size=backbone_config.vocab_size
    )
    return _Backbone(None, tokenizer, card)
  shipped = config.init == _SHIPPED
  path = pathlib.Path(shipped_backbone() if shipped else config.init)
  path = path.expanduser()
  if path.suffix == ".safetensors":
    params, tokenizer, stored = load_backbone(path)
    return _Backbone(params, tokenizer, card | stored)
  if not path.is_dir():
    raise FileNotFoundError(
      f"model.init: {config.init!r} is not a folder; known besides folders: "
      f"scratch, {_SHIPPED}, *.safetensors"
    )
  if artifact.is_one(path):
    trained = artifact.read(path)
    step = {"step": trained.record["step"]}
    return _Backbone(trained.params["backbone"], trained.tokenizer, card | step)
  stored = checkpoint.load(path)
  params = stored.parts["params"]
  tokenizer = text.Tokenizer.load(path / "tokenizer.json")
  return _Backbone(
    params.get("backbone", params), tokenizer, card | {"step": stored.step}
  )


def shipped_backbone() -> pathlib.Path:
  """The file of the backbone that ships with the project."""
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


def load_backbone(
  path: pathlib.Path,
) -> tuple[dict[str, Any], text.Tokenizer, dict[str, Any]]:
  """Reads what `save_backbone` wrote: params, tokenizer and card.

  Raises:
    FileNotFoundError: there is no such file.
  """
  if not path.is_file():
    raise FileNotFoundError(
      f"{path} is not there; make it (python -m launch.pretrain "
      "--config=configs/pretrain.py) or train with --config.model.init=scratch"
    )
  with safetensors.safe_open(path, "numpy") as file:
    metadata = file.metadata()
    flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
  tokenizer = text.Tokenizer(
    tokenizers.Tokenizer.from_str(metadata["tokenizer"])
  )
  return trees.nest(flat), tokenizer, json.loads(metadata["card"])

"""Backbones on disk: the one that ships, those of runs, and conversions."""

import importlib.resources
import json
import pathlib
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
import tokenizers

from a2r import assets
from a2r.core import checkpoint, text, trees
from a2r.models import saved
from a2r.models.singularity import singularity

# What launch.convert writes into its folder.
CONVERTED = "backbone.safetensors"
_SHIPPED = "small_backbone.safetensors"
_VOCABULARY = "bert_vocab.txt"


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


def load(path: pathlib.Path) -> Backbone:
  """Reads the backbone of a run, a reward, a conversion, or a file.

  Args:
    path: the folder of a run, of an exported reward, of a conversion, or a file
      of `save_backbone`.

  Raises:
    FileNotFoundError: there is no such file, or the run has no checkpoint.
    ValueError: a file there is of another kind.
  """
  config = load_config(path)
  file = _file(path)
  if file:
    params, tokenizer, card = load_backbone(file)
    card.pop("config", None)
    return Backbone(params, config, tokenizer, card)
  if saved.is_exported(path):
    found = saved.load(path)
    step = {"step": found.record["step"]}
    return Backbone(found.params["backbone"], config, found.tokenizer, step)
  stored = checkpoint.load(path)
  params = stored.parts["params"]
  # launch.finetune keeps this head beside the backbone.
  head = {name: params[name] for name in params if name == "mlm_head"}
  backbone = params.get("backbone", params) | head
  tokenizer = text.Tokenizer.load(path / "tokenizer.json")
  return Backbone(backbone, config, tokenizer, {"step": stored.step})


def load_config(path: pathlib.Path) -> singularity.Config | None:
  """The config of the backbone that `load` reads, without its weights.

  Returns:
    None if it is not on record.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: a file there is of another kind, or sizes this code knows not.
  """
  file = _file(path)
  if file:
    fields = _metadata(file)["card"].get("config")
  elif (path / "config.json").is_file():
    stored = saved.read_json(path / "config.json")
    fields = stored.get("model", {}).get("backbone")
  else:
    fields = None
  try:
    return fields and singularity.Config(**fields)
  except TypeError as e:
    raise ValueError(f"{path}: sizes that this code does not know: {e}") from e


def _file(path: pathlib.Path) -> pathlib.Path | None:
  """The file of a backbone that is one."""
  if path.is_dir():
    path = path / CONVERTED
    return path if path.is_file() else None
  return path


def shipped_vocabulary() -> pathlib.Path:
  """The vocabulary of BERT base uncased, one word piece per line."""
  return pathlib.Path(str(importlib.resources.files(assets))) / _VOCABULARY


def shipped_backbone() -> pathlib.Path:
  """The file of the backbone that ships with the project."""
  return pathlib.Path(str(importlib.resources.files(assets))) / _SHIPPED


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
    ValueError: it is another kind of file.
  """
  metadata = _metadata(path)
  with safetensors.safe_open(path, "numpy") as file:
    flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
  tokenizer = text.Tokenizer(
    tokenizers.Tokenizer.from_str(metadata["tokenizer"])
  )
  return trees.nest(flat), tokenizer, metadata["card"]


def _metadata(path: pathlib.Path) -> dict[str, Any]:
  """What stands beside the arrays: 'tokenizer' and 'card'."""
  if not path.is_file():
    if path == shipped_backbone():
      raise FileNotFoundError(
        f"{path} is not there, though it ships with the project; make it "
        "(python -m launch.pretrain --config=configs/pretrain.py) or train "
        "with --config.model.init=scratch"
      )
    raise FileNotFoundError(
      f"{path} is not there; expected is a folder of launch.train, "
      "launch.finetune, launch.convert or launch.export, or a file of "
      "launch.pretrain; or train with --config.model.init=scratch"
    )
  try:
    with safetensors.safe_open(path, "numpy") as file:
      metadata = file.metadata() or {}
  except safetensors.SafetensorError as e:
    raise ValueError(f"{path} is damaged: {e}") from e
  if not {"tokenizer", "card"} <= metadata.keys():
    raise ValueError(
      f"{path} is not of this project; python -m launch.convert --from={path} "
      "converts published weights"
    )
  return metadata | {"card": json.loads(metadata["card"])}

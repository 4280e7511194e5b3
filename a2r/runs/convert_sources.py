"""Where launch.convert takes weights from."""

import dataclasses
import hashlib
import pathlib
from typing import Any, NamedTuple

from a2r.core import text, torch_file
from a2r.models import convert
from a2r.models.convert import huggingface, keys
from a2r.models.singularity import singularity
from a2r.runs import weights
from configs import backbones

_HUGGING_FACE = ("model.safetensors", "pytorch_model.bin")
_VOCABULARY = "vocab.txt"
# Options that a folder of this project has no use for.
_OF_PUBLISHED = ("num_heads", "allow_missing", "allow_unknown", "seed")
# What the files of Hugging Face do not say; BERT's share of text layers is
# that of the published model, 9 of 12.
_SIZES = ("num_frames", "temporal_layers", "embed_dim", "itm")


class Options(NamedTuple):
  """How to convert.

  Attributes:
    temporal_feature: see `singularity.Config`; None leaves it as it was, which
      for published files is False.
    num_heads: None reads it off the weights.
    mlm: whether the masked-language head is kept.
    allow_missing: pattern of the keys that may be missing.
    allow_unknown: pattern of the keys that may be left over.
    seed: of parameters that are drawn anew.
    vocab: file of the vocabulary; None takes the one at hand.
  """

  temporal_feature: bool | None = None
  num_heads: int | None = None
  mlm: bool = False
  allow_missing: str | None = None
  allow_unknown: str | None = None
  seed: int = 0
  vocab: pathlib.Path | None = None


class Source(NamedTuple):
  """Weights as they were found.

  Attributes:
    params: nested dicts of arrays.
    config: of the model.
    card: plain values: what they are and where they come from.
    tokenizer: of its texts, if it was beside the weights.
    vocab: file of the vocabulary, if it was beside the weights.
  """

  params: dict[str, Any]
  config: singularity.Config
  card: dict[str, Any]
  tokenizer: text.Tokenizer | None = None
  vocab: pathlib.Path | None = None


def from_path(path: pathlib.Path, options: Options) -> Source:
  """Weights of a published file, or of a folder of this project.

  Raises:
    ValueError: it holds other weights, or none.
    OSError: it cannot be read.
  """
  if path.is_dir():
    return _from_folder(path, options)
  state = _read_state(path)
  found = convert.from_state_dict(
    state,
    options.num_heads,
    temporal_feature=bool(options.temporal_feature),
    mlm=options.mlm,
    allow_missing=options.allow_missing,
    allow_unknown=options.allow_unknown,
    seed=options.seed,
  )
  return _source(found, [path], len(state), options)


def from_parts(
  beit: pathlib.Path, bert: pathlib.Path, options: Options
) -> Source:
  """A BEiT and a BERT of Hugging Face, and new weights for the rest.

  Args:
    beit: folder or file.
    bert: folder or file.
    options: how to convert.

  Raises:
    ValueError: they are other models, or do not fit each other.
    OSError: a file cannot be read.
  """
  files = [_hugging_face_file(path) for path in (beit, bert)]
  states = [_read_state(path) for path in files]
  state = convert.beit(states[0]) | convert.bert(states[1], mlm=options.mlm)
  paper = backbones.paper()
  text_layers = keys.sizes(state, options.num_heads)["text_layers"]
  found = convert.from_state_dict(
    state,
    options.num_heads,
    temporal_feature=bool(options.temporal_feature),
    mlm=options.mlm,
    sizes={key: paper[key] for key in _SIZES}
    | {"fusion_layer": 3 * text_layers // 4},
    allow_missing=_either(huggingface.FRESH, options.allow_missing),
    allow_unknown=options.allow_unknown,
    seed=options.seed,
  )
  beside = files[1].parent / _VOCABULARY
  source = _source(found, files, sum(map(len, states)), options)
  return source._replace(vocab=beside if beside.is_file() else None)


def _from_folder(path: pathlib.Path, options: Options) -> Source:
  """Weights of a conversion, a run or an exported reward."""
  ignored = [
    f"--{name}"
    for name in _OF_PUBLISHED
    if getattr(options, name) != Options._field_defaults[name]
  ]
  if ignored:
    raise ValueError(
      f"{', '.join(ignored)}: for published files alone; {path} is a folder of "
      "this project and is taken as it is"
    )
  found = weights.load(path)
  if found.config is None:
    raise ValueError(f"{path}: the sizes of its model are not on record")
  config = dataclasses.replace(found.config, mlm=options.mlm)
  params = convert.fit(found.params, found.config, config)
  if options.temporal_feature is not None:
    config = dataclasses.replace(
      config, temporal_feature=options.temporal_feature
    )
  card = found.card | {"from": path.name}
  return Source(params, config, card, found.tokenizer)


def _source(
  found: convert.Conversion,
  files: list[pathlib.Path],
  num_keys: int,
  options: Options,
) -> Source:
  """Converted weights with their card."""
  names = {file.name: file for file in files}
  if len(names) < len(files):
    names = {f"{file.parent.name}/{file.name}": file for file in files}
  card = {
    "from": {name: _sha256(file) for name, file in names.items()},
    "layout": found.layout,
    "keys": num_keys,
    "drawn_anew": found.fresh,
    "left_out": found.ignored,
  }
  if found.fresh:
    card["seed"] = options.seed
  return Source(found.variables["params"], found.model.config, card)


def _read_state(path: pathlib.Path) -> dict[str, Any]:
  """The state dict of a file."""
  stored = torch_file.load(path)
  state = stored.get("model", stored)
  if not isinstance(state, dict):
    raise ValueError(
      f"{path}: expected a dict of arrays under 'model', got {state!r}"
    )
  return state


def _hugging_face_file(path: pathlib.Path) -> pathlib.Path:
  """The weights in a folder of Hugging Face; a file is itself."""
  if not path.is_dir():
    return path
  for name in _HUGGING_FACE:
    if (path / name).is_file():
      return path / name
  raise FileNotFoundError(f"{path} has none of {', '.join(_HUGGING_FACE)}")


def _either(*patterns: str | None) -> str:
  return "|".join(f"(?:{pattern})" for pattern in patterns if pattern)


def _sha256(path: pathlib.Path) -> str:
  with open(path, "rb") as stream:
    return hashlib.file_digest(stream, "sha256").hexdigest()

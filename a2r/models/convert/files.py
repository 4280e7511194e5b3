"""Files of published weights: read, described, and written again."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from a2r.core import digests, files, tensors, torch_file
from a2r.core import text as text_lib
from a2r.models.convert import huggingface, keys, state_dict
from a2r.models.convert.state_dict import Options
from a2r.models.singularity import singularity

_HUGGING_FACE = ("model.safetensors", "pytorch_model.bin")
_VOCABULARY = "vocab.txt"
# What the files of Hugging Face do not say is the published model's.
_SIZES = ("num_frames", "temporal_layers", "embed_dim", "itm")


class Source(NamedTuple):
  """Weights as they were read.

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
  tokenizer: text_lib.Tokenizer | None = None
  vocab: pathlib.Path | None = None


def read(path: pathlib.Path, options: Options) -> Source:
  """Reads a published file; a ValueError or OSError where it is none."""
  state = _read_state(path)
  return _convert(state, [path], len(state), options)


def read_parts(
  beit: pathlib.Path, bert: pathlib.Path, options: Options
) -> Source:
  """Reads a BEiT and a BERT of Hugging Face; the rest is drawn anew.

  BERT's share of fusion layers is that of the published model, 3 of 12.

  Args:
    beit: folder or file.
    bert: folder or file.
    options: how to convert.

  Raises:
    ValueError: they are other models, or do not fit each other.
    OSError: a file cannot be read.
  """
  paths = [_find_weights(path) for path in (beit, bert)]
  parts = [_read_state(path) for path in paths]
  state = huggingface.beit(parts[0])
  state |= huggingface.bert(parts[1], mlm=options.mlm)
  published = singularity.Config()
  sizes = {name: getattr(published, name) for name in _SIZES}
  text_layers = keys.sizes(state, options.num_heads)["text_layers"]
  patterns = filter(None, (huggingface.FRESH, options.allow_missing))
  options = options._replace(
    allow_missing="|".join(f"(?:{pattern})" for pattern in patterns)
  )
  sizes["fusion_layer"] = 3 * text_layers // 4
  source = _convert(state, paths, sum(map(len, parts)), options, sizes)
  vocab = paths[1].with_name(_VOCABULARY)
  return source._replace(vocab=vocab if vocab.is_file() else None)


def _read_state(path: pathlib.Path) -> dict[str, Any]:
  """The state dict of a file."""
  stored = torch_file.load(path)
  state = stored.get("model", stored)
  if not isinstance(state, dict):
    raise ValueError(
      f"{path}: expected a dict of arrays under 'model', got {state!r}"
    )
  return state


def _find_weights(path: pathlib.Path) -> pathlib.Path:
  """The weights in a folder of Hugging Face; a file is itself."""
  if not path.is_dir():
    return path
  for name in _HUGGING_FACE:
    if (path / name).is_file():
      return path / name
  raise FileNotFoundError(f"{path} has none of {', '.join(_HUGGING_FACE)}")


def _convert(
  state: Mapping[str, Any],
  paths: list[pathlib.Path],
  num_keys: int,
  options: Options,
  sizes: Mapping[str, Any] | None = None,
) -> Source:
  """Converted weights with their card."""
  try:
    result = state_dict.from_state_dict(state, options, sizes)
  except ValueError as error:
    where = " and ".join(map(str, paths))
    raise ValueError(f"{where}: {error}") from error
  names = {path.name: path for path in paths}
  if len(names) < len(paths):
    names = {f"{path.parent.name}/{path.name}": path for path in paths}
  card = {
    "from": {name: files.digest(path) for name, path in names.items()},
    "layout": result.layout,
    "keys": num_keys,
    "drawn_anew": result.fresh,
    "left_out": result.ignored,
  }
  if result.fresh:
    card["seed"] = options.seed
  return Source(result.variables["params"], result.model.config, card)


def describe(source: Source) -> str:
  """Returns what was read, in a few lines."""
  c, card = source.config, source.card
  num_params = sum(leaf.size for leaf in jax.tree.leaves(source.params))
  lines = [f"{num_params:,} parameters"]
  if "keys" in card:
    lines = [f"{card['keys']} keys, layout {card['layout']}, {lines[0]}"]
  lines += [
    f"{c.num_frames} frames of {c.image_size} x {c.image_size} pixels, width "
    f"{c.width}, {c.num_heads} heads",
    f"layers: {c.vision_layers} vision, {c.temporal_layers} temporal, "
    f"{c.text_layers} text of which {c.text_layers - c.fusion_layer} fusion; "
    f"{c.vocab_size} words",
  ]
  if c.temporal_feature:
    lines.append(
      "the contrastive feature sees the order of frames: Singularity's code "
      "needs update_pooler_embed=True for the same features"
    )
  for key, what in (
    ("left_out", "only there, left out"),
    ("drawn_anew", "only here, drawn anew"),
  ):
    if card.get(key):
      lines.append(f"{what} ({len(card[key])}): {', '.join(card[key])}")
  return "\n".join(lines)


def make_tokenizer(source: Source, vocab: pathlib.Path) -> text_lib.Tokenizer:
  """Returns the tokenizer of the weights' word table, of a vocab.txt.

  Raises:
    ValueError: the table has another number of words.
  """
  rows = source.config.vocab_size
  digests.check(vocab)
  words = vocab.read_text(encoding="utf-8").replace("\r", "").split("\n")
  words = words[:-1] if words[-1] == "" else words
  if "" in words:
    raise ValueError(f"{vocab}, line {words.index('') + 1}: an empty word")
  if len(words) != rows or len(set(words)) != rows:
    raise ValueError(
      f"the word table has {rows} rows, {vocab} {len(set(words))} "
      "different words: pass the model's own with --vocab=vocab.txt"
    )
  return text_lib.Tokenizer.from_vocab(words)


def write(source: Source, path: pathlib.Path, *, pretraining: bool):
  """Writes weights with the published keys, all or nothing.

  Args:
    source: the weights.
    path: of the .safetensors or .pth file, for which PyTorch is needed.
    pretraining: whether in the layout of pre-training, with its head.

  Raises:
    ValueError: the layout has no place for the model, or there is no PyTorch.
  """
  state = state_dict.to_state_dict(
    source.config, source.params, pretraining=pretraining
  )
  path.parent.mkdir(parents=True, exist_ok=True)
  if path.suffix != ".pth":
    tensors.save(path, state, {"format": "pt"}, recorded=False)
    return
  torch = import_torch()
  state = {key: torch.from_numpy(value) for key, value in state.items()}
  with files.atomic_write(path) as partial:
    torch.save({"model": state}, partial)


def import_torch():
  """Returns PyTorch, or raises a ValueError that says what it is needed for."""
  try:
    import torch
  except ImportError:
    raise ValueError(
      "writing .pth needs PyTorch (pip install torch), which is not installed; "
      "--to=model.safetensors does not, and PyTorch reads it"
    ) from None
  return torch

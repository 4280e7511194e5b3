"""What launch.convert writes: a folder to start from, or a published file."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator

import jax
import safetensors.numpy

from a2r.core import files, text
from a2r.models import convert
from a2r.models.convert import sizes as convert_sizes
from a2r.models.singularity import singularity
from a2r.runs import weights
from a2r.runs.convert_sources import Options, Source
from configs import backbones

_FILES = (".safetensors", ".pth")


def describe(source: Source) -> str:
  """What was read, in a few lines."""
  c, card = source.config, source.card
  num_params = sum(leaf.size for leaf in jax.tree.leaves(source.params))
  lines = [f"{num_params:,} parameters"]
  if "keys" in card:
    lines[0] = (
      f"{card['keys']} keys, layout {card['layout']}, {num_params:,} parameters"
    )
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


def is_folder(target: pathlib.Path) -> bool:
  """Whether `write` makes a folder of `target`, not a file."""
  return target.suffix not in _FILES


def check_target(target: pathlib.Path, options: Options):
  """Fails before anything is read if `target` cannot be written.

  Raises:
    ValueError: it is there already, wants PyTorch, or has no place for the
      vocabulary.
  """
  if target.exists():
    raise ValueError(f"{target} is there already; choose another --to")
  if options.vocab and not is_folder(target):
    raise ValueError(
      f"--vocab: {target.name} is a file, which holds no vocabulary; only a "
      "folder does"
    )
  if target.suffix == ".pth":
    _import_torch()


def write(source: Source, target: pathlib.Path, options: Options, command: str):
  """Writes weights, all or nothing.

  Args:
    source: the weights.
    target: a folder to start from, or a .safetensors or .pth file with the
      published keys: the layout of pre-training with `options.mlm`.
    options: how to convert.
    command: what the user typed, for the README.

  Raises:
    ValueError: there is no vocabulary, or the file has no place for the model.
  """
  if is_folder(target):
    tokenizer = make_tokenizer(source, options.vocab)
    with _whole(target) as partial:
      _write_folder(source, tokenizer, partial, command)
    return
  state = convert.to_state_dict(
    source.config, source.params, pretraining=options.mlm
  )
  with _whole(target) as partial:
    if target.suffix == ".safetensors":
      safetensors.numpy.save_file(state, partial, {"format": "pt"})
    else:
      torch = _import_torch()
      tensors = {key: torch.from_numpy(value) for key, value in state.items()}
      torch.save({"model": tensors}, partial)
    _share(partial)


def _share(path: pathlib.Path):
  """The usual rights: safetensors lets nobody else read what it writes."""
  mask = os.umask(0)
  os.umask(mask)
  path.chmod(0o666 & ~mask)


def make_tokenizer(
  source: Source, vocab: pathlib.Path | None
) -> text.Tokenizer:
  """The tokenizer of the weights' word table."""
  if vocab is None and source.tokenizer:
    return source.tokenizer
  vocab = vocab or source.vocab or weights.shipped_vocabulary()
  rows = source.config.vocab_size
  words = vocab.read_text(encoding="utf-8").replace("\r", "").split("\n")
  words = words[:-1] if words[-1] == "" else words
  if len(words) != rows or len(set(words)) != rows:
    raise ValueError(
      f"the word table has {rows} rows, {vocab.name} {len(set(words))} "
      "different words: pass the model's own with --vocab=vocab.txt"
    )
  return text.Tokenizer.from_vocab(words)


def _write_folder(source, tokenizer, folder, command):
  folder.mkdir()
  config = dataclasses.asdict(source.config)
  tokenizer.save(folder / "tokenizer.json")
  weights.save_backbone(
    folder / weights.CONVERTED,
    source.params,
    folder / "tokenizer.json",
    source.card | {"config": config, "command": command},
  )
  _share(folder / weights.CONVERTED)
  files.write_json(folder / "config.json", config)
  (folder / "README.md").write_text(_readme(source, command), encoding="utf-8")


def _readme(source: Source, command: str) -> str:
  origin = source.card["from"]
  if isinstance(origin, dict):
    origin = "\n".join(f"- {n}, SHA-256 {h}" for n, h in origin.items())
  settings = " \\\n        ".join(
    ["--config.model.init=<this folder>"] + sizes(source.config)
  )
  return f"""# A converted backbone

{describe(source)}

From:

{origin}

By:

    {command}

`{weights.CONVERTED}` holds the weights, `config.json` the sizes,
`tokenizer.json` the vocabulary. To start from them:

    python -m launch.train --config=configs/envgen.py:paper \\
        {settings}

Pictures of another size and clips of another number of frames are settings:
--config.model.backbone.image_size and --config.model.backbone.num_frames.
"""


def sizes(config: singularity.Config) -> list[str]:
  """The settings by which a run at the published size gets this model."""
  paper = singularity.Config(**backbones.paper())
  names = convert_sizes.fixed(config, paper)
  names += [
    name
    for name in ("image_size", "num_frames")
    if getattr(config, name) != getattr(paper, name)
  ]
  return [
    f"--config.model.backbone.{name}={getattr(config, name)}" for name in names
  ]


@contextlib.contextmanager
def _whole(target: pathlib.Path) -> Iterator[pathlib.Path]:
  """A name to write to that becomes `target` if all goes well."""
  target.parent.mkdir(parents=True, exist_ok=True)
  partial = target.with_name(f".{target.stem}.partial{target.suffix}")
  shutil.rmtree(partial, ignore_errors=True)
  try:
    yield partial
    partial.rename(target)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
    if partial.is_file():
      partial.unlink()


def _import_torch():
  try:
    import torch
  except ImportError:
    raise ValueError(
      "writing .pth needs PyTorch (pip install torch), which is not installed; "
      "--to=model.safetensors does not, and PyTorch reads it"
    ) from None
  return torch

"""Published weights to a folder that runs start from, and back to a file."""

import dataclasses
import pathlib
import shutil

from a2r.core import files as files_lib
from a2r.core import templates
from a2r.models import convert, pretrained
from a2r.models.convert import files, sizes
from a2r.models.convert.files import Options, Source
from a2r.models.singularity import singularity
from configs import backbones

_FILES = (".safetensors", ".pth")
# Options that a folder of this project has no use for.
_OF_PUBLISHED = ("num_heads", "allow_missing", "allow_unknown", "seed")


def read(path: pathlib.Path, options: Options) -> Source:
  """Reads the weights of a published file, or of a folder of this project.

  Args:
    path: a file; or the folder of a conversion, a run or an exported reward.
    options: how to convert.

  Raises:
    ValueError: it holds other weights, or none.
    OSError: it cannot be read.
  """
  if not path.is_dir():
    return files.read(path, options)
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
  stored = pretrained.read(path)
  if stored.config is None:
    raise ValueError(f"{path}: the sizes of its model are not on record")
  config = dataclasses.replace(stored.config, mlm=options.mlm)
  params = convert.fit(stored.params, stored.config, config)
  if options.temporal_feature is not None:
    config = dataclasses.replace(
      config, temporal_feature=options.temporal_feature
    )
  card = stored.card | {"from": path.name}
  return stored._replace(params=params, config=config, card=card)


def is_folder(target: pathlib.Path) -> bool:
  """Whether `write` makes a folder of `target`, not a file."""
  return target.suffix not in _FILES


def check_target(target: pathlib.Path, options: Options):
  """Fails before anything is read if `target` cannot be written.

  Raises:
    ValueError: it is there already, wants PyTorch, or has no place for the
      vocabulary.
  """
  options.check()
  if target.exists():
    raise ValueError(f"{target} is there already; choose another --to")
  if options.vocab and not is_folder(target):
    raise ValueError(
      f"--vocab: {target.name} is a file, which holds no vocabulary; only a "
      "folder does"
    )
  if target.suffix == ".pth":
    files.import_torch()


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
  if not is_folder(target):
    files.write(source, target, pretraining=options.mlm)
    return
  tokenizer = None if options.vocab else source.tokenizer
  vocab = options.vocab or source.vocab or pretrained.shipped_vocabulary()
  tokenizer = tokenizer or files.make_tokenizer(source, vocab)
  partial = target.with_name(f".{target.name}.partial")
  shutil.rmtree(partial, ignore_errors=True)
  partial.mkdir(parents=True)
  try:
    config = dataclasses.asdict(source.config)
    tokenizer.save(partial / "tokenizer.json")
    pretrained.save(
      partial / pretrained.CONVERTED,
      source.params,
      partial / "tokenizer.json",
      source.card | {"config": config, "command": command},
    )
    files_lib.write_json(partial / "config.json", config, recorded=True)
    readme = templates.render(
      "conversion.md.jinja",
      description=files.describe(source),
      origin=source.card["from"],
      command=command,
      weights=pretrained.CONVERTED,
      settings=settings(source.config),
    )
    files_lib.write_text(partial / "README.md", readme)
    partial.rename(target)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def settings(config: singularity.Config) -> list[str]:
  """Returns the flags by which a run at the published size gets this model."""
  paper = singularity.Config(**backbones.paper())
  names = sizes.fixed(config, paper)
  names += [
    name
    for name in ("image_size", "num_frames")
    if getattr(config, name) != getattr(paper, name)
  ]
  return [
    f"--config.model.backbone.{name}={getattr(config, name)}" for name in names
  ]

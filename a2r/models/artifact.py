"""A trained reward as a folder of plain files, to keep and to share.

  model.safetensors  the parameters, named by their path in the tree
  config.json        sizes, instructions, and what the run was and reached
  tokenizer.json     the vocabulary
  README.md          a model card (`models/card.py`)

Reading one needs neither Orbax nor TensorFlow, and runs no code of others.
"""

import importlib.metadata
import json
import pathlib
import platform
import shutil

import jax
import numpy as np
import safetensors
import safetensors.numpy

from a2r.core import text as text_lib
from a2r.core import trees
from a2r.models import card
from a2r.models import trained as trained_lib
from a2r.models.trained import Trained

FORMAT = "adapt2reward"
VERSION = 1
DTYPES = ("float32", "bfloat16")
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
CARD_FILE = "README.md"
_FILES = (WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE)
_KEPT = (".git", ".gitattributes")  # Of a repository cloned from the Hub.
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "safetensors", "tokenizers")
_VALUES = Trained._fields[2:]  # All but parameters and tokenizer.


def is_one(folder: pathlib.Path) -> bool:
  """Whether a folder looks like what `write` wrote, whole or not."""
  folder = _find(folder)
  if (folder / WEIGHTS_FILE).is_file():
    return True
  try:
    config = trained_lib.read_json(folder / CONFIG_FILE)
  except (OSError, ValueError):
    return False
  return config.get("format") == FORMAT


def write(
  folder: str | pathlib.Path, trained: Trained, *, dtype: str = "float32"
) -> None:
  """Writes the folder, all or nothing; one that is there is replaced whole.

  Only what makes it a git repository stays. Where a kill came between moving
  the old one away and the new one in, the next call finds the old one.

  Args:
    folder: its path.
    trained: what goes into it.
    dtype: 'float32', or 'bfloat16' for half the size: scores then differ in the
      third digit.

  Raises:
    ValueError: an unknown dtype.
    FileExistsError: `folder` holds something else.
  """
  if dtype not in DTYPES:
    raise ValueError(f"unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
  folder = pathlib.Path(folder).expanduser().resolve()
  _restore(folder)
  _check_free(folder)
  flat = {
    name: np.asarray(leaf).astype(jax.numpy.dtype(dtype))
    for name, leaf in trees.flatten(trained.params).items()
  }
  num_params = sum(leaf.size for leaf in flat.values())
  config = _make_config(trained, dtype, num_params)
  partial = folder.with_name(f".{folder.name}.partial")
  shutil.rmtree(partial, ignore_errors=True)
  partial.mkdir(parents=True)
  try:
    safetensors.numpy.save_file(
      flat, partial / WEIGHTS_FILE, {"format": FORMAT}
    )
    text = json.dumps(config, indent=2) + "\n"
    (partial / CONFIG_FILE).write_text(text, encoding="utf-8")
    trained.tokenizer.save(partial / TOKENIZER_FILE)
    # The library lets nobody else read what it writes.
    shutil.copymode(partial / CONFIG_FILE, partial / WEIGHTS_FILE)
    (partial / CARD_FILE).write_text(card.render(config), encoding="utf-8")
    if folder.exists():
      folder.rename(_old(folder))
    partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
    _restore(folder)


def read(folder: str | pathlib.Path) -> Trained:
  """Reads what `write` wrote; the parameters are float32.

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: a file is broken, of a newer version, or does not fit.
  """
  folder = _find(pathlib.Path(folder).expanduser())
  for name in _FILES:
    if not (folder / name).is_file():
      raise FileNotFoundError(
        f"{folder} has no {name}; an exported reward has {', '.join(_FILES)}"
      )
  config = _read_config(folder / CONFIG_FILE)
  weights = trees.nest(_read_weights(folder / WEIGHTS_FILE))
  tokenizer = text_lib.Tokenizer.load(folder / TOKENIZER_FILE)
  values = {key: config[key] for key in _VALUES}
  trained = Trained(params=weights, tokenizer=tokenizer, **values)
  return trained_lib.fit(trained, str(folder))


def _make_config(trained: Trained, dtype: str, num_params: int) -> dict:
  """What config.json holds."""
  versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
  return {
    "format": FORMAT,
    "format_version": VERSION,
    "num_params": int(num_params),
    "dtype": dtype,
    **{key: getattr(trained, key) for key in _VALUES},
    "versions": {"python": platform.python_version()} | versions,
  }


def _read_config(path: pathlib.Path) -> dict:
  """config.json, after a look at its format."""
  config = trained_lib.read_json(path)
  found = config.get("format")
  if found != FORMAT:
    raise ValueError(
      f"{path} is not that of an exported reward: its format is {found!r}, not "
      f"{FORMAT!r}"
    )
  version = config.get("format_version")
  if version != VERSION:
    raise ValueError(
      f"{path} has format_version {version}, this code reads {VERSION}: "
      "take the version of the code that wrote it, or a newer one"
    )
  missing = set(_VALUES) - set(config)
  if missing:
    raise ValueError(f"{path} lacks {sorted(missing)}")
  return config


def _read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
  """All arrays of a file in float32, whatever they are stored in."""
  try:
    flat = safetensors.numpy.load_file(path)
  except safetensors.SafetensorError as error:
    raise ValueError(
      f"{path} is not a whole safetensors file ({error}); copy or export it "
      "again"
    ) from error
  return {name: leaf.astype(np.float32) for name, leaf in flat.items()}


def _check_free(folder: pathlib.Path) -> None:
  """An error unless `folder` may be replaced or is not there."""
  if folder.is_dir():
    found = {path.name for path in folder.iterdir()} - {*_KEPT}
    others = sorted(found - {*_FILES, CARD_FILE})
    if others or (found and not is_one(folder)):
      raise FileExistsError(
        f"{folder} holds something else than an exported reward"
        f" ({', '.join(others[:3] or sorted(found))}): choose another folder"
      )
  elif folder.exists():
    raise FileExistsError(f"{folder} is a file: choose another folder")


def _old(folder: pathlib.Path) -> pathlib.Path:
  """Where a folder is while another takes its place."""
  folder = folder.resolve()  # Of '.' too, which has no name.
  return folder.parent / f".{folder.name}.old"


def _find(folder: pathlib.Path) -> pathlib.Path:
  """The folder; where a kill left none, the one it was to replace."""
  old = _old(folder)
  return old if old.is_dir() and not folder.exists() else folder


def _restore(folder: pathlib.Path) -> None:
  """Ends a replacement that failed or was killed, or that went well."""
  old = _old(folder)
  if not old.is_dir():
    return
  if not folder.exists():
    old.rename(folder)
    return
  for name in _KEPT:
    if (old / name).exists() and not (folder / name).exists():
      (old / name).rename(folder / name)
  shutil.rmtree(old, ignore_errors=True)

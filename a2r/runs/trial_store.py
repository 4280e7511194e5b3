"""Planning trials on disk: what was played is not played again.

A store is a folder for one way of planning; settings.json says which. A cell
of it is one task in one environment with one seed:

  <environment>/<task>-seed0.npz      each trial's record, see `Records`
  <environment>/<task>-seed0.json     what was counted, and by what
  <environment>/<task>-seed0-0.webp   the first trials as animations

A cell grows: asked for more trials, it keeps those that it has. Every file is
written all or nothing and a cell's trials first, so a process may be killed at
any time.

Letters: E trials, P plans of a trial, A action size.
"""

import dataclasses
import hashlib
import json
import pathlib
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from a2r.core import checks, files

SETTINGS_FILE = "settings.json"
_KEY_LENGTH = 10
# What numpy raises at a damaged file, by the place of the damage.
_BROKEN = (
  EOFError,
  KeyError,
  OSError,
  RuntimeError,
  TypeError,
  ValueError,
  tokenize.TokenError,
  zipfile.BadZipFile,
  zlib.error,
)


_KEYS = {"states": "log"}  # Names of fields in the file, where they differ.
_FIELDS = {key: name for name, key in _KEYS.items()}


@dataclasses.dataclass(frozen=True)
class Records:
  """The trials of a cell, in order; every field has E entries.

  Attributes:
    seed: `[E]` int64, of all randomness of a trial.
    success: `[E]` bool.
    states: `[E, 61, 13]` float32, DVD's state at every timestep.
    actions: `[E, steps, A]` float32 as executed.
    values: `[E, P]` float32, what was expected of each plan; NaN for none.
  """

  seed: np.ndarray
  success: np.ndarray
  states: np.ndarray
  actions: np.ndarray
  values: np.ndarray

  def __len__(self) -> int:
    return len(self.seed)

  def __add__(self, other: "Records") -> "Records":
    names = [field.name for field in dataclasses.fields(self)]
    return Records(
      *(
        np.concatenate([getattr(self, name), getattr(other, name)])
        for name in names
      )
    )

  def __getitem__(self, index) -> "Records":
    names = [field.name for field in dataclasses.fields(self)]
    return Records(*(getattr(self, name)[index] for name in names))


class Store:
  """The cells of one way of planning."""

  def __init__(self, root: pathlib.Path, settings: Mapping[str, Any]):
    """Opens the folder of these settings, made where missing.

    Args:
      root: where the folders of all settings are.
      settings: plain values, all that decides the trials.
    """
    self.settings = json.loads(json.dumps(settings))
    self.folder = root / digest(self.settings)
    self.folder.mkdir(parents=True, exist_ok=True)
    path = self.folder / SETTINGS_FILE
    if not path.exists():
      files.write_json(path, self.settings)

  def path(self, environment: str, task: str, seed: int) -> pathlib.Path:
    """A cell's path, without its files' endings."""
    return _path(self.folder, environment, task, seed)

  def count(self, environment: str, task: str, seed: int) -> int:
    """Trials that a cell has; of these few bytes are read."""
    fields = self.read(environment, task, seed)
    return fields["num_trials"] if fields else 0

  def read(self, environment: str, task: str, seed: int) -> dict | None:
    """A cell's fields, or None where it has no trial.

    Raises:
      ValueError: the file is broken.
    """
    return read_fields(self.folder, environment, task, seed)

  def records(self, environment: str, task: str, seed: int) -> Records | None:
    """A cell's trials, or None where it has none.

    Raises:
      ValueError: the file is broken.
    """
    path = _with(self.path(environment, task, seed), ".npz")
    if not path.exists():
      return None
    try:
      with np.load(path) as arrays:
        return Records(**{_FIELDS.get(k, k): v for k, v in arrays.items()})
    except _BROKEN as error:
      text = checks.one_line(error)
      raise ValueError(f"{path} is broken ({text}): delete it") from error

  def write(
    self,
    environment: str,
    task: str,
    seed: int,
    records: Records,
    fields: Mapping[str, Any],
  ):
    """Replaces a cell's trials, then its fields.

    Args:
      environment: of the cell.
      task: the same.
      seed: the same.
      records: all of its trials.
      fields: what its JSON has besides the counts and the settings.
    """
    path = self.path(environment, task, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
      files.atomic_write(_with(path, ".npz")) as partial,
      open(partial, "wb") as stream,
    ):
      arrays = vars(records)
      np.savez_compressed(
        stream, **{_KEYS.get(k, k): v for k, v in arrays.items()}
      )
    files.write_json(
      _with(path, ".json"),
      {
        **fields,
        "num_trials": len(records),
        "num_successes": int(records.success.sum()),
        "settings": self.settings,
      },
    )

  def write_animation(self, environment, task, seed, trial: int, data: bytes):
    """Adds a trial's animation, WebP."""
    path = self.path(environment, task, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_write(_with(path, f"-{trial}.webp")) as partial:
      partial.write_bytes(data)


def read_fields(
  folder: pathlib.Path, environment: str, task: str, seed: int
) -> dict | None:
  """A cell's fields in a store's folder, see `Store.read`."""
  path = _path(folder, environment, task, seed)
  return files.read_json(_with(path, ".json"))


def _path(folder, environment, task, seed) -> pathlib.Path:
  return folder / environment.replace("/", "-") / f"{task}-seed{seed}"


def digest(settings: Any) -> str:
  """Short name of plain values, the same for equal ones."""
  text = json.dumps(settings, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def _with(path: pathlib.Path, ending: str) -> pathlib.Path:
  return path.with_name(path.name + ending)

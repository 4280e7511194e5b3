"""The table of a large data set, kept beside its shards once they were read.

Reading tens of gigabytes at every start takes minutes. The table is used while
every shard has the size and the time of change that it had when it was checked;
a clip whose bytes changed all the same is told when it is read, as always.
"""

import os
import pathlib
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

_LEAST = 1 << 28  # Bytes; a smaller data set is read whole every time.
_STAMPS, _COLUMN = "stamps", "column_"


def load(
  folder: pathlib.Path, name: str, files: Sequence[pathlib.Path]
) -> dict[str, np.ndarray] | None:
  """The columns, or None where there is no table of these very files.

  Args:
    folder: of the shards.
    name: first part of their names.
    files: the shards.
  """
  try:
    with np.load(_path(folder, name), allow_pickle=False) as stored:
      if np.array_equal(stored[_STAMPS], _stamps(files)):
        return {
          key.removeprefix(_COLUMN): stored[key]
          for key in stored.files
          if key.startswith(_COLUMN)
        }
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
    logging.warning("%s is not used: %s", _path(folder, name), error)
  return None


def stamps_of_large(files: Sequence[pathlib.Path]) -> np.ndarray | None:
  """`[files, 2]` sizes and times of change; None for a small data set."""
  stamps = _stamps(files)
  return stamps if stamps[:, 0].sum() >= _LEAST else None


def save(
  folder: pathlib.Path,
  name: str,
  stamps: np.ndarray,
  columns: Mapping[str, np.ndarray],
):
  """Keeps the columns, all or nothing; a folder may be read-only.

  Args:
    folder: of the shards.
    name: first part of their names.
    stamps: of the shards, taken before they were read.
    columns: equally long.
  """
  path = _path(folder, name)
  partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
  arrays = {_COLUMN + key: column for key, column in columns.items()}
  try:
    with partial.open("wb") as stream:
      np.savez_compressed(stream, **{_STAMPS: stamps}, **arrays)
    os.replace(partial, path)
  except OSError as error:
    logging.warning("%s is not kept: %s", path, error)


def _path(folder: pathlib.Path, name: str) -> pathlib.Path:
  return folder / f".{name}-table.npz"


def _stamps(files: Sequence[pathlib.Path]) -> np.ndarray:
  stats = [file.stat() for file in files]
  return np.array([(s.st_size, s.st_mtime_ns) for s in stats], np.int64)

"""Data sets of arrays on disk: compressed shards of .npz, written once.

For what is no labeled clip, and must come back bit for bit. As with records,
a shard appears under its name only when it is complete, and `index.json`,
written last, has the checksum of each: what was killed goes on with the shards
that are missing.

Letters: N rows.
"""

import io
import os
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from a2r.core import progress
from data import records


def make(
  root: str | os.PathLike,
  name: str,
  spec: Mapping[str, Any],
  num_shards: int,
  make_fn: Callable[[int], Mapping[str, np.ndarray]],
) -> pathlib.Path:
  """Makes the shards that are missing; returns the data set's folder.

  Args:
    root: folder of all data sets.
    name: first part of the folder's and the shards' names.
    spec: all that decides the bytes, as plain JSON values.
    num_shards: number of files.
    make_fn: shard number to its arrays `[N, ...]`; a pure function of it.

  Raises:
    RecordError: a shard that was deleted and made again came out different.
  """
  folder = records.spec_folder(root, name, spec)
  if records.load_index(folder) and not _missing(folder, name, num_shards):
    return folder
  folder.mkdir(parents=True, exist_ok=True)
  with records.lock(folder):
    records.check_spec(folder, spec)
    missing = _missing(folder, name, num_shards)
    start = num_shards - len(missing)
    with progress.Progress(num_shards, start=start, name=f"{name} shards") as p:
      for shard in missing:
        _write(_path(folder, name, shard), make_fn(shard))
        p.advance()
        p.report({})
    files = [_path(folder, name, shard) for shard in range(num_shards)]
    records.write_index(folder, spec, [records.shard_entry(f) for f in files])
  return folder


def load(folder: str | os.PathLike) -> dict[str, np.ndarray]:
  """All shards of a finished data set, read whole and joined.

  Raises:
    RecordError: a shard that is missing or not what was written.
  """
  folder = pathlib.Path(folder)
  index = records.load_index(folder)
  if index is None:
    raise records.RecordError(folder, None, "not finished")
  parts = []
  for entry in index["shards"]:
    file = folder / entry["file"]
    if not file.exists() or records.shard_entry(file) != entry:
      raise records.RecordError(file, None, "missing, or changed on disk")
    with np.load(io.BytesIO(file.read_bytes())) as arrays:
      parts.append({key: arrays[key] for key in arrays})
  return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}


def digest(folder: str | os.PathLike) -> str:
  """What tells a finished data set from others."""
  index = records.load_index(folder)
  return " ".join(entry["crc32"] for entry in index["shards"])


def _path(folder, name, shard):
  return folder / f"{name}-{shard:05d}.npz"


def _missing(folder, name, num_shards):
  shards = range(num_shards)
  return [i for i in shards if not _path(folder, name, i).exists()]


def _write(path: pathlib.Path, arrays: Mapping[str, np.ndarray]):
  """Writes a shard; equal arrays, equal bytes."""
  with (
    records.replacing(path) as temporary,
    zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as z,
  ):
    for key in sorted(arrays):
      stream = io.BytesIO()
      np.save(stream, np.ascontiguousarray(arrays[key]), allow_pickle=False)
      # A fixed date, which `np.savez` does not have.
      info = zipfile.ZipInfo(f"{key}.npy")
      z.writestr(info, stream.getvalue(), zipfile.ZIP_DEFLATED)

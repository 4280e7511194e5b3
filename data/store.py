"""Data sets on disk: shards that are made once, each whole or not at all.

A data set is a folder: `spec.json` (what was asked for), shards such as
`robot-00000-of-00008.tfrecord`, and `index.json`, written last, with the size
and checksum of every shard. A shard appears under its name only when it is
complete, so a collection that was killed goes on with the shards that are
missing and ends with the bytes of one that was never stopped.

Shards of clips have a table of them beside the index, `clips.parquet` (a row
for each record: where it lies, its checksum and what is known of the clip), so
that opening them reads no shard. An index of the first format has none; the
table is made when such a data set is opened.

Letters: N rows.
"""

import csv
import dataclasses
import io
import json
import os
import pathlib
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from absl import logging

from a2r.core import checks, files, progress
from data import images, records, video
from data.readers import base as readers
from data.records import Record, RecordError

INDEX_FILE = "index.json"
SPEC_FILE = "spec.json"
TABLE_FILE = "clips.parquet"
BAD_FILE = "bad_clips.csv"
NOTES_FILE = "noted_clips.csv"
_STILL = "all pictures are the same: is it the right camera?"
_CLIPS_PER_SHARD = 64
_BLOCK = 1 << 22  # Bytes that are read at once.


def spec_folder(root, name: str, spec: Mapping[str, Any]) -> pathlib.Path:
  """Returns the folder under `root` of this spec and of no other."""
  digest = files.digest(_canonical(spec))[:10]
  return checks.path(root) / f"{name}-{digest}"


def shard_paths(folder, name: str, num_shards: int) -> list[pathlib.Path]:
  """Returns the paths of all shards of clips, whether there or not."""
  return [
    pathlib.Path(folder) / f"{name}-{i:05d}-of-{num_shards:05d}.tfrecord"
    for i in range(num_shards)
  ]


def missing_shards(paths: Sequence[pathlib.Path]) -> list[int]:
  """Returns the numbers of the shards that are yet to be made."""
  return [shard for shard, path in enumerate(paths) if not path.exists()]


def is_finished(folder, paths: Sequence[pathlib.Path]) -> bool:
  """Returns whether all shards and their index are there."""
  there = (pathlib.Path(folder) / INDEX_FILE).exists()
  return there and not missing_shards(paths)


def write_shards(
  folder,
  name: str,
  spec: Mapping[str, Any],
  counts: Sequence[int],
  make_fn: Callable[[int], Iterable[Record | None]],
  *,
  stale_fn: Callable[[], Iterable[int]] = tuple,
  hint: str = "",
) -> pathlib.Path:
  """Makes the shards of clips that are missing; returns the folder.

  Args:
    folder: where; made if missing. One process at a time writes in it.
    name: first part of the shards' names.
    spec: all that decides the bytes, as plain JSON values.
    counts: clips of each shard.
    make_fn: shard number to its records, None for a clip that is left out; a
      pure function of the number.
    stale_fn: the shards to make again of a data set that was never finished,
      though they are there; asked when no other process writes.
    hint: what to say before the first shard is made.

  Raises:
    ValueError: the folder holds the data of another spec.
    RecordError: a shard that was deleted and made again came out different.
  """
  folder = pathlib.Path(folder)
  paths = shard_paths(folder, name, len(counts))
  _fill(
    folder, spec, paths, counts,
    lambda shard, partial: records.write(partial, make_fn(shard)),
    lambda: records.scan(paths, decode=False, may_be_empty=True),
    what=(name, "clips"), stale_fn=stale_fn, hint=hint,
  )  # fmt: skip
  return folder


def store_clips(
  clips: readers.Clips, root, name: str, *, image_size: int
) -> pathlib.Path:
  """Stores clips of others, wherever they are; returns their folder.

  A second call with the same clips finds what the first one made. Clips that
  cannot be used are left out and listed in bad_clips.csv; a file that is mended
  makes other clips. What is to be said of the pictures of others is listed in
  noted_clips.csv.

  Args:
    clips: what a reader of `data.readers` has opened.
    root, name: as for `write_arrays`.
    image_size: pixels of the stored pictures, either side.

  Raises:
    ValueError: too many clips cannot be used, see
      `data.readers.base.check_left_out`.
  """
  spec = {"format": records.FORMAT, "image_size": image_size, **clips.spec}
  starts = range(0, clips.num, _CLIPS_PER_SHARD)
  counts = [min(_CLIPS_PER_SHARD, clips.num - start) for start in starts]

  folder = spec_folder(root, name, spec)
  num_all = clips.num + len(clips.left_out)
  left_out = [("", clip.name, clip.reason) for clip in clips.left_out]

  def make(shard):
    missing = missing_shards(shard_paths(folder, name, len(counts)))
    bad, noted = (
      [row for row in _load_list(folder / file) if row[0] not in missing]
      for file in (BAD_FILE, NOTES_FILE)
    )
    with video.noting() as told:
      for clip in clips.read_fn(starts[shard], starts[shard] + counts[shard]):
        if isinstance(clip, readers.BadClip):
          bad.append((shard, clip.name, clip.reason))
          yield None
        else:
          if not told and _is_still(clip.frames):
            told.add(_STILL)
          noted += [(shard, clip.name, note) for note in sorted(told)]
          frames = images.resize(clip.frames, image_size)
          yield dataclasses.replace(clip, frames=frames)
        told.clear()
    # The lists first: a shard that is there has its bad clips in them.
    _save_list(folder / BAD_FILE, [*left_out, *bad])
    _save_list(folder / NOTES_FILE, noted)
    found = [*clips.left_out, *(row[1:] for row in bad)]
    try:
      readers.check_left_out(found, num_all, f"{folder / BAD_FILE}")
    except ValueError as error:
      hint = "mend them or take them out, and run the same command"
      raise ValueError(f"{error}; {hint}") from error

  write_shards(folder, name, spec, counts, make)
  _save_list(folder / BAD_FILE, [*left_out, *_load_list(folder / BAD_FILE)])
  return folder


def _is_still(frames: np.ndarray) -> bool:
  return len(frames) > 1 and bool((frames == frames[0]).all())


def clip_notes(folder: pathlib.Path, clips: readers.Clips) -> list[str]:
  """Returns notes on the stored clips: what was left out, what looks otherwise.

  See `store_clips` and `data.video`.
  """
  bad, noted = (
    [row[1:] for row in _load_list(folder / file)]
    for file in (BAD_FILE, NOTES_FILE)
  )
  bad, num_all = [*clips.left_out, *bad], clips.num + len(clips.left_out)
  return [
    *readers.tell_left_out(bad, num_all, f"{folder / BAD_FILE}"),
    *readers.tell_noted(noted, num_all),
  ]


def _load_list(file: pathlib.Path) -> list[tuple[int, str, str]]:
  """Shard, name of the clip and reason, of clips that a shard was to have."""
  if not file.exists():
    return []
  with file.open(encoding="utf-8", newline="") as stream:
    rows = list(csv.DictReader(stream))
  return [(int(r["shard"]), r["clip"], r["reason"]) for r in rows if r["shard"]]


def _save_list(file: pathlib.Path, rows: Sequence[tuple[Any, str, str]]):
  """Writes the list in the order of the shards, where it is another."""
  stream = io.StringIO(newline="")
  writer = csv.writer(stream, lineterminator="\n")
  writer.writerow(("shard", "clip", "reason"))
  writer.writerows(sorted(rows, key=lambda row: (row[0] != "", row)))
  old = file.read_bytes() if file.exists() else b""
  if (rows or old) and old != stream.getvalue().encode():
    files.write_text(file, stream.getvalue())


def write_arrays(
  root: str | os.PathLike,
  name: str,
  spec: Mapping[str, Any],
  num_shards: int,
  make_fn: Callable[[int], Mapping[str, np.ndarray]],
) -> pathlib.Path:
  """Makes the compressed .npz shards that are missing; returns the folder.

  For what is no labeled clip, and must come back bit for bit.

  Args:
    root: folder of all data sets.
    name: first part of the folder's and the shards' names.
    spec: as for `write_shards`.
    num_shards: number of files.
    make_fn: shard number to its arrays `[N, ...]`; a pure function of it.

  Raises:
    RecordError: a shard that was deleted and made again came out different.
  """
  folder = spec_folder(root, name, spec)
  paths = [folder / f"{name}-{shard:05d}.npz" for shard in range(num_shards)]

  def write(shard, partial):
    arrays = make_fn(shard)
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
      for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        # Of a fixed date: equal bytes.
        with archive.open(f"{key}.npy", "w") as stream:
          np.save(stream, array, allow_pickle=False)
    yield

  _fill(folder, spec, paths, [1] * num_shards, write, what=(name, "shards"))
  return folder


def load_arrays(folder: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns all arrays of a finished data set, the shards joined.

  Raises:
    RecordError: a shard that is missing or not what was written.
  """
  folder = pathlib.Path(folder)
  index = load_index(folder)
  if index is None:
    raise RecordError(folder, None, "not finished")
  shards = []
  for entry in index["shards"]:
    file = folder / entry["file"]
    if not file.exists() or shard_entry(file) != entry:
      raise RecordError(file, None, "missing, or changed on disk")
    with np.load(file) as arrays:
      shards.append(dict(arrays))
  return {key: np.concatenate([s[key] for s in shards]) for key in shards[0]}


def arrays_digest(folder: str | os.PathLike) -> str:
  """Returns what tells a finished data set of arrays from others."""
  return " ".join(entry["crc32"] for entry in load_index(folder)["shards"])


def shard_entry(file: pathlib.Path) -> dict[str, Any]:
  """Returns the index's line on a shard: file name, size and zlib's crc32."""
  crc = size = 0
  with file.open("rb") as stream:
    while block := stream.read(_BLOCK):
      crc, size = zlib.crc32(block, crc), size + len(block)
  return {"file": file.name, "size": size, "crc32": f"{crc:08x}"}


def load_index(folder) -> dict[str, Any] | None:
  """Returns `spec`, `shards` and `table`; None where there is no index yet.

  Raises:
    RecordError: the index is broken.
  """
  file = pathlib.Path(folder) / INDEX_FILE
  if not file.exists():
    return None
  try:
    index = checks.parse_json(file.read_bytes(), file, dict)
    if not {"spec", "shards"} <= index.keys():
      raise ValueError("it has no spec and shards")
    if not isinstance(index["shards"], list):
      raise ValueError("its shards are no list")
  except ValueError as error:
    # Without their index the shards would be taken as they are.
    remedy = "delete its folder and run the same command: it is made again"
    problem = f"not an index ({error})"
    raise RecordError(file, None, problem, remedy=remedy) from error
  return {"table": None} | index


def load_table(
  folder: pathlib.Path, paths: Sequence[pathlib.Path]
) -> dict[str, np.ndarray]:
  """Returns the table of a finished data set's clips, see `records.COLUMNS`.

  Where the index has none, or the table is damaged, every shard is read, and
  the table is kept if the folder can be written.

  Raises:
    RecordError: a shard that is not what was written.
  """
  index = load_index(folder)
  entries = {entry["file"]: entry for entry in index["shards"]}
  for path in paths:
    entry = entries.get(path.name)
    if entry is None or entry["size"] != path.stat().st_size:
      _raise_fault(path)
  is_whole = len(entries) == len(paths)
  file = folder / TABLE_FILE
  if is_whole and index["table"] and file.exists():
    if files.digest(file) == index["table"]["sha256"]:
      table = pyarrow.parquet.read_table(file)
      if table.column_names == list(records.COLUMNS):
        return {k: np.array(table[k].to_pylist()) for k in records.COLUMNS}
    logging.warning("%s is not used: it is not the one that was written", file)
  for path in paths:
    if shard_entry(path) != entries[path.name]:
      _raise_fault(path)
  table = records.scan(paths, decode=False, may_be_empty=True)
  if is_whole:
    try:
      _write_index(folder, index["spec"], index["shards"], table)
    except OSError as error:
      logging.warning("%s is not kept: %s", file, error)
  return table


def check_spec(folder: pathlib.Path, spec: Mapping[str, Any]):
  """Writes spec.json, or compares it with the one that is there.

  Raises:
    ValueError: the folder holds the data of another spec.
  """
  old, new = files.read_json(folder / SPEC_FILE), json.loads(_canonical(spec))
  if old is None:
    files.write_text(folder / SPEC_FILE, _canonical(spec))
  elif old != new:
    key = min(k for k in old | new if old.get(k) != new.get(k))
    raise ValueError(
      f"{folder} holds data of another spec: {key} is {old.get(key)!r} there "
      f"and {new.get(key)!r} is asked for; choose another folder or delete "
      "this one"
    )


def _fill(
  folder, spec, paths, counts, write_fn, table_fn=None, *, what,
  stale_fn=tuple, hint="",
):  # fmt: skip
  """Makes the shards that are missing with progress shown, then the index.

  `write_fn(shard, partial)` writes one to the file `partial`, in as many steps
  as `counts[shard]` says; `what` names the data set and these steps.
  """
  if is_finished(folder, paths):
    check_spec(folder, spec)
    return
  with files.locked(folder, wait=True):
    check_spec(folder, spec)
    known = load_index(folder)
    if known is None:
      for shard in stale_fn():
        paths[shard].unlink(missing_ok=True)
    elif is_finished(folder, paths):
      return
    for leftover in folder.glob("*.partial"):
      leftover.unlink()
    missing = missing_shards(paths)
    total, left = sum(counts), sum(counts[shard] for shard in missing)
    with progress.Progress(
      total, start=total - left, name=" ".join(what)
    ) as bar:
      if hint and left:
        bar.say(f"{left} to make; {hint}")
      done, began = 0, time.monotonic()
      for shard in missing:
        with files.atomic_write(paths[shard]) as partial:
          for _ in write_fn(shard, partial):
            bar.advance()
        done += counts[shard]
        bar.report({f"{what[1]}/s": done / (time.monotonic() - began)})
    entries = [shard_entry(path) for path in paths]
    written = known["shards"] if known else entries
    for old, new in zip(written, entries, strict=False):
      if old != new:
        raise RecordError(
          folder / new["file"],
          None,
          f"made again, it differs from {INDEX_FILE}",
          remedy="the program that makes it has changed: delete the folder",
        )
    _write_index(folder, spec, entries, table_fn() if table_fn else None)


def _write_index(folder, spec, entries, table=None):
  """Writes the table of the clips, where there is one, and the index."""
  index = {"format": 2, "spec": spec, "shards": entries}
  if table is not None:
    file = folder / TABLE_FILE
    with files.atomic_write(file) as partial:
      pyarrow.parquet.write_table(pyarrow.table(table), partial)
    index["table"] = {"file": TABLE_FILE, "sha256": files.digest(file)}
  files.write_text(folder / INDEX_FILE, _canonical(index))


def _raise_fault(path: pathlib.Path):
  """Raises the RecordError of a shard whose bytes are not the written ones."""
  records.scan([path], decode=True)
  raise RecordError(path, None, f"differs from {INDEX_FILE}")


def _canonical(value: Mapping[str, Any]) -> str:
  return json.dumps(dict(value), sort_keys=True, indent=1)

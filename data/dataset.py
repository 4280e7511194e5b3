"""A data set opened for reading: a table of all clips, bytes by row.

Opening reads every shard once. Where its checksum is the index's, its bytes
are what was written; where not, each record is examined until the faulty one
is found. No record is ever left out in silence. Of a large data set the table
is kept, see `data.table_file`.

Letters: N clips, T frames, H W picture size.
"""

import dataclasses
import os
import pathlib
import re
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data import records, scanning, table_file
from data.records import Record, RecordError


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Where each clip lies and what is known of it; every column has N rows.

  Attributes:
    files: the shards.
    file: `[N]` int, index into `files`.
    number: `[N]` int, number of the record in its file.
    offset: `[N]` int, first byte of the payload.
    length: `[N]` int, bytes of the payload.
    crc: `[N]` int, zlib's crc32 of the payload.
    num_frames: `[N]` int, frames stored.
    size: `[N, 2]` int, picture height and width.
    success: `[N]` bool.
    seed: `[N]` int.
    instruction: `[N]` str.
    template: `[N]` str.
    task: `[N]` str.
    source: `[N]` str.
    environment: `[N]` str.
    name: `[N]` str; '' for clips that nobody named.
  """

  files: tuple[pathlib.Path, ...]
  file: np.ndarray
  number: np.ndarray
  offset: np.ndarray
  length: np.ndarray
  crc: np.ndarray
  num_frames: np.ndarray
  size: np.ndarray
  success: np.ndarray
  seed: np.ndarray
  instruction: np.ndarray
  template: np.ndarray
  task: np.ndarray
  source: np.ndarray
  environment: np.ndarray
  name: np.ndarray

  def __len__(self) -> int:
    return len(self.file)

  def select(self, rows) -> "Dataset":
    """The clips at `rows`, a mask `[N]` or integers, numbered anew."""
    return dataclasses.replace(
      self, **{name: getattr(self, name)[rows] for name in _columns()}
    )

  def split(self) -> tuple["Dataset", "Dataset"]:
    """Successes and failures, each in the order of the whole."""
    return self.select(self.success), self.select(~self.success)

  def picture_size(self) -> tuple[int, int]:
    """(height, width) of every clip; RecordError where one differs."""
    if not len(self):
      return 0, 0
    different = np.flatnonzero((self.size != self.size[0]).any(axis=-1))
    if len(different):
      file, number = self.where(0)
      problem = (
        f"its pictures are {_text(self.size[different[0]])}, those of "
        f"{file.name}, record {number} are {_text(self.size[0])}"
      )
      raise RecordError(
        *self.where(different[0]),
        problem,
        remedy="store all clips of a data set in one size",
      )
    return int(self.size[0][0]), int(self.size[0][1])

  def where(self, row: int) -> tuple[pathlib.Path, int]:
    """File of a clip, and its record number in it."""
    return self.files[self.file[row]], int(self.number[row])

  def error(self, row: int, problem: str) -> RecordError:
    """A RecordError that names the clip."""
    return RecordError(*self.where(row), problem)

  def example(self, row: int) -> tf.train.Example:
    """Reads one clip; RecordError if its bytes are no longer the same."""
    file, _ = self.where(row)
    try:
      with file.open("rb", buffering=0) as stream:
        payload = os.pread(
          stream.fileno(), int(self.length[row]), int(self.offset[row])
        )
    except OSError as error:
      raise self.error(row, f"cannot be read ({error.strerror})") from error
    if zlib.crc32(payload) != self.crc[row]:
      raise self.error(row, "changed on disk since the data set was opened")
    return tf.train.Example.FromString(payload)

  def frames(self, row: int) -> list[bytes]:
    """The JPEG files of one clip's frames, in order."""
    return list(self.example(row).features.feature["frames"].bytes_list.value)

  def read(self, row: int) -> Record:
    """One clip with its frames decoded; RecordError if one is unreadable."""
    feature = self.example(row).features.feature
    frames = [
      scanning.decode_jpeg(jpeg, *self.where(row), frame)
      for frame, jpeg in enumerate(feature["frames"].bytes_list.value)
    ]
    return Record(
      frames=np.stack(frames),
      success=bool(self.success[row]),
      seed=int(self.seed[row]),
      states=np.array(feature["log"].float_list.value, np.float32),
      **{
        name: str(getattr(self, name)[row])
        for name in scanning.TEXTS + scanning.OPTIONAL
      },
    )


def open_dataset(folder, name: str) -> Dataset:
  """Opens the shards `name-*-of-*.tfrecord` of a folder.

  Raises:
    RecordError: a shard is missing, truncated, damaged, or holds something
      else than clips.
  """
  folder = pathlib.Path(folder).expanduser()
  files = _shard_files(folder, name)
  kept = table_file.load(folder, name, files)
  if kept is not None and kept.keys() == set(_columns()):
    return Dataset(files=tuple(files), **kept)
  stamps = table_file.stamps_of_large(files)
  index = records.load_index(folder)
  entries = {} if index is None else {e["file"]: e for e in index["shards"]}
  rows = []
  for number, file in enumerate(files):
    intact = records.shard_entry(file) == entries.get(file.name)
    rows += [
      (number, *row) for row in scanning.scan_shard(file, examine=not intact)
    ]
    if not intact and index is not None:
      raise RecordError(file, None, f"differs from {records.INDEX_FILE}")
  if not rows:
    raise RecordError(files[0], None, "the data set holds no clip")
  table = dict(
    zip(_columns(), map(np.array, zip(*rows, strict=True)), strict=True)
  )
  if stamps is not None and index is not None:
    table_file.save(folder, name, stamps, table)
  return Dataset(files=tuple(files), **table)


def label_rows(
  dataset: Dataset, instructions: Sequence[str], label_by: str = "instruction"
) -> np.ndarray:
  """`[N]` int32, the place of each clip's label in `instructions`.

  Raises:
    ValueError: naming the first clip whose label is not there.
  """
  if label_by not in ("instruction", "template"):
    raise ValueError(
      f"label_by is {label_by!r}; known: 'instruction', 'template'"
    )
  places = {label: place for place, label in enumerate(instructions)}
  labels = np.full(len(dataset), -1, np.int32)
  for row, label in enumerate(getattr(dataset, label_by)):
    labels[row] = places.get(str(label), -1)
    if labels[row] < 0:
      file, number = dataset.where(row)
      raise ValueError(
        f"{file}, record {number}: its {label_by} {str(label)!r} is not one "
        f"of the {len(places)} known: {sorted(places)}"
      )
  return labels


def _text(size) -> str:
  return f"{size[0]}x{size[1]}"


def _columns() -> list[str]:
  return [field.name for field in dataclasses.fields(Dataset)][1:]


def _shard_files(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
  """All shards of a name in order; RecordError unless the set is complete."""
  pattern = re.compile(re.escape(name) + r"-(\d{5})-of-(\d{5})\.tfrecord")
  found = sorted(folder.glob(f"{name}-*-of-*.tfrecord"))
  totals = {
    int(m[2]) for m in map(pattern.fullmatch, (f.name for f in found)) if m
  }
  if not totals:
    raise RecordError(
      folder / f"{name}-*.tfrecord",
      None,
      "no such file",
      remedy="make it with `python -m launch.collect`",
    )
  if len(totals) > 1:
    raise RecordError(
      folder,
      None,
      f"shards of several data sets, of {sorted(totals)} files",
      remedy="keep one of them",
    )
  num_shards = totals.pop()
  missing = records.missing_shards(folder, name, num_shards)
  if missing:
    raise RecordError(
      records.shard_path(folder, name, missing[0], num_shards),
      None,
      f"missing ({len(missing)} of {num_shards} shards are)",
      remedy="run the same command: it is made",
    )
  return [
    records.shard_path(folder, name, shard, num_shards)
    for shard in range(num_shards)
  ]

"""A data set opened for reading: a table of all clips, bytes by row.

Opening reads the table that was written with the shards and checks their sizes;
a clip's checksum is checked when it is read. Shards without an index are read
whole once. No record is ever left out in silence.

Letters: N clips, T frames, H W picture size.
"""

import dataclasses
import pathlib
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from a2r.core import checks
from data import records, store
from data.records import Record, RecordError


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Where each clip lies and what is known of it; every column has N rows."""

  files: tuple[pathlib.Path, ...]  # The shards.
  file: np.ndarray  # Int, index into `files`.
  number: np.ndarray  # Int, of the record in its file.
  offset: np.ndarray  # Int, first byte of the payload.
  length: np.ndarray  # Int, bytes of the payload.
  crc: np.ndarray  # Int, zlib's crc32 of the payload.
  num_frames: np.ndarray  # Int, frames stored.
  height: np.ndarray  # Int, of the pictures.
  width: np.ndarray  # Int, of the pictures.
  success: np.ndarray  # Bool.
  seed: np.ndarray  # Int.
  # Texts, as in `Record`.
  instruction: np.ndarray
  template: np.ndarray
  task: np.ndarray
  source: np.ndarray
  environment: np.ndarray
  name: np.ndarray

  def __len__(self) -> int:
    return len(self.file)

  def select(self, rows) -> "Dataset":
    """Returns the clips at `rows`, a mask `[N]` or integers, numbered anew."""
    columns = {name: getattr(self, name)[rows] for name in records.COLUMNS}
    return Dataset(self.files, **columns)

  def split(self) -> tuple["Dataset", "Dataset"]:
    """Returns successes and failures, each in the order of the whole."""
    return self.select(self.success), self.select(~self.success)

  def picture_size(self) -> tuple[int, int]:
    """Returns (height, width) of every clip; RecordError where one differs."""
    if not len(self):
      return 0, 0
    height, width = int(self.height[0]), int(self.width[0])
    differs = (self.height != height) | (self.width != width)
    if differs.any():
      row = int(np.flatnonzero(differs)[0])
      file, number = self.where(0)
      raise RecordError(
        *self.where(row),
        f"its pictures are {self.height[row]}x{self.width[row]}, those of "
        f"{file.name}, record {number} are {height}x{width}",
        remedy="store all clips of a data set in one size",
      )
    return height, width

  def where(self, row: int) -> tuple[pathlib.Path, int]:
    """Returns the file of a clip, and its record number in it."""
    return self.files[self.file[row]], int(self.number[row])

  def error(self, row: int, problem: str) -> RecordError:
    """Returns a RecordError that names the clip."""
    return RecordError(*self.where(row), problem)

  def example(self, row: int) -> tf.train.Example:
    """Reads one clip; RecordError if its bytes are no longer the same."""
    file, _ = self.where(row)
    try:
      with file.open("rb") as stream:
        stream.seek(self.offset[row])
        payload = stream.read(self.length[row])
    except OSError as error:
      raise self.error(row, f"cannot be read ({error.strerror})") from error
    if zlib.crc32(payload) != self.crc[row]:
      raise self.error(row, "changed on disk since the data set was opened")
    return tf.train.Example.FromString(payload)

  def frames(self, row: int) -> list[bytes]:
    """Returns the JPEG files of one clip's frames, in order."""
    return list(self.example(row).features.feature["frames"].bytes_list.value)

  def read(self, row: int) -> Record:
    """Reads one clip with its frames decoded; RecordError if one cannot be."""
    feature = self.example(row).features.feature
    frames = [
      records.decode_jpeg(jpeg, *self.where(row), frame)
      for frame, jpeg in enumerate(feature["frames"].bytes_list.value)
    ]
    return Record(
      frames=np.stack(frames),
      success=bool(self.success[row]),
      seed=int(self.seed[row]),
      states=np.array(feature["log"].float_list.value, np.float32),
      **{
        name: str(getattr(self, name)[row])
        for name in records.TEXTS + records.OPTIONAL
      },
    )


def open_dataset(folder, name: str) -> Dataset:
  """Opens the shards `name-*-of-*.tfrecord` of a folder.

  Raises:
    RecordError: a shard is missing, truncated, damaged, or holds something
      else than clips.
  """
  folder = checks.path(folder)
  digits = "[0-9]" * 5
  found = folder.glob(f"{name}-{digits}-of-{digits}.tfrecord")
  totals = sorted({int(path.stem[-5:]) for path in found})
  if not totals:
    raise RecordError(
      folder / f"{name}-*.tfrecord",
      None,
      "no such file",
      remedy="make it with `python -m launch.collect`",
    )
  if len(totals) > 1:
    problem = f"shards of several data sets, of {totals} files"
    raise RecordError(folder, None, problem, remedy="keep one of them")
  paths = store.shard_paths(folder, name, totals[0])
  missing = store.missing_shards(paths)
  if missing:
    raise RecordError(
      paths[missing[0]],
      None,
      f"missing ({len(missing)} of {len(paths)} shards are)",
      remedy="run the same command: it is made",
    )
  if (folder / store.INDEX_FILE).exists():
    table = store.load_table(folder, paths)
  else:
    table = records.scan(paths, decode=True)
  if not table:
    raise RecordError(paths[0], None, "the data set holds no clip")
  return Dataset(tuple(paths), **table)


def label_rows(
  dataset: Dataset, instructions: Sequence[str], label_by: str = "instruction"
) -> np.ndarray:
  """Returns `[N]` int32, the place of each clip's label in `instructions`.

  Raises:
    ValueError: naming the first clip whose label is not there.
  """
  checks.one_of("label_by", label_by, ("instruction", "template"))
  places = {label: place for place, label in enumerate(instructions)}
  texts = getattr(dataset, label_by).tolist()
  labels = [places.get(text, -1) for text in texts]
  if -1 in labels:
    row = labels.index(-1)
    file, number = dataset.where(row)
    raise ValueError(
      f"{file}, record {number}: its {label_by} {texts[row]!r} is not one "
      f"of the {len(places)} known: {sorted(places)}"
    )
  return np.array(labels, np.int32)

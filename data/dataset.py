"""A data set opened for reading: a table of all clips, bytes by row.

Opening reads every shard once. Where its checksum is the index's, its bytes
are what was written; where not, each record is examined until the faulty one
is found. No record is ever left out in silence.

Letters: N clips, T frames, H W picture size.
"""

import dataclasses
import io
import mmap
import os
import pathlib
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from data import records
from data.records import Record, RecordError

_TEXT = ('instruction', 'template', 'task', 'source', 'environment')
_HEADER = struct.Struct('<QI')  # Length, masked crc32c of the length.
_FOOTER = struct.Struct('<I')  # Masked crc32c of the payload.


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

  def __len__(self) -> int:
    return len(self.file)

  def select(self, rows) -> 'Dataset':
    """The clips at `rows`, a mask `[N]` or integers, numbered anew."""
    return dataclasses.replace(
      self, **{name: getattr(self, name)[rows] for name in _columns()}
    )

  def split(self) -> tuple['Dataset', 'Dataset']:
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
        f'its pictures are {_text(self.size[different[0]])}, those of '
        f'{file.name}, record {number} are {_text(self.size[0])}'
      )
      raise RecordError(
        *self.where(different[0]),
        problem,
        remedy='store all clips of a data set in one size',
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
      with file.open('rb', buffering=0) as stream:
        payload = os.pread(
          stream.fileno(), int(self.length[row]), int(self.offset[row])
        )
    except OSError as error:
      raise self.error(row, f'cannot be read ({error.strerror})') from error
    if zlib.crc32(payload) != self.crc[row]:
      raise self.error(row, 'changed on disk since the data set was opened')
    return tf.train.Example.FromString(payload)

  def frames(self, row: int) -> list[bytes]:
    """The JPEG files of one clip's frames, in order."""
    return list(self.example(row).features.feature['frames'].bytes_list.value)

  def read(self, row: int) -> Record:
    """One clip with its frames decoded; RecordError if one is unreadable."""
    feature = self.example(row).features.feature
    frames = [
      decode_jpeg(jpeg, *self.where(row), frame)
      for frame, jpeg in enumerate(feature['frames'].bytes_list.value)
    ]
    return Record(
      frames=np.stack(frames),
      success=bool(self.success[row]),
      seed=int(self.seed[row]),
      log=np.array(feature['log'].float_list.value, np.float32),
      **{name: str(getattr(self, name)[row]) for name in _TEXT},
    )


def open_dataset(folder, name: str) -> Dataset:
  """Opens the shards `name-*-of-*.tfrecord` of a folder.

  Raises:
    RecordError: a shard is missing, truncated, damaged, or holds something
      else than clips.
  """
  folder = pathlib.Path(folder).expanduser()
  files = _shard_files(folder, name)
  index = records.load_index(folder)
  entries = {} if index is None else {e['file']: e for e in index['shards']}
  rows = []
  for number, file in enumerate(files):
    intact = records.shard_entry(file) == entries.get(file.name)
    rows += [(number, *row) for row in _scan(file, examine=not intact)]
    if not intact and index is not None:
      raise RecordError(file, None, f'differs from {records.INDEX_FILE}')
  if not rows:
    raise RecordError(files[0], None, 'the data set holds no clip')
  table = dict(zip(_columns(), map(np.array, zip(*rows, strict=True)),
                   strict=True))
  return Dataset(files=tuple(files), **table)


def decode_jpeg(jpeg: bytes, file, record: int, frame: int) -> np.ndarray:
  """`[H, W, 3]` uint8; RecordError where the bytes are not a whole JPEG."""
  try:
    with Image.open(io.BytesIO(jpeg), formats=['JPEG']) as image:
      return np.asarray(image.convert('RGB'))
  except (OSError, SyntaxError, ValueError) as error:
    problem = f'frame {frame} is not a readable JPEG ({len(jpeg)} bytes)'
    raise RecordError(file, record, problem) from error


def _text(size) -> str:
  return f'{size[0]}x{size[1]}'


def _columns() -> list[str]:
  return [field.name for field in dataclasses.fields(Dataset)][1:]


def _shard_files(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
  """All shards of a name in order; RecordError unless the set is complete."""
  pattern = re.compile(re.escape(name) + r'-(\d{5})-of-(\d{5})\.tfrecord')
  found = sorted(folder.glob(f'{name}-*-of-*.tfrecord'))
  totals = {int(m[2]) for m in map(pattern.fullmatch, (f.name for f in found))
            if m}
  if not totals:
    raise RecordError(
      folder / f'{name}-*.tfrecord', None, 'no such file',
      remedy='make it with `python -m launch.collect`',
    )
  if len(totals) > 1:
    raise RecordError(
      folder, None, f'shards of several data sets, of {sorted(totals)} files',
      remedy='keep one of them',
    )
  num_shards = totals.pop()
  missing = records.missing_shards(folder, name, num_shards)
  if missing:
    raise RecordError(
      records.shard_path(folder, name, missing[0], num_shards), None,
      f'missing ({len(missing)} of {num_shards} shards are)',
      remedy='run the same command: it is made',
    )
  return [
    records.shard_path(folder, name, shard, num_shards)
    for shard in range(num_shards)
  ]


def _scan(file: pathlib.Path, *, examine: bool) -> Iterator[tuple]:
  """Yields one row per record: the columns of Dataset after `file`."""
  if file.stat().st_size == 0:
    raise RecordError(file, None, 'the file is empty')
  with (
    file.open('rb') as stream,
    mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
  ):
    for number, (offset, length) in enumerate(_walk(data, file, examine)):
      payload = data[offset : offset + length]
      yield (
        number, offset, length, zlib.crc32(payload),
        *_parse(payload, file, number, examine),
      )


def _walk(data, file, examine: bool) -> Iterator[tuple[int, int]]:
  """Yields (offset, length) of every payload; with `examine` checks crcs."""
  begin, number = 0, 0
  while begin < len(data):
    offset = begin + _HEADER.size
    if offset > len(data):
      raise RecordError(file, number, 'truncated in the header')
    length, length_crc = _HEADER.unpack_from(data, begin)
    if examine and _masked_crc32c(data[begin : begin + 8]) != length_crc:
      raise RecordError(file, number, 'the checksum of its length is wrong')
    end = offset + length + _FOOTER.size
    if end > len(data):
      have = max(len(data) - offset, 0)
      problem = f'truncated, {have} of {length + _FOOTER.size} bytes are there'
      raise RecordError(file, number, problem)
    if examine:
      (crc,) = _FOOTER.unpack_from(data, offset + length)
      if _masked_crc32c(data[offset : offset + length]) != crc:
        raise RecordError(file, number, 'its checksum is wrong')
    yield offset, length
    begin, number = end, number + 1


def _parse(payload: bytes, file, number: int, examine: bool) -> tuple:
  """(num_frames, size, success, seed, *texts) of a serialized clip."""
  try:
    feature = tf.train.Example.FromString(payload).features.feature
  except Exception as error:  # The class differs between protobuf versions.
    raise RecordError(file, number, 'not a tf.train.Example') from error
  values = {}
  for name, kind in (
    ('frames', 'bytes_list'), ('success', 'int64_list'), ('seed', 'int64_list'),
    *((name, 'bytes_list') for name in _TEXT),
  ):
    values[name] = getattr(feature[name], kind).value
    if not values[name]:
      raise RecordError(file, number, f'the field {name!r} is missing')
  sizes = set()
  for frame, jpeg in enumerate(values['frames']):
    size = None if examine else _jpeg_size(jpeg)
    sizes.add(size or decode_jpeg(jpeg, file, number, frame).shape[:2])
  if len(sizes) > 1:
    raise RecordError(file, number, f'frames of several sizes {sorted(sizes)}')
  texts = (values[name][0].decode(errors='replace') for name in _TEXT)
  return (
    len(values['frames']), sizes.pop(), bool(values['success'][0]),
    values['seed'][0], *texts,
  )


def _jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
  """(height, width) from a JPEG's first frame header; None if not found."""
  position = 2
  while position + 9 <= len(jpeg) and jpeg[position] == 0xFF:
    marker = jpeg[position + 1]
    if marker in (0xC0, 0xC1, 0xC2):
      return struct.unpack_from('>HH', jpeg, position + 5)
    position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], 'big')
  return None


def _make_crc_table() -> list[int]:
  table = []
  for value in range(256):
    for _ in range(8):
      value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    table.append(value)
  return table


_CRC_TABLE = _make_crc_table()


def _masked_crc32c(data: bytes) -> int:
  """TFRecord's checksum: CRC-32C, rotated by 15 bits, plus a constant."""
  crc = 0xFFFFFFFF
  for byte in data:
    crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
  crc ^= 0xFFFFFFFF
  return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

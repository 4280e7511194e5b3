"""What lies in a shard: every record found, and the first fault named."""

import io
import mmap
import pathlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from data.records import RecordError

TEXTS = ("instruction", "template", "task", "source", "environment")
OPTIONAL = ("name",)  # Texts that a clip need not have; '' then.
_HEADER = struct.Struct("<QI")  # Length, masked crc32c of the length.
_FOOTER = struct.Struct("<I")  # Masked crc32c of the payload.


def scan_shard(file: pathlib.Path, *, examine: bool) -> Iterator[tuple]:
  """Yields one row per record: the columns of `Dataset` after `file`.

  Args:
    file: the shard.
    examine: whether to check every checksum and decode every picture, for a
      shard whose bytes are not known to be those that were written.

  Raises:
    RecordError: the first fault.
  """
  if file.stat().st_size == 0:
    raise RecordError(file, None, "the file is empty")
  with (
    file.open("rb") as stream,
    mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
  ):
    for number, (offset, length) in enumerate(_walk(data, file, examine)):
      payload = data[offset : offset + length]
      yield (
        number,
        offset,
        length,
        zlib.crc32(payload),
        *_parse(payload, file, number, examine),
      )


def decode_jpeg(jpeg: bytes, file, record: int, frame: int) -> np.ndarray:
  """`[H, W, 3]` uint8; RecordError where the bytes are not a whole JPEG."""
  try:
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
      return np.asarray(image.convert("RGB"))
  except (OSError, SyntaxError, ValueError) as error:
    problem = f"frame {frame} is not a readable JPEG ({len(jpeg)} bytes)"
    raise RecordError(file, record, problem) from error


def _walk(data, file, examine: bool) -> Iterator[tuple[int, int]]:
  """Yields (offset, length) of every payload; with `examine` checks crcs."""
  begin, number = 0, 0
  while begin < len(data):
    offset = begin + _HEADER.size
    if offset > len(data):
      raise RecordError(file, number, "truncated in the header")
    length, length_crc = _HEADER.unpack_from(data, begin)
    if examine and _masked_crc32c(data[begin : begin + 8]) != length_crc:
      raise RecordError(file, number, "the checksum of its length is wrong")
    end = offset + length + _FOOTER.size
    if end > len(data):
      have = max(len(data) - offset, 0)
      problem = f"truncated, {have} of {length + _FOOTER.size} bytes are there"
      raise RecordError(file, number, problem)
    if examine:
      (crc,) = _FOOTER.unpack_from(data, offset + length)
      if _masked_crc32c(data[offset : offset + length]) != crc:
        raise RecordError(file, number, "its checksum is wrong")
    yield offset, length
    begin, number = end, number + 1


def _parse(payload: bytes, file, number: int, examine: bool) -> tuple:
  """(num_frames, size, success, seed, *texts) of a serialized clip."""
  try:
    feature = tf.train.Example.FromString(payload).features.feature
  except Exception as error:  # The class differs between protobuf versions.
    raise RecordError(file, number, "not a tf.train.Example") from error
  values = {}
  for name, kind in (
    ("frames", "bytes_list"),
    ("success", "int64_list"),
    ("seed", "int64_list"),
    *((name, "bytes_list") for name in TEXTS),
  ):
    values[name] = getattr(feature[name], kind).value
    if not values[name]:
      raise RecordError(file, number, f"the field {name!r} is missing")
  for name in OPTIONAL:
    values[name] = feature[name].bytes_list.value or [b""]
  sizes = set()
  for frame, jpeg in enumerate(values["frames"]):
    size = None if examine else _jpeg_size(jpeg)
    sizes.add(size or decode_jpeg(jpeg, file, number, frame).shape[:2])
  if len(sizes) > 1:
    raise RecordError(file, number, f"frames of several sizes {sorted(sizes)}")
  texts = (
    values[name][0].decode(errors="replace") for name in TEXTS + OPTIONAL
  )
  return (
    len(values["frames"]),
    sizes.pop(),
    bool(values["success"][0]),
    values["seed"][0],
    *texts,
  )


def _jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
  """(height, width) from a JPEG's first frame header; None if not found."""
  position = 2
  while position + 9 <= len(jpeg) and jpeg[position] == 0xFF:
    marker = jpeg[position + 1]
    if marker in (0xC0, 0xC1, 0xC2):
      return struct.unpack_from(">HH", jpeg, position + 5)
    position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
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

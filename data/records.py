"""Clips as records of a TFRecord file: one is written, several are scanned.

A record is a tf.train.Example. `data.store` makes the files of a data set,
`data.dataset` opens them. Letters: N clips, T frames, H W picture size.
"""

import dataclasses
import io
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from data import images

FORMAT = 1  # Part of every spec: raise it when the bytes of a record change.
TEXTS = ("instruction", "template", "task", "source", "environment")
OPTIONAL = ("name",)  # Texts that a clip need not have; '' then.
COLUMNS = (
  "file", "number", "offset", "length", "crc", "num_frames", "height", "width",
  "success", "seed", *TEXTS, *OPTIONAL,
)  # fmt: skip
REMEDY = "delete the file and run the same command: it is made again"
_HEADER, _FOOTER = 12, 4  # Bytes of a TFRecord around its payload.


class RecordError(ValueError):
  """A fault in a shard; one line that names the file and the record.

  Attributes:
    file: path of the shard.
    record: number of the record in the file, None for the file as a whole.
  """

  def __init__(self, file, record, problem, *, remedy=REMEDY):
    self.file = pathlib.Path(file)
    self.record = record
    where = f"{file}" if record is None else f"{file}, record {record}"
    super().__init__(f"{where}: {problem}; {remedy}")


@dataclasses.dataclass(frozen=True)
class Record:
  """One clip and what is known of it."""

  # `[T, H, W, 3]` uint8, or the JPEG files of T pictures.
  frames: np.ndarray | Sequence[bytes]
  instruction: str  # The filled template, such as 'closing drawer'.
  template: str = ""  # Of SS-V2, such as 'Closing something'.
  task: str = ""  # Name of the robot task; '' for a human clip.
  success: bool = True  # Whether the clip does what the instruction says.
  # Who acted: 'expert', 'near_miss', 'noise', 'rl', 'random' or 'explore' (see
  # `a2r.sim.behavior.policies`), 'human' or 'video'.
  source: str = ""
  environment: str = ""  # Where, such as 'tabletop/train'.
  seed: int = 0  # The draw that made the clip.
  # Any shape, float; the true state over time, stored flat.
  states: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros([0], np.float32)
  )
  name: str = ""  # What its user calls the clip, such as a file name, or ''.


def encode(record: Record) -> bytes:
  """Returns a clip as a serialized Example; equal clips, equal bytes."""
  example = tf.train.Example()
  feature = example.features.feature
  for name in TEXTS + OPTIONAL:
    text = getattr(record, name)
    if text or name in TEXTS:
      feature[name].bytes_list.value.append(text.encode())
  feature["frames"].bytes_list.value.extend(
    frame if isinstance(frame, bytes) else images.encode_jpeg(frame)
    for frame in record.frames
  )
  for name in ("success", "seed"):
    feature[name].int64_list.value.append(int(getattr(record, name)))
  states = np.asarray(record.states, np.float32).ravel()
  feature["log"].float_list.CopyFrom(tf.train.FloatList(value=states))
  return example.SerializeToString(deterministic=True)


def write(path: pathlib.Path, clips: Iterable[Record | None]) -> Iterator[None]:
  """Writes a file, a step of the iterator for each clip; None is left out."""
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in clips:
      if record is not None:
        writer.write(encode(record))
      yield


def decode_jpeg(jpeg: bytes, file, record: int, frame: int) -> np.ndarray:
  """Returns `[H, W, 3]` uint8; RecordError if it is not a whole JPEG."""
  try:
    return images.load_rgb(jpeg, formats=["JPEG"])
  except (OSError, SyntaxError, ValueError) as error:
    problem = f"frame {frame} is not a readable JPEG ({len(jpeg)} bytes)"
    raise RecordError(file, record, problem) from error


def scan(
  files: Sequence[pathlib.Path], *, decode: bool, may_be_empty: bool = False
) -> dict[str, np.ndarray]:
  """Reads shards whole and returns their table, `[N]` for each of `COLUMNS`.

  With `decode` every picture is decoded, for shards whose bytes are not known
  to be those that were written. A shard of clips that were all left out is an
  empty file, which only `may_be_empty` takes for whole.

  Raises:
    RecordError: the first fault.
  """
  rows = [
    (place, *row)
    for place, file in enumerate(files)
    if not (may_be_empty and file.stat().st_size == 0)
    for row in _scan_shard(file, decode)
  ]
  columns = zip(COLUMNS, zip(*rows, strict=True), strict=bool(rows))
  return {name: np.array(column) for name, column in columns}


def _scan_shard(file: pathlib.Path, decode: bool) -> Iterator[tuple]:
  """Yields the columns after `file` of one record after another."""
  if file.stat().st_size == 0:
    raise RecordError(file, None, "the file is empty")
  tf.config.set_visible_devices([], "GPU")  # A GPU's memory is for JAX.
  options = tf.data.Options()
  options.autotune.enabled = False  # See `data.pipeline`.
  dataset = tf.data.TFRecordDataset(str(file)).with_options(options)
  payloads = dataset.as_numpy_iterator()
  number, offset = 0, _HEADER
  while True:
    try:
      payload = next(payloads)
    except StopIteration:
      # TensorFlow passes over a header that is cut short.
      if offset - _HEADER != file.stat().st_size:
        raise RecordError(file, number, "truncated in its header") from None
      return
    except tf.errors.DataLossError as error:
      cut = "truncated" in error.message
      problem = "truncated" if cut else "its checksum is wrong"
      raise RecordError(file, number, problem) from error
    place = (number, offset, len(payload), zlib.crc32(payload))
    yield (*place, *_describe(payload, file, number, decode))
    number, offset = number + 1, offset + len(payload) + _FOOTER + _HEADER


def _describe(payload: bytes, file, number: int, decode: bool) -> tuple:
  """Returns the columns of a serialized clip from `num_frames` on."""
  try:
    feature = tf.train.Example.FromString(payload).features.feature
  except Exception as error:  # The class differs between protobuf versions.
    raise RecordError(file, number, "not a tf.train.Example") from error
  values = {n: feature[n].bytes_list.value for n in ("frames", *TEXTS)}
  values |= {n: feature[n].int64_list.value for n in ("success", "seed")}
  for name, value in values.items():
    if not value:
      raise RecordError(file, number, f"the field {name!r} is missing")
  for name in OPTIONAL:
    values[name] = feature[name].bytes_list.value or [b""]
  sizes = set()
  for frame, jpeg in enumerate(values["frames"]):
    if decode:
      sizes.add(decode_jpeg(jpeg, file, number, frame).shape[:2])
    else:
      with Image.open(io.BytesIO(jpeg)) as image:
        sizes.add(image.size[::-1])
  if len(sizes) > 1:
    raise RecordError(file, number, f"frames of several sizes {sorted(sizes)}")
  texts = (values[n][0].decode(errors="replace") for n in TEXTS + OPTIONAL)
  return (
    len(values["frames"]),
    *sizes.pop(),
    bool(values["success"][0]),
    values["seed"][0],
    *texts,
  )

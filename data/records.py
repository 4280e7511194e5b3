"""Clips on disk: TFRecord shards of tf.train.Example, written once.

A data set is a folder: `spec.json` (what was asked for), shards such as
`robot-00000-of-00008.tfrecord`, and `index.json`, written last, with the size
and checksum of every shard. A shard appears under its name only when it is
complete, so a collection that was killed goes on with the shards that are
missing and ends with the bytes of one that was never stopped.

Letters: T frames, H W picture size.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data import images

FORMAT = 1  # Part of every spec: raise it when the bytes of a record change.
INDEX_FILE = "index.json"
SPEC_FILE = "spec.json"
REMEDY = "delete the file and run the same command: it is made again"
_CHUNK = 1 << 22


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
  """One clip and what is known of it.

  Attributes:
    frames: `[T, H, W, 3]` uint8, or the JPEG files of T pictures.
    instruction: the filled template, such as 'closing drawer'.
    template: the SS-V2 template, such as 'Closing something'.
    task: name of the robot task; '' for a human clip.
    success: whether the clip does what the instruction says.
    source: who acted: 'expert', 'near_miss', 'noise', 'rl', 'random' or
      'explore' (see `a2r.sim.behavior.policies`), 'human' or 'video'.
    environment: where, such as 'tabletop/train'.
    seed: the draw that made the clip.
    states: any shape, float; the true state over time, stored flat.
    name: what its user calls the clip, such as a file name, or ''.
  """

  frames: np.ndarray | Sequence[bytes]
  instruction: str
  template: str = ""
  task: str = ""
  success: bool = True
  source: str = ""
  environment: str = ""
  seed: int = 0
  states: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros([0], np.float32)
  )
  name: str = ""


def encode(record: Record) -> bytes:
  """The serialized tf.train.Example of a clip; equal clips, equal bytes."""
  text = {
    name: getattr(record, name).encode()
    for name in ("instruction", "template", "task", "source", "environment")
  }
  if record.name:
    text["name"] = record.name.encode()
  values: dict[str, Any] = {name: [value] for name, value in text.items()}
  values["frames"] = [
    frame if isinstance(frame, bytes) else images.encode_jpeg(frame)
    for frame in record.frames
  ]
  feature = {
    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    for name, value in values.items()
  }
  for name in ("success", "seed"):
    number = [int(getattr(record, name))]
    feature[name] = tf.train.Feature(
      int64_list=tf.train.Int64List(value=number)
    )
  states = np.asarray(record.states, np.float32).ravel()
  feature["log"] = tf.train.Feature(float_list=tf.train.FloatList(value=states))
  example = tf.train.Example(features=tf.train.Features(feature=feature))
  return example.SerializeToString(deterministic=True)


def shard_path(folder, name: str, shard: int, num_shards: int) -> pathlib.Path:
  """Path of one shard."""
  file = f"{name}-{shard:05d}-of-{num_shards:05d}.tfrecord"
  return pathlib.Path(folder) / file


def spec_folder(root, name: str, spec: Mapping[str, Any]) -> pathlib.Path:
  """The folder under `root` that belongs to this spec and to no other."""
  digest = hashlib.sha256(_canonical(spec).encode()).hexdigest()[:10]
  return pathlib.Path(root).expanduser() / f"{name}-{digest}"


def missing_shards(folder, name: str, num_shards: int) -> list[int]:
  """The shards that are yet to be made."""
  return [
    shard
    for shard in range(num_shards)
    if not shard_path(folder, name, shard, num_shards).exists()
  ]


def write_shards(
  folder,
  name: str,
  spec: Mapping[str, Any],
  num_shards: int,
  make_fn: Callable[[int], Iterable[Record]],
  *,
  stale_fn: Callable[[], Iterable[int]] = tuple,
) -> pathlib.Path:
  """Makes the shards that are missing, then the index; returns the folder.

  Args:
    folder: where; made if missing. One process at a time writes in it.
    name: first part of the shards' names.
    spec: all that decides the bytes, as plain JSON values.
    num_shards: number of files.
    make_fn: shard number to its records; a pure function of the number.
    stale_fn: the shards to make again of a data set that was never finished,
      though they are there; asked when no other process writes.

  Raises:
    ValueError: the folder holds the data of another spec.
    RecordError: a shard that was deleted and made again came out different.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  with lock(folder):
    check_spec(folder, spec)
    if not (folder / INDEX_FILE).exists():
      for shard in stale_fn():
        shard_path(folder, name, shard, num_shards).unlink(missing_ok=True)
    elif not missing_shards(folder, name, num_shards):
      return folder
    for leftover in folder.glob(".*.tmp"):
      leftover.unlink()
    for shard in missing_shards(folder, name, num_shards):
      _write_shard(shard_path(folder, name, shard, num_shards), make_fn(shard))
    files = [shard_path(folder, name, i, num_shards) for i in range(num_shards)]
    write_index(folder, spec, [shard_entry(file) for file in files])
  return folder


def shard_entry(file: pathlib.Path) -> dict[str, Any]:
  """The index's line on a shard: file name, size and zlib's crc32."""
  crc, size = 0, 0
  with file.open("rb") as stream:
    while chunk := stream.read(_CHUNK):
      crc, size = zlib.crc32(chunk, crc), size + len(chunk)
  return {"file": file.name, "size": size, "crc32": f"{crc:08x}"}


def load_index(folder) -> dict[str, Any] | None:
  """The index: `spec` and `shards`; None where it was not written yet."""
  file = pathlib.Path(folder) / INDEX_FILE
  if not file.exists():
    return None
  try:
    index = json.loads(file.read_text())
    return {"spec": index["spec"], "shards": list(index["shards"])}
  except (ValueError, KeyError, TypeError) as error:
    raise RecordError(file, None, f"not an index ({error})") from error


def check_spec(folder: pathlib.Path, spec: Mapping[str, Any]):
  """Writes spec.json, or compares it with the one that is there.

  Raises:
    ValueError: the folder holds the data of another spec.
  """
  file = folder / SPEC_FILE
  if not file.exists():
    _write_json(file, spec)
  stored = file.read_text()
  if stored != _canonical(spec):
    old, new = json.loads(stored), json.loads(_canonical(spec))
    keys = [k for k in sorted(old | new) if old.get(k) != new.get(k)]
    raise ValueError(
      f"{folder} holds data of another spec: {keys[0]} is "
      f"{old.get(keys[0])!r} there and {new.get(keys[0])!r} is asked for; "
      "choose another folder or delete this one"
    )


def _write_shard(path: pathlib.Path, clips: Iterable[Record]):
  with replacing(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
    for clip in clips:
      writer.write(encode(clip))


def write_index(folder, spec, shards):
  """Writes the index, or compares the shards with the one that is there.

  Raises:
    RecordError: a shard that was made again came out different.
  """
  known = load_index(folder)
  if known is not None:
    for old, new in zip(known["shards"], shards, strict=False):
      if old != new:
        raise RecordError(
          folder / new["file"],
          None,
          f"made again, it differs from {INDEX_FILE}",
          remedy="the program that makes it has changed: delete the folder",
        )
  _write_json(folder / INDEX_FILE, {"spec": spec, "shards": shards})


def _canonical(spec: Mapping[str, Any]) -> str:
  return json.dumps(dict(spec), sort_keys=True, indent=1)


def _write_json(path: pathlib.Path, value):
  with replacing(path) as temporary:
    pathlib.Path(temporary).write_text(_canonical(value))


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[str]:
  """Gives a temporary name; at the end it is flushed and takes `path`."""
  temporary = path.with_name(f".{path.name}.tmp")
  yield str(temporary)
  for target in (temporary, None):
    if target is None:
      os.replace(temporary, path)
      target = path.parent
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@contextlib.contextmanager
def lock(folder: pathlib.Path) -> Iterator[None]:
  """Waits until no other process writes in the folder; ends with it."""
  with (folder / ".lock").open("w") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX)
    yield

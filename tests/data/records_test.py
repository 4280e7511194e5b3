"""Shards: round trip, faults that are named, and collections cut short."""

import json
import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from data import images

_COLLECT = """
import sys, time
import numpy as np
from data import records

def make(shard):
  for clip in range(3):
    if shard == 2 and clip == 1 and {slow}:
      print("in the middle", flush=True)
      time.sleep(600)
    rng = np.random.default_rng([shard, clip])
    frames = rng.integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    yield records.Record(frames, "closing drawer", seed=10 * shard + clip)

records.write_shards(sys.argv[1], "robot", {{"seed": 0}}, 4, make)
"""


def _files(folder):
  return {
    file.name: file.read_bytes()
    for file in sorted(folder.iterdir())
    if not file.name.startswith(".")
  }


def test_round_trip(robot, make_clip):
  assert len(robot) == 24
  for row in (0, 7, 23):
    clip, expected = robot.read(row), make_clip(row)
    difference = clip.frames.astype(int) - expected.frames
    assert np.abs(difference).max() <= 20 and np.abs(difference).mean() < 3
    np.testing.assert_array_equal(clip.states, expected.states.ravel())
    for name in ("instruction", "template", "task", "source", "environment"):
      assert getattr(clip, name) == getattr(expected, name)
    assert (clip.success, clip.seed) == (expected.success, expected.seed)


def test_columns_and_views(robot):
  successes, failures = robot.split()
  assert len(successes) == len(failures) == 12
  assert successes.success.all() and not failures.success.any()
  assert failures.read(0).seed == 3
  assert robot.where(11) == (robot.files[2], 1)
  assert robot.picture_size() == (16, 16)


def test_tensorflow_reads_the_shards(robot):
  import tensorflow as tf

  files = [str(file) for file in robot.files]
  assert sum(1 for _ in tf.data.TFRecordDataset(files)) == len(robot)


def test_killed_collection_goes_on_with_equal_bytes(tmp_path, records):
  whole, cut = tmp_path / "whole", tmp_path / "cut"
  env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
  with subprocess.Popen(
    [sys.executable, "-c", _COLLECT.format(slow=True), cut],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    env=env,
  ) as process:
    assert process.stdout.readline() == b"in the middle\n"
    os.kill(process.pid, signal.SIGKILL)
  assert records.missing_shards(cut, "robot", 4) == [2, 3]
  assert records.load_index(cut) is None
  kept = (cut / "robot-00001-of-00004.tfrecord").stat().st_mtime_ns
  program = compile(_COLLECT.format(slow=False), "collect", "exec")
  for folder in (cut, whole):
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(sys, "argv", ["collect", str(folder)])
      exec(program, {})
  assert (cut / "robot-00001-of-00004.tfrecord").stat().st_mtime_ns == kept
  assert _files(cut) == _files(whole)
  assert not list(cut.glob(".*.tmp"))


def test_finished_data_is_not_made_again(tmp_path, make_clip, records):
  calls = []

  def make(shard):
    calls.append(shard)
    return [make_clip(shard)]

  for _ in range(2):
    records.write_shards(tmp_path, "robot", {}, 3, make)
  assert calls == [0, 1, 2]
  before = _files(tmp_path)
  next(tmp_path.glob("robot-00001-*")).unlink()
  records.write_shards(tmp_path, "robot", {}, 3, make)
  assert calls == [0, 1, 2, 1] and _files(tmp_path) == before


def test_remade_shard_that_differs_is_an_error(tmp_path, make_clip, records):
  records.write_shards(tmp_path, "robot", {}, 2, lambda s: [make_clip(s)])
  next(tmp_path.glob("robot-00001-*")).unlink()
  with pytest.raises(
    records.RecordError, match="00001-of-.*differs from index"
  ):
    records.write_shards(tmp_path, "robot", {}, 2, lambda s: [make_clip(9)])


def test_another_spec_is_another_folder(tmp_path, make_clip, records):
  spec = {"seed": 0, "tasks": ["a"]}
  folder = records.spec_folder(tmp_path, "robot", spec)
  assert folder == records.spec_folder(tmp_path, "robot", dict(spec))
  assert folder != records.spec_folder(tmp_path, "robot", spec | {"seed": 1})
  records.write_shards(folder, "robot", spec, 1, lambda s: [make_clip(s)])
  with pytest.raises(ValueError, match="another spec: seed is 0 there and 1"):
    records.write_shards(folder, "robot", spec | {"seed": 1}, 1, None)


def _cut(data, offset):
  return data[: len(data) - offset]


def _flip(data, offset):
  return data[:offset] + bytes([data[offset] ^ 0x40]) + data[offset + 1 :]


def _second_record(data):
  return 16 + struct.unpack_from("<Q", data)[0]


@pytest.mark.parametrize(
  "damage, record, problem",
  [
    (lambda d: _cut(d, 100), 4, "truncated, "),
    (lambda d: d[: _second_record(d) + 5], 1, "truncated in the header"),
    (lambda d: d[: _second_record(d)], None, "differs from index.json"),
    (lambda d: _flip(d, _second_record(d) + 900), 1, "its checksum is wrong"),
    (lambda d: _flip(d, _second_record(d) + 9), 1, "checksum of its length"),
    (lambda d: b"", None, "the file is empty"),
  ],
)
def test_damage_is_named(
  tmp_path, make_clip, store, dataset, damage, record, problem
):
  store(tmp_path, (make_clip(i) for i in range(10)))
  file = tmp_path / "robot-00001-of-00002.tfrecord"
  file.write_bytes(damage(file.read_bytes()))
  with pytest.raises(dataset.RecordError, match=problem) as caught:
    dataset.open_dataset(tmp_path, "robot")
  message = str(caught.value)
  assert (caught.value.file, caught.value.record) == (file, record)
  assert str(file) in message and "\n" not in message
  assert "delete the file and run the same command" in message
  if record is not None:
    assert f"record {record}" in message


def _example(records, clip, **changes):
  """A serialized clip with features replaced (or removed, by None)."""
  import tensorflow as tf

  example = tf.train.Example.FromString(records.encode(clip))
  for name, values in changes.items():
    del example.features.feature[name]
    if values is not None:
      example.features.feature[name].bytes_list.value.extend(values)
  return example.SerializeToString()


@pytest.mark.parametrize(
  "fault, problem",
  [
    ("example", "not a tf.train.Example"),
    ("frames", "the field 'frames' is missing"),
    ("instruction", "the field 'instruction' is missing"),
    ("jpeg", r"frame 1 is not a readable JPEG \(10 bytes\)"),
    ("half", "frame 1 is not a readable JPEG"),
    ("sizes", r"frames of several sizes \[\(8, 8\), \(16, 16\)\]"),
  ],
)
def test_foreign_shard_is_examined(
  tmp_path, make_clip, records, dataset, fault, problem
):
  import tensorflow as tf

  clip = make_clip(0)
  good = records.encode(clip)
  jpegs = [images.encode_jpeg(frame) for frame in clip.frames[:3]]
  payload = {
    "example": lambda: b"\xff" * 40,
    "frames": lambda: _example(records, clip, frames=None),
    "instruction": lambda: _example(records, clip, instruction=None),
    "jpeg": lambda: _example(records, clip, frames=[jpegs[0], b"not a jpeg"]),
    "half": lambda: _example(
      records, clip, frames=[jpegs[0], jpegs[1][: len(jpegs[1]) // 2]]
    ),
    "sizes": lambda: _example(
      records,
      clip,
      frames=[jpegs[0], images.encode_jpeg(clip.frames[0, :8, :8])],
    ),
  }[fault]()
  file = tmp_path / "robot-00000-of-00001.tfrecord"
  with tf.io.TFRecordWriter(str(file)) as writer:
    for data in (good, good, payload):
      writer.write(data)
  with pytest.raises(dataset.RecordError, match=problem) as caught:
    dataset.open_dataset(tmp_path, "robot")
  assert (caught.value.file, caught.value.record) == (file, 2)


def test_foreign_shards_without_an_index_open(
  tmp_path, make_clip, store, dataset, records
):
  store(tmp_path, (make_clip(i) for i in range(6)))
  (tmp_path / records.INDEX_FILE).unlink()
  assert len(dataset.open_dataset(tmp_path, "robot")) == 6


def test_missing_shard_and_missing_data(tmp_path, make_clip, store, dataset):
  with pytest.raises(dataset.RecordError, match="no such file.*launch.collect"):
    dataset.open_dataset(tmp_path, "robot")
  store(tmp_path, (make_clip(i) for i in range(12)))
  (tmp_path / "robot-00001-of-00003.tfrecord").unlink()
  with pytest.raises(dataset.RecordError, match=r"00001-of.*1 of 3 shards"):
    dataset.open_dataset(tmp_path, "robot")


def test_bytes_that_change_under_way_are_named(
  tmp_path, make_clip, store, dataset
):
  opened = store(tmp_path, (make_clip(i) for i in range(5)))
  file, data = opened.files[0], opened.files[0].read_bytes()
  file.write_bytes(_flip(data, int(opened.offset[3]) + 500))
  assert opened.read(2).seed == 2
  with pytest.raises(dataset.RecordError, match="record 3: changed on disk"):
    opened.read(3)


def test_broken_index_is_named(tmp_path, make_clip, store, dataset):
  store(tmp_path, [make_clip(0)])
  (tmp_path / "index.json").write_text(json.dumps(["nothing"]))
  with pytest.raises(dataset.RecordError, match="index.json: not an index"):
    dataset.open_dataset(tmp_path, "robot")

"""Shards: round trip, faults that are named, and collections cut short."""

import dataclasses
import json
import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from a2r.core import files
from data import dataset, images, records
from data import store as stores
from data.readers import base as readers

_COLLECT = """
import sys, time
import numpy as np
from data import records, store

def make(shard):
  for clip in range(3):
    if shard == 2 and clip == 1 and {slow}:
      print("in the middle", flush=True)
      time.sleep(600)
    rng = np.random.default_rng([shard, clip])
    frames = rng.integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    yield records.Record(frames, "closing drawer", seed=10 * shard + clip)

store.write_shards(sys.argv[1], "robot", {{"seed": 0}}, [3] * 4, make)
"""


def _files(folder):
  return {
    file.name: file.read_bytes()
    for file in sorted(folder.iterdir())
    if not file.name.startswith(".")
  }


def test_round_trip(robot, make_clip):
  import tensorflow as tf

  assert len(robot) == 24
  for row in (0, 7, 23):
    clip, expected = robot.read(row), make_clip(row)
    difference = clip.frames.astype(int) - expected.frames
    assert np.abs(difference).max() <= 20 and np.abs(difference).mean() < 3
    np.testing.assert_array_equal(clip.states, expected.states.ravel())
    for name in (*records.TEXTS, "success", "seed"):
      assert getattr(clip, name) == getattr(expected, name)
  files = [str(file) for file in robot.files]
  assert sum(1 for _ in tf.data.TFRecordDataset(files)) == len(robot)


def test_columns_and_views(robot):
  successes, failures = robot.split()
  assert len(successes) == len(failures) == 12
  assert successes.success.all() and not failures.success.any()
  assert failures.read(0).seed == 3
  assert robot.where(11) == (robot.files[2], 1)
  assert robot.picture_size() == (16, 16)


def test_killed_collection_goes_on_with_equal_bytes(tmp_path):
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
  assert stores.missing_shards(stores.shard_paths(cut, "robot", 4)) == [2, 3]
  assert stores.load_index(cut) is None
  kept = (cut / "robot-00001-of-00004.tfrecord").stat().st_mtime_ns
  program = compile(_COLLECT.format(slow=False), "collect", "exec")
  for folder in (cut, whole):
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(sys, "argv", ["collect", str(folder)])
      exec(program, {})
  assert (cut / "robot-00001-of-00004.tfrecord").stat().st_mtime_ns == kept
  assert _files(cut) == _files(whole)
  assert not list(cut.glob("*.partial"))


def test_finished_data_is_not_made_again(tmp_path, make_clip):
  calls = []

  def write(first=0):
    def make(shard):
      calls.append(shard)
      return [make_clip(first + shard)]

    stores.write_shards(tmp_path, "robot", {}, [1] * 3, make)

  write()
  before = _files(tmp_path)
  write()
  assert calls == [0, 1, 2]
  file = tmp_path / "robot-00001-of-00003.tfrecord"
  file.unlink()
  write()
  assert calls == [0, 1, 2, 1] and _files(tmp_path) == before
  file.unlink()
  with pytest.raises(records.RecordError, match=f"{file}.*differs from index"):
    write(first=9)


def test_another_spec_is_another_folder(tmp_path, make_clip):
  spec = {"seed": 0, "tasks": ["a"]}
  folder = stores.spec_folder(tmp_path, "robot", spec)
  assert folder == stores.spec_folder(tmp_path, "robot", dict(spec))
  assert folder != stores.spec_folder(tmp_path, "robot", spec | {"seed": 1})
  stores.write_shards(folder, "robot", spec, [1] * 1, lambda s: [make_clip(s)])
  with pytest.raises(ValueError, match="another spec: seed is 0 there and 1"):
    stores.write_shards(folder, "robot", spec | {"seed": 1}, [1] * 1, None)


def _remove_index(folder):
  (folder / stores.INDEX_FILE).unlink()


def _age(folder):
  """Makes the folder one whose index has no table, as in the first format."""
  index = json.loads((folder / "index.json").read_text())
  old = {"spec": index["spec"], "shards": index["shards"]}
  (folder / "index.json").write_text(json.dumps(old, sort_keys=True, indent=1))
  (folder / stores.TABLE_FILE).unlink()


def _damage_table(folder):
  file = folder / stores.TABLE_FILE
  file.write_bytes(file.read_bytes()[:100])


def _flip(data, offset):
  return data[:offset] + bytes([data[offset] ^ 0x40]) + data[offset + 1 :]


def _second(data):
  """Where the second record begins."""
  return 16 + struct.unpack_from("<Q", data)[0]


@pytest.mark.parametrize(
  "change, damage, record, problem",
  [
    (None, lambda d: d[:-100], 4, "truncated"),
    (None, lambda d: d[: _second(d) + 5], 1, "truncated"),
    (None, lambda d: d[: _second(d)], None, "differs from index.json"),
    (None, lambda d: b"", None, "the file is empty"),
    (_remove_index, lambda d: _flip(d, _second(d) + 9), 1, "its checksum"),
    (_remove_index, lambda d: _flip(d, _second(d) + 900), 1, "its checksum"),
    (_age, lambda d: _flip(d, _second(d) + 900), 1, "its checksum"),
  ],
)
def test_damage_is_named(
  tmp_path, make_clip, store, change, damage, record, problem
):
  store(tmp_path, (make_clip(i) for i in range(10)))
  if change:
    change(tmp_path)
  file = tmp_path / "robot-00001-of-00002.tfrecord"
  file.write_bytes(damage(file.read_bytes()))
  with pytest.raises(records.RecordError, match=problem) as caught:
    dataset.open_dataset(tmp_path, "robot")
  message = str(caught.value)
  assert (caught.value.file, caught.value.record) == (file, record)
  assert str(file) in message and "\n" not in message
  assert "delete the file and run the same command" in message
  assert record is None or f"record {record}" in message


@pytest.mark.parametrize(
  "fault, problem",
  [
    ("example", "not a tf.train.Example"),
    ("instruction", "the field 'instruction' is missing"),
    ("frames", "the field 'frames' is missing"),
    ("jpeg", r"frame 1 is not a readable JPEG \(10 bytes\)"),
    ("half", "frame 1 is not a readable JPEG"),
    ("sizes", r"frames of several sizes \[\(8, 8\), \(16, 16\)\]"),
  ],
)
def test_foreign_shard_is_examined(tmp_path, make_clip, fault, problem):
  import tensorflow as tf

  clip = make_clip(0)
  good = records.encode(clip)
  jpeg = images.encode_jpeg(clip.frames[0])
  frames = {
    "frames": [],
    "jpeg": [jpeg, b"not a jpeg"],
    "half": [jpeg, jpeg[: len(jpeg) // 2]],
    "sizes": [jpeg, images.encode_jpeg(clip.frames[0, :8, :8])],
  }.get(fault, [jpeg])
  bad = records.encode(dataclasses.replace(clip, frames=frames))
  if fault == "instruction":
    example = tf.train.Example.FromString(bad)
    del example.features.feature["instruction"]
    bad = example.SerializeToString()
  file = tmp_path / "robot-00000-of-00001.tfrecord"
  with tf.io.TFRecordWriter(str(file)) as writer:
    for data in (good, good, b"\xff" * 40 if fault == "example" else bad):
      writer.write(data)
  with pytest.raises(records.RecordError, match=problem) as caught:
    dataset.open_dataset(tmp_path, "robot")
  assert (caught.value.file, caught.value.record) == (file, 2)


def test_missing_shard_and_missing_data(tmp_path, make_clip, store):
  with pytest.raises(records.RecordError, match="no such file.*launch.collect"):
    dataset.open_dataset(tmp_path, "robot")
  store(tmp_path, (make_clip(i) for i in range(12)))
  (tmp_path / "robot-00001-of-00003.tfrecord").unlink()
  with pytest.raises(records.RecordError, match=r"00001-of.*1 of 3 shards"):
    dataset.open_dataset(tmp_path, "robot")


def test_bytes_that_change_under_way_are_named(tmp_path, make_clip, store):
  opened = store(tmp_path, (make_clip(i) for i in range(5)))
  file, data = opened.files[0], opened.files[0].read_bytes()
  file.write_bytes(_flip(data, int(opened.offset[3]) + 500))
  assert opened.read(2).seed == 2
  with pytest.raises(records.RecordError, match="record 3: changed on disk"):
    opened.read(3)


@pytest.mark.parametrize("change", [_remove_index, _age, _damage_table])
def test_a_table_that_is_not_there_is_made_again(
  tmp_path, make_clip, store, change
):
  opened = store(tmp_path, (make_clip(i) for i in range(12)))
  before = _files(tmp_path)
  change(tmp_path)
  again = dataset.open_dataset(tmp_path, "robot")
  for name in records.COLUMNS:
    left, right = getattr(opened, name), getattr(again, name)
    np.testing.assert_array_equal(left, right)
    assert left.dtype == right.dtype
  assert again.read(7).instruction == opened.read(7).instruction
  assert change == _remove_index or _files(tmp_path) == before


def test_opening_reads_no_shard(tmp_path, make_clip, store, monkeypatch):
  opened = store(tmp_path, (make_clip(i) for i in range(12)))
  monkeypatch.setattr(records, "scan", None)
  monkeypatch.setattr(stores, "shard_entry", None)
  again = dataset.open_dataset(tmp_path, "robot")
  assert again.instruction.tolist() == opened.instruction.tolist()
  for text in ("{", '["nothing"]', '{"spec": {}, "shards": "none"}'):
    (tmp_path / "index.json").write_text(text)
    said = r"index.json: not an index \(.*\); delete its folder"
    with pytest.raises(records.RecordError, match=said):
      dataset.open_dataset(tmp_path, "robot")


SPEC = {"what": "numbers", "seed": 3}


def _arrays(number):
  rng = np.random.default_rng(number)
  return {
    "a": rng.integers(0, 256, (number + 1, 4), np.uint8),
    "b": np.full((number + 1, 2), number, np.float32),
  }


def test_a_full_disk_keeps_the_shards_that_are_whole(
  tmp_path, make_clip, no_room
):
  counts = [1, 40]

  def make(shard):
    return [make_clip(i) for i in range(counts[shard])]

  with no_room(20_000), pytest.raises(files.DiskFullError, match="00001-of-"):
    stores.write_shards(tmp_path, "robot", {}, counts, make)
  assert [p.name for p in tmp_path.glob("*.tf*")] == [
    "robot-00000-of-00002.tfrecord"
  ]
  stores.write_shards(tmp_path, "robot", {}, counts, make)
  assert len(dataset.open_dataset(tmp_path, "robot")) == 41


def test_arrays_are_made_once_and_go_on_where_they_were_killed(tmp_path):
  made = []

  def write(spec=SPEC, stop=None):
    def make(number):
      if number == stop:
        raise KeyboardInterrupt
      made.append(number)
      return _arrays(number)

    return stores.write_arrays(tmp_path, "n", spec, 3, make)

  with pytest.raises(KeyboardInterrupt):
    write(stop=1)
  assert made == [0]
  folder = write()
  assert write() == folder and made == [0, 1, 2]
  loaded = stores.load_arrays(folder)
  for key in "ab":
    expected = np.concatenate([_arrays(i)[key] for i in range(3)])
    np.testing.assert_array_equal(loaded[key], expected)
    assert loaded[key].dtype == expected.dtype
  whole = stores.write_arrays(tmp_path / "whole", "n", SPEC, 3, _arrays)
  assert stores.arrays_digest(folder) == stores.arrays_digest(whole)
  assert write(SPEC | {"seed": 4}) != folder


def test_damaged_or_unfinished_arrays_are_named(tmp_path):
  folder = stores.write_arrays(tmp_path, "n", SPEC, 2, _arrays)
  file = folder / "n-00001.npz"
  file.write_bytes(file.read_bytes()[:-1])
  with pytest.raises(records.RecordError, match="n-00001.npz"):
    stores.load_arrays(folder)
  file.unlink()
  with pytest.raises(records.RecordError, match="n-00001.npz"):
    stores.load_arrays(folder)
  stores.write_arrays(tmp_path, "n", SPEC, 2, _arrays)
  assert len(stores.load_arrays(folder)["a"]) == 3
  with pytest.raises(records.RecordError, match="not finished"):
    stores.load_arrays(tmp_path)


def test_clips_in_which_nothing_moves_are_told(tmp_path, make_clip):
  moving, still = make_clip(0, name="a"), make_clip(1, name="b")
  still = dataclasses.replace(still, frames=still.frames[[0, 0, 0]])
  clips = readers.Clips(2, lambda start, stop: [moving, still][start:stop], {})
  folder = stores.store_clips(clips, tmp_path, "robot", image_size=16)
  for _ in range(2):
    (note,) = stores.clip_notes(folder, clips)
    assert note.startswith("1 of 2 clips: all pictures are the same")
    assert note.endswith("(b)")

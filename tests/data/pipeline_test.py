"""Batches: what they hold, that they repeat, and faults under way."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from data import images, pipeline, records

INSTRUCTIONS = ["closing drawer", "opening drawer", "moving part of faucet"]
SIZES = {"human": 4, "robot": 6, "failure": 3}
PARTS = tuple(SIZES)


@pytest.fixture
def batches(robot, human):
  """Function of changes of the spec to a list of batches."""

  def make(robot=robot, human=human, *, num_steps=5, start_step=0, **changes):
    fields = dict(
      labels=INSTRUCTIONS,
      batch_sizes=SIZES,
      num_frames=4,
      image_size=16,
      seed=0,
    )
    spec = pipeline.BatchSpec(**fields | changes)
    steps = {"num_steps": num_steps, "start_step": start_step}
    return list(pipeline.make_batches(robot, human, spec, **steps))

  return make


def _assert_equal(left, right):
  assert len(left) == len(right)
  for a, b in zip(left, right, strict=True):
    for part in PARTS:
      for key in a[part]:
        np.testing.assert_array_equal(a[part][key], b[part][key], key)


def test_shapes_and_content(batches, robot, human):
  datasets = dict(zip(PARTS, (human, *robot.split()), strict=True))
  for batch in batches(num_steps=2):
    assert tuple(batch) == PARTS
    for part, size in SIZES.items():
      fields = batch[part]
      assert fields["frames"].shape == (size, 4, 16, 16, 3)
      assert fields["frames"].dtype == np.uint8
      for key in ("task", "record"):
        assert fields[key].dtype == np.int32 and len(fields[key]) == size
      for row, record in enumerate(fields["record"]):
        clip = datasets[part].read(record)
        assert clip.instruction == INSTRUCTIONS[fields["task"][row]]
        assert clip.success == (part != "failure")
        np.testing.assert_allclose(
          fields["frames"][row], clip.frames[[0, 2, 5, 7]], atol=2
        )


def test_same_seed_same_batches(batches):
  first = batches()
  _assert_equal(first, batches(num_threads=1))
  other = batches(seed=1)
  rows = [b["robot"]["record"].tolist() for b in first]
  assert rows != [b["robot"]["record"].tolist() for b in other]


@pytest.mark.parametrize("mode", ["ends", "rand"])
def test_starting_at_a_step_equals_having_come_there(batches, mode):
  _assert_equal(batches(mode=mode)[3:], batches(mode=mode, start_step=3))
  assert batches(start_step=5) == []


def test_no_iterator_has_a_thread_to_wait_for_at_its_end(
  batches, robot, monkeypatch
):
  seen = []
  iterate = tf.data.Dataset.as_numpy_iterator

  def spy(dataset):
    seen.append(dataset.options().autotune.enabled)
    return iterate(dataset)

  monkeypatch.setattr(tf.data.Dataset, "as_numpy_iterator", spy)
  batches(num_steps=1)
  pipeline.load_frames(robot, num_frames=2, image_size=16)
  records.scan([robot.files[0]], decode=False)
  assert seen == [False] * 3


def test_random_frames_are_of_the_clip(batches, robot):
  successes, _ = robot.split()
  chosen = set()
  for batch in batches(mode="rand", num_frames=2):
    for row, record in enumerate(batch["robot"]["record"]):
      frames = successes.read(record).frames.astype(int)
      clip = batch["robot"]["frames"][row].astype(int)
      distance = np.abs(clip[:, None] - frames[None]).mean((2, 3, 4))
      assert distance.min(1).max() < 1
      chosen.add(tuple(distance.argmin(1)))
  assert len(chosen) > 1
  assert all(list(indices) == sorted(indices) for indices in chosen)


def test_balance_and_epochs(batches):
  run = batches(num_steps=26)
  for part, share in (("robot", 2), ("failure", 1)):
    for batch in run:
      counts = np.bincount(batch[part]["task"], minlength=3)
      np.testing.assert_array_equal(counts, share)
  rows = np.concatenate([b["robot"]["record"] for b in run])
  epochs = rows[: len(rows) // 12 * 12].reshape(-1, 12)
  np.testing.assert_array_equal(np.sort(epochs), [np.arange(12)] * 13)
  rows = np.concatenate([b["human"]["record"] for b in run])
  np.testing.assert_array_equal(
    np.sort(rows.reshape(-1, 13)), [np.arange(13)] * 8
  )


def test_hosts_share_the_batch_of_one(batches):
  sizes = SIZES | {"failure": 2}
  whole = batches(batch_sizes=sizes, num_steps=2)
  hosts = [
    batches(batch_sizes=sizes, num_steps=2, process_index=i, process_count=2)
    for i in range(2)
  ]
  for step, part in itertools.product(range(2), PARTS):
    for key, value in whole[step][part].items():
      shares = [host[step][part][key] for host in hosts]
      np.testing.assert_array_equal(np.concatenate(shares), value)


def test_resized_in_the_pipeline(batches):
  ((small,), (full,)) = (batches(image_size=n, num_steps=1) for n in (12, 16))
  for part in PARTS:
    resized = images.resize(full[part]["frames"], 12)
    difference = small[part]["frames"].astype(int) - resized
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("used", ["human", "robot"])
def test_unused_parts_have_no_rows(batches, used):
  sizes = dict.fromkeys(PARTS, 0) | {used: SIZES[used]}
  others = dict.fromkeys({"human", "robot"} - {used})
  alone = batches(**others, batch_sizes=sizes, num_steps=2)
  for batch, whole in zip(alone, batches(num_steps=2), strict=True):
    for part in {*PARTS} - {used}:
      assert batch[part]["frames"].shape == (0, 4, 16, 16, 3)
      assert batch[part]["task"].shape == batch[part]["record"].shape == (0,)
    for key, value in whole[used].items():
      np.testing.assert_array_equal(batch[used][key], value)


def test_label_by_template(batches, make_clip, store, tmp_path):
  clips = [
    make_clip(0, instruction=f"closing {noun}", task="")
    for noun in ("drawer", "box") * 2
  ]
  templates = [f"{verb} something" for verb in ("Opening", "Moving part of")]
  (batch,) = batches(
    human=store(tmp_path, clips, "human"),
    labels=[*templates, "Closing something"],
    label_by="template",
    num_steps=1,
  )
  assert set(batch["human"]["task"]) == {2}


@pytest.mark.parametrize(
  "changes, message",
  [
    (
      {"labels": INSTRUCTIONS[:2]},
      "human-00000-of-.*record 2: its instruction 'moving part of faucet' is "
      "not one of the 2 known",
    ),
    ({"robot": None}, "no robot clip to fill a batch of 6 with"),
    ({"human": None}, "no human clip to fill a batch of 4 with"),
    ({"process_count": 4}, "a batch of 6 clips cannot be divided among 4"),
    ({"label_by": "task"}, "unknown label_by 'task'; known"),
  ],
)
def test_mistakes_are_told_at_once(batches, changes, message):
  with pytest.raises(ValueError, match=message):
    batches(**changes, num_steps=0)


def test_damage_under_way_is_named(batches, make_clip, store, tmp_path):
  damaged = store(tmp_path, (make_clip(i) for i in range(24)))
  file = damaged.files[1]
  data = bytearray(file.read_bytes())
  data[int(damaged.offset[6]) + 300] ^= 1
  file.write_bytes(data)
  with pytest.raises(ValueError, match=f"{file}, record 1: changed on disk"):
    batches(robot=damaged, num_steps=10)


def test_loaded_frames_keep_the_order(robot):
  _, failures = robot.split()
  loaded = pipeline.load_frames(failures, num_frames=3, image_size=12)
  assert loaded.shape == (12, 3, 12, 12, 3)
  for row in (0, 11):
    frames = failures.read(row).frames[[0, 4, 7]]
    np.testing.assert_allclose(
      loaded[row].astype(int), images.resize(frames, 12), atol=3
    )

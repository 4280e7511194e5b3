"""Small data sets for the tests."""

import numpy as np
import pytest

from data import dataset, records
from data import store as stores

TASKS = {
  "close_drawer": ("Closing something", "closing drawer"),
  "open_drawer": ("Opening something", "opening drawer"),
  "move_faucet": ("Moving part of something", "moving part of faucet"),
}


@pytest.fixture(scope="session")
def make_clip():
  """Function of a number and fields to a clip of 16 pixels."""

  def make(number, **fields):
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
    picture = np.kron(coarse, np.ones((4, 4, 1), np.uint8))
    frames = np.stack([np.roll(picture, shift, 1) for shift in range(8)])
    task = list(TASKS)[number % len(TASKS)]
    template, instruction = TASKS[task]
    values = {
      "frames": frames,
      "instruction": instruction,
      "template": template,
      "task": task,
      "success": number // len(TASKS) % 2 == 0,
      "source": "expert",
      "environment": "tabletop/train",
      "seed": number,
      "states": rng.normal(size=(61, 13)).astype(np.float32),
    }
    return records.Record(**values | fields)

  return make


@pytest.fixture(scope="session")
def store():
  """Writes clips as shards of 5 and opens them."""

  def write(folder, clips, name="robot"):
    clips = list(clips)
    shards = [clips[first : first + 5] for first in range(0, len(clips), 5)]
    counts = [len(shard) for shard in shards]
    stores.write_shards(folder, name, {"of": name}, counts, shards.__getitem__)
    return dataset.open_dataset(folder, name)

  return write


@pytest.fixture(scope="session")
def robot(tmp_path_factory, make_clip, store):
  """24 robot clips: 3 tasks with 4 successes and 4 failures each."""
  folder = tmp_path_factory.mktemp("robot")
  return store(folder, (make_clip(i) for i in range(24)))


@pytest.fixture(scope="session")
def human(tmp_path_factory, make_clip, store):
  """13 human clips."""
  clips = (
    make_clip(i, success=True, task="", source="human") for i in range(13)
  )
  return store(tmp_path_factory.mktemp("human"), clips, "human")

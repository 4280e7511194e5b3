"""Training of a video model by its program."""

import json
import subprocess
import sys

import numpy as np
import pytest

from a2r.models.fitvid import fitvid as model
from a2r.planning import video_model
from a2r.runs import train_video
from a2r.runs.sources import play
from configs import fitvid


@pytest.mark.parametrize("size", ["small", "full", "smoke"])
def test_settings_make_sense(size):
  config = fitvid.get_config(size)
  model.Config(**config.model)
  train_video.check(config)
  for purpose in ("train", "validation", "test"):
    train_video.make_spec(config, purpose)


def test_full_is_the_published_model():
  sizes = fitvid.get_config("full").model
  assert model.Config(**sizes) == model.Config()


@pytest.mark.parametrize(
  "key, value, message",
  [
    ("train.batch_size", 3, "does not split"),
    ("train.num_steps", 0, "train.num_steps must be at least 1"),
    ("train.num_future", 15, "from 1 to 14"),
    ("eval.num_future", 0, "eval.num_future must be from 1 to 14"),
    ("train.start_fraction", 1.5, "start_fraction"),
    ("model.num_past", 3, "num_past must be 2"),
  ],
)
def test_mistakes(key, value, message):
  config = fitvid.get_config()
  config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=message):
    train_video.check(config)


@pytest.mark.parametrize(
  "key, value, message",
  [
    ("data.environment", "tabletop/test9", "known: tabletop/train"),
    ("data.sources.uniform", 0.9, "add up to 1"),
    ("data.episodes", 0, "an episode per environment"),
    ("model.stride", 7, "does not divide"),
  ],
)
def test_play_that_cannot_be(key, value, message):
  config = fitvid.get_config()
  config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=message):
    train_video.make_spec(config, "train")


def test_episodes_are_shared_out():
  config = fitvid.get_config()
  config.data.environment = "tabletop/train,tabletop/test1"
  config.data.episodes = 301
  shards = play.shards(train_video.make_spec(config, "train"))
  counts = {}
  for environment, source, first, num in shards:
    assert first == counts.get((environment, source), 0)
    counts[environment, source] = first + num
  for environment, total in (("tabletop/train", 151), ("tabletop/test1", 150)):
    parts = {s: n for (e, s), n in counts.items() if e == environment}
    assert sum(parts.values()) == total
    for source, fraction in config.data.sources.items():
      assert abs(parts[source] - fraction * total) < 1
  assert max(num for *_, num in shards) <= 64


@pytest.mark.slow
def test_smoke_run_and_its_continuation(tmp_path):
  """Ends with a report; a longer run goes on; planning can load it."""
  command = [
    *(sys.executable, "-m", "launch.train"),
    "--config=configs/fitvid.py:smoke",
    f"--workdir={tmp_path / 'run'}",
    f"--config.data.dir={tmp_path / 'data'}",
  ]
  for extra in ([], ["--config.train.num_steps=6"]):
    done = subprocess.run(
      command + extra, capture_output=True, text=True, check=True
    )
    assert "held-out windows of tabletop/train" in done.stdout
  record = json.loads((tmp_path / "run/report.json").read_text())
  found = record["video_prediction"]
  assert found["horizons"] == [10, 20]
  for name in ("model", "copy_last"):
    assert np.isfinite(list(found[name].values())).all()
  assert (tmp_path / "run/report.png").stat().st_size > 10_000
  dynamics = video_model.load(tmp_path / "run", environment="tabletop/train")
  assert dynamics.stride == 10 and dynamics.image_size == 16

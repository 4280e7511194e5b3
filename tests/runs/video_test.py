"""Settings of a video model's run, and the episodes that they ask for."""

import pytest

from a2r.models.fitvid import fitvid as model
from a2r.runs import video
from a2r.runs.sources import play
from configs import fitvid


def test_settings_make_sense():
  for size in ("small", "smoke", "full"):
    sizes, specs, _ = video.read(fitvid.get_config(size))
    assert set(specs) == {"train", "validation", "test"}
  assert sizes == model.Config()  # The published one.


@pytest.mark.parametrize(
  "key, value, named",
  [
    ("train.batch_size", 3, "train.batch_size=3"),
    ("train.num_steps", 0, "train.num_steps"),
    ("train.num_future", 15, "train.num_future"),
    ("eval.num_future", 0, "eval.num_future"),
    ("train.start_fraction", 1.5, "train.start_fraction"),
    ("model.num_past", 3, "model.num_past"),
    ("data.environment", "tabletop/test9", "tabletop/train"),
    ("data.sources.uniform", 0.9, "add up to 1"),
    ("data.episodes", 0, "episode"),
    ("model.stride", 7, "does not divide"),
  ],
)
def test_mistakes_are_named(key, value, named):
  config = fitvid.get_config()
  config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=named):
    video.read(config)


def test_episodes_are_shared_out():
  config = fitvid.get_config()
  config.data.environment = "tabletop/train,tabletop/test1"
  config.data.episodes = 301
  shards = play.shards(video.read(config)[1]["train"])
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

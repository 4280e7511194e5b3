"""Which pictures are drawn and where they go in the clip."""

import numpy as np
import pytest

from a2r.core import images
from a2r.planning import config, timing


def shown(settings, num_frames, step):
  """The timestep that each place of the clip shows."""
  times = timing.make(settings, num_frames, step)
  taken = timing.num_taken(settings, num_frames)
  past = np.minimum(timing.stored(taken), step) if taken else []
  seen = np.concatenate([past, step + times.offsets])
  return seen[times.source].astype(int).tolist()


def test_eight_frames_of_an_episode_need_three_pictures_a_plan():
  settings = config.PlannerConfig()
  assert timing.stored(8).tolist() == [0, 9, 17, 26, 34, 43, 51, 60]
  assert shown(settings, 8, 0) == [0, 9, 17, 20, 20, 20, 20, 20]
  assert shown(settings, 8, 20) == [0, 9, 17, 26, 34, 40, 40, 40]
  assert shown(settings, 8, 40) == [0, 9, 17, 26, 34, 43, 51, 60]
  for step in (0, 20, 40):
    assert timing.make(settings, 8, step).offsets.shape == (3,)


@pytest.mark.parametrize("num_frames", [2, 4, 5, 8, 16])
def test_last_plan_sees_the_clip_that_rewards_are_trained_on(num_frames):
  expected = images.frame_indices(61, num_frames, "ends").tolist()
  assert shown(config.PlannerConfig(), num_frames, 40) == expected


@pytest.mark.parametrize("num_frames", [3, 4, 7, 61])
def test_shapes_do_not_depend_on_the_plan(num_frames):
  settings = config.PlannerConfig(horizon=12, num_plans=5)
  for step in range(0, 60, 12):
    times = timing.make(settings, num_frames, step)
    first = timing.make(settings, num_frames, 0)
    assert times.offsets.shape == first.offsets.shape
    assert times.offsets.min() >= 1
    assert times.offsets.max() <= 12
    late = np.minimum(timing.stored(num_frames), step + 12).tolist()
    assert shown(settings, num_frames, step) == late


def test_future_is_the_predicted_steps_alone():
  settings = config.PlannerConfig(clip="future")
  assert timing.num_taken(settings, 8) == 0
  expected = (21 + images.frame_indices(20, 8, "ends")).tolist()
  assert shown(settings, 8, 20) == expected
  assert expected[0] == 21
  assert expected[-1] == 40


def test_no_pictures_where_nobody_looks():
  times = timing.make(config.PlannerConfig(), 0, 20)
  assert times.offsets.shape == times.source.shape == (0,)

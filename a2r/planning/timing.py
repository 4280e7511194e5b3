"""Which pictures of a prediction are drawn, and where they go in the clip.

Letters as in `a2r.planning.base`.
"""

import numpy as np

from a2r.core import images
from a2r.planning import base, config


def stored(num_frames: int) -> np.ndarray:
  """Timesteps `[T]` of an episode's clip, first and last state included."""
  return images.frame_indices(base.NUM_STATES, num_frames, "ends")


def num_taken(settings: config.PlannerConfig, num_frames: int) -> int:
  """Places of `PlanState.clip`: T, or 0 where the past is not looked at."""
  return num_frames if settings.clip == "episode" else 0


def make(
  settings: config.PlannerConfig, num_frames: int, step: int
) -> base.Timing:
  """The timing of the plan that is made after `step` timesteps.

  Its shapes depend on `settings` and `num_frames` alone: where a plan needs
  fewer pictures than another of the same episode, its last one is repeated.

  Args:
    settings: of the planner.
    num_frames: T, 0 for an objective that looks at no pictures.
    step: timesteps executed so far.

  Raises:
    ValueError: a clip of one frame, which would be the start of the episode.
  """
  if not num_frames:
    return _timing(step, [], [])
  if settings.clip == "future":
    offsets = 1 + images.frame_indices(settings.horizon, num_frames, "ends")
    return _timing(step, offsets, np.arange(num_frames))
  if num_frames == 1:
    raise ValueError("an episode's clip of 1 frame shows nothing but its start")
  starts = range(0, settings.horizon * settings.num_plans, settings.horizon)
  size = max(len(_needed(settings, num_frames, start)) for start in starts)
  offsets = _needed(settings, num_frames, step)
  places = np.minimum(stored(num_frames) - step, settings.horizon)
  source = np.where(
    places > 0,
    num_frames + np.searchsorted(offsets, places),
    np.arange(num_frames),
  )
  offsets = np.pad(offsets, (0, size - len(offsets)), mode="edge")
  return _timing(step, offsets, source)


def _needed(settings, num_frames, step) -> np.ndarray:
  """Offsets of the pictures that the plan after `step` timesteps needs."""
  places = np.minimum(stored(num_frames) - step, settings.horizon)
  return np.unique(places[places > 0])


def _timing(step, offsets, source) -> base.Timing:
  return base.Timing(
    *(np.asarray(x, np.int32) for x in (step, offsets, source))
  )

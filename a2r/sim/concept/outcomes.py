"""How episodes end: success, failure, and the reward made by hand.

An episode ends at the first state in which its task is done, or in which the
hand has left the table, the gripper is out of the picture, the fingers are too
near to the arm, or the arm touches what it must spare. Tasks that are judged at
their end ("holding something") end earlier by a fault alone.

Letters: B episodes, T control steps.
"""

from typing import NamedTuple

import numpy as np

from a2r.sim.concept import margins, views
from a2r.sim.concept import tasks as tasks_lib

_FARTHEST = (0.7264, 0.4556)  # Meters in x, and in y either way.
_BASE, _BASE_RADIUS = 0.05, 0.04  # Meters from the flange: the gripper's body.
_CLEAR = 0.02  # Meters that fingers keep from the arm.
_FAULT = -1.0  # The margin of an episode that ends by a fault.
# Meters: more is not better; a task done by far is no better than one done.
ENOUGH = 0.02


class Outcome(NamedTuple):
  """How B episodes ended."""

  success: np.ndarray  # bool `[B]`.
  length: np.ndarray  # int `[B]` control steps until the end.
  reward: np.ndarray  # `[B]` by hand: the best margin, in [-1, 0.02] meters.


def judge(task: tasks_lib.Task, record: margins.Record) -> Outcome:
  """Returns how episodes of a task ended."""
  margin = np.array(task.margin(record))
  num_steps = margin.shape[1] - 1
  faults = _faults(task, record)
  faulty = np.maximum.accumulate(faults, axis=1)
  margin = np.where(faulty, _FAULT, np.clip(margin, _FAULT, ENOUGH))
  # A start is no deed.
  done = margin[:, 1:] > 0
  if task.at_end:
    success, reward = done[:, -1], margin[:, -1]
    ended = faults[:, 1:]
  else:
    success, reward = done.any(axis=1), margin[:, 1:].max(axis=1)
    ended = faults[:, 1:] | done
  first = ended.argmax(axis=1) + 1
  length = np.where(ended.any(axis=1), first, num_steps)
  return Outcome(success, length, reward.astype(np.float32))


def _faults(task, record):
  """Where an episode ends without success, bool `[B, T+1]`."""
  flange = record.position("flange")
  x, y = flange[..., 0], np.abs(flange[..., 1])
  faults = (x > _FARTHEST[0]) | (y > _FARTHEST[1])
  base = flange + _BASE * record.rotation("flange")[..., 2]
  faults |= ~views.sees(base, _BASE_RADIUS)
  faults |= margins.hand_to_arm(record) < _CLEAR
  if task.spares:
    faults |= margins.arm_touches(record, task.spares)
  faults |= ~np.isfinite(record.episode.qpos).all(axis=-1)
  faults[:, 0] = False
  return faults

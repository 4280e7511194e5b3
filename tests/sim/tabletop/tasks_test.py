"""Tests of the tasks: success by hand-made trajectories."""

import numpy as np

from a2r import sim
from a2r.sim.tabletop import tasks, variants


def _trajectory(num_steps=8, **changes):
  """A trajectory `[T+1, 13]` in which nothing happens but `changes`.

  Each change is an offset reached halfway and, for names that end in
  `_back`, taken back at the end.
  """
  start = np.zeros(13, np.float32)
  start[:3], start[3:6], start[6] = (0, 0.45, 0.02), (0, 0.6, 0), 1
  start[10] = -0.07
  columns = {
    "hand_x": 0, "hand_y": 1, "hand_z": 2, "cup_x": 3, "cup_y": 4,
    "drawer": 10, "faucet": 12,
  }  # fmt: skip
  trajectory = np.tile(start, (num_steps + 1, 1))
  for name, offset in changes.items():
    stop = num_steps if name.endswith("_back") else num_steps + 1
    column = columns[name.removesuffix("_back")]
    trajectory[num_steps // 2 : stop, column] += offset
  return trajectory


_CASES = (
  ("close_drawer", {"drawer": 0.05}, True),
  ("close_drawer", {"drawer": 0.01}, False),
  ("close_drawer", {"drawer_back": 0.05}, False),
  ("close_drawer", {"drawer": -0.05}, False),
  ("open_drawer", {"drawer": -0.05}, True),
  ("open_drawer", {"drawer": -0.01}, False),
  ("open_drawer", {"drawer_back": -0.05}, False),
  ("move_cup_away", {"cup_y": 0.05}, True),
  ("move_cup_away", {"cup_y_back": 0.05}, True),
  ("move_cup_away", {"cup_y": 0.05, "cup_x": 0.06}, False),
  ("move_cup_away", {"cup_y": 0.02}, False),
  ("move_cup_away", {"cup_y": -0.05}, False),
  ("move_faucet", {"faucet": -0.5}, True),
  ("move_faucet", {"faucet": 0.5}, True),
  ("move_faucet", {"faucet": 0.005}, False),
  ("push_cup_left_to_right", {"cup_x": -0.05}, True),
  ("push_cup_left_to_right", {"cup_x": 0.05}, False),
  ("push_cup_left_to_right", {"cup_x": -0.02}, False),
  ("push_cup_right_to_left", {"cup_x": 0.05}, True),
  ("push_cup_right_to_left", {"cup_x": -0.05}, False),
  ("poke_cup", {"hand_y": 0.065}, True),
  ("poke_cup", {"hand_y": 0.07, "cup_y": 0.005}, True),
  ("poke_cup", {"hand_y": 0.1, "cup_y": 0.03}, False),
  ("poke_cup", {"hand_y": 0.03}, False),
  ("poke_cup", {"hand_y": 0.065, "hand_z": 0.1}, False),
)


def test_success():
  trajectories = np.stack([_trajectory(**changes) for _, changes, _ in _CASES])
  outcomes = tasks.outcomes_many(trajectories)
  for row, (name, changes, expected) in zip(outcomes, _CASES, strict=True):
    success = row[list(sim.TASKS).index(name)]
    assert bool(success) == expected, (name, changes)


def test_success_is_pure_and_not_for_nothing():
  batch = np.stack([_trajectory(), _trajectory(cup_x=0.1, faucet=1.0)])
  together = tasks.outcomes_many(batch)
  alone = [tasks.outcomes(trajectory) for trajectory in batch]
  np.testing.assert_array_equal(together, alone)
  assert not together[0].any()


def test_instructions_fill_the_templates():
  assert sim.TASKS["close_drawer"].instruction == "closing drawer"
  text = "pushing cup from left to right"
  assert sim.TASKS["push_cup_left_to_right"].instruction == text


def test_dvds_second_measure_is_the_nearest_to_the_target():
  moved = _trajectory(cup_y_back=0.07, cup_x=0.01)
  target = variants.CUP_TARGETS["tabletop/train"]  # 10 cm behind the cup.
  found = tasks.cup_target_distance(moved, target)
  np.testing.assert_allclose(found, np.hypot(0.03, 0.01), rtol=1e-5)


def test_targets_come_first():
  assert sim.TARGETS == (
    "close_drawer",
    "move_cup_away",
    "move_faucet",
    "push_cup_left_to_right",
  )

"""Tests of the dense rewards: known values, limits, finite gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import sim
from a2r.sim.tabletop import rewards

_HANDLE, _TIP = np.array([0.25, 0.52, 0.09]), np.array([-0.25, 0.525, 0.124])


def _state(task, *, away=0.0, **moved):
  """A state `[13]` with the hand at the touch, or `away` meters below it."""
  state = np.zeros(13, np.float32)
  state[3:6], state[6], state[10] = (0, 0.6, 0), 1, -0.07
  for name, offset in moved.items():
    state[{"mug_x": 3, "mug_y": 4, "drawer": 10, "faucet": 12}[name]] += offset
  row = sim.TASKS[task].shaping
  landmark = {"handle": _HANDLE, "mug": state[3:6], "tip": _TIP}[row.landmark]
  state[:3] = landmark + np.array(row.touch) - (0, 0, away)
  return state


# What the task asks for, and by how much of its goal it has come.
_PROGRESS = (
  ("close_drawer", {"drawer": 0.02}, 0.5),
  ("close_drawer", {"drawer": 0.06}, 1.0),
  ("close_drawer", {"drawer": -0.02}, -0.5),
  ("open_drawer", {"drawer": -0.02}, 0.5),
  ("move_cup_away", {"mug_y": 0.03}, 0.5),
  ("move_cup_away", {"mug_y": 0.03, "mug_x": 0.02}, 0.5),
  ("move_cup_away", {"mug_y": 0.03, "mug_x": -0.05}, 0.0),
  ("push_cup_left_to_right", {"mug_x": -0.03}, 0.5),
  ("push_cup_right_to_left", {"mug_x": -0.03}, -0.5),
  ("move_faucet", {"faucet": -0.1}, 0.5),
  ("move_faucet", {"faucet": 0.1}, 0.5),
  ("poke_cup", {"mug_x": 0.003}, 0.0),
  ("poke_cup", {"mug_x": 0.014}, -0.5),
  ("poke_cup", {"mug_y": 0.05}, -1.0),
)


@pytest.mark.parametrize("task", sim.TASKS)
def test_nearness_earns_up_to_one(task):
  reward = rewards.shaped(task)
  start = _state(task)
  earned = [
    float(reward(_state(task, away=away), start, _HANDLE, _TIP))
    for away in (0.0, 0.05, 0.1, 0.5)
  ]
  assert earned[0] == pytest.approx(1.0, abs=1e-3)
  assert earned == sorted(earned, reverse=True)
  assert earned[-1] < 0.05


@pytest.mark.parametrize(("task", "moved", "share"), _PROGRESS)
def test_progress_earns_twice_its_share_of_the_goal(task, moved, share):
  start, now = _state(task), _state(task, **moved)
  reward = rewards.shaped(task)(now, start, _HANDLE, _TIP)
  assert float(reward) == pytest.approx(1 + 2 * share, abs=1e-3)


def test_either_side_of_the_faucet_is_as_good():
  state = _state("move_faucet", away=0.1)
  other = state.copy()
  other[0] = 2 * _TIP[0] - state[0]
  distance = rewards.approach("move_faucet")
  assert float(distance(state, _HANDLE, _TIP)) == pytest.approx(
    float(distance(other, _HANDLE, _TIP)), abs=1e-6
  )


def test_the_slack_is_free_and_beyond_it_meters_count():
  state = _state("close_drawer")
  distance = rewards.approach("close_drawer")
  for x, expected in ((0.03, 0.0), (0.05, 0.02), (-0.13, 0.1)):
    moved = state + np.eye(13)[0] * x
    assert float(distance(moved, _HANDLE, _TIP)) == pytest.approx(
      expected, abs=1e-5
    )


def test_gradients_are_finite_at_the_touch():
  states = {task: jnp.asarray(_state(task)) for task in sim.TASKS}

  @jax.jit
  def gradients(states):
    return {
      task: jax.grad(rewards.shaped(task))(start, start, _HANDLE, _TIP)
      for task, start in states.items()
    }

  for task, gradient in gradients(states).items():
    assert jnp.isfinite(gradient).all(), task

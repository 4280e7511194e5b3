"""What futures are worth."""

import functools

import jax
import numpy as np

from a2r import sim
from a2r.planning import base, config, objectives, timing
from a2r.sim.tabletop import episodes, physics, tasks
from tests.planning import toy

ENVIRONMENT = "tabletop/train"


def make_rows(states, clip=None):
  nothing = np.zeros((len(states), 0, 2, 2, 3), np.uint8)
  clip = nothing if clip is None else clip
  return base.PlanState(None, states, clip, nothing, None)


def start_state():
  return np.asarray(episodes.low_dim_state(physics.load(ENVIRONMENT).start()))


def held(states):
  """States so far in which nothing happened yet."""
  return np.tile(states, (1, base.NUM_STATES, 1))


@functools.partial(jax.jit, static_argnums=0)
def evaluate(value_fn, *args):
  return value_fn(*args)


def value(objective, rows, future, task, *, step=0):
  times = timing.make(config.PlannerConfig(), 0, step)
  index = np.array([list(tasks.TASKS).index(task)])
  args = objective.params, rows, future, times, index
  return float(evaluate(objective.value_fn, *args)[0])


def future_of(states):
  frames = np.zeros((len(states), 0, 2, 2, 3), np.uint8)
  return base.Future(np.float32(states), frames)


def test_states_are_what_happened_and_what_is_predicted():
  states = np.zeros((1, 61, 13), np.float32)
  states[0, :, 0] = np.minimum(np.arange(61), 20)
  ahead = np.tile(100 + np.arange(21.0)[None, :, None], (1, 1, 13))
  times = timing.make(config.PlannerConfig(), 0, 20)
  whole = objectives.episode_states(make_rows(states), future_of(ahead), times)
  expected = np.concatenate(
    [np.arange(21), 101 + np.arange(20), np.full(20, 120)]
  )
  np.testing.assert_array_equal(whole[0, :, 0], expected)


def test_success_is_worth_more_than_any_dense_reward():
  objective = objectives.ground_truth(ENVIRONMENT)
  ahead = np.tile(start_state(), (1, 21, 1))
  rows = make_rows(held(start_state()))
  nothing = value(objective, rows, future_of(ahead), "close_drawer")
  assert -2 <= nothing <= 3
  ahead[0, 10:, tasks.DRAWER] = -0.04  # 3 cm closed, and it stays so.
  done = value(objective, rows, future_of(ahead), "close_drawer")
  assert 8 <= done <= 13
  ahead[0, 15:, tasks.DRAWER] = -0.07  # It is open at the end.
  undone = value(objective, rows, future_of(ahead), "close_drawer")
  np.testing.assert_allclose(undone, nothing, atol=1e-5)
  other = value(objective, rows, future_of(ahead), "open_drawer")
  assert other < 8


def test_success_of_executed_steps_counts():
  objective = objectives.ground_truth(ENVIRONMENT)
  states = held(start_state())
  states[0, 5:8, tasks.FAUCET] += 0.05
  ahead = future_of(np.tile(start_state(), (1, 21, 1)))
  assert value(objective, make_rows(states), ahead, "move_faucet", step=20) > 7
  fresh = make_rows(held(start_state()))
  assert value(objective, fresh, ahead, "move_faucet", step=20) < 4


def test_scorer_sees_the_clip_and_its_own_task():
  """Timesteps 0, 20, 40, 60: brightness 1, 2, then what is predicted."""
  texts = {"move_faucet": "aa", "close_drawer": "b", "poke_cup": "cccc"}
  objective = objectives.from_scorer(toy.make_scorer(), texts)
  assert objective.tasks == (2, 0, 6)
  clip = np.ones((2, 4, 4, 4, 3), np.uint8)
  clip[:, 1:] = 2
  frames = np.full((2, 1, 4, 4, 3), 3, np.uint8)
  frames[1] = 5
  times = timing.make(config.PlannerConfig(), 4, 20)
  found = objective.value_fn(
    objective.params,
    make_rows(np.zeros((2, 61, 13), np.float32), clip),
    base.Future(None, frames),
    times,
    np.array([2, 6]),
  )
  # The pictures of step 40 are held until 60; they are resized from 4 to 2.
  np.testing.assert_allclose(found, [3321 * 2, 5521 * 4])


def test_all_tasks_have_instructions():
  objective = objectives.from_scorer(toy.make_scorer())
  assert objective.tasks == tuple(range(len(sim.TASKS)))
  assert objective.num_frames == 4
  again = objectives.from_scorer(toy.make_scorer())
  assert objective.value_fn == again.value_fn

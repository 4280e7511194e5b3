"""Whole episodes of planning and acting."""

import numpy as np
import pytest

from a2r.planning import (
  acting,
  base,
  config,
  objectives,
  planner,
  simulation,
  timing,
)
from a2r.sim.tabletop import drawing, episodes, physics, tasks
from tests.planning import toy

ENVIRONMENT = "tabletop/train"
SIZE = 8
# With a reward that looks at pictures.
NAMES, SETTINGS = (
  ["close_drawer", "move_faucet", "poke_cup"],
  config.PlannerConfig(num_samples=3, action_repeat=5),
)


def play(names, seeds, settings, *, objective=None):
  dynamics = simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics="c")
  return acting.run(
    ENVIRONMENT, names, seeds, dynamics, objective, settings, physics="c"
  )


@pytest.fixture(scope="module")
def objective():
  return objectives.from_scorer(toy.make_scorer(SIZE))


@pytest.fixture(scope="module")
def played(objective):
  return play(NAMES, [5, 6, 7], SETTINGS, objective=objective)


def test_ground_truth_reaches_what_random_actions_do_not():
  names, seeds = tasks.TARGETS, [0] * 4
  settings = config.PlannerConfig(num_samples=30)
  objective = objectives.ground_truth(ENVIRONMENT)
  planned = play(names, seeds, settings, objective=objective)
  random = play(names, seeds, settings)
  assert planned.success.sum() >= 3
  assert random.success.sum() < planned.success.sum()
  assert planned.values.shape == (4, 3)
  assert np.all(planned.values[planned.success, -1] > 8)
  assert np.isnan(random.values).all()
  assert random.frames is None


def test_executed_actions_give_the_same_states_in_a_rollout(played):
  assert played.actions.shape == (3, 60, 5)
  wanted = physics.rollout(
    physics.load(ENVIRONMENT), played.actions, physics="c"
  )
  np.testing.assert_array_equal(played.states, wanted.states)
  np.testing.assert_array_equal(played.qpos, wanted.qpos)
  for name, states, success in zip(
    NAMES, played.states, played.success, strict=True
  ):
    assert tasks.get(name).success(states) == success


def test_trial_depends_on_its_seed_and_task_alone(played, objective):
  """Whoever is played beside it."""
  alone = play(NAMES[2:], [7], SETTINGS, objective=objective)
  for field in ("states", "actions", "success", "values", "frames"):
    np.testing.assert_array_equal(
      getattr(played, field)[2:], getattr(alone, field), err_msg=field
    )
  assert not np.array_equal(played.actions[0], played.actions[2])


def test_frames_are_the_clip_of_the_episode(played):
  expected = drawing.draw_frames(
    physics.load(ENVIRONMENT), played.qpos[:, timing.stored(4)], image_size=SIZE
  )
  np.testing.assert_array_equal(played.frames, expected)
  # What the last plan saw is that clip: it was worth what it is now.
  level = np.float32(expected[:, :, 0, 0, 0])
  lengths = [len(tasks.get(name).instruction) for name in NAMES]
  value = level @ np.array([1, 10, 100, 1000]) * lengths
  np.testing.assert_allclose(played.values[:, -1], value, rtol=1e-6)


def test_short_episodes_stand_still_after_the_last_plan():
  settings = config.PlannerConfig(horizon=4, num_plans=2, action_repeat=2)
  found = play(["close_drawer"], [0], settings)
  assert found.actions.shape == (1, 8, 5)
  assert np.ptp(found.states[0, :9], axis=0).max() > 0
  np.testing.assert_array_equal(found.states[0, 8:], found.states[0, [8] * 53])
  # Random actions are held too, and in the box.
  np.testing.assert_array_equal(found.actions[:, ::2], found.actions[:, 1::2])
  assert np.all(np.abs(found.actions) <= physics.ACTION_HIGH)


@pytest.mark.slow
def test_mjx_plays_as_c_does():
  settings = config.PlannerConfig(num_samples=2, horizon=4, num_plans=1)
  found = [
    acting.run(
      ENVIRONMENT, ["close_drawer"], [0], None, None, settings, physics=engine
    )
    for engine in ("c", "mjx")
  ]
  np.testing.assert_allclose(found[0].states, found[1].states, atol=2e-3)
  np.testing.assert_array_equal(found[0].actions, found[1].actions)


@pytest.mark.slow
def test_plan_of_one_program_with_mjx_is_that_of_c(objective):
  """Physics, pictures, reward and choice in one program, in two parts."""
  settings = config.PlannerConfig(
    num_samples=3, horizon=2, num_plans=1, micro_batch=4
  )
  model = physics.load(ENVIRONMENT)
  start = episodes.tile(model.start(), 2)
  picture = drawing.draw_frames(model, start.qpos, image_size=SIZE)
  state = base.PlanState(
    sim=start,
    states=np.repeat(episodes.low_dim_state(start)[:, None], 61, axis=1),
    clip=np.repeat(picture[:, None], 4, axis=1),
    context=np.zeros((2, 0, SIZE, SIZE, 3), np.uint8),
    past=np.zeros((2, 0, 5), np.float32),
  )
  task = np.array([0, 1], np.int32)
  args = toy.keys([0, 1]), state, timing.make(settings, 4, 0), task
  c, mjx = (
    simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics=engine)
    for engine in ("c", "mjx")
  )
  expected = planner.make_plan_fn(c, objective, settings)(*args)
  found = planner.make_plan_fn(mjx, objective, settings, on_device=True)(*args)
  np.testing.assert_allclose(found.values, expected.values, rtol=0.05)
  np.testing.assert_array_equal(found.actions.shape, (2, 2, 5))
  best = np.argmax(found.values, axis=1)
  np.testing.assert_array_equal(found.index, best)

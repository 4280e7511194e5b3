"""Whole episodes of planning and acting."""

import jax
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

ENVIRONMENT = "tabletop/train"
SIZE = 8


@pytest.fixture(scope="module")
def scorers(load_module):
  return load_module("planning/objectives_test.py")


def play(names, seeds, settings, *, objective=None):
  dynamics = simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics="c")
  return acting.run(
    ENVIRONMENT, names, seeds, dynamics, objective, settings, physics="c"
  )


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


def test_executed_actions_give_the_same_log_in_a_rollout():
  objective = objectives.ground_truth(ENVIRONMENT)
  settings = config.PlannerConfig(num_samples=4)
  found = play(
    ["close_drawer", "move_faucet"], [0, 1], settings, objective=objective
  )
  model = physics.load(ENVIRONMENT)
  expected = physics.rollout(model, found.actions, physics="c")
  np.testing.assert_array_equal(found.states, expected.states)
  np.testing.assert_array_equal(found.qpos, expected.qpos)
  assert found.actions.shape == (2, 60, 5)
  judged = [
    bool(tasks.get(name).success(states))
    for name, states in zip(
      ("close_drawer", "move_faucet"), found.states, strict=True
    )
  ]
  assert found.success.tolist() == judged


def test_trial_depends_on_its_seed_and_task_alone(scorers):
  """Whoever is played beside it."""
  settings = config.PlannerConfig(num_samples=3, num_plans=2, action_repeat=5)
  objective = objectives.from_scorer(scorers.make_scorer(SIZE))
  names = ["close_drawer", "move_faucet", "poke_cup"]
  many = play(names, [5, 6, 7], settings, objective=objective)
  alone = play(["poke_cup"], [7], settings, objective=objective)
  for field in ("states", "actions", "success", "values", "frames"):
    np.testing.assert_array_equal(
      getattr(many, field)[2:], getattr(alone, field), err_msg=field
    )
  assert not np.array_equal(many.actions[0], many.actions[2])


def test_frames_are_the_clip_of_the_episode(scorers):
  settings = config.PlannerConfig(num_samples=3)
  objective = objectives.from_scorer(scorers.make_scorer(SIZE))
  found = play(["close_drawer"], [0], settings, objective=objective)
  expected = drawing.draw_frames(
    physics.load(ENVIRONMENT), found.qpos[:, timing.stored(4)], image_size=SIZE
  )
  np.testing.assert_array_equal(found.frames, expected)
  # What the last plan saw is that clip: it was worth what it is now.
  level = np.float32(expected[0, :, 0, 0, 0])
  text = tasks.get("close_drawer").instruction
  value = level @ np.array([1, 10, 100, 1000]) * len(text)
  np.testing.assert_allclose(found.values[0, -1], value, rtol=1e-6)


def test_short_episodes_stand_still_after_the_last_plan():
  settings = config.PlannerConfig(num_samples=2, horizon=3, num_plans=2)
  found = play(["close_drawer"], [0], settings)
  assert found.actions.shape == (1, 6, 5)
  assert np.ptp(found.states[0, :7], axis=0).max() > 0
  np.testing.assert_array_equal(found.states[0, 6:], found.states[0, [6] * 55])


def test_random_actions_are_held_if_so_asked():
  settings = config.PlannerConfig(horizon=20, action_repeat=10)
  found = play(["close_drawer"], [0], settings)
  steps = found.actions[0].reshape(6, 10, 5)
  assert np.all(steps == steps[:, :1])
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
def test_plan_of_one_program_with_mjx_is_that_of_c(scorers):
  """Physics, pictures, reward and choice in one program, in two parts."""
  settings = config.PlannerConfig(
    num_samples=3, horizon=2, num_plans=1, micro_batch=4
  )
  objective = objectives.from_scorer(scorers.make_scorer(SIZE))
  model = physics.load(ENVIRONMENT)
  start = jax.tree.map(np.asarray, model.start())
  picture = drawing.draw_frames(model, start.qpos, image_size=SIZE)
  state = base.PlanState(
    sim=jax.tree.map(lambda x: np.tile(x, (2, 1)), start),
    states=np.tile(np.asarray(episodes.low_dim_state(start)), (2, 61, 1)),
    clip=np.tile(picture, (2, 4, 1, 1, 1)),
    context=np.zeros((2, 0, SIZE, SIZE, 3), np.uint8),
    past=np.zeros((2, 0, 5), np.float32),
  )
  rngs = jax.vmap(jax.random.key)(np.arange(2))
  args = (rngs, state, timing.make(settings, 4, 0), np.array([0, 1], np.int32))
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


@pytest.mark.parametrize(
  ("names", "seeds", "message"),
  [
    (["fly"], [0], "unknown task 'fly'; known: close_drawer"),
    (["close_drawer"], [0, 1], "expected one task per seed"),
    ("close_drawer", [0], "expected one task per seed"),
    ([], [], "at least one trial"),
    (["close_drawer"], [-1], "seeds are from 0 to 2\\*\\*32 - 1, got -1"),
  ],
)
def test_mistakes_are_named(names, seeds, message):
  with pytest.raises((ValueError, KeyError), match=message):
    play(names, seeds, config.PlannerConfig())


def test_tasks_without_an_instruction_are_named(scorers):
  objective = objectives.from_scorer(
    scorers.make_scorer(SIZE), {"poke_cup": "poking cup"}
  )
  message = "'toy' has no instruction of 'close_drawer'; it has those of poke"
  with pytest.raises(ValueError, match=message):
    play(["close_drawer"], [0], config.PlannerConfig(), objective=objective)
  with pytest.raises(ValueError, match="'toy' needs a dynamics"):
    acting.run(
      ENVIRONMENT, ["poke_cup"], [0], None, objective, config.PlannerConfig()
    )

"""The planner on a world that is one number."""

import jax.numpy as jnp
import numpy as np
import pytest

from a2r.planning import config, planner, timing
from tests.planning import toy

SMALL = {"num_samples": 30, "num_elites": 6, "horizon": 4, "num_plans": 2}


def plan(dynamics, objective, settings, state, seeds, task, **kwargs):
  plan_fn = planner.make_plan_fn(dynamics, objective, settings, **kwargs)
  times = timing.make(settings, objective.num_frames, 0)
  return plan_fn(toy.keys(seeds), state, times, np.asarray(task, np.int32))


@pytest.mark.parametrize("method", config.METHODS)
@pytest.mark.parametrize("num_frames", [0, 2])
def test_device_and_loop_and_host_agree(method, num_frames):
  """Also where the rows of the last chunk are fewer than of the others."""
  settings = config.PlannerConfig(
    method=method, num_iterations=2, micro_batch=40, **SMALL
  )
  state = toy.make_state([0.0, 1.0, -2.0], num_frames)
  objective = toy.make_objective(num_frames)
  args = (objective, settings, state, [3, 4, 5], [1, 3, 6])
  one = plan(toy.make_dynamics(), *args, on_device=True)
  for dynamics in (toy.make_dynamics(), toy.make_dynamics(on_host=True)):
    pieces = plan(dynamics, *args)
    for a, b in zip(one, pieces, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
  assert one.actions.shape == (3, 4, 5)
  assert one.values.shape == (3, 60)
  if method == "shooting":  # All rounds are drawn from the box.
    assert num_frames or len(set(np.asarray(one.values[0]).tolist())) == 60


def test_best_candidate_is_what_the_goal_asks_for():
  settings = config.PlannerConfig(method="cem", num_iterations=4, **SMALL)
  state = toy.make_state([0.0, 0.0, 1.0])
  task = np.array([0, 6, 4])
  found = plan(
    toy.make_dynamics(), toy.make_objective(), settings, state, [0, 1, 2], task
  )
  goals = np.linspace(-3, 3, 7)[task]
  reached = np.array([0, 0, 1]) + found.actions[..., 0].sum(axis=1)
  np.testing.assert_allclose(reached, goals, atol=0.1)


@pytest.mark.parametrize("on_device", [False, True])
def test_plan_depends_on_its_own_seed_and_state_alone(on_device):
  settings = config.PlannerConfig(micro_batch=20, **SMALL)
  args = toy.make_dynamics(noise=0.5), toy.make_objective(), settings
  whole, alone = (
    plan(*args, toy.make_state(starts), seeds, task, on_device=on_device)
    for starts, seeds, task in (
      ([0.0, 1.0, 2.0], [7, 8, 9], [0, 1, 2]),
      ([2.0], [9], [2]),
    )
  )
  np.testing.assert_array_equal(whole.actions[2], alone.actions[0])
  np.testing.assert_allclose(whole.values[2], alone.values[0], rtol=1e-6)
  assert np.ptp(whole.values[0]) > 0


@pytest.mark.parametrize("on_device", [False, True])
def test_programs_are_compiled_once_for_all_plans_tasks_and_weights(on_device):
  settings = config.PlannerConfig(num_samples=13, horizon=5, num_plans=3)
  state = toy.make_state([0.0, 1.0], 4)
  toy.TRACES.clear()
  for step, gain in ((0, 1.0), (5, 2.0), (10, 3.0)):
    dynamics = toy.make_dynamics()._replace(params={"gain": np.float32(gain)})
    objective, times = toy.make_objective(4), timing.make(settings, 4, step)
    plan_fn = planner.make_plan_fn(
      dynamics, objective, settings, on_device=on_device
    )
    task = np.array([step % 7, 1], np.int32)
    plan_fn(toy.keys([step, 1]), state, times, task)
  assert sorted(toy.TRACES) == ["predict", "value"]


@pytest.mark.parametrize("on_device", [False, True])
def test_what_is_not_finite_is_never_executed(on_device, caplog):
  """Neither by its value nor by the states that are predicted."""
  settings = config.PlannerConfig(method="cem", num_iterations=2, **SMALL)
  dynamics = toy.make_dynamics()

  def value_fn(params, rows, future, timing, task):
    reached = future.states[:, -1, 0]
    return jnp.where(reached > 1, jnp.nan, jnp.log(2 - reached))

  def predict_fn(*args):
    future = dynamics.predict_fn(*args)
    states = future.states
    return future._replace(states=jnp.where(states < -1, jnp.nan, states))

  objective = toy.make_objective()._replace(value_fn=value_fn)
  args = objective, settings, toy.make_state([0.0, 0.0]), [1, 2], [0, 0]
  found = plan(
    dynamics._replace(predict_fn=predict_fn), *args, on_device=on_device
  )
  reached = found.actions[..., 0].sum(axis=1)
  assert (
    np.all((reached >= -1) & (reached <= 1)) and np.isfinite(found.value).all()
  )
  lost = np.isnan(found.values)
  assert lost.any()
  assert f"{lost.sum()} of 120 candidates" in caplog.text

  objective = objective._replace(name="broken", value_fn=_nothing)
  with pytest.raises(FloatingPointError, match="'broken'.* 60 candidates of 2"):
    plan(dynamics, objective, *args[1:], on_device=on_device)


def _nothing(params, rows, future, timing, task):
  return jnp.full(len(task), jnp.inf)

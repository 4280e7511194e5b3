"""Tests of the Brax environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.envs.wrappers import training

from a2r import sim
from a2r.sim.behavior import policies
from a2r.sim.tabletop import physics


def test_resets_steps_and_draws():
  env = sim.make("tabletop/test3", image_size=8)
  state = env.reset(jax.random.key(0))
  assert state.obs.shape == (env.observation_size,)
  after = jax.jit(env.step)(state, jnp.ones(env.action_size))
  for a, b in zip(*map(jax.tree.leaves, (state, after)), strict=True):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
  assert jnp.isfinite(after.obs).all()
  image = env.render(after)
  assert (image.shape, image.dtype) == ((8, 8, 3), np.uint8)


@pytest.mark.slow
def test_draws_the_same_inside_a_program():
  env = sim.make("tabletop/test3", image_size=8)
  state = env.reset(jax.random.key(0))
  np.testing.assert_array_equal(jax.jit(env.render)(state), env.render(state))


def test_follows_the_rollout_and_rewards_success():
  env = sim.make("tabletop/train", task="push_cup_left_to_right")
  actions = policies.sample(
    np.random.default_rng(0), "expert", env.task.name, env.model.variant
  )
  trajectory = physics.rollout(env.model, actions[None])
  states = [env.reset(jax.random.key(0))]
  step = jax.jit(env.step)
  for action in actions:
    states.append(step(states[-1], action))
  low_dim = np.stack([state.info["low_dim_state"] for state in states])
  np.testing.assert_allclose(low_dim, trajectory.states[0], atol=1e-5)
  rewards = np.array([state.reward for state in states])
  np.testing.assert_array_equal(rewards, low_dim[0, 3] - low_dim[:, 3] > 0.03)
  assert rewards[-1] == 1


def test_brax_wrappers_work():
  env = training.wrap(sim.make("tabletop/test3"), episode_length=4)
  rng = jax.random.PRNGKey(0)  # Brax's episode wrapper needs raw keys.
  state = jax.jit(env.reset)(jax.random.split(rng, 3))
  start = state.obs
  step = jax.jit(env.step)
  done = []
  for index in range(5):
    action = jax.random.uniform(
      jax.random.key(index), (3, env.action_size), minval=-1.0
    )
    state = step(state, action)
    done.append(float(state.done.mean()))
    if done[-1]:
      np.testing.assert_array_equal(state.obs, start)
  assert done == [0, 0, 0, 1, 0]
  assert jnp.isfinite(state.obs).all()


@pytest.mark.slow
def test_mjx_environment_steps_as_c_does():
  engines = [sim.make("tabletop/train", physics=name) for name in ("c", "mjx")]
  logs = []
  for env in engines:
    state = env.reset(jax.random.key(0))
    state = jax.jit(env.step)(state, jnp.array([0.5, 0.5, 0.5, 0.0, -1.0]))
    logs.append(np.asarray(state.info["low_dim_state"]))
  np.testing.assert_allclose(logs[0], logs[1], atol=1e-5)

"""Tests of PPO on an environment whose best reward is known."""

import jax
import jax.numpy as jnp
import numpy as np
from brax.envs import base

from a2r.sim.behavior import ppo


class Walk(base.Env):
  """A point in the plane that is paid for nearness to a goal.

  Ten steps of at most 0.2 in either direction; the goal is 0.8 away, so that
  the best sum of rewards is -(0.6 + 0.4 + 0.2) - 0 = -1.2.
  """

  def __init__(self, goal=(0.8, 0.0)):
    self._goal = jnp.array(goal)

  def reset(self, rng):
    del rng
    zero = jnp.zeros(())
    obs = jnp.concatenate([jnp.zeros(2), self._goal])
    return base.State(None, obs, zero, zero)

  def step(self, state, action):
    place = state.obs[:2] + 0.2 * jnp.clip(action, -1.0, 1.0)
    reward = -jnp.linalg.norm(place - self._goal)
    return state.replace(obs=state.obs.at[:2].set(place), reward=reward)

  @property
  def observation_size(self):
    return 4

  @property
  def action_size(self):
    return 2

  @property
  def backend(self):
    return "none"


_CONFIG = ppo.PPOConfig(
  num_envs=32,
  episode_length=10,
  num_iterations=10,
  num_minibatches=4,
  hidden=(16,),
  discounting=0.9,
  learning_rate=1e-2,
)


def test_reaches_the_known_reward_compiles_once_and_repeats():
  walks = [Walk((0.8, 0.0)), Walk((-0.8, 0.0))]
  trainer = ppo.make_trainer(walks, _CONFIG)
  runs = []
  for _ in range(2):
    state, rewards = trainer.init(jax.random.PRNGKey(0)), []
    for index in range(8):
      rng = jax.random.fold_in(jax.random.PRNGKey(1), index)
      state, metrics = trainer.epoch(state, rng)
      rewards.append(float(metrics["reward"]))
    runs.append((state.params, rewards))
  assert rewards[0] < -4.0
  assert rewards[-1] > -2.5
  assert trainer.epoch._cache_size() == 1
  assert int(state.env_steps) == 8 * 10 * 64 * 10
  jax.tree.map(np.testing.assert_array_equal, *runs)
  for goal in (0.8, -0.8):
    place = _last_place(trainer.make_policy(state, True), goal)
    np.testing.assert_allclose(place, [goal, 0.0], atol=0.15)


def _last_place(policy, goal):
  env = Walk((goal, 0.0))
  state = env.reset(None)
  for _ in range(10):
    action, _ = policy(state.obs, jax.random.PRNGKey(0))
    state = env.step(state, action)
  return state.obs[:2]

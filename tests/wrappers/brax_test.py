"""The learned reward in Brax: the same as Gymnasium's, on the device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.envs import base
from brax.envs.wrappers import training

from a2r.wrappers import brax
from tests.tiny import KNOWN, make_fake

LENGTH = 4


class FilmEnv(base.Env):
  """Draws level 1 from the step on that its number says, 0 before."""

  observation_size, action_size, backend = 1, 1, "none"

  def reset(self, rng):
    del rng
    time = jnp.zeros(())
    return base.State(time, time[None], jnp.zeros(()), jnp.zeros(()))

  def step(self, state, action):
    del action
    time = state.pipeline_state + 1
    return state.replace(
      pipeline_state=time, obs=time[None], reward=jnp.float32(-1)
    )

  def render(self, state):
    level = (state.pipeline_state >= LENGTH).astype(jnp.uint8)
    return jnp.zeros((4, 4, 3), jnp.uint8).at[0, 0, 0].set(level)


def play(text, *args, num=2 * LENGTH, make_key=jax.random.key):
  env = training.EpisodeWrapper(training.VmapWrapper(FilmEnv()), LENGTH, 1)
  env = brax.RewardWrapper(env, make_fake()[0], text, *args)
  env = training.AutoResetWrapper(env)
  state = jax.jit(env.reset)(jax.random.split(make_key(0), 2))
  step, rewards = jax.jit(env.step), []
  for _ in range(num):
    state = step(state, jnp.zeros((2, 1)))
    np.testing.assert_array_equal(state.info["env_reward"], [-1, -1])
    rewards.append(np.asarray(state.reward))
  assert state.info["film"].shape == (2, 2, 4, 4, 3)
  left, right = np.transpose(rewards).tolist()
  assert left == right
  return left


def test_the_last_step_gets_the_score_of_the_episode():
  assert play(KNOWN[1]) == [0, 0, 0, 1] * 2
  assert play(KNOWN[2], make_key=jax.random.PRNGKey) == [0] * 8


def test_dense_rewards_are_changes_of_the_score_so_far():
  assert play(KNOWN[0], "dense") == [0, 0, 0, -1] * 2
  assert play(KNOWN[1], "dense", 3) == [0, 0, 0, 1] * 2


def test_it_needs_the_length_of_episodes():
  with pytest.raises(ValueError, match="EpisodeWrapper"):
    brax.RewardWrapper(FilmEnv(), make_fake()[0], KNOWN[0])

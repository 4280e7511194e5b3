"""Broken actions and random starts: nothing that is not a number comes out."""

import jax
import numpy as np
import pytest

from a2r import sim

ENV = "tabletop/test2"
ROWS, STEPS = 20, 50
NOISE = 0.02
ODD = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -0.0, 3.4e38)


def fuzzed_actions(seed):
  """Actions `[STEPS, ROWS, 5]`, every third number odd."""
  rng = np.random.default_rng(seed)
  actions = rng.uniform(-2, 2, (STEPS, ROWS, 5))
  odd = rng.choice(ODD, actions.shape)
  chosen = rng.random(actions.shape) < 1 / 3
  return np.where(chosen, odd, actions).astype(np.float32)


def mended(actions):
  """What broken actions count as: 0 for NaN, the box's edge beyond it."""
  return np.clip(np.nan_to_num(actions, nan=0.0), -1, 1)


def assert_finite(tree):
  for leaf in jax.tree.leaves(tree):
    assert np.isfinite(np.asarray(leaf)).all(), leaf


def test_broken_actions_count_as_mended():
  env = sim.make(ENV, task="push_cup_left_to_right", reward="shaped")
  keys = jax.random.split(jax.random.key(0), ROWS)
  broken = clean = jax.jit(jax.vmap(env.reset))(keys)
  step = jax.jit(jax.vmap(env.step))
  for actions in fuzzed_actions(0):
    broken, clean = step(broken, actions), step(clean, mended(actions))
    assert_finite((broken.obs, broken.reward, broken.info))
    assert_finite((broken.pipeline_state, broken.metrics))
  jax.tree.map(np.testing.assert_array_equal, broken, clean)
  moved = np.abs(broken.info["low_dim_state"] - broken.info["start"])[:, :3]
  assert moved.max() > 0.05


def test_other_numbers_are_the_same_numbers():
  env = sim.make(ENV)
  state = env.reset(jax.random.key(0))
  step = jax.jit(env.step)
  action = np.array([1, 0, 1, 0, 1], np.float32)
  expected = step(state, action)
  actual = step(state, jax.numpy.asarray(action, "float16"))
  jax.tree.map(np.testing.assert_array_equal, actual, expected)
  assert actual.obs.dtype == expected.obs.dtype


def test_a_thousand_noisy_starts_are_sound():
  env = sim.make(ENV, noise=NOISE)
  keys = jax.random.split(jax.random.key(0), 1000)
  state = jax.jit(jax.vmap(env.reset))(keys)
  assert_finite(state)
  exact = sim.make(ENV).reset(jax.random.key(0))
  shift = np.asarray(state.info["low_dim_state"] - exact.info["low_dim_state"])
  assert np.abs(np.delete(shift, [3, 4], axis=1)).max() < 1e-6
  for column in shift[:, 3:5].T:
    assert -NOISE <= column.min() <= -0.9 * NOISE
    assert 0.9 * NOISE <= column.max() <= NOISE
  after = jax.jit(jax.vmap(env.step))(state, np.zeros((1000, 5), np.float32))
  assert_finite(after)
  slid = np.abs(after.info["low_dim_state"] - state.info["low_dim_state"])[
    :, 3:6
  ]
  assert slid.max() < 1e-3
  assert float(after.reward.sum()) == 0


def test_broken_actions_are_clipped_or_refused():
  fuzzed, clean = (
    sim.make_gym(ENV, num_envs=ROWS, noise=NOISE) for _ in range(2)
  )
  fuzzed.reset(seed=0)
  clean.reset(seed=0)
  for actions in fuzzed_actions(2):
    assert np.isnan(actions).any()
    with pytest.raises(ValueError, match="NaN"):
      fuzzed.step(actions)
    actions = np.nan_to_num(actions, nan=0.5, posinf=np.inf, neginf=-np.inf)
    left, right = fuzzed.step(actions), clean.step(np.clip(actions, -1, 1))
    assert_finite(left)
    jax.tree.map(np.testing.assert_array_equal, left, right)
    assert left[0] in fuzzed.observation_space


def test_noisy_restarts_stay_in_the_space():
  env = sim.make_gym(ENV, num_envs=50, noise=NOISE)
  mugs = set()
  for _ in range(20):
    obs, infos = env.reset()
    assert_finite(infos)
    assert obs in env.observation_space
    mugs |= set(map(tuple, infos["low_dim_state"][:, 3:5]))
  assert len(mugs) == 1000

"""Tests of the Gymnasium environments: their API, rows, seeds and errors."""

import warnings

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils import env_checker

from a2r import sim
from a2r.sim.behavior import policies
from a2r.sim.tabletop import variants

ENV = "tabletop/test2"
SIZE = 8
# Of equal size, so that they share what is drawn of the environment.
SMALL = dict(image_size=SIZE, physics="c")


def expert(task):
  """Actions `[60, 5]` of a scripted success."""
  return policies.expert(np.random.default_rng(0), task, variants.get(ENV))


@pytest.mark.slow
@pytest.mark.parametrize("obs", ["state", "both"])
def test_passes_gymnasiums_checker_without_a_warning(obs):
  env = sim.make_gym(ENV, obs=obs, render_mode="rgb_array", **SMALL)
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    env_checker.check_env(env)


def test_is_the_brax_environment():
  env = sim.make_gym(ENV, task="close_drawer", **SMALL)
  brax_env = sim.make(ENV, task="close_drawer", **SMALL)
  obs, info = env.reset(seed=0)
  state = jax.jit(brax_env.reset)(jax.random.key(0))
  step = jax.jit(brax_env.step)
  assert obs.shape == (brax_env.observation_size,)
  np.testing.assert_allclose(obs, state.obs, atol=1e-6)
  actions = expert("close_drawer")
  for time, action in enumerate(actions, start=1):
    obs, reward, terminated, truncated, info = env.step(action)
    state = step(state, action)
    np.testing.assert_allclose(obs, state.obs, atol=1e-5)
    low_dim = state.info["low_dim_state"]
    np.testing.assert_allclose(info["low_dim_state"], low_dim, atol=1e-5)
    assert reward == state.reward
    assert info["success"] == (state.metrics["success"] == 1)
    assert terminated is False
    assert truncated is (time == 60)
  assert info["success"]
  assert reward == 1.0


def test_pixels_are_what_render_returns():
  options = dict(render_mode="rgb_array", **SMALL)
  env = sim.make_gym(ENV, obs="both", **options)
  start, _ = env.reset()
  obs, *_ = env.step(np.ones(5))
  frame = env.render()
  assert (frame.shape, frame.dtype) == ((SIZE, SIZE, 3), np.uint8)
  np.testing.assert_array_equal(obs["pixels"], frame)
  assert (start["pixels"] != frame).any()
  frame[:] = 0
  assert env.render().any()
  rows = sim.make_gym(ENV, obs="pixels", num_envs=1, **options)
  obs, _ = rows.reset()
  np.testing.assert_array_equal(obs, start["pixels"][None])
  np.testing.assert_array_equal(rows.render(), obs)


def test_renders_nothing_without_a_mode():
  env = sim.make_gym(ENV, **SMALL)
  env.reset()
  with pytest.warns(UserWarning, match="render_mode"):
    assert env.render() is None
  env.close()
  env.close()


def test_seeds_name_noisy_starts():
  env = sim.make_gym(ENV, noise=0.02, **SMALL)
  first, second, third = (env.reset(seed=s)[0] for s in (1, 2, 1))
  after = env.reset()[0]
  np.testing.assert_array_equal(first, third)
  for other in (second, after):
    assert (first != other).any()
    np.testing.assert_allclose(first, other, atol=0.05)
  assert (env.reset(seed=1)[0] == first).all()
  np.testing.assert_array_equal(env.reset()[0], after)


def test_shaped_reward_tells_more_than_success():
  env = sim.make_gym(ENV, reward="shaped", **SMALL)
  env.reset()
  rewards = [env.step(a)[1] for a in expert("close_drawer")[:20]]
  assert len(set(rewards)) > 10


def test_rows_are_single_environments():
  options = dict(noise=0.02, max_episode_steps=3, **SMALL)
  batch = sim.make_gym(ENV, num_envs=3, **options)
  rows = gymnasium.vector.SyncVectorEnv(
    [lambda: sim.make_gym(ENV, **options)] * 3
  )
  assert batch.observation_space == rows.observation_space
  assert batch.action_space == rows.action_space
  for mode in ("single_observation_space", "single_action_space"):
    assert getattr(batch, mode) == getattr(rows, mode)
  assert batch.metadata["autoreset_mode"] is rows.metadata["autoreset_mode"]
  _assert_same(batch.reset(seed=7), rows.reset(seed=7))
  rng = np.random.default_rng(0)
  truncated = []
  for _ in range(9):
    actions = rng.uniform(-1, 1, (3, 5))
    left, right = batch.step(actions), rows.step(actions)
    _assert_same(left, right)
    assert left[0] in batch.observation_space
    truncated.append(bool(left[3].all()))
  assert truncated == [False, False, True, False] * 2 + [False]


def test_a_mask_resets_its_rows_alone():
  options = dict(noise=0.02, max_episode_steps=3, **SMALL)
  env = sim.make_gym(ENV, num_envs=3, **options)
  start, _ = env.reset(seed=0)
  assert env.np_random_seed == (0, 1, 2) and len(env.np_random) == 3
  actions = np.ones((3, 5))
  moved = env.step(actions)[0]
  mask = np.array([True, False, True])
  obs, infos = env.reset(seed=0, options={"reset_mask": mask})
  np.testing.assert_array_equal(obs[mask], start[mask])
  np.testing.assert_array_equal(obs[~mask], moved[~mask])
  np.testing.assert_array_equal(infos["_low_dim_state"], mask)
  # Rows end at different times then.
  ends = [env.step(actions)[3].tolist() for _ in range(3)]
  assert ends == [[False] * 3, [False, True, False], [True, False, True]]


def _assert_same(left, right):
  """Two results of `reset` or `step`, entry by entry."""
  for a, b in zip(*map(jax.tree.leaves, (left, right)), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_gymnasium_makes_the_registered():
  ids = sim.register_gym()
  assert sim.register_gym() == ids
  tabletops = [name for name in ids if name.startswith("a2r/tabletop-")]
  assert len(tabletops) == len(sim.ENVIRONMENTS) * len(sim.TASKS)
  name = "a2r/tabletop-test2-close_drawer-v0"
  for length, options in ((60, {}), (61, {"max_episode_steps": 61})):
    env = gymnasium.make(name, **SMALL, **options)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[3] for _ in range(length)]
    assert ends == [False] * (length - 1) + [True]


@pytest.mark.slow
def test_gymnasium_makes_vectors():
  sim.register_gym()
  name = "a2r/tabletop-test2-close_drawer-v0"
  for mode in ("vector_entry_point", "sync"):
    env = gymnasium.make_vec(
      name, 2, vectorization_mode=mode, max_episode_steps=2, **SMALL
    )
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(env)
    env.reset(seed=0)
    infos = [env.step(env.action_space.sample())[-1] for _ in range(2)]
    assert "episode" not in infos[0]
    np.testing.assert_array_equal(infos[1]["episode"]["l"], [2, 2])

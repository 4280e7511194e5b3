"""The Gymnasium face of Concept2Robot's table."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import env_checker
from gymnasium.vector import AutoresetMode

from a2r import sim


def test_passes_gymnasiums_checker_without_a_warning():
  env = sim.make_gym("concept/45", obs="state")
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    env_checker.check_env(env, skip_render_check=True)


def test_rows_are_single_environments():
  many = sim.make_gym("concept/45", num_envs=2, obs="state")
  one = sim.make_gym("concept/45", obs="state")
  obs, _ = many.reset(seed=5)
  first, _ = one.reset(seed=6)
  np.testing.assert_allclose(obs[1], first, atol=1e-5)
  actions = np.zeros((2, 350), np.float32)
  after, reward, ended, cut, info = many.step(actions)
  assert ended.all()
  assert not cut.any()
  np.testing.assert_array_equal(reward, info["success"].astype(float))
  np.testing.assert_array_equal(info["final_obs"], obs)
  assert np.abs(after - obs).max() > 1e-3  # The next episodes'.


def test_pixels_are_seen_before_and_after():
  env = sim.make_gym("concept/45", render_mode="rgb_array")
  before, _ = env.reset(seed=0)
  np.testing.assert_array_equal(env.render(), before)
  action = np.zeros(350, np.float32)
  action[2] = 0.5
  after, reward, terminated, truncated, info = env.step(action)
  assert (terminated, truncated, info["success"], reward) == (
    True,
    False,
    True,
    1,
  )
  assert np.mean(before != after) > 0.02
  with pytest.raises(gymnasium.error.ResetNeeded):
    env.step(action)


def test_what_makes_no_sense_is_told():
  env = sim.make_gym("concept/45", num_envs=2, obs="state")
  env.reset(seed=0)
  with pytest.raises(ValueError, match=r"shape \(2, 350\), got \(2, 7\)"):
    env.step(np.zeros((2, 7)))
  with pytest.raises(ValueError, match="expected 2 seeds, got 3"):
    env.reset(seed=[1, 2, 3])
  with pytest.raises(ValueError, match="unknown autoreset_mode"):
    sim.make_gym(
      "concept/45", num_envs=1, autoreset_mode=AutoresetMode.NEXT_STEP
    )
  with pytest.raises(ValueError, match="unknown obs 'both'"):
    sim.make_gym("concept/45", obs="both")

"""The Gymnasium face of Concept2Robot's table."""

import warnings

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils import env_checker
from gymnasium.vector import AutoresetMode

from a2r import sim
from a2r.sim.concept import tasks


@pytest.mark.parametrize("obs", ["state", "pixels"])
def test_passes_gymnasiums_checker_without_a_warning(obs):
  env = sim.make_gym("concept/45", obs=obs, render_mode="rgb_array")
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    env_checker.check_env(env)


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


def test_rows_start_anew_as_gymnasium_s_do():
  options = dict(obs="state", distractors=1)
  many = sim.make_gym(
    "concept/45",
    num_envs=2,
    autoreset_mode=AutoresetMode.NEXT_STEP,
    **options,
  )
  rows = gymnasium.vector.SyncVectorEnv(
    [lambda: sim.make_gym("concept/45", **options)] * 2
  )
  assert many.metadata["autoreset_mode"] is rows.metadata["autoreset_mode"]
  for step in (many.step, rows.step):
    with pytest.raises(gymnasium.error.ResetNeeded):
      step(np.zeros((2, 350), np.float32))
  _assert_same(many.reset(seed=7), rows.reset(seed=7))
  actions = np.zeros((2, 350), np.float32)
  actions[:, 2] = 0.5
  ended = []
  for _ in range(4):
    left, right = many.step(actions), rows.step(actions)
    _assert_same(left, right)
    ended.append(left[2].tolist())
  assert ended == [[True] * 2, [False] * 2] * 2
  _assert_same(many.reset(), rows.reset())


def _assert_same(left, right):
  """Two results of `reset` or `step`, entry by entry."""
  for a, b in zip(*map(jax.tree.leaves, (left, right)), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_gymnasium_makes_the_registered():
  ids = sim.register_gym()
  assert sim.register_gym() == ids
  concepts = [name for name in ids if name.startswith("a2r/concept-")]
  assert len(concepts) == len(tasks.NAMES)
  name = "a2r/concept-moving_something_up-v0"
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    env = gymnasium.make(name, obs="state", reward="manual")
    start, _ = env.reset(seed=3)
    _, reward, terminated, _, info = env.step(np.zeros(350, np.float32))
  assert terminated and not info["success"] and reward < 0
  again, _ = sim.make_gym("concept/45", obs="state").reset(seed=3)
  np.testing.assert_array_equal(start, again)
  for mode in ("vector_entry_point", "sync"):
    rows = gymnasium.make_vec(name, 2, vectorization_mode=mode, obs="state")
    rows = gymnasium.wrappers.vector.RecordEpisodeStatistics(rows)
    obs, _ = rows.reset(seed=3)
    np.testing.assert_allclose(obs[0], start, atol=1e-5)
    infos = rows.step(np.zeros((2, 350), np.float32))[-1]
    np.testing.assert_array_equal(infos["episode"]["l"], [1, 1])


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
  with pytest.raises(gymnasium.error.ResetNeeded):
    sim.make_gym("concept/45", render_mode="rgb_array").render()
  env = sim.make_gym("concept/45", num_envs=2, obs="state")
  env.reset(seed=0)
  with pytest.raises(ValueError, match=r"shape \(2, 350\), got \(2, 7\)"):
    env.step(np.zeros((2, 7)))
  with pytest.raises(ValueError, match="expected 2 seeds, got 3"):
    env.reset(seed=[1, 2, 3])
  with pytest.raises(ValueError, match="unknown autoreset_mode 'next'"):
    sim.make_gym("concept/45", num_envs=1, autoreset_mode="next")
  with pytest.raises(ValueError, match="unknown obs 'both'"):
    sim.make_gym("concept/45", obs="both")

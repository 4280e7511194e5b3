"""Tests of whole episodes: one program, no host, the same as `physics`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import sim
from a2r.sim.tabletop import drawing, physics, rollouts
from a2r.sim.tabletop import env as tabletop

_ENVS, _STEPS, _EVERY, _SIZE = 4, 15, 1, 8
# As many pictures as `draw_frames` draws at a time share its program.
assert _ENVS * (_STEPS // _EVERY + 1) == drawing._CALL


def _reach(gain, rng, obs):
  """Goes for the mug, `obs[-6:-3]` away, and a little astray."""
  astray = 0.3 * jax.random.normal(rng, (3,))
  return jnp.append(gain * obs[-6:-3] + astray, jnp.zeros(2))


_POLICY = jax.tree_util.Partial(_reach, 20.0)


@functools.cache
def _env(name="tabletop/test3", task="move_cup_away", physics="auto"):
  return sim.make(
    name, task=task, physics=physics, image_size=_SIZE, noise=0.01
  )


def _play(env, num_envs=_ENVS, *, policy=_POLICY, seed=0):
  return sim.rollout(
    env,
    policy,
    jax.random.key(seed),
    num_envs,
    num_steps=_STEPS,
    pixels_every=_EVERY,
  )


@functools.cache
def _played():
  return jax.tree.map(np.asarray, _play(_env()))


def _assert_same(left, right):
  jax.tree.map(np.testing.assert_array_equal, left, right)


def test_mjx_never_asks_the_host():
  env = _env(physics="mjx")
  options = dict(num_steps=_STEPS, pixels_every=_EVERY)
  program = str(
    jax.make_jaxpr(
      lambda rng: sim.rollout(env, _POLICY, rng, _ENVS, **options)
    )(jax.random.key(0))
  )
  assert "scan" in program
  for word in ("callback", "infeed", "outfeed"):
    assert word not in program


def test_records_are_as_asked_for():
  env, played = _env(), _played()
  times = _STEPS + 1
  for name, shape, dtype in (
    ("states", (_ENVS, times, 13), np.float32),
    ("qpos", (_ENVS, times, 19), np.float32),
    ("obs", (_ENVS, times, env.observation_size), np.float32),
    ("actions", (_ENVS, _STEPS, 5), np.float32),
    ("reward", (_ENVS, _STEPS), np.float32),
    ("success", (_ENVS,), np.bool_),
  ):
    value = getattr(played, name)
    assert (value.shape, value.dtype) == (shape, dtype), name
  qpos = played.qpos[:, ::_EVERY]
  frames = drawing.draw_frames(env.model, qpos, image_size=_SIZE)
  np.testing.assert_array_equal(played.frames, frames)
  assert (frames[:, 4:] != frames[:, :-4]).any(axis=(2, 3, 4)).all()


def test_success_and_reward_are_the_task_s():
  env, played = _env(), _played()
  success = [env.task.success(states) for states in played.states]
  np.testing.assert_array_equal(played.success, success)
  assert any(success)
  pairs = np.stack([np.stack([played.states[:, 0]] * _STEPS, 1)] * 2, 2)
  pairs[:, :, 1] = played.states[:, 1:]
  reward = jax.vmap(jax.vmap(env.task.success))(pairs)
  np.testing.assert_array_equal(played.reward, reward)
  other = _play(_env(task="close_drawer"))
  np.testing.assert_array_equal(other.states, played.states)
  assert not other.success.any()


def test_follows_the_physics_of_the_same_actions():
  env = sim.make("tabletop/train", image_size=_SIZE)
  played = sim.rollout(env, _POLICY, jax.random.key(0), _ENVS, num_steps=_STEPS)
  assert played.frames is None
  wanted = physics.rollout(env.model, played.actions)
  np.testing.assert_allclose(played.states, wanted.states, atol=1e-4)
  np.testing.assert_allclose(played.qpos, wanted.qpos, atol=1e-4)
  np.testing.assert_array_equal(played.states[:, 0], wanted.states[:, 0])


@pytest.mark.slow
def test_an_episode_does_not_depend_on_how_many_there_are():
  few, many = _played(), _play(_env(), _ENVS + 2)
  _assert_same(few, jax.tree.map(lambda x: x[:_ENVS], many))
  assert (few.states[0] != few.states[1]).any()


def test_the_key_is_the_seed():
  first, again = _played(), _play(_env())
  _assert_same(first, again)
  other = _play(_env(), seed=1)
  assert (other.states[0] != first.states[0]).any()
  assert (other.qpos[0, 0] != first.qpos[0, 0]).any()  # The noise.


def test_parameters_of_a_policy_are_data():
  _played()
  programs = (tabletop.reset_many, tabletop._advance_many, rollouts._act)
  before = [program._cache_size() for program in programs]
  weak = _play(_env(), policy=jax.tree_util.Partial(_reach, 1.0))
  _play(_env("tabletop/train", "move_faucet"))
  assert ([program._cache_size() for program in programs]) == before
  assert (weak.actions != _played().actions).any()
  function = _play(_env(), policy=functools.partial(_reach, 20.0))
  np.testing.assert_allclose(function.states, _played().states, atol=1e-5)


@pytest.mark.slow
def test_one_mjx_program_serves_all_environments_and_tasks():
  before = rollouts._play_jit._cache_size()
  for name in ("tabletop/train", "tabletop/test3"):
    logs = []
    for task in ("close_drawer", "move_faucet"):
      played, wanted = (
        sim.rollout(
          _env(name, task, engine),
          _POLICY,
          jax.random.key(0),
          2,
          num_steps=2,
          pixels_every=1,
        )
        for engine in ("mjx", "c")
      )
      np.testing.assert_allclose(played.states, wanted.states, atol=1e-4)
      np.testing.assert_allclose(played.obs, wanted.obs, atol=1e-2)
      assert (played.success == wanted.success).all()
      differs = np.abs(np.int32(played.frames) - np.int32(wanted.frames)) > 2
      assert differs.mean() < 0.02
      logs.append(played.states)
    np.testing.assert_array_equal(*logs)
  assert rollouts._play_jit._cache_size() == before + 1

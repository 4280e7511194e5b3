"""Tests of the stopped policies: repeatable, replayable, and nearly there."""

import functools
import importlib.resources
import pathlib
import shutil

import jax
import numpy as np
import pytest

from a2r import sim
from a2r.core import digests
from a2r.sim.behavior import policies, stopped
from a2r.sim.tabletop import observation, physics, rewards
from tests import tiny

_EPISODES = 48
# Fails by dragging the drawer open, which earns less than keeping away.
_WRONG_WAY = ("close_drawer",)


def _random_policy(seed=0):
  rng = np.random.default_rng(seed)

  def draw(*shape):
    return np.float32(rng.normal(0, 0.2, shape))

  return stopped.Policy(
    mean=draw(62),
    std=np.abs(draw(62)) + 0.1,
    kernels=(draw(62, 8), draw(8, 5)),
    biases=(draw(8), draw(5)),
    noise=np.full(5, 0.3, np.float32),
  )


@functools.cache
def _episodes(source):
  """Per task, success `[B]` and the sum of shaped rewards `[B]`."""
  model = physics.load("tabletop/train")
  seeds = [[5, index] for index in range(_EPISODES)]
  actions = np.concatenate(
    [policies.sample_batch(model, source, task, seeds) for task in sim.TASKS]
  )
  states = physics.rollout(model, actions, physics="c").states
  states = states.reshape(len(sim.TASKS), _EPISODES, *states.shape[1:])
  start = np.broadcast_to(states[:, :, :1], states.shape)
  points = observation.landmarks(np.float64(model.fixtures), states)
  return jax.device_get(_judge(states, start, *points))


@jax.jit
def _judge(*episodes):
  results = {}
  for row, (name, task) in enumerate(sim.TASKS.items()):
    states, *others = (x[row] for x in episodes)
    earned = jax.vmap(jax.vmap(rewards.shaped(name)))(states, *others)
    results[name] = jax.vmap(task.success)(states), earned.sum(axis=1)
  return results


def test_every_task_has_a_policy_of_the_right_size():
  shipped = stopped.load()
  assert list(shipped) == list(sim.TASKS)
  for policy in shipped.values():
    assert policy.mean.shape == (62,)
    assert policy.kernels[0].shape[0] == 62
    assert policy.kernels[-1].shape[1] == 5
    for array in jax.tree.leaves(policy):
      assert np.isfinite(array).all()
    assert policy.noise.min() > 0.01


def test_a_flipped_bit_of_the_shipped_policies_is_named(tmp_path, monkeypatch):
  assets = pathlib.Path(str(importlib.resources.files("a2r.assets")))
  path = tmp_path / stopped._FILE
  for name in (digests.FILE, path.name):
    shutil.copy(assets / name, tmp_path)
  tiny.flip(path, 0.5)
  monkeypatch.setattr(stopped, "_FILE", str(path))
  with pytest.raises(ValueError, match=f"{path} is damaged"):
    stopped.load.__wrapped__()


def test_rows_depend_on_their_own_seed_alone_to_the_bit():
  model = physics.load("tabletop/test3")
  seeds = [[7, index] for index in range(5)]
  actions = stopped.play(model, "open_drawer", seeds)
  assert (actions.shape, actions.dtype) == ((5, 60, 5), np.float32)
  assert np.abs(actions).max() <= 1.0
  for rows in ([4], [3, 1]):
    some = stopped.play(model, "open_drawer", [seeds[row] for row in rows])
    np.testing.assert_array_equal(some, actions[rows])
  assert not ((actions[0] == actions[1]).all())


def test_played_again_the_actions_meet_what_the_environment_shows():
  policy = _random_policy()._replace(noise=np.zeros(5, np.float32))
  actions = stopped.play_policy(policy, physics.load("tabletop/test3"), [[0]])
  env = sim.make("tabletop/test3", physics="c")
  state, step = env.reset(jax.random.key(0)), jax.jit(env.step)
  first = np.asarray(state.info["low_dim_state"])[None]
  for action in actions[0, :20]:
    batch = jax.tree.map(lambda x: np.asarray(x)[None], state.pipeline_state)
    obs = observation.observe(np.float64(env.model.fixtures), batch, first)
    np.testing.assert_allclose(obs, state.obs[None], atol=1e-6)
    mean = np.clip(stopped.act(policy, obs)[0], -1, 1)
    np.testing.assert_allclose(mean, action, atol=1e-3)
    state = step(state, action)


def test_a_network_worked_out_by_hand():
  policy = stopped.Policy(
    mean=np.array([1.0, 0.0]),
    std=np.array([2.0, 0.001]),
    kernels=(np.array([[1.0, -1.0], [1.0, 0.0]]), np.array([[2.0], [3.0]])),
    biases=(np.array([0.0, 0.5]), np.array([-1.0])),
    noise=np.zeros(1),
  )
  # Normalized to (1, 5), the second one clipped; hidden (6, 0).
  out = stopped.act(policy, np.array([[3.0, 1.0]]))
  np.testing.assert_array_equal(out, [[11.0]])


def test_arrays_and_policies_turn_into_each_other():
  policy = _random_policy()
  arrays = stopped.to_arrays({"poke_cup": policy, "open_drawer": policy})
  back = stopped.from_arrays(arrays)
  assert list(back) == ["open_drawer", "poke_cup"]
  jax.tree.map(np.testing.assert_array_equal, back["poke_cup"], policy)


@pytest.mark.parametrize("task", sim.TASKS)
def test_some_fail_and_they_come_nearer_than_random_play(task):
  success, earned = _episodes("rl")[task]
  random_success, random_earned = _episodes("random")[task]
  assert 0.1 <= success.mean() <= 0.9
  assert earned.mean() > random_earned.mean()
  if task not in _WRONG_WAY:
    assert earned[~success].mean() > random_earned[~random_success].mean()
  # Experts earn more than whoever tries nothing.
  _, expert_earned = _episodes("expert")[task]
  assert np.isfinite(expert_earned).all()
  assert expert_earned.mean() > random_earned.mean() + 10

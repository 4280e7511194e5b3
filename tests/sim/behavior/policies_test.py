"""Tests of the scripted behavior, judged by the state it leads to."""

import itertools

import numpy as np
import pytest

from a2r.sim.behavior import policies
from a2r.sim.tabletop import physics, tasks, variants

_SCRIPTS = tuple(name for name in policies.SOURCES if name != "rl")
_ALL = tuple(itertools.product(variants.ENVIRONMENTS, tasks.TASKS))


def _play(environment, task, source, num_episodes, seed=3):
  """Success `[N]` and states `[N, 61, 13]`."""
  model = physics.load(environment)
  seeds = [[seed, index] for index in range(num_episodes)]
  actions = policies.sample_batch(model, source, task, seeds)
  states = physics.rollout(model, actions, physics="c").states
  outcomes = np.asarray(tasks.outcomes_many(states))
  return outcomes[:, list(tasks.TASKS).index(task)], states


@pytest.mark.parametrize(("environment", "task"), _ALL)
def test_expert_succeeds_and_near_miss_fails(environment, task):
  success, _ = _play(environment, task, "expert", 16)
  assert success.mean() >= 0.9
  success, _ = _play(environment, task, "near_miss", 16)
  assert success.mean() <= 0.25


def test_experts_move_things_visibly():
  for task, column, least in (
    ("push_cup_left_to_right", 3, 0.07),
    ("push_cup_right_to_left", 3, 0.07),
    ("move_cup_away", 4, 0.055),
    ("close_drawer", 10, 0.05),
    ("open_drawer", 10, 0.02),
    ("move_faucet", 12, 0.3),
  ):
    _, states = _play("tabletop/train", task, "expert", 16)
    moved = np.abs(states[:, -1, column] - states[:, 0, column])
    assert np.percentile(moved, 10) > least, task


@pytest.mark.parametrize("task", tasks.TASKS)
def test_random_play_rarely_succeeds_and_noise_sometimes(task):
  success, _ = _play("tabletop/train", task, "random", 32)
  assert success.mean() < 0.6
  success, _ = _play("tabletop/test3", task, "noise", 48)
  assert 0.2 <= success.mean() <= 0.85


@pytest.mark.parametrize("task", tasks.TASKS)
def test_noise_resembles_its_expert(task):
  _, clean = _play("tabletop/train", task, "expert", 16)
  _, noisy = _play("tabletop/train", task, "noise", 16)
  np.testing.assert_array_equal(clean[:, 0], noisy[:, 0])
  apart = np.linalg.norm(clean[:, :, :3] - noisy[:, :, :3], axis=-1)
  others = np.linalg.norm(clean[::-1, :, :3] - noisy[:, :, :3], axis=-1)
  assert apart.max(1).min() > 0.003
  assert apart.mean() < 0.08
  if task == "poke_cup":
    assert apart.mean() < 0.5 * others.mean()
  actions = [
    policy(np.random.default_rng(0), task, variants.get("tabletop/train"))
    for policy in (policies.expert, policies.noise)
  ]
  np.testing.assert_array_equal(actions[0][:, 4], actions[1][:, 4])


def test_a_row_of_a_batch_depends_on_its_seed_alone():
  args = physics.load("tabletop/train"), "noise", "close_drawer"
  both = policies.sample_batch(*args, [[1, 2], [3, 4]])
  np.testing.assert_array_equal(
    both[1:], policies.sample_batch(*args, [[3, 4]])
  )


@pytest.mark.parametrize("source", _SCRIPTS)
@pytest.mark.parametrize("task", tuple(tasks.TASKS))
def test_actions_are_in_the_box_and_repeatable(source, task):
  variant = variants.get("tabletop/test3")
  one, two, other = (
    policies.sample(np.random.default_rng(seed), source, task, variant)
    for seed in (1, 1, 2)
  )
  assert one.shape == (physics.NUM_STEPS, physics.ACTION_SIZE)
  assert one.dtype == np.float32
  assert (one >= physics.ACTION_LOW - 1e-6).all()
  assert (one <= physics.ACTION_HIGH + 1e-6).all()
  np.testing.assert_array_equal(one, two)
  assert (one != other).any()


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "task"), _ALL)
def test_expert_over_many_episodes(environment, task):
  success, _ = _play(environment, task, "expert", 200, seed=17)
  assert success.mean() >= 0.95

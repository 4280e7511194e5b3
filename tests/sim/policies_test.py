"""Tests of the scripted behavior, judged by the state it leads to."""

import functools
import itertools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from a2r.sim import physics, policies, tasks, variants

_ALL = tuple(itertools.product(variants.ENVIRONMENTS, tasks.TASKS))


@functools.cache
def _judge(task):
  return jax.jit(jax.vmap(tasks.TASKS[task].success))


def _play(environment, task, source, num_episodes, seed=3):
  """Success `[N]` and log `[N, 61, 13]`."""
  model = physics.load(environment)
  actions = [
    policies.sample(
      np.random.default_rng([seed, index]), source, task, model.variant
    )
    for index in range(num_episodes)
  ]
  log = physics.rollout(model, np.stack(actions), physics="c").log
  return np.asarray(_judge(task)(log)), log


class PoliciesTest(parameterized.TestCase):
  @parameterized.parameters(*_ALL)
  def test_expert_succeeds_and_near_miss_fails(self, environment, task):
    success, _ = _play(environment, task, "expert", 16)
    self.assertGreaterEqual(success.mean(), 0.9)
    success, _ = _play(environment, task, "near_miss", 16)
    self.assertLessEqual(success.mean(), 0.25)

  @parameterized.parameters(*tasks.TASKS)
  def test_random_play_rarely_succeeds(self, task):
    success, _ = _play("tabletop/train", task, "random", 32)
    self.assertLess(success.mean(), 0.6)

  def test_experts_move_things_visibly(self):
    for task, column, least in (
      ("push_cup_left_to_right", 3, 0.07),
      ("push_cup_right_to_left", 3, 0.07),
      ("move_cup_away", 4, 0.055),
      ("close_drawer", 10, 0.05),
      ("open_drawer", 10, 0.02),
      ("move_faucet", 12, 0.3),
    ):
      _, log = _play("tabletop/train", task, "expert", 16)
      moved = np.abs(log[:, -1, column] - log[:, 0, column])
      self.assertGreater(np.percentile(moved, 10), least, task)

  @parameterized.product(source=policies.SOURCES, task=tuple(tasks.TASKS))
  def test_actions_are_in_the_box_and_repeatable(self, source, task):
    variant = variants.get("tabletop/test3")
    one, two, other = (
      policies.sample(np.random.default_rng(seed), source, task, variant)
      for seed in (1, 1, 2)
    )
    self.assertEqual(one.shape, (physics.NUM_STEPS, physics.ACTION_SIZE))
    self.assertEqual(one.dtype, np.float32)
    self.assertTrue((one >= physics.ACTION_LOW - 1e-6).all())
    self.assertTrue((one <= physics.ACTION_HIGH + 1e-6).all())
    np.testing.assert_array_equal(one, two)
    self.assertTrue((one != other).any())

  def test_unknown_names_list_the_known(self):
    variant = variants.get("tabletop/train")
    rng = np.random.default_rng(0)
    with self.assertRaisesRegex(KeyError, "'oracle'.*expert, near_miss"):
      policies.sample(rng, "oracle", "close_drawer", variant)
    with self.assertRaisesRegex(KeyError, "'juggle'.*close_drawer"):
      policies.sample(rng, "expert", "juggle", variant)


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "task"), _ALL)
def test_expert_over_many_episodes(environment, task):
  success, _ = _play(environment, task, "expert", 200, seed=17)
  print(f"{environment} {task}: {success.mean():.3f}")
  assert success.mean() >= 0.95


if __name__ == "__main__":
  absltest.main()

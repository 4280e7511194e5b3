"""Tests of the tabletop's dynamics: C, MJX and the two together."""

import numpy as np
import pytest

from a2r.sim.behavior import policies
from a2r.sim.tabletop import physics, scene, tasks, variants


def _random_actions(batch, num_steps, seed=0):
  rng = np.random.default_rng(seed)
  size = (batch, num_steps, physics.ACTION_SIZE)
  return np.float32(rng.uniform(physics.ACTION_LOW, physics.ACTION_HIGH, size))


def _hasty_experts(variant):
  """Actions `[7, 20, 5]`: an expert of every task at double speed."""
  actions = np.stack(
    [
      policies.expert(np.random.default_rng(0), task, variant)
      for task in tasks.TASKS
    ]
  )
  return actions.reshape(len(actions), 30, 2, 5).sum(axis=2)[:, :20]


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_hand_and_objects_are_where_dvd_puts_them(name):
  model = physics.load(name)
  states = physics.rollout(model, np.zeros((1, 1, 5)), physics="c").states[0, 0]
  np.testing.assert_allclose(states[:3], [0.0, 0.5, 0.02], atol=2e-3)
  np.testing.assert_allclose(states[3:6], [*model.variant.layout.mug, 0.0])
  np.testing.assert_allclose(states[6:10], [1, 0, 0, 0])
  np.testing.assert_allclose(states[10:], [-0.07, 0.0, 0.0])


def test_doing_nothing_moves_nothing():
  model = physics.load("tabletop/train")
  trajectory = physics.rollout(model, np.zeros((1, 60, 5)), physics="c")
  np.testing.assert_allclose(
    trajectory.states[0, -1], trajectory.states[0, 0], atol=2e-3
  )


def test_hand_follows_and_clips_the_mocap():
  actions = np.zeros((1, 40, 5))
  actions[:, :, :3] = (10.0, 0.0, 10.0)
  trajectory = physics.rollout(
    physics.load("tabletop/test3"), actions, physics="c"
  )
  hand = trajectory.states[0, -1, :3]
  np.testing.assert_allclose(hand, [0.4, 0.5, 0.2], atol=0.02)


def test_a_row_does_not_depend_on_its_batch():
  model = physics.load("tabletop/train")
  actions = _random_actions(5, 10)
  whole = physics.rollout(model, actions, physics="c")
  again = physics.rollout(model, actions, physics="c")
  alone = physics.rollout(model, actions[3:4], physics="c")
  np.testing.assert_array_equal(whole.qpos, again.qpos)
  np.testing.assert_array_equal(whole.states[3], alone.states[0])


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_random_play_stays_sane(name):
  trajectory = physics.rollout(
    physics.load(name), _random_actions(16, 60), physics="c"
  )
  assert np.isfinite(trajectory.qpos).all()
  np.testing.assert_array_equal(
    trajectory.qpos[:, :, scene.MUG_QUAT] - [1, 0, 0, 0], 0
  )
  drawer = trajectory.states[:, :, 10]
  assert drawer.min() >= scene.DRAWER_RANGE[0] - 1e-6
  assert drawer.max() <= scene.DRAWER_RANGE[1]
  mug = trajectory.states[:, :, 3:6] - trajectory.states[:, :1, 3:6]
  assert np.abs(mug[..., :2]).max() < 0.8
  assert mug[..., 2].min() > -0.03


def test_scaled_actions_lie_in_the_unit_box():
  scaled = physics.scale_actions(np.array([1.0, -2.0, 0.5, -np.pi / 2, 9.0]))
  np.testing.assert_allclose(scaled, [1, -1, 0.5, -0.5, 1], rtol=1e-6)


@pytest.mark.parametrize("name", ["tabletop/train", "tabletop/test3"])
def test_mjx_agrees_with_c(name):
  """Random play and scripted contact; one compilation serves both layouts.

  Contacts are chaotic: a mug squeezed between hand and wall may part, so the
  bounds hold for most episodes.
  """
  model = physics.load(name)
  actions = np.concatenate(
    [_random_actions(9, 20), _hasty_experts(model.variant)]
  )
  ours = physics.rollout(model, actions, physics="mjx")
  theirs = physics.rollout(model, actions, physics="c")
  error = np.abs(np.asarray(ours.states) - theirs.states).max(axis=1)
  for part, columns, bound in (
    ("hand", slice(0, 3), 1e-3),
    ("mug", slice(3, 6), 2e-3),
    ("drawer", slice(10, 11), 2e-3),
    ("faucet", slice(12, 13), 2e-2),
  ):
    assert np.percentile(error[:, columns].max(axis=1), 90) < bound, part

"""Motions at the table: what is held is held, and is let go."""

import numpy as np
import pytest

from a2r.core import batching
from a2r.sim.concept import margins, objects, physics, policies, tasks
from a2r.sim.concept import scene as scene_lib

NUM = 16


def _play(goals, forces=0.0, number=45):
  scene = tasks.TASKS[number].scene
  start = policies.sample_start(scene, [[3, n] for n in range(NUM)])
  actions = np.zeros((NUM, physics.ACTION_SIZE), np.float32)
  actions[:, : physics.GOAL_SIZE] = goals
  actions[:, physics.GOAL_SIZE :] = forces
  return margins.Record(scene, physics.play(scene, start, actions))


def make_motion(scene, start, actions):
  """What actions tell the robot, by the program that `physics.play` uses."""
  return batching.map_chunks(
    lambda rows: physics.make_motion(*rows, scene.hand.grip),
    physics._CHUNKS,
    (start.positions[:, -1], start.quats[:, -1], start.arm, actions),
  )


def test_the_hand_follows_within_millimeters():
  goal = np.float32([0.1, 0.2, 0.3, 0, 0, 0, 0])
  record = _play(goal)
  start = record.episode.start
  actions = np.zeros((NUM, physics.ACTION_SIZE), np.float32)
  actions[:, : physics.GOAL_SIZE] = goal
  told = make_motion(record.scene, start, actions)
  off = record.position("flange")[:, 1:] - told.positions
  assert np.linalg.norm(off, axis=-1).max() < 8e-3


def test_things_rest_where_the_release_has_them():
  bodies = {
    "box": (objects.box(0.05, 0.05, 0.10), 0.05),
    "tall": (objects.box(0.05, 0.05, 0.20), 0.1),
    "nut": (objects.nut(2.0), 0.045),  # On one of its six sides.
    "roll": (objects.roller(), 0.05),
    "plate": (objects.box(0.2, 0.2, 0.02), 0.01),
  }
  things = {
    name: scene_lib.Thing(body, (0.3, 0.17 * index - 0.34, 0.295 + half))
    for index, (name, (body, half)) in enumerate(bodies.items())
  }
  hand = scene_lib.Hand("poke", at=(0.6, -0.3, 0.6))
  scene = scene_lib.Scene(things, hand)
  start = policies.sample_start(scene, [[n] for n in range(NUM)])
  actions = np.zeros((NUM, physics.ACTION_SIZE))
  record = margins.Record(scene, physics.play(scene, start, actions))
  for name, (_, half) in bodies.items():
    height = record.position(name)[:, -1, 2] - half
    # There they rest on 0.286, as Bullet keeps meshes a millimeter apart.
    np.testing.assert_allclose(height, 0.2855, atol=0.001, err_msg=name)


def test_a_grasp_holds_in_fast_motions():
  rng = np.random.default_rng(0)
  goals = rng.uniform(-0.8, 0.8, (NUM, physics.GOAL_SIZE))
  goals[:, 2] = np.abs(goals[:, 2])
  goals[:, 3:] = 0
  assert (margins.held(_play(goals)) > 0)[:, -1].mean() > 0.9


def test_a_grasp_lets_go_when_the_gripper_opens():
  record = _play([0, 0, 0, 0, 0, 0, -0.5])
  assert (margins.released(record) > 0)[:, -1].all()
  assert margins.moved(record, axis=margins.Z)[:, -1].max() < -0.05


def test_the_gripper_does_not_close_further():
  record = _play([0, 0, 0, 0, 0, 0, 1.0])
  assert (margins.held(record) > 0)[:, -1].all()
  np.testing.assert_allclose(
    record.fingers[:, -1], record.fingers[:, 2], atol=0.02
  )


def test_wild_actions_give_numbers():
  rng = np.random.default_rng(1)
  goals = rng.uniform(-9, 9, (NUM, physics.GOAL_SIZE))
  forces = rng.uniform(-9, 9, (NUM, physics.ACTION_SIZE - physics.GOAL_SIZE))
  assert np.isfinite(_play(goals, forces).episode.qpos).all()


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_actions_that_are_not_finite_are_named(fault):
  with pytest.raises(ValueError, match=r"not finite, the first at \[0, 2\]"):
    _play([0, 0, fault, 0, 0, 0, 0])


def test_actions_of_another_shape_are_named():
  scene = tasks.TASKS[45].scene
  start = policies.sample_start(scene, [[0]])
  with pytest.raises(ValueError, match=r"\[1, 350\] numbers, got \[1, 7\]"):
    physics.play(scene, start, np.zeros((1, 7)))

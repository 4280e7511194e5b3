"""How states become pictures: order, samples, sceneries."""

import functools

import numpy as np
import pytest

from a2r.sim.tabletop import drawing, physics
from a2r.sim.tabletop.engines import c_engine

_SIZE = 8


@pytest.fixture(scope="module")
def model():
  return physics.load("tabletop/test2")


@pytest.fixture(scope="module")
def qpos(model):
  """A lively arm, `[2, 34, nq]`: more states than one call draws."""
  actions = np.random.default_rng(0).uniform(-1, 1, (2, 33, 5))
  return physics.rollout(model, actions, physics="c").qpos


@pytest.fixture(scope="module")
def draw(model):
  return functools.partial(drawing.draw_frames, model, image_size=_SIZE)


def test_order_and_shape_of_what_does_not_fill_the_last_call(qpos, draw):
  frames = draw(qpos)
  assert frames.shape == (2, 34, _SIZE, _SIZE, 3)
  assert frames.dtype == np.uint8
  flat = frames.reshape(-1, *frames.shape[2:])
  assert np.diff(np.float32(flat), axis=0).any(axis=(1, 2, 3)).all()
  again = draw(qpos.reshape(68, -1)[::-1])
  np.testing.assert_array_equal(again, flat[::-1])
  np.testing.assert_array_equal(draw(qpos[1, 30:33]), frames[1, 30:33])
  np.testing.assert_array_equal(draw(qpos[1, 31]), frames[1, 31])
  assert draw(qpos[:, :0]).shape == (2, 0, _SIZE, _SIZE, 3)


def test_chunks_of_any_number_are_the_same_pictures(model, qpos, draw):
  few, visible = qpos[0, :11], drawing.visible_geoms()
  poses = c_engine.geom_poses(model.mj, few, visible.moving)
  scenery = drawing.make_scenery(model, _SIZE)
  assert drawing.make_scenery(model, _SIZE) is scenery
  many = drawing.draw_many(scenery, *poses)
  np.testing.assert_array_equal(many, draw(few))


@pytest.mark.slow
def test_samples_are_the_mean_of_a_larger_picture(qpos, draw):
  qpos = qpos[0, ::4]
  fine = draw(qpos, samples=2)
  large = np.float32(draw(qpos, image_size=2 * _SIZE))
  mean = large.reshape(-1, _SIZE, 2, _SIZE, 2, 3).mean(axis=(2, 4))
  assert np.abs(fine - mean).max() <= 1
  coarse = draw(qpos)
  assert coarse.shape == fine.shape
  rough, smooth = (
    np.abs(np.diff(np.float32(frames), axis=2)).mean()
    for frames in (coarse, fine)
  )
  assert smooth < 0.95 * rough


def test_shapes_are_parted_into_what_moves_and_what_does_not(model, qpos):
  visible = drawing.visible_geoms()
  assert not set(visible.moving) & set(visible.still)
  assert set(visible.casters) <= set(visible.still)
  for poses in c_engine.geom_poses(model.mj, qpos[0], visible.still):
    np.testing.assert_array_equal(poses, np.broadcast_to(poses[0], poses.shape))

"""Tests of how states become pictures: order, samples, sceneries."""

import functools
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest

from a2r.sim.tabletop import drawing, physics
from a2r.sim.tabletop.engines import c_engine

_SIZE = 8


@functools.cache
def _model():
  return physics.load("tabletop/test2")


@functools.cache
def _look():
  return drawing.Look(_model().variant, _model().mj)


@functools.cache
def _qpos():
  """A lively arm, `[2, 34, nq]`: more states than one call draws."""
  actions = np.random.default_rng(0).uniform(-1, 1, (2, 33, 5))
  return physics.rollout(_model(), actions, physics="c").qpos


def _draw(qpos, image_size=_SIZE, samples=1):
  return drawing.draw_frames(
    _look(), _model().mj, qpos, image_size=image_size, samples=samples
  )


class DrawFramesTest(absltest.TestCase):
  def test_order_and_shape_of_what_does_not_fill_the_last_call(self):
    qpos = _qpos()
    frames = _draw(qpos)
    self.assertEqual(frames.shape, (2, 34, _SIZE, _SIZE, 3))
    self.assertEqual(frames.dtype, np.uint8)
    flat = frames.reshape(-1, *frames.shape[2:])
    self.assertTrue(np.diff(np.float32(flat), axis=0).any(axis=(1, 2, 3)).all())
    again = _draw(qpos.reshape(68, -1)[::-1])
    np.testing.assert_array_equal(again, flat[::-1])
    few = _draw(qpos[1, 30:33])
    np.testing.assert_array_equal(few, frames[1, 30:33])
    np.testing.assert_array_equal(_draw(qpos[1, 31]), frames[1, 31])

  def test_no_states_are_no_pictures(self):
    self.assertEqual(_draw(_qpos()[:, :0]).shape, (2, 0, _SIZE, _SIZE, 3))

  def test_chunks_of_any_number_are_the_same_pictures(self):
    qpos = _qpos()[0, :11]
    poses = c_engine.geom_poses(_model().mj, qpos, _look().geom_ids)
    scenery = _look().scenery(_SIZE)
    draw_many = jax.jit(drawing.draw_many, static_argnames="image_size")
    many = draw_many(scenery, *poses, image_size=_SIZE)
    np.testing.assert_array_equal(many, _draw(qpos))


class SamplesTest(absltest.TestCase):
  @pytest.mark.slow
  def test_samples_are_the_mean_of_a_larger_picture(self):
    qpos = _qpos()[0, ::4]
    fine = _draw(qpos, samples=2)
    large = np.float32(_draw(qpos, image_size=2 * _SIZE))
    mean = large.reshape(-1, _SIZE, 2, _SIZE, 2, 3).mean(axis=(2, 4))
    self.assertLessEqual(np.abs(fine - mean).max(), 1)
    coarse = _draw(qpos)
    self.assertEqual(coarse.shape, fine.shape)
    rough, smooth = (
      np.abs(np.diff(np.float32(frames), axis=2)).mean()
      for frames in (coarse, fine)
    )
    self.assertLess(smooth, 0.95 * rough)


class SceneryTest(absltest.TestCase):
  def test_is_made_once_per_size_and_number_of_samples(self):
    with mock.patch.object(
      drawing, "make_scenery", side_effect=lambda *_, **size: object()
    ) as make:
      look = drawing.Look(_model().variant, _model().mj)
      keys = ((8,), (16,), (8, 2))
      first = [look.scenery(*key) for key in keys]
      second = [look.scenery(*key) for key in keys]
    self.assertEqual(make.call_count, 3)
    self.assertLen(set(map(id, first)), 3)
    for one, other in zip(first, second, strict=True):
      self.assertIs(one, other)

  def test_shapes_are_parted_into_what_moves_and_what_does_not(self):
    parts, model = drawing.drawn(), _model().mj
    self.assertEmpty(set(parts.moving) & set(parts.still))
    self.assertContainsSubset(set(parts.casters), set(parts.still))
    data = [
      c_engine.geom_poses(model, q[None], parts.still) for q in _qpos()[0]
    ]
    for positions, rotations in data:
      np.testing.assert_array_equal(positions, data[0][0])
      np.testing.assert_array_equal(rotations, data[0][1])


if __name__ == "__main__":
  absltest.main()

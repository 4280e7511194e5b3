"""Tests of the four environments: cumulative, and framed as DVD frames them."""

import numpy as np
import pytest

from a2r.sim.tabletop import physics, scene, variants


def _pixels(variant, points):
  """(column, row) of `points` in DVD's flipped picture of 180 x 120."""
  camera = variants.make_camera(variant)
  x, y, z = ((np.array(points) - camera.position) @ camera.rotation).T
  scale = 60 / np.tan(np.deg2rad(camera.fovy) / 2)
  return np.stack([90 + scale * x / -z, 60 + scale * y / -z], axis=-1)


def test_they_are_cumulative():
  train, test1, test2, test3 = variants.VARIANTS.values()
  assert test1.layout == train.layout
  assert test1.view == train.view
  assert test1.palette != train.palette
  assert test2.layout == train.layout
  assert test2.palette == test1.palette
  assert test2.view != train.view
  assert test3.palette == test1.palette
  assert test3.view == test2.view
  assert test3.layout != train.layout


def test_palettes_color_every_drawn_geom():
  model = scene.make_model()
  roles = {
    variants.geom_role(model, index)
    for index in range(model.ngeom)
    if model.geom_group[index] != scene.HIDDEN_GROUP
  }
  for variant in variants.VARIANTS.values():
    assert set(variant.palette) == roles


def test_train_picture_is_framed_as_dvd_s():
  """Mug and handle of env1, measured in DVD's pictures."""
  variant = variants.get("tabletop/train")
  points = [(0.0, 0.6, 0.035), (0.25, 0.52, 0.09)]
  np.testing.assert_allclose(
    _pixels(variant, points), [(86, 87), (37, 90)], atol=3
  )


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_objects_are_in_the_square_picture(name):
  variant = variants.get(name)
  layout = variant.layout
  points = [
    (*layout.mug, 0.035),
    (layout.drawer[0], layout.drawer[1] - 0.23, 0.09),
    (layout.faucet[0], layout.faucet[1] - 0.12, 0.124),
  ]
  pixels = _pixels(variant, points)
  assert (pixels > [30, 0]).all(), pixels
  assert (pixels < [150, 120]).all(), pixels


def test_environments_share_one_topology():
  one, two = (physics.load(name).mj for name in variants.ENVIRONMENTS[::3])
  for name in ("geom_type", "geom_size", "body_mass", "pair_geom1"):
    np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
  assert (one.nq, one.nv) == (scene.NQ, scene.NV)

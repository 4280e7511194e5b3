"""Pictures drawn tile by tile are those of the ray caster."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material, raycast, tiles

_HEIGHT, _WIDTH = 48, 96  # Two by three tiles.
_TYPES = (
  (geometry.CYLINDER,) * 2 + (geometry.CAPSULE,) * 3 + (geometry.BOX,) * 3
)
_LIGHT = material.Light(
  direction=np.float32([0.35, 0.25, -1.0]) / np.float32(np.sqrt(1.185)),
  ambient=np.float32(0.45),
  headlight=np.float32(0.25),
  diffuse=np.float32(0.45),
  sky=np.float32([0.5, 0.5, 0.5]),
)


@pytest.fixture(scope="module")
def drawn():
  """Both ways to draw, jitted, as a function of places and rotations."""
  eye, target = np.float32([0.0, -2.0, 1.0]), np.float32([0.0, 0.0, 0.2])
  camera = cameras.Camera(eye, cameras.look_at(eye, target), np.float32(40.0))
  floor = geometry.Geoms(
    position=jnp.zeros((1, 3)),
    rotation=jnp.eye(3)[None],
    size=jnp.array([[5.0, 5.0, 0.1]]),
    rgb=jnp.array([[0.6, 0.5, 0.3]]),
  )
  size = {"height": _HEIGHT, "width": _WIDTH}
  backdrop = raycast.make_backdrop(
    (geometry.PLANE,), floor, camera, _LIGHT, **size
  )
  rng = np.random.default_rng(0)
  look = (
    jnp.float32(rng.uniform(0.05, 0.2, (len(_TYPES), 3))),
    jnp.float32(rng.uniform(0, 1, (len(_TYPES), 3))),
  )

  @jax.jit
  def draw(position, rotation):
    geoms = geometry.Geoms(position, rotation, *look)
    return (
      raycast.draw(backdrop, _TYPES, geoms),
      tiles.draw(backdrop, _TYPES, geoms, **size),
    )

  return draw


def _check(drawn, position):
  rng = np.random.default_rng(1)
  axes = rng.normal(size=(*position.shape[:2], 3, 3))
  rotation = np.float32(np.linalg.qr(axes)[0])
  rotation[..., 0] *= np.linalg.det(rotation)[..., None]
  expected, found = drawn(np.float32(position), rotation)
  np.testing.assert_array_equal(found.segment, expected.segment)
  np.testing.assert_allclose(found.depth, expected.depth, rtol=1e-5)
  # A ray along a shadow's edge may fall on either side.
  differ = np.abs(found.color - expected.color).max(axis=0) > 1e-4
  assert differ.mean() < 1e-3
  return found


def test_shapes_in_sight_hide_and_shade_each_other(drawn):
  position = np.random.default_rng(2).uniform(-0.5, 0.5, (4, len(_TYPES), 3))
  found = _check(drawn, position)
  seen = np.unique(found.segment)
  assert set(-2 - np.arange(len(_TYPES))) <= set(seen.tolist())


def test_shapes_cut_by_the_picture_s_edge_or_behind_the_camera(drawn):
  rng = np.random.default_rng(3)
  position = rng.uniform((-2, -3, -0.2), (2, 3, 1.5), (6, len(_TYPES), 3))
  _check(drawn, position)


def test_what_is_nowhere_is_not_drawn(drawn):
  nowhere = np.broadcast_to([0.0, 0.0, -100.0], (1, len(_TYPES), 3))
  assert (np.asarray(_check(drawn, nowhere).segment) >= -1).all()

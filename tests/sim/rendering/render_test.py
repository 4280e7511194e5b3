import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.rendering import geometry, render

DOWN = geometry.Light(
  direction=jnp.array([0.0, 0.0, -1.0]),
  ambient=jnp.array(0.2),
  headlight=jnp.array(0.0),
  diffuse=jnp.array(0.8),
  sky=jnp.array([0.0, 0.0, 1.0]),
)


def _geoms(*rows):
  """Geoms of (type, position, size), sorted by type, all gray."""
  rows = sorted(rows)
  count = len(rows)
  return tuple(row[0] for row in rows), geometry.Geoms(
    position=jnp.array([row[1] for row in rows], jnp.float32),
    rotation=jnp.tile(jnp.eye(3), (count, 1, 1)),
    size=jnp.array([row[2] for row in rows], jnp.float32),
    rgb=jnp.full((count, 3), 0.5),
    pattern=jnp.zeros(count),
  )


def _from_above(height):
  """A camera at `height` that looks straight down, up is +y."""
  return geometry.Camera(
    position=jnp.array([0.0, 0.0, height]),
    rotation=jnp.eye(3),
    fovy=jnp.array(45.0),
  )


@functools.partial(jax.jit, static_argnames=("types", "shadows"))
def _render(types, geoms, camera, shadows=True):
  return render.render(
    types, geoms, camera, DOWN, height=33, width=33, shadows=shadows
  )


@pytest.mark.parametrize(
  ("kind", "size", "top"),
  [
    (geometry.SPHERE, (0.2, 0.0, 0.0), 0.2),
    (geometry.CAPSULE, (0.1, 0.2, 0.0), 0.3),
    (geometry.ELLIPSOID, (0.2, 0.1, 0.3), 0.3),
    (geometry.CYLINDER, (0.2, 0.25, 0.0), 0.25),
    (geometry.BOX, (0.1, 0.2, 0.15), 0.15),
  ],
)
def test_depth_of_each_shape_from_above(kind, size, top):
  types, geoms = _geoms((kind, (0, 0, 0), size))
  out = _render(types, geoms, _from_above(2.0))
  assert out.segment[16, 16] == 0
  np.testing.assert_allclose(out.depth[16, 16], 2.0 - top, atol=1e-5)
  assert out.segment[0, 0] == -1
  np.testing.assert_array_equal(out.image[0, 0], [0, 0, 255])


def test_a_box_covers_the_pixels_it_should():
  types, geoms = _geoms((geometry.BOX, (0.3, 0.2, 0.0), (0.2, 0.1, 1e-3)))
  covered = _render(types, geoms, _from_above(2.0)).segment >= 0
  half = 2.0 * np.tan(np.deg2rad(22.5))
  x = ((np.arange(33) + 0.5) / 33 * 2 - 1) * half
  expected = (np.abs(-x[:, None] - 0.2) < 0.1) & (np.abs(x - 0.3) < 0.2)
  np.testing.assert_array_equal(covered, expected)


def test_nearest_shape_wins():
  types, geoms = _geoms(
    (geometry.PLANE, (0, 0, 0), (0, 0, 1)),
    (geometry.SPHERE, (0, 0, 0.5), (0.1, 0, 0)),
  )
  out = _render(types, geoms, _from_above(2.0))
  assert out.segment[16, 16] == 1
  assert out.segment[0, 0] == 0


def test_shadow_darkens_the_plane_under_a_ball():
  types, geoms = _geoms(
    (geometry.PLANE, (0, 0, 0), (0, 0, 1)),
    (geometry.SPHERE, (0, 0, 0.5), (0.2, 0, 0)),
  )
  camera = geometry.Camera(
    position=jnp.array([0.0, -2.0, 1.0]),
    rotation=geometry.look_at(jnp.array([0.0, -2.0, 1.0]), jnp.zeros(3)),
    fovy=jnp.array(45.0),
  )
  bright = _render(types, geoms, camera, shadows=False)
  dark = _render(types, geoms, camera)
  assert dark.segment[16, 16] == 0
  np.testing.assert_array_equal(bright.image[16, 16], [128] * 3)
  np.testing.assert_array_equal(dark.image[16, 16], [26] * 3)  # Ambient only.


def test_errors_name_what_is_wrong():
  types, geoms = _geoms((geometry.BOX, (0, 0, 0), (1, 1, 1)))
  with pytest.raises(ValueError, match="2 geom types for 1 geoms"):
    _render((6, 6), geoms, _from_above(2.0))
  with pytest.raises(ValueError, match=r"cannot draw geom types \[7\]"):
    _render((7,), geoms, _from_above(2.0))
  two = jax.tree.map(lambda x: jnp.concatenate([x, x]), geoms)
  with pytest.raises(ValueError, match="ascending"):
    _render((6, 2), two, _from_above(2.0))

"""Shapes against MuJoCo's own ray casting."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from a2r.sim.rendering import geometry, raycast, shapes

SIZES = {
  geometry.PLANE: (0.7, 0.5, 0.01),
  geometry.SPHERE: (0.3, 0.0, 0.0),
  geometry.CAPSULE: (0.1, 0.3, 0.0),
  geometry.ELLIPSOID: (0.3, 0.1, 0.2),
  geometry.CYLINDER: (0.2, 0.25, 0.0),
  geometry.BOX: (0.1, 0.2, 0.3),
}
CENTER = np.array([0.2, -0.1, 0.3], np.float32)
ROTATION = np.asarray(
  geometry.rotation_about(jnp.array([0.6, 0.0, 0.8]), 1.1), np.float32
)


def _place(kind, origin):
  rows = (CENTER, ROTATION, SIZES[kind], (1.0, 0.0, 0.0))
  geoms = geometry.Geoms(*(jnp.asarray(x, jnp.float32)[None] for x in rows))
  return shapes.place(geoms, origin)


def _mujoco(kind, points, rays):
  """MuJoCo's distances `[P]`, -1 for none, and normals `[P, 3]`."""
  normals = np.zeros((len(rays), 3))
  distances = [
    mujoco.mju_rayGeom(
      CENTER, ROTATION.ravel(), SIZES[kind], *pair, kind, normal
    )
    for *pair, normal in zip(
      np.broadcast_to(points, rays.shape), rays, normals, strict=True
    )
  ]
  return np.array(distances), normals


@pytest.mark.parametrize("kind", SIZES)
def test_hits_and_normals_are_mujocos(kind):
  rng = np.random.default_rng(kind)
  origin = CENTER + ROTATION @ np.float32([0.5, 0.7, 1.2])
  rays = CENTER + rng.uniform(-0.5, 0.5, (1500, 3)) - origin
  expected, normals = _mujoco(kind, origin, rays)
  hit = expected > 0
  assert 100 < hit.sum() < len(rays) - 100
  rays = jnp.asarray(rays.T, jnp.float32)
  placed = _place(kind, origin)
  t = shapes.HIT[kind](placed.at(0), rays, shapes.dot(rays, rays))
  assert ((np.asarray(t) < shapes.MISS) == hit).mean() > 0.998
  hit &= np.asarray(t) < shapes.MISS
  np.testing.assert_allclose(t[hit], expected[hit], rtol=2e-4)
  normal, scale, _ = shapes.normal(
    (kind,),
    placed,
    [origin[i] + t * rays[i] for i in range(3)],
    lambda values, _: values[0],
    lambda kinds: jnp.array(kind in kinds),
  )
  ours = np.stack([n * scale for n in normal], axis=-1)[hit]
  # Where two faces meet, either may be seen.
  same = np.abs(ours - normals[hit]).max(axis=-1) < 1e-2
  assert same.mean() > 0.995


@pytest.mark.parametrize("direction", [(0.6, 0.0, -0.8), (0.0, 0.0, -1.0)])
@pytest.mark.parametrize("kind", shapes.SHADOW)
def test_shadows_are_where_mujocos_rays_to_the_light_are_stopped(
  kind, direction
):
  rng = np.random.default_rng(kind)
  points = rng.normal(size=(6000, 3))
  points /= np.linalg.norm(points, axis=-1, keepdims=True)
  points = CENTER + points * rng.uniform(0.55, 0.8, (6000, 1))  # Outside.
  towards = np.broadcast_to(np.negative(direction), points.shape)
  expected = _mujoco(kind, points, towards)[0] > 0
  frame = raycast.light_frame(jnp.array(direction))
  view = raycast.View(None, None, None, None, frame[..., None], jnp.array(1))
  flat = jnp.einsum("ai,pi->ap", frame, jnp.float32(points))
  dark = raycast.shadowed(view, (kind,), _place(kind, CENTER), lambda: flat)
  assert 50 < dark.sum() < len(points) - 100
  assert (np.asarray(dark) == expected).mean() > 0.998


def test_all_shapes_but_planes_throw_shadows():
  assert {*shapes.SHADOW, geometry.PLANE} == set(shapes.HIT) == set(SIZES)


def test_rotations_turn_about_their_axes():
  x, y, z = jnp.eye(3)
  about = geometry.rotation_about(z, 0.5)
  np.testing.assert_allclose(about, geometry.rotation_about_z(0.5), atol=1e-6)
  np.testing.assert_allclose(about @ x, [np.cos(0.5), np.sin(0.5), 0], 1e-6)
  for axis in (x, y, z, jnp.array([0.6, 0.0, 0.8])):
    frame = geometry.align_z(2 * axis)
    np.testing.assert_allclose(frame[:, 2], axis, atol=1e-6)
    np.testing.assert_allclose(frame.T @ frame, jnp.eye(3), atol=1e-6)
    np.testing.assert_allclose(jnp.linalg.det(frame), 1.0, atol=1e-6)

"""Where rays meet MuJoCo's primitive shapes, each in its own frame.

Every function takes (size, origin, ray): MuJoCo's half sizes `[3]`, the rays'
origins and directions as three arrays that broadcast to `[P]`, and returns the
parameter t `[P]` of the first hit, 1e10 for none.
"""

import jax.numpy as jnp

from a2r.sim.rendering import geometry

MISS = 1e10
_NEAR = 1e-4  # Hits nearer than this (meters) are the surface itself.


def _roots(a, b, c):
  """Whether a t^2 + 2 b t + c has roots, and the smaller one."""
  discriminant = b * b - a * c
  root = jnp.sqrt(jnp.maximum(discriminant, 0.0))
  return discriminant > 0, (-b - root) / jnp.where(a < 1e-12, 1e-12, a)


def _nonzero(x):
  return jnp.where(jnp.abs(x) < 1e-9, jnp.where(x < 0, -1e-9, 1e-9), x)


def _plane(size, origin, ray):
  t = -origin[2] / _nonzero(ray[2])
  inside = (t > _NEAR) & (ray[2] < 0)
  for i in range(2):
    reach = jnp.abs(origin[i] + t * ray[i])
    inside &= (size[i] <= 0) | (reach <= size[i])
  return jnp.where(inside, t, MISS)


def _sphere(size, origin, ray):
  a = ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2
  b = origin[0] * ray[0] + origin[1] * ray[1] + origin[2] * ray[2]
  c = origin[0] ** 2 + origin[1] ** 2 + origin[2] ** 2 - size[0] ** 2
  exists, t = _roots(a, b, c)
  return jnp.where(exists & (t > _NEAR), t, MISS)


def _ellipsoid(size, origin, ray):
  scaled_origin = [origin[i] / size[i] for i in range(3)]
  scaled_ray = [ray[i] / size[i] for i in range(3)]
  return _sphere(jnp.ones(3), scaled_origin, scaled_ray)


def _tube(size, origin, ray):
  """The side of a cylinder about z, without its ends."""
  a = ray[0] ** 2 + ray[1] ** 2
  b = origin[0] * ray[0] + origin[1] * ray[1]
  c = origin[0] ** 2 + origin[1] ** 2 - size[0] ** 2
  exists, t = _roots(a, b, c)
  inside = jnp.abs(origin[2] + t * ray[2]) <= size[1]
  return jnp.where(exists & (t > _NEAR) & inside, t, MISS)


def _capsule(size, origin, ray):
  t = _tube(size, origin, ray)
  for end in (-size[1], size[1]):
    ball = _sphere(size, (origin[0], origin[1], origin[2] - end), ray)
    t = jnp.minimum(t, ball)
  return t


def _cylinder(size, origin, ray):
  facing = jnp.where(ray[2] < 0, size[1], -size[1])
  t = (facing - origin[2]) / _nonzero(ray[2])
  x, y = origin[0] + t * ray[0], origin[1] + t * ray[1]
  inside = (t > _NEAR) & (x * x + y * y <= size[0] ** 2)
  cap = jnp.where(inside, t, MISS)
  return jnp.minimum(_tube(size, origin, ray), cap)


def _box(size, origin, ray):
  entry, leave = -MISS, MISS
  for i in range(3):
    inverse = 1.0 / _nonzero(ray[i])
    middle, half = -origin[i] * inverse, size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return jnp.where((entry <= leave) & (entry > _NEAR), entry, MISS)


INTERSECT = {
  geometry.PLANE: _plane,
  geometry.SPHERE: _sphere,
  geometry.CAPSULE: _capsule,
  geometry.ELLIPSOID: _ellipsoid,
  geometry.CYLINDER: _cylinder,
  geometry.BOX: _box,
}

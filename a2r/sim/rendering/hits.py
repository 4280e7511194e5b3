"""Capsules, cylinders and boxes against rays from one point, and from a light.

In `HIT`, functions of one shape and the rays of a camera; in `SHADOW`, of one
shape and points, asked whether the shape stands between them and a light far
away. Shapes have their components first and room for pixels last, so vectors
are triples of arrays that broadcast to `[..., P]`, P pixels; see
`a2r.sim.rendering.overlay`, which shares what is common to all pixels or all
shapes.
"""

import jax.numpy as jnp

from a2r.sim.rendering import geometry, shapes

_TINY = 1e-12


def dot(vectors, other):
  """Scalar products of what has its three components first, elementwise."""
  return sum(vectors[i] * other[i] for i in range(3))


def _tube(shape, local, across, rest, rays, squared):
  """Rays against the endless cylinder about the shape's z.

  Returns:
    The rays along z `[P]`, and a, b, c of a t^2 + 2 b t + c, which is the
    squared distance from the axis at t, less the squared radius.
  """
  along = dot(rays, shape.rotation[:, 2])
  a = jnp.maximum(squared - along * along, _TINY)
  return along, a, dot(rays, across), rest


def _capsule(shape, local, across, rest, rays, squared):
  along, a, b, c = _tube(shape, local, across, rest, rays, squared)
  found = b * b - a * c
  side = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  start, half = local[2], shape.size[1]
  height = start + side * along
  end = jnp.clip(height, -half, half)
  # The ball at the nearer end; its own equation where the side is missed.
  ball = b + (start - end) * along
  within = ball * ball - squared * (c + (start - end) ** 2)
  tip = (-ball - jnp.sqrt(jnp.maximum(within, 0.0))) / squared
  on_side = jnp.abs(height) <= half
  t = jnp.where(on_side, side, tip)
  hit = (found > 0) & (on_side | (within > 0)) & (t > 0)
  return jnp.where(hit, t, shapes.MISS)


def _cylinder(shape, local, across, rest, rays, squared):
  along, a, b, c = _tube(shape, local, across, rest, rays, squared)
  found = b * b - a * c
  side = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  start, half = local[2], shape.size[1]
  on_side = (found > 0) & (jnp.abs(start + side * along) <= half) & (side > 0)
  facing = jnp.where(along < 0, half, -half)
  cap = (facing - start) / jnp.where(jnp.abs(along) < 1e-9, 1e-9, along)
  on_cap = (c + cap * (2 * b + cap * a) <= 0) & (cap > 0)
  return jnp.where(on_cap, cap, jnp.where(on_side, side, shapes.MISS))


def _box(shape, local, across, rest, rays, squared):
  del across, rest, squared
  entry, leave = -shapes.MISS, shapes.MISS
  for i in range(3):
    speed = dot(rays, shape.rotation[:, i])
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-9, 1e-9, speed)
    middle, half = -local[i] * inverse, shape.size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return jnp.where((entry <= leave) & (entry > 0), entry, shapes.MISS)


def _capsule_shadow(size, axes, offset):
  """The point lies, seen along the light, within the radius of the axis."""
  reach = size[1] * axes[2]
  length = reach[0] ** 2 + reach[1] ** 2 + _TINY
  at = (offset[0] * reach[0] + offset[1] * reach[1]) / length
  at = jnp.clip(at, -1.0, 1.0)
  x, y, z = (offset[i] - at * reach[i] for i in range(3))
  return (x * x + y * y < size[0] ** 2) & (z > 0)


def _cylinder_shadow(size, axes, offset):
  x, y, z = offset
  along = -axes[2, 2]
  start = dot(offset, axes[2])
  a = jnp.maximum(1.0 - along * along, _TINY)
  b = -z - start * along
  c = x * x + y * y + z * z - start * start - size[0] ** 2
  found = b * b - a * c
  root = jnp.sqrt(jnp.maximum(found, 0.0))
  # The stretch inside the endless cylinder and that between the two caps.
  inverse = 1.0 / jnp.where(jnp.abs(along) < 1e-6, 1e-6, along)
  middle, half = -start * inverse, size[1] * jnp.abs(inverse)
  entry = jnp.maximum((-b - root) / a, middle - half)
  leave = jnp.minimum((-b + root) / a, middle + half)
  return (found > 0) & (entry <= leave) & (entry > 0)


def _box_shadow(size, axes, offset):
  entry, leave = -shapes.MISS, shapes.MISS
  for i in range(3):
    speed = -axes[i, 2]
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-6, 1e-6, speed)
    middle = -dot(offset, axes[i] * inverse)
    half = size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return (entry <= leave) & (entry > 0)


HIT = {
  geometry.CAPSULE: _capsule,
  geometry.CYLINDER: _cylinder,
  geometry.BOX: _box,
}
SHADOW = {
  geometry.CAPSULE: _capsule_shadow,
  geometry.CYLINDER: _cylinder_shadow,
  geometry.BOX: _box_shadow,
}

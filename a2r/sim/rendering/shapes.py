"""MuJoCo's primitive shapes: where rays meet them, their shadows and normals.

`HIT[type](shape, rays, squared)` is the depth `[..., P]` at which rays from the
camera meet a shape, `MISS` for never; `SHADOW[type](size, axes, offset)` tells
whether the shape stands between points and a light far away. Vectors are
triples of arrays that broadcast to `[..., P]`, P pixels, so what is common to
all pixels or to all shapes is computed once. A camera and a light that are
known beforehand make both cheap:

- all rays start in one point and their lengths are known, so a capsule costs
  two scalar products and a root per pixel;
- all shadow rays are parallel, so they are points in the plane across the
  light, where a capsule is a thick segment: no root at all.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from a2r.sim.rendering import geometry

MISS = 1e10
_TINY = 1e-12
_FLAT = (geometry.PLANE, geometry.ELLIPSOID, geometry.BOX)


class Shapes(NamedTuple):
  """Shapes and the camera that sees them, in coordinates of one's choice.

  Components come first, room for pixels last.
  """

  center: jax.Array  # `[3, ..., G, 1]`.
  size: jax.Array  # `[3, ..., G, 1]`.
  rotation: jax.Array  # `[3, 3, ..., G, 1]`.
  local: jax.Array  # `[3, ..., G, 1]` the camera in the shape's frame.
  across: jax.Array  # `[3, ..., G, 1]` the camera from the shape's z axis.
  rest: jax.Array  # `[..., G, 1]` its square, less the squared radius.

  def at(self, index: int) -> "Shapes":
    """Returns one shape: the same without G."""
    return Shapes(*(x[..., index, :] for x in self))


def place(geoms: geometry.Geoms, origin) -> Shapes:
  """Returns `geoms` `[..., G, ...]` as a camera at `origin`, three, sees them.

  Sizes may lack the leading dimensions of positions and rotations.
  """
  center, size = (
    jnp.moveaxis(jnp.asarray(x), -1, 0)[..., None]
    for x in (geoms.position, geoms.size)
  )
  rotation = jnp.moveaxis(jnp.asarray(geoms.rotation), (-2, -1), (0, 1))
  rotation = rotation[..., None]
  offset = jnp.stack([origin[i] - center[i] for i in range(3)])
  local = jnp.stack([dot(offset, rotation[:, i]) for i in range(3)])
  across = offset - local[2] * rotation[:, 2]
  rest = dot(across, across) - size[0] ** 2
  return Shapes(center, size, rotation, local, across, rest)


def dot(vectors, other):
  """Returns scalar products of what has its three components first."""
  return sum(vectors[i] * other[i] for i in range(3))


def normal(types, shapes: Shapes, point, pick, is_kind):
  """Returns how the shapes are turned at the points that pixels see.

  Args:
    types: static types of the shapes.
    shapes: from `place`.
    point: three of `[..., P]`, on the shapes' surfaces.
    pick: function of values `[..., G, 1]` and of those shapes whose values
      matter, or None for all; returns the value `[..., P]` of each pixel's.
    is_kind: function of types; whether each pixel's shape is of one of them.

  Returns:
    Normals, three of `[..., P]`, of any length; one over their lengths
    `[..., P]`; and the points in the shapes' own frames, three of `[..., P]`.
  """
  flat = [g for g, kind in enumerate(types) if kind in _FLAT]
  flat = flat or None  # If all are curved, no value matters.
  z = [pick(shapes.rotation[i, 2], None) for i in range(3)]
  x = [pick(shapes.rotation[i, 0], flat) for i in range(3)]
  y = [z[i - 2] * x[i - 1] - z[i - 1] * x[i - 2] for i in range(3)]
  size = [
    pick(half, rows)
    for half, rows in zip(shapes.size, (flat, None, flat), strict=True)
  ]
  offset = [point[i] - pick(shapes.center[i], None) for i in range(3)]
  at = [dot(offset, axis) for axis in (x, y, z)]
  end = jnp.clip(at[2], -size[1], size[1])
  on_cap = is_kind([geometry.CYLINDER]) & (jnp.abs(at[2]) > size[1] - 1e-4)
  curved = [
    jnp.where(on_cap, at[2] * z[i], offset[i] - end * z[i]) for i in range(3)
  ]
  share = [
    jnp.abs(a) / jnp.maximum(s, 1e-6) for a, s in zip(at, size, strict=True)
  ]
  most = jnp.maximum(jnp.maximum(share[0], share[1]), share[2])
  weight = [jnp.sign(a) * (s >= most) for a, s in zip(at, share, strict=True)]
  if geometry.ELLIPSOID in types:
    rounded = is_kind([geometry.ELLIPSOID])
    weight = [
      jnp.where(rounded, a / jnp.maximum(s, 1e-6) ** 2, w)
      for a, s, w in zip(at, size, weight, strict=True)
    ]
  if geometry.PLANE in types:
    plane = is_kind([geometry.PLANE])
    weight = [jnp.where(plane, float(i == 2), weight[i]) for i in range(3)]
  sides = [
    weight[0] * x[i] + weight[1] * y[i] + weight[2] * z[i] for i in range(3)
  ]
  is_flat = is_kind([kind for kind in _FLAT if kind in types])
  normal = [
    jnp.where(is_flat, f, c) for f, c in zip(sides, curved, strict=True)
  ]
  return normal, jax.lax.rsqrt(dot(normal, normal) + _TINY), at


def _hit_plane(shape, rays, squared):
  """Half sizes of 0 are endless."""
  del squared
  along = dot(rays, shape.rotation[:, 2])
  t = -shape.local[2] / along
  hit = along < -1e-6
  for i in range(2):
    reach = jnp.abs(shape.local[i] + t * dot(rays, shape.rotation[:, i]))
    hit &= (shape.size[i] <= 0) | (reach <= shape.size[i])
  return jnp.where(hit, t, MISS)


def _hit_tube(shape, rays, squared):
  """Rays against the endless cylinder about the shape's z.

  Returns:
    The rays along z `[P]`; a, b, c of a t^2 + 2 b t + c, which is the squared
    distance from the axis at t, less the squared radius; b^2 - a c; and t.
  """
  along = dot(rays, shape.rotation[:, 2])
  a = jnp.maximum(squared - along * along, _TINY)
  b, c = dot(rays, shape.across), shape.rest
  found = b * b - a * c
  side = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  return along, a, b, c, found, side


def _hit_capsule(shape, rays, squared):
  along, _, b, c, found, side = _hit_tube(shape, rays, squared)
  start, half = shape.local[2], shape.size[1]
  height = start + side * along
  end = jnp.clip(height, -half, half)
  # The ball at the nearer end; its own equation where the side is missed.
  ball = b + (start - end) * along
  within = ball * ball - squared * (c + (start - end) ** 2)
  tip = (-ball - jnp.sqrt(jnp.maximum(within, 0.0))) / squared
  on_side = jnp.abs(height) <= half
  t = jnp.where(on_side, side, tip)
  hit = (found > 0) & (on_side | (within > 0)) & (t > 0)
  return jnp.where(hit, t, MISS)


def _hit_ellipsoid(shape, rays, squared):
  del squared
  start = [shape.local[i] / shape.size[i] for i in range(3)]
  ray = [dot(rays, shape.rotation[:, i] / shape.size[i]) for i in range(3)]
  a, b, c = dot(ray, ray), dot(ray, start), dot(start, start)
  found = b * b - a * (c - 1.0)
  t = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  return jnp.where((found > 0) & (t > 0), t, MISS)


def _hit_cylinder(shape, rays, squared):
  along, a, b, c, found, side = _hit_tube(shape, rays, squared)
  start, half = shape.local[2], shape.size[1]
  on_side = (found > 0) & (jnp.abs(start + side * along) <= half) & (side > 0)
  facing = jnp.where(along < 0, half, -half)
  cap = (facing - start) / jnp.where(jnp.abs(along) < 1e-9, 1e-9, along)
  on_cap = (c + cap * (2 * b + cap * a) <= 0) & (cap > 0)
  return jnp.where(on_cap, cap, jnp.where(on_side, side, MISS))


def _hit_box(shape, rays, squared):
  del squared
  entry, leave = -MISS, MISS
  for i in range(3):
    speed = dot(rays, shape.rotation[:, i])
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-9, 1e-9, speed)
    middle = -shape.local[i] * inverse
    half = shape.size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return jnp.where((entry <= leave) & (entry > 0), entry, MISS)


def _capsule_shadow(size, axes, offset):
  """The point lies, seen along the light, within the radius of the axis."""
  reach = size[1] * axes[2]
  length = reach[0] ** 2 + reach[1] ** 2 + _TINY
  at = (offset[0] * reach[0] + offset[1] * reach[1]) / length
  at = jnp.clip(at, -1.0, 1.0)
  x, y, z = (offset[i] - at * reach[i] for i in range(3))
  return (x * x + y * y < size[0] ** 2) & (z > 0)


def _ellipsoid_shadow(size, axes, offset):
  """The point lies, seen along the light, within the ellipsoid's outline."""
  reach = [[size[j] * axes[j, i] for j in range(3)] for i in range(2)]
  xx, yy = (dot(r, r) for r in reach)
  xy = dot(*reach)
  x, y, z = offset
  inside = yy * x * x - 2.0 * xy * x * y + xx * y * y < xx * yy - xy * xy
  return inside & (z > 0)


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
  entry, leave = -MISS, MISS
  for i in range(3):
    speed = -axes[i, 2]
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-6, 1e-6, speed)
    middle = -dot(offset, axes[i] * inverse)
    half = size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return (entry <= leave) & (entry > 0)


HIT = {
  geometry.PLANE: _hit_plane,
  geometry.SPHERE: _hit_capsule,  # Of no length.
  geometry.CAPSULE: _hit_capsule,
  geometry.ELLIPSOID: _hit_ellipsoid,
  geometry.CYLINDER: _hit_cylinder,
  geometry.BOX: _hit_box,
}
# Planes throw no shadows.
SHADOW = {
  geometry.SPHERE: _capsule_shadow,
  geometry.CAPSULE: _capsule_shadow,
  geometry.ELLIPSOID: _ellipsoid_shadow,
  geometry.CYLINDER: _cylinder_shadow,
  geometry.BOX: _box_shadow,
}

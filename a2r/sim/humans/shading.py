"""How the shapes of human clips are hit and how what is seen of them is lit.

More shapes for the tests of `a2r.sim.rendering.hits`, with the same arguments,
and the brightness of what a camera sees; see `a2r.sim.humans.drawing` for how
it is laid out. Letters as there.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from a2r.sim.rendering import geometry, hits

MISS = 1e10
_STEPS = 2.0**14  # Of a brightness of 1.
_FLAT = (geometry.PLANE, geometry.ELLIPSOID, geometry.BOX)


class One(NamedTuple):
  """One shape as `HIT` takes it."""

  rotation: jax.Array
  size: jax.Array


def shade(rays, sun, types, shapes, index, t):
  """What faces the camera and the sun, in [0, 1], and the grain.

  Curved shapes and flat ones differ in how many numbers tell them.
  """
  rows = range(len(types))
  flat = [g for g in rows if types[g] in _FLAT]

  def of(values, rows=rows):
    return pick(values, rows, index)

  ray = [*rays, -1.0]
  offset = [t * ray[i] - of(shapes.center[i]) for i in range(3)]
  z = [of(shapes.rotation[i, 2]) for i in range(3)]
  x = [of(shapes.rotation[i, 0], flat) for i in range(3)]
  y = [z[i - 2] * x[i - 1] - z[i - 1] * x[i - 2] for i in range(3)]
  size = [of(shapes.size[i], r) for i, r in enumerate((flat, rows, flat))]
  at = [hits.dot(offset, axis) for axis in (x, y, z)]

  def among(kinds):
    return _among(index, [g for g in rows if types[g] in kinds])

  end = jnp.clip(at[2], -size[1], size[1])
  on_cap = among([geometry.CYLINDER]) & (jnp.abs(at[2]) > size[1] - 1e-4)
  curved = [
    jnp.where(on_cap, at[2] * z[i], offset[i] - end * z[i]) for i in range(3)
  ]
  share = [
    jnp.abs(a) / jnp.maximum(s, 1e-6) for a, s in zip(at, size, strict=True)
  ]
  most = jnp.maximum(jnp.maximum(share[0], share[1]), share[2])
  weight = [jnp.sign(a) * (s >= most) for a, s in zip(at, share, strict=True)]
  if geometry.ELLIPSOID in types:
    round_ = among([geometry.ELLIPSOID])
    weight = [
      jnp.where(round_, a / jnp.maximum(s, 1e-6) ** 2, w)
      for a, s, w in zip(at, size, weight, strict=True)
    ]
  if geometry.PLANE in types:
    plane = among([geometry.PLANE])
    weight = [jnp.where(plane, float(i == 2), weight[i]) for i in range(3)]
  sides = [
    weight[0] * x[i] + weight[1] * y[i] + weight[2] * z[i] for i in range(3)
  ]
  is_flat = among(_FLAT)
  normal = [
    jnp.where(is_flat, f, c) for f, c in zip(sides, curved, strict=True)
  ]
  scale = jax.lax.rsqrt(hits.dot(normal, normal) + 1e-12)
  shortness = jax.lax.rsqrt(rays[0] ** 2 + rays[1] ** 2 + 1.0)
  facing = jnp.maximum(-hits.dot(normal, ray) * scale * shortness, 0.0)
  lit = jnp.maximum(-hits.dot(normal, sun) * scale, 0.0)
  return facing, lit, at


def pick(values, rows, index):
  """The value `[B, T, P]` of each pixel's shape; `values` `[B, T, G, 1]`."""
  first, *others = rows
  picked = values[..., first, :]
  for g in others:
    picked = jnp.where(index == g, values[..., g, :], picked)
  return picked


def _among(index, rows):
  """Whether the shape is one of `rows`; those of a type are a range."""
  found = jnp.zeros((), bool)
  for g in rows:
    found |= index == g
  return found


def pack_color(rgb):
  """Colors `[3, ...]` in [0, 1] as one integer each, ten bits a channel."""
  levels = jnp.round(jnp.clip(rgb, 0.0, 1.0) * 1023.0).astype(jnp.int32)
  return levels[0] | (levels[1] << 10) | (levels[2] << 20)


def pack_pair(first, second):
  """Two numbers in [0, 2) as one integer."""
  first, second = (
    jnp.minimum(x * _STEPS + 0.5, 32767.0).astype(jnp.int32)
    for x in (first, second)
  )
  return first << 16 | second


def unpack_pair(pair):
  first, second = pair >> 16, pair & 65535
  return (x.astype(jnp.float32) / _STEPS for x in (first, second))


def grain(x, y, z):
  """As in `render`."""
  wave = 38.0 * (x + z) + 2.5 * jnp.sin(7.0 * y + 3.0 * jnp.sin(5.0 * x))
  return 0.35 * jnp.sin(wave) + 0.15 * jnp.sin(2.7 * wave + 11.0 * y)


def _plane(shape, local, across, rest, rays, squared):
  del across, rest, squared
  along = hits.dot(rays, shape.rotation[:, 2])
  return jnp.where(along < -1e-6, -local[2] / along, MISS)


def _ellipsoid(shape, local, across, rest, rays, squared):
  del across, rest, squared
  start = [local[i] / shape.size[i] for i in range(3)]
  ray = [hits.dot(rays, shape.rotation[:, i] / shape.size[i]) for i in range(3)]
  a, b, c = hits.dot(ray, ray), hits.dot(ray, start), hits.dot(start, start)
  found = b * b - a * (c - 1.0)
  t = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  return jnp.where((found > 0) & (t > 0), t, MISS)


def _ellipsoid_shadow(size, axes, offset):
  """The point lies, seen along the light, within the ellipsoid's outline."""
  reach = [[size[j] * axes[j, i] for j in range(3)] for i in range(2)]
  xx, yy = (hits.dot(r, r) for r in reach)
  xy = hits.dot(*reach)
  x, y, z = offset
  inside = yy * x * x - 2.0 * xy * x * y + xx * y * y < xx * yy - xy * xy
  return inside & (z > 0)


HIT = {
  **hits.HIT,
  geometry.PLANE: _plane,
  geometry.ELLIPSOID: _ellipsoid,
}
SHADOW = {**hits.SHADOW, geometry.ELLIPSOID: _ellipsoid_shadow}

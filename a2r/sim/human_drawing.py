"""Pictures of the procedural human clips: still parts once, moving ones over.

Within a clip the camera, the light and most parts stand still. Those parts are
traced once; in each frame only what moves is, and its shadows are laid over
all. It is the plan of `a2r.sim.overlay`, with the tests of `a2r.sim.hits`, for
whole batches of scenes that differ in everything but the types of their parts.
Every pass over the pixels is one fused program with a single output, in which
shapes are unrolled and pixels come last:

- all is in the camera's frame, where rays are (x, y, -1);
- depth and shape are one integer; so are a color, and a pair of brightnesses;
- what a pixel's shape looks like is found by comparing, not by gathering.

Letters: B clips, T frames (1 for what stands still), G shapes, P pixels.
Shapes have their components first: `[3, B, T, G, 1]`. Functions are pure.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim import geometry, hits

_MISS = 1e10
_NONE = 31  # The number of no shape; five bits.
_STEPS = 2.0**14  # Of a brightness of 1.
_FLAT = (geometry.PLANE, geometry.ELLIPSOID, geometry.BOX)


class Layer(NamedTuple):
  """Parts that stand still, or that move.

  Attributes:
    types: static types, ascending; at most 31.
    geoms: `[B, T, G, ...]`, T = 1 for what stands still.
  """

  types: tuple[int, ...]
  geoms: geometry.Geoms


class _View(NamedTuple):
  """What all shapes have in common, in the camera's frame.

  Attributes:
    rays: `[B, 1, P]` x and y, and -1.
    sun: `[3, 3, B, 1, 1]`: two unit vectors across the light, one along it.
    once: `[]` the number 1, which XLA must not know.
  """

  rays: list
  sun: jax.Array
  once: jax.Array


class _Shapes(NamedTuple):
  """Shapes in the camera's frame, and what the tests of `hits` want of them.

  Attributes:
    types: static.
    center: `[3, B, T, G, 1]`.
    rotation: `[3, 3, B, T, G, 1]`.
    size, rgb: `[3, B, T, G, 1]`.
    pattern: `[B, T, G, 1]`.
    local: `[3, B, T, G, 1]` the camera in the shape's frame.
    across: `[3, B, T, G, 1]` the camera from the shape's z axis.
    rest: `[B, T, G, 1]` its square, less the squared radius.
    sun_axes: `[3, 3, B, T, G, 1]` the shape's axes across and along the light.
    sun_center: `[3, B, T, G, 1]` likewise.
  """

  types: tuple[int, ...]
  center: jax.Array
  rotation: jax.Array
  size: jax.Array
  rgb: jax.Array
  pattern: jax.Array
  local: jax.Array
  across: jax.Array
  rest: jax.Array
  sun_axes: jax.Array
  sun_center: jax.Array


class _One(NamedTuple):
  """One shape as `hits.HIT` takes it."""

  rotation: jax.Array
  size: jax.Array


def draw(still: Layer, moving: Layer, camera, light, *, casters, image_size):
  """Pictures of clips.

  Args:
    still: what does not move.
    moving: what does; without grain.
    camera: of `[B, ...]`.
    light: of `[B, ...]`.
    casters: static rows of `still` that throw shadows on what moves.
    image_size: S, P = S * S.

  Returns:
    uint8 `[B, T, S, S, 3]`.
  """
  view = _make_view(camera, light, image_size)
  light = jax.tree.map(lambda x: jnp.moveaxis(x[..., None, None], 0, -3), light)
  things = _make_shapes(still, camera, view)
  actors = _make_shapes(moving, camera, view)
  far = jnp.full(
    (len(camera.fovy), 1, image_size**2), _pack(0.5 * _MISS, _NONE)
  )
  behind = _nearest(view, things, far)
  dark = _shadowed(view, things, range(len(things.types)), behind)
  looks = _looks(view, things, light, behind, dark)
  nearest = _nearest(view, actors, behind | _NONE)
  dark = _shadowed(view, actors, range(len(actors.types)), nearest)
  if casters:
    moves = (nearest & _NONE) < _NONE
    dark |= moves & _shadowed(view, things, casters, nearest)
  pixels = _finish(view, actors, light, looks, nearest, dark)
  image = jax.lax.bitcast_convert_type(pixels, jnp.uint8)[..., :3]
  return image.reshape(*pixels.shape[:2], image_size, image_size, 3)


def _make_view(camera, light, size):
  middle = 2.0 * (np.arange(size) + 0.5) / size - 1.0
  x, y = (np.float32(v.ravel()) for v in np.meshgrid(middle, -middle))
  half = jnp.tan(jnp.deg2rad(camera.fovy) / 2)[:, None, None]
  sun = jnp.einsum("bij,bi->bj", camera.rotation, light.direction)
  one = jnp.cross(sun, jnp.array([1.0, 0.0, 0.0]))
  one /= jnp.linalg.norm(one, axis=-1, keepdims=True)
  frame = jnp.stack([one, jnp.cross(sun, one), sun])
  return _View(
    rays=[half * x, half * y, -1.0],
    sun=jnp.moveaxis(frame, -1, 1)[..., None, None],
    once=(camera.fovy[0] > 0).astype(jnp.int32),
  )


def _make_shapes(layer, camera, view):
  geoms = layer.geoms
  position = geoms.position - camera.position[:, None, None]
  center = jnp.einsum("bji,btgj->ibtg", camera.rotation, position)[..., None]
  rotation = jnp.einsum("bji,btgjk->ikbtg", camera.rotation, geoms.rotation)
  rotation = rotation[..., None]
  size, rgb = (
    jnp.moveaxis(x, -1, 0)[..., None] for x in (geoms.size, geoms.rgb)
  )
  local = jnp.stack([-hits.dot(center, rotation[:, i]) for i in range(3)])
  across = -center - local[2] * rotation[:, 2]
  sun = view.sun[..., None]
  sun_axes = [[hits.dot(a, rotation[:, j]) for a in sun] for j in range(3)]
  return _Shapes(
    types=layer.types,
    center=center,
    rotation=rotation,
    size=size,
    rgb=rgb,
    pattern=geoms.pattern[..., None],
    local=local,
    across=across,
    rest=hits.dot(across, across) - size[0] ** 2,
    sun_axes=jnp.stack([jnp.stack(a) for a in sun_axes]),
    sun_center=jnp.stack([hits.dot(center, a) for a in sun]),
  )


def _apart(once, like, function, *arrays):
  """`function` of `arrays`, computed once and for itself.

  XLA on a CPU fuses what is computed here into every place that uses it,
  barriers or not, and computes it there again; a loop it leaves alone. `like`
  is the shape of the result.
  """
  if jax.default_backend() != "cpu":
    return jax.lax.optimization_barrier(function(*arrays))
  _, out = jax.lax.while_loop(
    lambda state: state[0] < once,
    lambda state: (state[0] + 1, function(*arrays)),
    (0, jnp.zeros(like.shape, like.dtype)),
  )
  return out


def _pack(depth, index):
  """Depths and a shape's number as integers that sort by depth."""
  bits = jax.lax.bitcast_convert_type(jnp.float32(depth), jnp.int32)
  return (bits & ~_NONE) | index


def _depth(nearest):
  return jax.lax.bitcast_convert_type(nearest & ~_NONE, jnp.float32)


def _shape_of(shapes, nearest):
  frames = shapes.center.shape[2]
  shape = (nearest.shape[0], max(frames, nearest.shape[1]), nearest.shape[2])
  return lambda dtype: jax.ShapeDtypeStruct(shape, dtype)


def _nearest(view, shapes, behind):
  """The nearest hits `[B, T, P]`: depth's bits, the last five the shape's."""

  def least(rays, behind, shapes):
    squared = rays[0] ** 2 + rays[1] ** 2 + 1.0
    nearest = behind
    for g, kind in enumerate(types):
      one = _One(shapes.rotation[..., g, :], shapes.size[..., g, :])
      parts = (x[..., g, :] for x in (shapes.local, shapes.across, shapes.rest))
      t = _HIT[kind](one, *parts, [*rays, -1.0], squared)
      nearest = jnp.minimum(nearest, _pack(t, g))
    return nearest

  types = shapes.types
  like = _shape_of(shapes, behind)(jnp.int32)
  shapes = shapes._replace(types=())
  return _apart(view.once, like, least, view.rays[:2], behind, shapes)


def _shadowed(view, shapes, casters, nearest):
  """Whether one of `casters` stands between what is seen and the light."""

  def blocked(rays, nearest, sun, shapes):
    t = _depth(nearest)
    point = [t * hits.dot([*rays, -1.0], axis) for axis in sun]
    dark = jnp.zeros((), bool)
    for g in casters:
      if types[g] == geometry.PLANE:
        continue
      offset = [point[i] - shapes.sun_center[i, ..., g, :] for i in range(3)]
      size, axes = shapes.size[..., g, :], shapes.sun_axes[..., g, :]
      dark |= _SHADOW[types[g]](size, axes, offset)
    return dark

  types = shapes.types
  like = _shape_of(shapes, nearest)(jnp.bool_)
  shapes = shapes._replace(types=())
  return _apart(
    view.once, like, blocked, view.rays[:2], nearest, view.sun, shapes
  )


def _shade(rays, sun, types, shapes, nearest):
  """What faces the camera and the sun, in [0, 1], and the grain.

  Curved shapes and flat ones differ in how many numbers tell them.
  """
  index, t = nearest & _NONE, _depth(nearest)
  rows = range(len(types))
  flat = [g for g in rows if types[g] in _FLAT]

  def pick(values, rows=rows):
    return _pick(values, rows, index)

  ray = [*rays, -1.0]
  offset = [t * ray[i] - pick(shapes.center[i]) for i in range(3)]
  z = [pick(shapes.rotation[i, 2]) for i in range(3)]
  x = [pick(shapes.rotation[i, 0], flat) for i in range(3)]
  y = [z[i - 2] * x[i - 1] - z[i - 1] * x[i - 2] for i in range(3)]
  size = [pick(shapes.size[i], r) for i, r in enumerate((flat, rows, flat))]
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


def _pick(values, rows, index):
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


def _looks(view, shapes, light, nearest, dark):
  """Color and brightness of what stands still, both packed `[B, 1, P]`."""
  types = shapes.types
  sky = jnp.stack(list(light.sky))

  def brightness(rays, sun, light, shapes, nearest, dark):
    facing, lit, at = _shade(rays, sun, types, shapes, nearest)
    index = nearest & _NONE
    grain = _pick(shapes.pattern, range(len(types)), index)
    grain = 1.0 + grain * _grain(*at)
    shade = grain * (light.ambient + light.headlight * facing)
    lit = jnp.where(dark, 0.0, grain * light.diffuse * lit)
    none = index == _NONE
    return _pack_pair(jnp.where(none, 1.0, shade), jnp.where(none, 0.0, lit))

  def color(nearest, rgb, sky):
    colors = _pack_color(rgb)
    picked = _pick(colors, range(len(types)), nearest & _NONE)
    return jnp.where((nearest & _NONE) == _NONE, _pack_color(sky), picked)

  rest = shapes._replace(types=())
  like = jax.ShapeDtypeStruct(nearest.shape, jnp.int32)
  bright = _apart(
    view.once, like, brightness,
    view.rays[:2], view.sun[2], light, rest, nearest, dark,
  )  # fmt: skip
  return bright, _apart(view.once, like, color, nearest, shapes.rgb, sky)


def _finish(view, shapes, light, looks, nearest, dark):
  """Pixels `[B, T, P]` as four bytes: red, green, blue, nothing."""
  types = shapes.types

  def finish(rays, sun, light, shapes, looks, nearest, dark):
    facing, lit, _ = _shade(rays, sun, types, shapes, nearest)
    index = nearest & _NONE
    moves = index < _NONE
    shade, sunny = _unpack_pair(looks[0])
    shade = jnp.where(moves, light.ambient + light.headlight * facing, shade)
    sunny = jnp.where(moves, light.diffuse * lit, sunny)
    bright = 255.0 * (shade + jnp.where(dark, 0.0, sunny))
    color = _pick(_pack_color(shapes.rgb), range(len(types)), index)
    color = jnp.where(moves, color, looks[1])
    pixel = 0
    for i in range(3):
      level = ((color >> (10 * i)) & 1023).astype(jnp.float32) / 1023.0
      level = jnp.minimum(level * bright, 255.0) + 0.5
      pixel |= level.astype(jnp.int32) << (8 * i)
    return pixel

  like = _shape_of(shapes, nearest)(jnp.int32)
  rest = shapes._replace(types=())
  return _apart(
    view.once, like, finish,
    view.rays[:2], view.sun[2], light, rest, looks, nearest, dark,
  )  # fmt: skip


def _pack_color(rgb):
  """Colors `[3, ...]` in [0, 1] as one integer each, ten bits a channel."""
  levels = jnp.round(jnp.clip(rgb, 0.0, 1.0) * 1023.0).astype(jnp.int32)
  return levels[0] | (levels[1] << 10) | (levels[2] << 20)


def _pack_pair(first, second):
  """Two numbers in [0, 2) as one integer."""
  first, second = (
    jnp.minimum(x * _STEPS + 0.5, 32767.0).astype(jnp.int32)
    for x in (first, second)
  )
  return first << 16 | second


def _unpack_pair(pair):
  first, second = pair >> 16, pair & 65535
  return (x.astype(jnp.float32) / _STEPS for x in (first, second))


def _grain(x, y, z):
  """As in `render`."""
  wave = 38.0 * (x + z) + 2.5 * jnp.sin(7.0 * y + 3.0 * jnp.sin(5.0 * x))
  return 0.35 * jnp.sin(wave) + 0.15 * jnp.sin(2.7 * wave + 11.0 * y)


def _plane(shape, local, across, rest, rays, squared):
  del across, rest, squared
  along = hits.dot(rays, shape.rotation[:, 2])
  return jnp.where(along < -1e-6, -local[2] / along, _MISS)


def _ellipsoid(shape, local, across, rest, rays, squared):
  del across, rest, squared
  start = [local[i] / shape.size[i] for i in range(3)]
  ray = [hits.dot(rays, shape.rotation[:, i] / shape.size[i]) for i in range(3)]
  a, b, c = hits.dot(ray, ray), hits.dot(ray, start), hits.dot(start, start)
  found = b * b - a * (c - 1.0)
  t = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  return jnp.where((found > 0) & (t > 0), t, _MISS)


def _ellipsoid_shadow(size, axes, offset):
  """The point lies, seen along the light, within the ellipsoid's outline."""
  reach = [[size[j] * axes[j, i] for j in range(3)] for i in range(2)]
  xx, yy = (hits.dot(r, r) for r in reach)
  xy = hits.dot(*reach)
  x, y, z = offset
  inside = yy * x * x - 2.0 * xy * x * y + xx * y * y < xx * yy - xy * xy
  return inside & (z > 0)


_HIT = {
  **hits.HIT,
  geometry.PLANE: _plane,
  geometry.ELLIPSOID: _ellipsoid,
}
_SHADOW = {**hits.SHADOW, geometry.ELLIPSOID: _ellipsoid_shadow}

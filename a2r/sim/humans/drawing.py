"""Pictures of the procedural human clips: still parts once, moving ones over.

Within a clip the camera, the light and most parts stand still. Those parts are
traced once; in each frame only what moves is, and its shadows are laid over
all. It is the plan of `a2r.sim.rendering.overlay`, with the tests of
`a2r.sim.rendering.hits`, for whole batches of scenes that differ in everything
but the types of their parts. Every pass over the pixels is one fused program
with a single output, in which shapes are unrolled and pixels come last:

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

from a2r.sim.humans import shading
from a2r.sim.rendering import geometry, hits

_NONE = 31  # The number of no shape; five bits.


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
    center, size, rgb: `[3, B, T, G, 1]`.
    rotation: `[3, 3, B, T, G, 1]`.
    pattern: `[B, T, G, 1]`.
    local: `[3, B, T, G, 1]` the camera in the shape's frame.
    across: `[3, B, T, G, 1]` the camera from the shape's z axis.
    rest: `[B, T, G, 1]` its square, less the squared radius.
    sun_axes, sun_center: axes and center across and along the light.
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
    (len(camera.fovy), 1, image_size**2), _pack(0.5 * shading.MISS, _NONE)
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


def _shape_of(shapes, nearest, dtype):
  frames = max(shapes.center.shape[2], nearest.shape[1])
  shape = (nearest.shape[0], frames, nearest.shape[2])
  return jax.ShapeDtypeStruct(shape, dtype)


def _nearest(view, shapes, behind):
  """The nearest hits `[B, T, P]`: depth's bits, the last five the shape's."""

  def least(rays, behind, shapes):
    squared = rays[0] ** 2 + rays[1] ** 2 + 1.0
    nearest = behind
    for g, kind in enumerate(types):
      one = shading.One(shapes.rotation[..., g, :], shapes.size[..., g, :])
      parts = (x[..., g, :] for x in (shapes.local, shapes.across, shapes.rest))
      t = shading.HIT[kind](one, *parts, [*rays, -1.0], squared)
      nearest = jnp.minimum(nearest, _pack(t, g))
    return nearest

  types = shapes.types
  like = _shape_of(shapes, behind, jnp.int32)
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
      dark |= shading.SHADOW[types[g]](size, axes, offset)
    return dark

  types = shapes.types
  like = _shape_of(shapes, nearest, jnp.bool_)
  shapes = shapes._replace(types=())
  return _apart(
    view.once, like, blocked, view.rays[:2], nearest, view.sun, shapes
  )


def _looks(view, shapes, light, nearest, dark):
  """Color and brightness of what stands still, both packed `[B, 1, P]`."""
  types = shapes.types

  def brightness(rays, sun, light, shapes, nearest, dark):
    facing, lit, at = shading.shade(
      rays, sun, types, shapes, nearest & _NONE, _depth(nearest)
    )
    index = nearest & _NONE
    grain = shading.pick(shapes.pattern, range(len(types)), index)
    grain = 1.0 + grain * shading.grain(*at)
    shade = grain * (light.ambient + light.headlight * facing)
    lit = jnp.where(dark, 0.0, grain * light.diffuse * lit)
    none = index == _NONE
    return shading.pack_pair(
      jnp.where(none, 1.0, shade), jnp.where(none, 0.0, lit)
    )

  def color(nearest, rgb, sky):
    colors = shading.pack_color(rgb)
    picked = shading.pick(colors, range(len(types)), nearest & _NONE)
    return jnp.where(
      (nearest & _NONE) == _NONE, shading.pack_color(sky), picked
    )

  rest = shapes._replace(types=())
  like = jax.ShapeDtypeStruct(nearest.shape, jnp.int32)
  bright = _apart(
    view.once, like, brightness,
    view.rays[:2], view.sun[2], light, rest, nearest, dark,
  )  # fmt: skip
  return bright, _apart(view.once, like, color, nearest, shapes.rgb, light.sky)


def _finish(view, shapes, light, looks, nearest, dark):
  """Pixels `[B, T, P]` as four bytes: red, green, blue, nothing."""
  types = shapes.types

  def finish(rays, sun, light, shapes, looks, nearest, dark):
    facing, lit, _ = shading.shade(
      rays, sun, types, shapes, nearest & _NONE, _depth(nearest)
    )
    index = nearest & _NONE
    moves = index < _NONE
    shade, sunny = shading.unpack_pair(looks[0])
    shade = jnp.where(moves, light.ambient + light.headlight * facing, shade)
    sunny = jnp.where(moves, light.diffuse * lit, sunny)
    bright = 255.0 * (shade + jnp.where(dark, 0.0, sunny))
    color = shading.pick(
      shading.pack_color(shapes.rgb), range(len(types)), index
    )
    color = jnp.where(moves, color, looks[1])
    pixel = 0
    for i in range(3):
      level = ((color >> (10 * i)) & 1023).astype(jnp.float32) / 1023.0
      level = jnp.minimum(level * bright, 255.0) + 0.5
      pixel |= level.astype(jnp.int32) << (8 * i)
    return pixel

  like = _shape_of(shapes, nearest, jnp.int32)
  rest = shapes._replace(types=())
  return _apart(
    view.once, like, finish,
    view.rays[:2], view.sun[2], light, rest, looks, nearest, dark,
  )  # fmt: skip

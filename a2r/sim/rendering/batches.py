"""Pictures of whole batches of scenes: still parts once, moving ones over them.

Within a clip the camera, the light and most parts stand still. Those parts are
traced once; in each frame only what moves is, and its shadows are laid over
all, with the passes of `a2r.sim.rendering.raycast`. The scenes of a batch
differ in everything but the types of their parts, so every pass writes one
array only:

- all is in the camera's frame, where rays are (x, y, -1);
- a color is one integer, and so is a pair of brightnesses;
- what a pixel's shape looks like is found by comparing, not by gathering.

Letters: B clips, T frames (1 for what stands still), G shapes, P pixels.
Functions are pure.
"""

import flax
import jax
import jax.numpy as jnp

from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material, raycast, shapes

_STEPS = 2.0**14  # Of a brightness of 1.


@flax.struct.dataclass
class Layer:
  """At most 31 parts that stand still, or that move; their types ascend."""

  types: tuple[int, ...] = flax.struct.field(pytree_node=False)
  geoms: geometry.Geoms  # `[B, T, G, ...]`, T = 1 for what stands still.


def draw(
  still: Layer, moving: Layer, camera, light, *, casters, image_size: int
) -> jax.Array:
  """Draws clips.

  Args:
    still: what does not move.
    moving: what does; without grain.
    camera: `camera.Camera` of `[B, ...]`.
    light: `material.Light` of `[B, ...]`.
    casters: static rows of `still` that throw shadows on what moves.
    image_size: S, P = S * S.

  Returns:
    uint8 `[B, T, S, S, 3]`.
  """
  none = raycast.NONE
  view = _make_view(camera, light, image_size)
  light = jax.tree.map(lambda x: jnp.moveaxis(x[..., None, None], 0, -3), light)
  things, actors = (_place(layer.geoms, camera) for layer in (still, moving))
  far = raycast.pack(0.5 * shapes.MISS, none)
  far = jnp.full((len(camera.fovy), 1, image_size**2), far)
  behind = raycast.nearest(view, still.types, things, far)
  dark = _shadowed(view, still.types, things, behind)
  look = _still_look(view, still, things, light, behind, dark)
  nearest = raycast.nearest(view, moving.types, actors, behind | none)
  dark = _shadowed(view, moving.types, actors, nearest)
  if casters:
    shaded = _shadowed(view, still.types, things, nearest, casters)
    dark |= ((nearest & none) < none) & shaded
  pixels = _finish(view, moving, actors, light, look, nearest, dark)
  image = jax.lax.bitcast_convert_type(pixels, jnp.uint8)[..., :3]
  return image.reshape(*pixels.shape[:2], image_size, image_size, 3)


def pack_color(rgb):
  """Returns colors `[3, ...]` in [0, 1] as one integer, ten bits a channel."""
  levels = jnp.round(jnp.clip(rgb, 0.0, 1.0) * 1023.0).astype(jnp.int32)
  return levels[0] | (levels[1] << 10) | (levels[2] << 20)


def pack_pair(first, second):
  """Returns two numbers in [0, 2) as one integer."""
  first, second = (
    jnp.minimum(x * _STEPS + 0.5, 32767.0).astype(jnp.int32)
    for x in (first, second)
  )
  return first << 16 | second


def unpack_pair(pair):
  """Returns the two numbers of `pack_pair`, to 15 bits each."""
  first, second = pair >> 16, pair & 65535
  return (x.astype(jnp.float32) / _STEPS for x in (first, second))


def _make_view(camera, light, size):
  rays = cameras.rays(size, size, camera.fovy[:, None])
  squared = rays[0] ** 2 + rays[1] ** 2 + 1.0
  sun = jnp.einsum("bij,bi->bj", camera.rotation, light.direction)
  return raycast.View(
    origin=(0.0, 0.0, 0.0),
    rays=rays,
    squared=squared,
    shortness=jax.lax.rsqrt(squared),
    sun=raycast.light_frame(sun)[..., None, None],
    opaque_one=(camera.fovy[0] > 0).astype(jnp.int32),
  )


def _place(geoms, camera):
  """The shapes in the camera's frame."""
  position = geoms.position - camera.position[:, None, None]
  geoms = geoms.replace(
    position=jnp.einsum("bji,btgj->btgi", camera.rotation, position),
    rotation=jnp.einsum("bji,btgjk->btgik", camera.rotation, geoms.rotation),
  )
  return shapes.place(geoms, (0.0, 0.0, 0.0))


def _shadowed(view, types, placed, nearest, casters=None):
  """Whether one of `casters` stands between what is seen and the light."""

  def point():
    t = raycast.unpack_depth(nearest)
    return [t * shapes.dot(view.rays, axis) for axis in view.sun]

  return raycast.shadowed(view, types, placed, point, casters)


def _brightness(view, types, placed, nearest):
  """What faces the camera and the sun, in [0, 1], and where it is."""
  index, t = nearest & raycast.NONE, raycast.unpack_depth(nearest)

  def is_kind(kinds):
    rows = [g for g, kind in enumerate(types) if kind in kinds]
    return sum((index == g for g in rows), jnp.zeros((), bool))

  normal, scale, at = shapes.normal(
    types,
    placed,
    [t * ray for ray in view.rays],
    lambda values, rows: _pick(values, index, rows),
    is_kind,
  )
  towards = -shapes.dot(normal, view.rays) * scale * view.shortness
  lit = jnp.maximum(-shapes.dot(normal, view.sun[2]) * scale, 0.0)
  return jnp.maximum(towards, 0.0), lit, at


def _pick(values, index, rows=None):
  """The value `[B, T, P]` of each pixel's shape; `values` `[B, T, G, 1]`."""
  first, *others = range(values.shape[-2]) if rows is None else rows
  picked = values[..., first, :]
  for g in others:
    picked = jnp.where(index == g, values[..., g, :], picked)
  return picked


def _still_look(view, layer, placed, light, nearest, dark):
  """Color and brightness of what stands still, both packed `[B, 1, P]`."""

  def brightness():
    index = nearest & raycast.NONE
    none = index == raycast.NONE
    facing, lit, at = _brightness(view, layer.types, placed, nearest)
    pattern = layer.geoms.pattern[..., None]
    grain = 1.0 + _pick(pattern, index) * material.grain(*at)
    shade = grain * (light.ambient + light.headlight * facing)
    lit = jnp.where(dark, 0.0, grain * light.diffuse * lit)
    return pack_pair(jnp.where(none, 1.0, shade), jnp.where(none, 0.0, lit))

  def color():
    index = nearest & raycast.NONE
    colors = pack_color(jnp.moveaxis(layer.geoms.rgb, -1, 0)[..., None])
    color = _pick(colors, index)
    return jnp.where(index == raycast.NONE, pack_color(light.sky), color)

  return (
    raycast.materialize(view.opaque_one, brightness),
    raycast.materialize(view.opaque_one, color),
  )


def _finish(view, layer, placed, light, look, nearest, dark):
  """Pixels `[B, T, P]` as four bytes: red, green, blue, nothing."""

  def finish():
    facing, lit, _ = _brightness(view, layer.types, placed, nearest)
    index = nearest & raycast.NONE
    moves = index < raycast.NONE
    shade, sunny = unpack_pair(look[0])
    shade = jnp.where(moves, light.ambient + light.headlight * facing, shade)
    sunny = jnp.where(moves, light.diffuse * lit, sunny)
    bright = 255.0 * (shade + jnp.where(dark, 0.0, sunny))
    colors = pack_color(jnp.moveaxis(layer.geoms.rgb, -1, 0)[..., None])
    color = jnp.where(moves, _pick(colors, index), look[1])
    pixel = 0
    for i in range(3):
      level = ((color >> (10 * i)) & 1023).astype(jnp.float32) / 1023.0
      level = jnp.minimum(level * bright, 255.0) + 0.5
      pixel |= level.astype(jnp.int32) << (8 * i)
    return pixel

  return raycast.materialize(view.opaque_one, finish)

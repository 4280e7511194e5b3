"""Analytic ray caster: MuJoCo's primitive shapes to pixels, in pure JAX.

The nearest shape that a pixel's ray meets is shaded with an ambient term, a
headlight and one directional light with hard shadows. There is no graphics
library and no callback, so pictures are made inside any jitted program on any
XLA device.

A fixed camera sees mostly what never moves. That part is drawn once, by
`make_backdrop`; `draw` draws the moving shapes over it and lays their shadows
on it. For whole batches of scenes that differ in everything but the types of
their shapes there is `a2r.sim.rendering.batches`, of the same passes. Every
pass over the pixels is one fused program, in which shapes are unrolled and
pixels come last; depth and shape are one integer, and the nearest hit is the
least of them.

Letters: G shapes, P pixels. Functions are pure.
"""

from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp

from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material, shapes

NONE = 31  # The number of no shape in packed hits; five bits.
LIFT = 1e-3  # Meters: shadow rays start off the surface.


class View(NamedTuple):
  """A camera's rays and the light, in coordinates of one's choice."""

  origin: jax.Array | tuple  # Where the camera is, three.
  rays: jax.Array | tuple  # Three of `[..., P]`, 1 along the viewing axis.
  squared: jax.Array  # `[..., P]` their squared lengths.
  shortness: jax.Array  # `[..., P]` one over their lengths.
  sun: jax.Array  # `[3, 3, ...]` from `light_frame`, broadcasts to P.
  opaque_one: jax.Array  # `[]` int32 1, unknown to XLA; see `materialize`.


@flax.struct.dataclass
class Traced:
  """What the rays of a picture meet."""

  depth: jax.Array  # `[..., P]` meters along the viewing axis; 1e10: nothing.
  segment: jax.Array  # `[..., P]` int32 index of the shape; -1: nothing.
  shade: jax.Array  # `[3, ..., P]` color without the directional light.
  sun: jax.Array  # `[3, ..., P]` what that light adds.

  @property
  def color(self) -> jax.Array:
    """Colors in [0, 1], `[3, ..., P]`."""
    return jnp.clip(self.shade + self.sun, 0.0, 1.0)


@flax.struct.dataclass
class Backdrop:
  """What a fixed camera sees of all that stands still."""

  camera: cameras.Camera  # Where it is seen from.
  light: material.Light  # What lights it.
  rays: jax.Array  # `[3, P]` in the world; of length 1 along the viewing axis.
  squared: jax.Array  # `[P]` their squared lengths.
  shortness: jax.Array  # `[P]` one over their lengths.
  traced: Traced  # `[P]`, colors as if nothing moving were in the light.


def make_backdrop(
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  camera: cameras.Camera,
  light: material.Light,
  *,
  height: int,
  width: int,
) -> Backdrop:
  """Draws shapes that stand still, unbatched (use `jax.vmap`).

  Args:
    types: static geom types, MuJoCo's numbers.
    geoms: shapes, `[G, ...]`.
    camera: where the picture is taken from.
    light: lights and sky.
    height: pixels.
    width: pixels.

  Raises:
    ValueError: if `types` has one that cannot be drawn, or not one per geom.
  """
  _check(types, (), geoms)
  rays = jnp.stack(
    jnp.broadcast_arrays(*cameras.rays(height, width, camera.fovy))
  )
  squared = jnp.sum(rays * rays, axis=0)
  nothing = Traced(
    depth=jnp.full_like(squared, shapes.MISS),
    segment=jnp.full(squared.shape, -1, jnp.int32),
    shade=jnp.broadcast_to(light.sky[:, None], rays.shape),
    sun=jnp.zeros_like(rays),
  )
  empty = Backdrop(
    camera=camera,
    light=light,
    rays=jnp.einsum("ij,jp->ip", camera.rotation, rays),
    squared=squared,
    shortness=jax.lax.rsqrt(squared),
    traced=nothing,
  )
  view = make_view(empty)
  placed = shapes.place(geoms, view.origin)

  def least():
    depth, index = nothing.depth, nothing.segment
    for g, kind in enumerate(types):
      t = shapes.HIT[kind](placed.at(g), view.rays, view.squared)
      index = jnp.where(t < depth, g, index)
      depth = jnp.minimum(t, depth)
    return depth, index

  # In full precision, unlike what moves.
  depth, index = materialize(view.opaque_one, least)
  traced = _shade(empty, view, types, geoms, placed, depth, index)
  return empty.replace(traced=traced)


def draw(
  backdrop: Backdrop,
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  casters: tuple[int, ...] = (),
  still: geometry.Geoms | None = None,
) -> Traced:
  """Draws moving shapes before the backdrop, shadows and all.

  Args:
    backdrop: from `make_backdrop`.
    types: static types of the moving shapes.
    geoms: the moving shapes, at most 31; positions and rotations may have
      batch dimensions in front, `[..., G, 3]`, and so will what is returned.
    casters: static types of the still shapes that throw shadows on them.
    still: those shapes.

  Returns:
    What the rays meet; a moving shape g is segment -2 - g. Depths have a
    relative error of 4e-6.

  Raises:
    ValueError: if there are more than 31 shapes, or a type cannot be drawn.
  """
  _check(types, casters, geoms, NONE)
  view, behind = make_view(backdrop), backdrop.traced
  placed = shapes.place(geoms, view.origin)
  hits = nearest(view, types, placed, pack(behind.depth, NONE))
  depth, index = unpack_depth(hits), hits & NONE
  moving = (index < NONE) & (depth < 0.5 * shapes.MISS)
  traced = _shade(
    backdrop,
    view,
    types,
    geoms,
    placed,
    jnp.where(moving, depth, behind.depth),
    jnp.where(moving, index, -1),
    casters,
    still,
  )
  segment = jnp.where(moving, -2 - traced.segment, behind.segment)
  return traced.replace(segment=segment)


def light_frame(direction: jax.Array) -> jax.Array:
  """Returns axes `[3, 3, ...]`, their components second, that follow a light.

  Two unit vectors across `direction` `[..., 3]`, not along x, and itself.
  """
  across = jnp.cross(direction, jnp.array([1.0, 0.0, 0.0]))
  across = across / jnp.linalg.norm(across, axis=-1, keepdims=True)
  frame = [across, jnp.cross(direction, across), direction]
  return jnp.moveaxis(jnp.stack(frame), -1, 1)


def materialize(opaque_one, function):
  """Returns what `function()` does, computed once and for itself.

  XLA on a CPU fuses what is computed here into every place that uses it,
  barriers or not, and computes it there again; a loop it leaves alone.

  Args:
    opaque_one: the loop's length, 1, which XLA must not know.
    function: of no arguments; returns arrays.
  """
  if jax.default_backend() != "cpu":
    return jax.lax.optimization_barrier(function())
  like = jax.eval_shape(function)
  _, out = jax.lax.while_loop(
    lambda state: state[0] < opaque_one,
    lambda state: (state[0] + 1, function()),
    (0, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)),
  )
  return out


def pack(depth, index: int):
  """Returns depths and a shape's number as integers that sort by depth."""
  bits = jax.lax.bitcast_convert_type(jnp.float32(depth), jnp.int32)
  return (bits & ~NONE) | index


def unpack_depth(packed):
  """Returns the depths in `pack`'s integers."""
  return jax.lax.bitcast_convert_type(packed & ~NONE, jnp.float32)


def nearest(view: View, types, placed: shapes.Shapes, behind):
  """Returns the nearest hits `[..., P]`, packed; `behind` is what is there."""

  def least():
    hits = behind
    for g, kind in enumerate(types):
      t = shapes.HIT[kind](placed.at(g), view.rays, view.squared)
      hits = jnp.minimum(hits, pack(t, g))
    return hits

  return materialize(view.opaque_one, least)


def to_light(view: View, placed: shapes.Shapes):
  """Returns axes `[3, 3, ..., G, 1]` and centers, as the light sees them."""
  sun = view.sun[..., None]
  axes = [[shapes.dot(s, placed.rotation[:, j]) for s in sun] for j in range(3)]
  axes = jnp.stack([jnp.stack(axis) for axis in axes])
  return axes, jnp.stack([shapes.dot(placed.center, s) for s in sun])


def shadowed(view: View, types, placed: shapes.Shapes, point_fn, casters=None):
  """Returns whether something stands between points and the light, `[..., P]`.

  Args:
    view: its light.
    types: static types of the shapes.
    placed: the shapes.
    point_fn: returns the points as three of `[..., P]`, across and along the
      light; see `light_frame`.
    casters: which of the shapes throw shadows; all without.
  """
  axes, centers = to_light(view, placed)

  def blocked():
    point = point_fn()
    dark = jnp.zeros((), bool)
    for g in range(len(types)) if casters is None else casters:
      if types[g] in shapes.SHADOW:
        offset = [point[i] - centers[i, ..., g, :] for i in range(3)]
        dark |= shapes.SHADOW[types[g]](
          placed.size[..., g, :], axes[..., g, :], offset
        )
    return jnp.broadcast_to(dark, jnp.shape(point[0]))

  return materialize(view.opaque_one, blocked)


def _check(types, casters, geoms, most=None):
  num_geoms = geoms.position.shape[-2]
  if len(types) != num_geoms:
    raise ValueError(f"{len(types)} geom types for {num_geoms} geoms")
  unknown = sorted({*types, *casters} - set(shapes.HIT))
  if unknown:
    raise ValueError(
      f"cannot draw geom types {unknown}; known: {sorted(shapes.HIT)}"
    )
  if most and num_geoms > most:
    raise ValueError(f"need at most {most} moving shapes, got {num_geoms}")


def make_view(backdrop):
  return View(
    origin=backdrop.camera.position,
    rays=backdrop.rays,
    squared=backdrop.squared,
    shortness=backdrop.shortness,
    sun=light_frame(backdrop.light.direction)[..., None],
    opaque_one=(backdrop.camera.fovy > 0).astype(jnp.int32),
  )


def _shade(
  backdrop, view, types, geoms, placed, depth, index, casters=(), still=None
):
  """Colors what is seen: shape `index` at `depth`, -1 for the backdrop."""
  front, behind, light = index >= 0, backdrop.traced, backdrop.light
  index = jnp.where(front, index, 0)
  seen = jnp.where(depth < shapes.MISS, depth, 0.0)
  point = [view.origin[i] + seen * view.rays[i] for i in range(3)]

  def pick(values, _):
    if values.ndim == 2:
      return values[:, 0][index]
    return jnp.take_along_axis(values[..., 0], index, axis=-1)

  def surface():
    kind = jnp.asarray(types, jnp.int32)[index]

    def is_kind(kinds):
      return sum((kind == k for k in kinds), jnp.zeros((), bool))

    normal, scale, at = shapes.normal(types, placed, point, pick, is_kind)
    normal = [n * scale for n in normal]
    return normal if geoms.pattern is None else normal + at

  surface = materialize(view.opaque_one, surface)
  normal, at = surface[:3], surface[3:]
  towards = -shapes.dot(normal, view.rays) * view.shortness
  facing = light.headlight * jnp.maximum(towards, 0.0)
  lit = light.diffuse * jnp.maximum(-shapes.dot(normal, light.direction), 0.0)
  gleam = 0.0
  if geoms.shine is not None:
    back = [-ray * view.shortness for ray in view.rays]
    gleam = material.highlight(light, normal, back) * geoms.shine[index]
  lift = jnp.where(front, LIFT, 0.0)
  lifted = [p + lift * n for p, n in zip(point, normal, strict=True)]
  flat = [shapes.dot(lifted, axis) for axis in view.sun]
  dark = shadowed(view, types, placed, lambda: flat)
  if casters:
    still = shapes.place(still, view.origin)
    dark |= front & shadowed(view, casters, still, lambda: flat)
  color = jnp.asarray(geoms.rgb).T[:, index]
  if geoms.pattern is not None:
    color *= 1.0 + geoms.pattern[index] * material.grain(*at)
  shade, sun = (
    jnp.expand_dims(x, range(1, depth.ndim)) for x in (behind.shade, behind.sun)
  )
  sun = jnp.where(front, color * lit + gleam, sun)
  return Traced(
    depth=depth,
    segment=jnp.where(front, index, -1),
    shade=jnp.where(front, color * (light.ambient + facing), shade),
    sun=jnp.where(dark, 0.0, sun),
  )

"""Pictures of moving shapes before a still backdrop.

A fixed camera sees mostly what never moves. That part is drawn once, by
`a2r.sim.rendering.render`; here the moving shapes are drawn over it and their
shadows laid on it, in world coordinates, with what a camera and a light that
stand still let one know beforehand:

- all rays start in one point and their lengths are known, so a capsule costs
  two scalar products and a root per pixel;
- all shadow rays are parallel, so they are points in the plane across the
  light, where a capsule is a thick segment: no root at all;
- depth and shape are one integer, and the nearest hit is the least of them,
  so the shapes, unrolled, are one fused program that writes one array.

Letters: G moving shapes, P pixels. Functions are pure.
"""

import functools
from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp

from a2r.sim.rendering import geometry, hits, render

_MISS = 1e10
_LIFT = 1e-3  # Meters: shadow rays start off the surface.
_TINY = 1e-12
_NONE = 31  # The number of no moving shape; five bits.


@flax.struct.dataclass
class Backdrop:
  """What a fixed camera sees of all that stands still.

  Attributes:
    camera: where it is seen from.
    light: what lights it.
    rays: `[3, P]` in the world; of length 1 along the viewing axis.
    squared: `[P]` their squared lengths.
    shortness: `[P]` one over their lengths.
    depth: `[P]` meters along the viewing axis, 1e10 where nothing is hit.
    segment: `[P]` int32 as the still shapes are numbered, -1 for none.
    shade: `[3, P]` color without the directional light.
    sun: `[3, P]` what that light adds where nothing moving is in its way.
  """

  camera: geometry.Camera
  light: geometry.Light
  rays: jax.Array
  squared: jax.Array
  shortness: jax.Array
  depth: jax.Array
  segment: jax.Array
  shade: jax.Array
  sun: jax.Array


def make_backdrop(
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  camera: geometry.Camera,
  light: geometry.Light,
  *,
  height: int,
  width: int,
  shadows: bool = True,
) -> Backdrop:
  """Draws the still shapes; arguments as in `render.render`."""
  traced = render.trace(
    types, geoms, camera, light, height=height, width=width, shadows=shadows
  )
  rays = render.camera_rays(height, width, camera.fovy)
  squared = jnp.sum(rays * rays, axis=0)
  return Backdrop(
    camera=camera,
    light=light,
    rays=jnp.einsum("ij,jp->ip", camera.rotation, rays),
    squared=squared,
    shortness=jax.lax.rsqrt(squared),
    depth=traced.depth,
    segment=traced.segment,
    shade=traced.shade,
    sun=traced.sun,
  )


def draw(
  backdrop: Backdrop,
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  casters: tuple[int, ...] = (),
  still: geometry.Geoms | None = None,
) -> render.Traced:
  """The moving shapes before the backdrop, shadows and all.

  Args:
    backdrop: from `make_backdrop`.
    types: static types of the moving shapes: capsules, cylinders, boxes.
    geoms: the moving shapes, at most 31, without grain; positions and
      rotations may have batch dimensions in front, `[..., G, 3]`, and so will
      what is returned.
    casters: static types of the still shapes that throw shadows on them.
    still: those shapes.

  Returns:
    Depth and segment `[..., P]`, colors `[3, ..., P]`; a moving shape g is
    segment -2 - g. Depths have a relative error of 4e-6.

  Raises:
    ValueError: if there are more than 31 shapes, or a type cannot be drawn.
  """
  unknown = sorted({*types, *casters} - set(hits.HIT))
  if unknown or len(types) > _NONE:
    raise ValueError(
      f"need at most {_NONE} shapes of the types {sorted(hits.HIT)}, got"
      f" {len(types)}, of them of other types: {unknown}"
    )
  once = (backdrop.depth[0] > 0).astype(jnp.int32)
  shapes = _shapes(geoms)
  nearest = _nearest(once, backdrop, types, shapes)
  depth = jax.lax.bitcast_convert_type(nearest & ~_NONE, jnp.float32)
  index = nearest & _NONE
  moving = (index < _NONE) & (depth < 0.5 * _MISS)
  depth = jnp.where(moving, depth, backdrop.depth)
  index = jnp.where(moving, index, 0)
  origin = backdrop.camera.position
  seen = jnp.where(depth < _MISS, depth, 0.0)
  point = [origin[i] + seen * backdrop.rays[i] for i in range(3)]
  normal = _apart(
    once, [depth] * 3, functools.partial(_normal, types, shapes), index, point
  )
  light = backdrop.light
  towards = -hits.dot(normal, backdrop.rays) * backdrop.shortness
  facing = light.headlight * jnp.maximum(towards, 0.0)
  lit = light.diffuse * jnp.maximum(-hits.dot(normal, light.direction), 0.0)
  view = [-ray * backdrop.shortness for ray in backdrop.rays]
  gleam = 0.0
  if geoms.shine is not None:
    gleam = render.highlight(light, normal, view) * geoms.shine[index]
  lift = jnp.where(moving, _LIFT, 0.0)
  lifted = [p + lift * n for p, n in zip(point, normal, strict=True)]
  dark = _shadowed(once, types, shapes, light, lifted)
  if casters:
    dark |= moving & _shadowed(once, casters, _shapes(still), light, lifted)
  color = jnp.asarray(geoms.rgb).T[:, index]
  still_shade, still_sun = (
    jnp.expand_dims(x, range(1, depth.ndim))
    for x in (backdrop.shade, backdrop.sun)
  )
  sun = jnp.where(moving, color * lit + gleam, still_sun)
  return render.Traced(
    depth=depth,
    segment=jnp.where(moving, -2 - index, backdrop.segment),
    shade=jnp.where(moving, color * (light.ambient + facing), still_shade),
    sun=jnp.where(dark, 0.0, sun),
  )


class _Shapes(NamedTuple):
  """Shapes with their components first and room for pixels last.

  Attributes:
    position: `[3, ..., G, 1]`.
    rotation: `[3, 3, ..., G, 1]`.
    size: `[3, G, 1]`.
  """

  position: jax.Array
  rotation: jax.Array
  size: jax.Array

  def __getitem__(self, index):
    """One shape: the same without G."""
    return _Shapes(*(getattr(self, f)[..., index, :] for f in self._fields))


def _shapes(geoms):
  return _Shapes(
    jnp.moveaxis(jnp.asarray(geoms.position), -1, 0)[..., None],
    jnp.moveaxis(jnp.asarray(geoms.rotation), (-2, -1), (0, 1))[..., None],
    jnp.asarray(geoms.size).T[..., None],
  )


def _nearest(once, backdrop, types, shapes):
  """The nearest hits `[..., P]`: depth's bits, the last five the shape's."""
  origin = backdrop.camera.position
  offset = jnp.stack([origin[i] - shapes.position[i] for i in range(3)])
  local = jnp.stack([hits.dot(offset, shapes.rotation[:, i]) for i in range(3)])
  across = offset - local[2] * shapes.rotation[:, 2]
  rest = hits.dot(across, across) - shapes.size[0] ** 2

  def least(depth, rays, squared):
    nearest = _pack(depth, _NONE)
    for index, kind in enumerate(types):
      parts = (x[..., index, :] for x in (local, across, rest))
      t = hits.HIT[kind](shapes[index], *parts, rays, squared)
      nearest = jnp.minimum(nearest, _pack(t, index))
    return nearest

  lead = jnp.zeros((*rest.shape[:-2], 1), jnp.int32)
  like = jnp.broadcast_to(lead, (*rest.shape[:-2], len(backdrop.depth)))
  return _apart(
    once, like, least, backdrop.depth, backdrop.rays, backdrop.squared
  )


def _apart(once, like, function, *arrays):
  """`function` of `arrays`, computed once and for itself.

  XLA on a CPU fuses what is computed here into every place that uses it,
  barriers or not, and computes it there again; a loop it leaves alone. `once`
  is 1, which XLA must not know; `like` has the shapes of the result.
  """
  if jax.default_backend() != "cpu":
    return jax.lax.optimization_barrier(function(*arrays))
  _, out = jax.lax.while_loop(
    lambda state: state[0] < once,
    lambda state: (state[0] + 1, function(*arrays)),
    (0, jax.tree.map(jnp.zeros_like, like)),
  )
  return out


def _pack(depth, index):
  """Depths `[P]` and a shape's number as integers that sort by depth."""
  bits = jax.lax.bitcast_convert_type(depth, jnp.int32)
  return (bits & ~_NONE) | index


def _normal(types, shapes, index, point):
  """Unit normals, three of `[..., P]`, of the shapes `index` at `point`."""

  def of(values):
    """The value of each pixel's shape; `values` `[..., G, 1]`."""
    values = values[..., 0]
    if values.ndim == 1:
      return values[index]
    return jnp.take_along_axis(values, index, axis=-1)

  kind = jnp.asarray(types, jnp.int32)[index]
  size = [of(half) for half in shapes.size]
  x, z = ([of(shapes.rotation[i, j]) for i in range(3)] for j in (0, 2))
  y = [z[i - 2] * x[i - 1] - z[i - 1] * x[i - 2] for i in range(3)]
  offset = [point[i] - of(shapes.position[i]) for i in range(3)]
  at = [hits.dot(offset, axis) for axis in (x, y, z)]
  end = jnp.clip(at[2], -size[1], size[1])
  on_cap = (kind == geometry.CYLINDER) & (jnp.abs(at[2]) > size[1] - 1e-4)
  curved = [
    jnp.where(on_cap, at[2] * z[i], offset[i] - end * z[i]) for i in range(3)
  ]
  share = [
    jnp.abs(a) / jnp.maximum(s, 1e-6) for a, s in zip(at, size, strict=True)
  ]
  most = jnp.maximum(jnp.maximum(share[0], share[1]), share[2])
  weight = [jnp.sign(a) * (s >= most) for a, s in zip(at, share, strict=True)]
  flat = [
    weight[0] * x[i] + weight[1] * y[i] + weight[2] * z[i] for i in range(3)
  ]
  box = kind == geometry.BOX
  normal = [jnp.where(box, f, c) for f, c in zip(flat, curved, strict=True)]
  scale = jax.lax.rsqrt(hits.dot(normal, normal) + _TINY)
  return [n * scale for n in normal]


def _shadowed(once, types, shapes, light, point):
  """Whether a shape stands between each `point` `[3][..., P]` and the light."""
  frame = _across(light.direction)
  # Across and along the light: the shapes' axes and centers, the points.
  axes = [
    [hits.dot(frame[a], shapes.rotation[:, j]) for a in range(3)]
    for j in range(3)
  ]
  axes = jnp.stack([jnp.stack(axis) for axis in axes])
  centers = jnp.stack([hits.dot(shapes.position, axis) for axis in frame])
  flat = [hits.dot(point, axis) for axis in frame]

  def blocked(flat):
    dark = False
    for index, kind in enumerate(types):
      center = centers[..., index, :]
      offset = [flat[i] - center[i] for i in range(3)]
      size = shapes.size[:, index]
      dark |= hits.SHADOW[kind](size, axes[..., index, :], offset)
    return dark

  return _apart(once, flat[0] > 0, blocked, flat)


def _across(direction):
  """Rows: two unit vectors across a unit vector not along x, and itself."""
  one = jnp.cross(direction, jnp.array([1.0, 0.0, 0.0]))
  one = one / jnp.linalg.norm(one)
  return jnp.stack([one, jnp.cross(direction, one), direction])

"""Pictures of moving shapes before a still backdrop.

A fixed camera sees mostly what never moves. That part is drawn once, by
`a2r.sim.render`; here the moving shapes are drawn over it and their shadows
laid on it, in world coordinates, with what a camera and a light that stand
still let one know beforehand:

- all rays start in one point and their lengths are known, so a capsule costs
  two scalar products and a root per pixel;
- all shadow rays are parallel, so they are points in the plane across the
  light, where a capsule is a thick segment: no root at all;
- depth and shape are one integer, and the nearest hit is the least of them,
  so the shapes, unrolled, are one fused program that writes one array.

Letters: G moving shapes, P pixels. Functions are unbatched and pure.
"""

import functools

import flax
import jax
import jax.numpy as jnp

from a2r.sim import geometry, render

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
  *,
  shadows: bool = True,
) -> render.Traced:
  """The moving shapes before the backdrop.

  Args:
    backdrop: from `make_backdrop`.
    types: static types of the moving shapes: capsules, cylinders, boxes.
    geoms: the moving shapes, without grain, `[G, ...]`, G at most 31.
    casters: static types of the still shapes that throw shadows on them.
    still: those shapes.
    shadows: whether there are shadows.

  Returns:
    What the rays meet; a moving shape g is segment -2 - g. Depths have a
    relative error of 4e-6.

  Raises:
    KeyError: if a type cannot be drawn.
    ValueError: if there are more than 31 shapes.
  """
  if len(types) >= _NONE:
    raise ValueError(f"at most {_NONE - 1} moving shapes, got {len(types)}")
  geoms = jax.tree.map(jnp.asarray, geoms)
  once = (backdrop.depth[0] > 0).astype(jnp.int32)
  nearest = _nearest(once, backdrop, types, geoms)
  depth = jax.lax.bitcast_convert_type(nearest & ~_NONE, jnp.float32)
  index = nearest & _NONE
  moving = (index < _NONE) & (depth < 0.5 * _MISS)
  depth = jnp.where(moving, depth, backdrop.depth)
  seen = jnp.where(depth < _MISS, depth, 0.0)
  point = backdrop.camera.position[:, None] + seen * backdrop.rays
  index = jnp.where(moving, index, 0)
  point, index = _apart(once, lambda *x: x, point, index)
  normal = _apart(once, functools.partial(_normal, types, geoms), index, point)
  light = backdrop.light
  towards = -_dot(normal, backdrop.rays) * backdrop.shortness
  facing = light.headlight * jnp.maximum(towards, 0.0)
  lit = light.diffuse * jnp.maximum(-_dot(normal, light.direction), 0.0)
  if shadows:
    lifted = point + jnp.where(moving, _LIFT, 0.0) * normal
    dark = _shadowed(once, types, geoms, light, lifted)
    if casters:
      dark |= moving & _shadowed(once, casters, still, light, lifted)
  else:
    dark = jnp.zeros_like(moving)
  color = geoms.rgb.T[:, index]
  sun = jnp.where(moving, color * lit, backdrop.sun)
  return render.Traced(
    depth=depth,
    segment=jnp.where(moving, -2 - index, backdrop.segment),
    shade=jnp.where(moving, color * (light.ambient + facing), backdrop.shade),
    sun=jnp.where(dark, 0.0, sun),
  )


def _nearest(once, backdrop, types, geoms):
  """The nearest hits `[P]`: depth's bits, the last five the shape's number."""
  offset = backdrop.camera.position - geoms.position
  local = jnp.einsum("gij,gi->gj", geoms.rotation, offset)
  across = offset - local[:, 2:] * geoms.rotation[:, :, 2]
  rest = jnp.sum(across * across, axis=-1) - geoms.size[:, 0] ** 2
  parts = (local, across, rest)

  def least(depth, rays, squared):
    nearest = _pack(depth, _NONE)
    for index, kind in enumerate(types):
      shape = jax.tree.map(lambda x, i=index: x[i], (geoms, *parts))
      t = _HIT[kind](*shape, rays, squared)
      nearest = jnp.minimum(nearest, _pack(t, index))
    return nearest

  return _apart(once, least, backdrop.depth, backdrop.rays, backdrop.squared)


def _apart(once, function, *arrays):
  """`function` of arrays `[..., P]`, computed once and for itself.

  XLA on a CPU fuses what is computed here into every place that uses it,
  barriers or not, and computes it there again; a loop it leaves alone.
  """
  if jax.default_backend() != "cpu":
    return jax.lax.optimization_barrier(function(*arrays))
  like = jax.eval_shape(function, *arrays)
  nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
  _, out = jax.lax.while_loop(
    lambda state: state[0] < once,
    lambda state: (state[0] + 1, function(*arrays)),
    (0, nothing),
  )
  return out


def _pack(depth, index):
  """Depths `[P]` and a shape's number as integers that sort by depth."""
  bits = jax.lax.bitcast_convert_type(depth, jnp.int32)
  return (bits & ~_NONE) | index


def _normal(types, geoms, index, point):
  """Unit normals `[3, P]` of the shapes `index` `[P]` at `point` `[3, P]`."""
  kind = jnp.asarray(types, jnp.int32)[index]
  size = geoms.size.T[:, index]
  x, z = (
    geoms.rotation[:, :, 0].T[:, index],
    geoms.rotation[:, :, 2].T[:, index],
  )
  y = [z[i - 2] * x[i - 1] - z[i - 1] * x[i - 2] for i in range(3)]
  offset = point - geoms.position.T[:, index]
  at = [_dot(offset, axis) for axis in (x, y, z)]
  end = jnp.clip(at[2], -size[1], size[1])
  on_cap = (kind == geometry.CYLINDER) & (jnp.abs(at[2]) > size[1] - 1e-4)
  round_ = [
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
  normal = [jnp.where(box, f, r) for f, r in zip(flat, round_, strict=True)]
  scale = jax.lax.rsqrt(sum(n * n for n in normal) + _TINY)
  return jnp.stack([n * scale for n in normal])


def _dot(vectors, other):
  """Scalar products `[P]` of `[3, P]` and `[3]` or `[3, P]`, elementwise."""
  return sum(vectors[i] * other[i] for i in range(3))


def _tube(shape, local, across, rest, rays, squared):
  """Rays against the endless cylinder about the shape's z.

  Returns:
    The rays along z `[P]`, and a, b, c of a t^2 + 2 b t + c, which is the
    squared distance from the axis at t, less the squared radius.
  """
  along = _dot(rays, shape.rotation[:, 2])
  a = jnp.maximum(squared - along * along, _TINY)
  return along, a, _dot(rays, across), rest


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
  return jnp.where(hit, t, _MISS)


def _cylinder(shape, local, across, rest, rays, squared):
  along, a, b, c = _tube(shape, local, across, rest, rays, squared)
  found = b * b - a * c
  side = (-b - jnp.sqrt(jnp.maximum(found, 0.0))) / a
  start, half = local[2], shape.size[1]
  on_side = (found > 0) & (jnp.abs(start + side * along) <= half) & (side > 0)
  facing = jnp.where(along < 0, half, -half)
  cap = (facing - start) / jnp.where(jnp.abs(along) < 1e-9, 1e-9, along)
  on_cap = (c + cap * (2 * b + cap * a) <= 0) & (cap > 0)
  return jnp.where(on_cap, cap, jnp.where(on_side, side, _MISS))


def _box(shape, local, across, rest, rays, squared):
  del across, rest, squared
  entry, leave = -_MISS, _MISS
  for i in range(3):
    speed = _dot(rays, shape.rotation[:, i])
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-9, 1e-9, speed)
    middle, half = -local[i] * inverse, shape.size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return jnp.where((entry <= leave) & (entry > 0), entry, _MISS)


def _shadowed(once, types, geoms, light, point):
  """Whether a shape stands between each `point` `[3, P]` and the light."""
  frame = _across(light.direction)
  geoms = jax.tree.map(jnp.asarray, geoms)
  # Across and along the light: the shapes' frames and centers, the points.
  axes = jnp.einsum("ai,gij->gja", frame, geoms.rotation)
  centers = geoms.position @ frame.T
  flat = jnp.stack([_dot(point, axis) for axis in frame])

  def blocked(flat):
    dark = jnp.zeros(flat.shape[1:], bool)
    for index, kind in enumerate(types):
      offset = [flat[i] - centers[index, i] for i in range(3)]
      dark |= _SHADOW[kind](geoms.size[index], axes[index], offset)
    return dark

  return _apart(once, blocked, flat)


def _across(direction):
  """Rows: two unit vectors across a unit vector not along x, and itself."""
  one = jnp.cross(direction, jnp.array([1.0, 0.0, 0.0]))
  one = one / jnp.linalg.norm(one)
  return jnp.stack([one, jnp.cross(direction, one), direction])


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
  start = _dot(offset, axes[2])
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
  entry, leave = -_MISS, _MISS
  for i in range(3):
    speed = -axes[i, 2]
    inverse = 1.0 / jnp.where(jnp.abs(speed) < 1e-6, 1e-6, speed)
    middle = -_dot(offset, axes[i] * inverse)
    half = size[i] * jnp.abs(inverse)
    entry = jnp.maximum(entry, middle - half)
    leave = jnp.minimum(leave, middle + half)
  return (entry <= leave) & (entry > 0)


_HIT = {
  geometry.CAPSULE: _capsule,
  geometry.CYLINDER: _cylinder,
  geometry.BOX: _box,
}
_SHADOW = {
  geometry.CAPSULE: _capsule_shadow,
  geometry.CYLINDER: _cylinder_shadow,
  geometry.BOX: _box_shadow,
}

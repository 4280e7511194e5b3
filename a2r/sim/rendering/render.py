"""Analytic ray caster: MuJoCo's primitive shapes to pixels, in pure JAX.

Every ray is intersected with every shape; the nearest hit is shaded with an
ambient term, a headlight and one directional light with hard shadows. There is
no graphics library and no callback, so pictures are made inside any jitted
program on any XLA device. Letters as in `geometry`.
"""

import flax
import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.rendering import geometry, shapes

SHININESS = 32


@flax.struct.dataclass
class RenderOutput:
  """One picture.

  Attributes:
    image: `[H, W, 3]` uint8.
    depth: `[H, W]` meters along the viewing axis, 1e10 where nothing is hit.
    segment: `[H, W]` int32 index of the geom, -1 where nothing is hit.
  """

  image: jax.Array
  depth: jax.Array
  segment: jax.Array


@flax.struct.dataclass
class Traced:
  """What the rays of a picture meet.

  Attributes:
    depth: `[P]` as in `RenderOutput`.
    segment: `[P]` likewise.
    shade: `[3, P]` color without the directional light.
    sun: `[3, P]` what that light adds.
  """

  depth: jax.Array
  segment: jax.Array
  shade: jax.Array
  sun: jax.Array


def render(
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  camera: geometry.Camera,
  light: geometry.Light,
  *,
  height: int,
  width: int,
  shadows: bool = True,
) -> RenderOutput:
  """One picture of the scene, unbatched (use `jax.vmap`).

  Args:
    types: static geom types, MuJoCo's numbers, in ascending order.
    geoms: shapes, `[G, ...]`.
    camera: where the picture is taken from.
    light: lights and sky.
    height: pixels.
    width: pixels.
    shadows: whether the directional light casts shadows (a second pass).

  Raises:
    ValueError: if `types` is unsorted, unknown or not one per geom.
  """
  traced = trace(
    types, geoms, camera, light, height=height, width=width, shadows=shadows
  )
  return develop(traced, height, width)


def develop(traced: Traced, height: int, width: int) -> RenderOutput:
  """The picture of what was traced."""
  return RenderOutput(
    image=develop_image(traced).reshape(height, width, 3),
    depth=traced.depth.reshape(height, width),
    segment=traced.segment.reshape(height, width),
  )


def develop_image(traced: Traced) -> jax.Array:
  """Its colors, uint8 `[..., P, 3]`."""
  color = jnp.clip(traced.shade + traced.sun, 0.0, 1.0)
  return jnp.moveaxis(jnp.round(color * 255.0).astype(jnp.uint8), 0, -1)


def trace(
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  camera: geometry.Camera,
  light: geometry.Light,
  *,
  height: int,
  width: int,
  shadows: bool = True,
) -> Traced:
  """What the camera's rays meet; arguments as in `render`."""
  _check_types(types, geoms.position.shape[0])
  rays = camera_rays(height, width, camera.fovy)
  offset = jnp.einsum(
    "gij,gi->gj", geoms.rotation, camera.position - geoms.position
  )
  turn = jnp.einsum("gij,ik->gjk", geoms.rotation, camera.rotation)
  depth, segment = _nearest(types, geoms.size, offset, turn, rays)
  hit = segment >= 0
  index = jnp.maximum(segment, 0)
  direction = jnp.einsum("ij,jp->ip", camera.rotation, rays)
  point = camera.position[:, None] + jnp.where(hit, depth, 0.0) * direction
  local, normal = _surface(types, geoms, index, point)
  view = -direction / jnp.linalg.norm(direction, axis=0)
  lit = jnp.maximum(-(light.direction @ normal), 0.0)
  gleam = jnp.zeros_like(lit)
  if geoms.shine is not None:
    gleam = highlight(light, normal, view) * geoms.shine[index]
  if shadows:
    dark = _shadowed(types, geoms, light, point + 1e-3 * normal)
    lit, gleam = jnp.where(dark, 0.0, jnp.stack([lit, gleam]))
  facing = jnp.maximum(jnp.sum(normal * view, axis=0), 0.0)
  shade = light.ambient + light.headlight * facing
  grain = 1.0 + geoms.pattern[index] * _grain(local)
  color = geoms.rgb.T[:, index] * grain
  return Traced(
    depth=depth,
    segment=segment,
    shade=jnp.where(hit, color * shade, light.sky[:, None]),
    sun=jnp.where(hit, color * light.diffuse * lit + gleam, 0.0),
  )


def highlight(light: geometry.Light, normal, view):
  """The light's reflection at full shine, `[...]`; Blinn's half-way vector.

  Args:
    light: the light.
    normal, view: unit vectors from the surface, components first.
  """
  half = [view[i] - light.direction[i] for i in range(3)]
  length = sum(h * h for h in half)
  along = sum(h * n for h, n in zip(half, normal, strict=True))
  share = jnp.maximum(along, 0.0) * jax.lax.rsqrt(length + 1e-9)
  return light.specular * share**SHININESS


def _check_types(types, num_geoms):
  if len(types) != num_geoms:
    raise ValueError(f"{len(types)} geom types for {num_geoms} geoms")
  unknown = sorted(set(types) - set(shapes.INTERSECT))
  if unknown:
    raise ValueError(
      f"cannot draw geom types {unknown}; known: {sorted(shapes.INTERSECT)}"
    )
  if list(types) != sorted(types):
    raise ValueError(f"geom types must be in ascending order, got {types}")


def camera_rays(height, width, fovy):
  """Directions `[3, P]` in the camera's frame, -1 along its viewing axis."""
  half = jnp.tan(jnp.deg2rad(fovy) / 2)
  y = 1.0 - 2.0 * (np.arange(height) + 0.5) / height
  x = (2.0 * (np.arange(width) + 0.5) / width - 1.0) * width / height
  x, y = np.meshgrid(x, y)
  x, y = np.float32(x.ravel()), np.float32(y.ravel())
  return jnp.stack([x * half, y * half, -jnp.ones_like(x)])


def _groups(types):
  """Runs of one type: (type, start, stop)."""
  for kind in sorted(set(types)):
    start = types.index(kind)
    yield kind, start, start + types.count(kind)


def _nearest(types, size, offset, turn, rays):
  """Depth `[P]` and geom index `[P]` of the nearest hit of each camera ray.

  Args:
    types: static geom types.
    size: `[G, 3]`.
    offset: `[G, 3]` ray origin in each geom's frame.
    turn: `[G, 3, 3]` from the camera's frame to each geom's.
    rays: `[3, P]`.
  """
  depth = jnp.full(rays.shape[1:], shapes.MISS)
  segment = jnp.full(rays.shape[1:], -1, jnp.int32)
  for kind, start, stop in _groups(types):

    def closer(carry, geom, intersect=shapes.INTERSECT[kind]):
      depth, segment = carry
      index, size, offset, turn = geom
      t = intersect(size, offset, _turned(turn, rays))
      nearer = t < depth
      return (
        jnp.where(nearer, t, depth),
        jnp.where(nearer, index, segment),
      ), None

    chosen = slice(start, stop)
    index = jnp.arange(start, stop, dtype=jnp.int32)
    (depth, segment), _ = jax.lax.scan(
      closer,
      (depth, segment),
      (index, size[chosen], offset[chosen], turn[chosen]),
      unroll=4,
    )
  return depth, segment


def _turned(matrix, vectors):
  """`matrix` `[3, 3]` times `[3, P]`, elementwise so that it fuses."""
  return [sum(matrix[i, j] * vectors[j] for j in range(3)) for i in range(3)]


def _shadowed(types, geoms, light, point):
  """Whether something stands between each `point` `[3, P]` and the light."""
  dark = jnp.zeros(point.shape[1:], bool)
  for kind, start, stop in _groups(types):
    if kind == geometry.PLANE:
      continue

    def blocked(dark, geom, intersect=shapes.INTERSECT[kind]):
      position, rotation, size = geom
      origin = _turned(rotation.T, point - position[:, None])
      towards = -(light.direction @ rotation)
      return dark | (intersect(size, origin, towards) < shapes.MISS), None

    chosen = slice(start, stop)
    dark, _ = jax.lax.scan(
      blocked,
      dark,
      (geoms.position[chosen], geoms.rotation[chosen], geoms.size[chosen]),
      unroll=4,
    )
  return dark


def _surface(types, geoms, index, point):
  """Local coordinates and world normals, both `[3, P]`, of the hit points."""
  frame = geoms.rotation.reshape(-1, 9)[index].T.reshape(3, 3, -1)
  center = geoms.position[index].T
  size = geoms.size[index].T
  kind = jnp.asarray(types)[index]
  local = jnp.einsum("ijp,ip->jp", frame, point - center)
  x, y, z = local
  zero = jnp.zeros_like(x)
  along = z - jnp.clip(z, -size[1], size[1])
  on_cap = jnp.abs(z) > size[1] - 1e-4
  share = jnp.abs(local) / jnp.maximum(size, 1e-6)
  face = jnp.sign(local) * (share >= jnp.max(share, axis=0))
  normals = {
    geometry.PLANE: jnp.stack([zero, zero, zero + 1.0]),
    geometry.SPHERE: local,
    geometry.CAPSULE: jnp.stack([x, y, along]),
    geometry.ELLIPSOID: local / jnp.maximum(size, 1e-6) ** 2,
    geometry.CYLINDER: jnp.where(
      on_cap, jnp.stack([zero, zero, z]), jnp.stack([x, y, zero])
    ),
    geometry.BOX: face,
  }
  normal = local
  for present in set(types):
    normal = jnp.where(kind == present, normals[present], normal)
  normal = jnp.einsum("ijp,jp->ip", frame, normal)
  return local, normal / (jnp.linalg.norm(normal, axis=0) + 1e-9)


def _grain(local):
  """A wood-like pattern in [-0.5, 0.5] from local coordinates `[3, P]`."""
  x, y, z = local
  wave = 38.0 * (x + z) + 2.5 * jnp.sin(7.0 * y + 3.0 * jnp.sin(5.0 * x))
  return 0.35 * jnp.sin(wave) + 0.15 * jnp.sin(2.7 * wave + 11.0 * y)

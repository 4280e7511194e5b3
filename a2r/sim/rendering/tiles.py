"""Pictures of moving shapes, each tried only where it may be; for a CPU.

The same pictures as `a2r.sim.rendering.raycast` draws, which tries every shape
in every pixel. Here pictures are cut into tiles. A shape is tried in those that
its outline may touch, and its shadow in those of which it covers something, as
the light sees them. Some pictures are drawn at a time and share their tiles: to
start on a tile takes longer than a few hundred pixels, so they should be alike,
as those of one motion are. How many tiles there are is data. So shapes that are
out of sight cost nothing, and the program is short: one loop for each type of
shape and pass.

Letters: N pictures, G shapes, P pixels, T tiles of Q pixels.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.rendering import geometry, raycast, shapes

_MOST = (24, 32)  # Pixels of a tile, down and across.
_NEAR = 1e-3  # Meters before the camera: what is nearer has no outline.
_CORNERS = np.float32(list(itertools.product((-1, 1), repeat=3)))


def draw(
  backdrop: raycast.Backdrop,
  types: tuple[int, ...],
  geoms: geometry.Geoms,
  *,
  height: int,
  width: int,
) -> raycast.Traced:
  """Draws moving shapes before the backdrop, shadows and all.

  Args:
    backdrop: from `raycast.make_backdrop`, of height * width pixels.
    types: static types of the moving shapes, alike ones together.
    geoms: the moving shapes, at most 31, plain; positions and rotations
      `[N, G, ...]`.
    height: pixels.
    width: pixels.

  Returns:
    As `raycast.draw` does, `[N, P]`.
  """
  view = raycast.make_view(backdrop)
  placed = shapes.place(geoms, view.origin)
  size = height, width
  rays, squared, shortness, behind = jax.tree.map(
    lambda x: _to_tiles(x, *size),
    (backdrop.rays, backdrop.squared, backdrop.shortness, backdrop.traced),
  )
  grid = (len(geoms.position), *squared.shape)
  corners = _corners(types, geoms)
  in_sight = _in_sight(backdrop.camera, corners, *size)

  def hit(kind, g, at, hits):
    t = shapes.HIT[kind](placed.at(g), rays[:, at], squared[at])
    nearest = jnp.minimum(hits[:, at], raycast.pack(t, g))
    return jax.lax.dynamic_update_index_in_dim(hits, nearest, at, 1)

  hits = raycast.pack(behind.depth, raycast.NONE)
  hits = _each(types, in_sight, hit, jnp.broadcast_to(hits, grid))
  index, depth = hits & raycast.NONE, raycast.unpack_depth(hits)
  front = (index < raycast.NONE) & (depth < 0.5 * shapes.MISS)
  index = jnp.where(front, index, -1)
  depth = jnp.where(front, depth, behind.depth)

  def look(kind, g, at, looks):
    """Writes the normals and the color where the shape is seen."""
    shape = jax.tree.map(lambda x: x[..., None, :], placed.at(g))
    point = [view.origin[i] + depth[:, at] * rays[i, at] for i in range(3)]
    normal, scale, _ = shapes.normal(
      (kind,),
      shape,
      point,
      lambda values, _: values[..., 0, :],
      lambda kinds: jnp.asarray(kind in kinds),
    )
    mine = index[:, at] == g
    rgb = (jnp.broadcast_to(c, mine.shape) for c in geoms.rgb[g])
    seen = jnp.stack([*(n * scale for n in normal), *rgb])
    seen = jnp.where(mine, seen, looks[:, :, at])
    return jax.lax.dynamic_update_index_in_dim(looks, seen, at, 2)

  looks = _each(types, in_sight, look, jnp.zeros((6, *grid)))
  normal, rgb = looks[:3], looks[3:]
  reached = jnp.where(depth < shapes.MISS, depth, 0.0)
  lift = jnp.where(front, raycast.LIFT, 0.0)
  lifted = [
    view.origin[i] + reached * rays[i] + lift * normal[i] for i in range(3)
  ]
  flat = jnp.stack([shapes.dot(lifted, axis) for axis in view.sun])
  axes, centers = raycast.to_light(view, placed)

  def shade(kind, g, at, dark):
    offset = [flat[i, :, at] - centers[i, :, g] for i in range(3)]
    darker = shapes.SHADOW[kind](placed.size[:, g], axes[..., g, :], offset)
    darker |= dark[:, at]
    return jax.lax.dynamic_update_index_in_dim(dark, darker, at, 1)

  in_shade = _in_shade(view, corners, flat)
  dark = _each(types, in_shade, shade, jnp.zeros(grid, bool))
  light = backdrop.light
  towards = -shapes.dot(normal, rays) * shortness
  facing = light.headlight * jnp.maximum(towards, 0.0)
  lit = jnp.maximum(-shapes.dot(normal, light.direction), 0.0)
  sun = jnp.where(front, rgb * (light.diffuse * lit), behind.sun[:, None])
  shade = rgb * (light.ambient + facing)
  traced = raycast.Traced(
    depth=depth,
    segment=jnp.where(front, -2 - index, behind.segment),
    shade=jnp.where(front, shade, behind.shade[:, None]),
    sun=jnp.where(dark, 0.0, sun),
  )
  return jax.tree.map(lambda x: _from_tiles(x, *size), traced)


def _tile(height, width):
  """Pixels of a tile, down and across: the most that divide the picture."""
  return (
    max(n for n in range(1, most + 1) if size % n == 0)
    for size, most in zip((height, width), _MOST, strict=True)
  )


def _to_tiles(x, height, width):
  """Pixels `[..., P]` as tiles `[..., T, Q]`."""
  tall, wide = _tile(height, width)
  x = x.reshape(*x.shape[:-1], height // tall, tall, width // wide, wide)
  return x.swapaxes(-3, -2).reshape(*x.shape[:-4], -1, tall * wide)


def _from_tiles(x, height, width):
  """Tiles `[..., T, Q]` as pixels `[..., P]`."""
  tall, wide = _tile(height, width)
  x = x.reshape(*x.shape[:-2], height // tall, width // wide, tall, wide)
  return x.swapaxes(-3, -2).reshape(*x.shape[:-4], height * width)


def _corners(types, geoms):
  """The corners `[N, G, 8, 3]` of the boxes around the shapes."""
  kinds = np.array(types)[:, None]
  radius, half = geoms.size[:, :1], geoms.size[:, 1:2]
  half = half + np.where(kinds == geometry.CAPSULE, 1.0, 0.0) * radius
  tube = jnp.concatenate([radius, radius, half], axis=1)
  half = jnp.where(kinds == geometry.BOX, geoms.size, tube)
  local = half[:, None] * _CORNERS
  turned = jnp.einsum("ngij,gcj->ngci", geoms.rotation, local)
  return geoms.position[..., None, :] + turned


def _in_sight(camera, corners, height, width):
  """In which tiles shapes may be seen, bool `[G, T]`."""
  local = jnp.einsum(
    "ngci,ij->ngcj", corners - camera.position, camera.rotation
  )
  ahead = -local[..., 2]
  scale = height / 2 / jnp.tan(jnp.deg2rad(camera.fovy) / 2)
  away = scale / jnp.maximum(ahead, _NEAR)
  near = ahead.min(axis=2) < _NEAR  # It may be anywhere.
  inside = []
  tall, wide = _tile(height, width)
  for place, most, tile in (
    (height / 2 - local[..., 1] * away, height, tall),
    (width / 2 + local[..., 0] * away, width, wide),
  ):
    start = np.arange(0, most, tile)
    low, high = (x[..., None] for x in (place.min(axis=2), place.max(axis=2)))
    inside.append((low < start + tile + 1) & (high > start - 1))
  inside = inside[0][..., :, None] & inside[1][..., None, :]
  inside = inside.reshape(*near.shape, -1) | near[..., None]
  return (inside & (ahead.max(axis=2) > _NEAR)[..., None]).any(axis=0)


def _in_shade(view, corners, flat):
  """In which tiles shapes may throw shadows, bool `[G, T]`.

  Args:
    view: its light.
    corners: `[N, G, 8, 3]`.
    flat: `[3, N, T, Q]` what is seen, across and along the light.
  """
  corners = jnp.einsum("jik,ngci->jngc", view.sun, corners)
  shape = corners.min(axis=-1)[..., None], corners.max(axis=-1)[..., None]
  tile = flat.min(axis=-1)[:, :, None], flat.max(axis=-1)[:, :, None]
  over = shape[0] < tile[1] + _NEAR
  over &= (shape[1] > tile[0] - _NEAR).at[2].set(True)
  return over.all(axis=0).any(axis=0)


def _each(types, tiles, body, state):
  """Folds `state = body(kind, g, tile, state)` over shapes and their tiles."""
  numbers, counts = jnp.argsort(~tiles, axis=1), tiles.sum(axis=1)
  for kind, group in itertools.groupby(range(len(types)), lambda g: types[g]):
    rows = list(group)

    def shape(g, state, kind=kind):
      return jax.lax.fori_loop(
        0, counts[g], lambda n, x: body(kind, g, numbers[g, n], x), state
      )

    state = jax.lax.fori_loop(rows[0], rows[-1] + 1, shape, state)
  return state

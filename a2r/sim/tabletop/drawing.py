"""States to pictures: joint positions, poses of the shapes, rendered frames.

What stands still in an environment is drawn once, the rest over it; see
`a2r.sim.rendering.raycast`. Letters: B batch, T frames, G moving shapes, H W
image.
"""

import functools
from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.rendering import geometry, raycast
from a2r.sim.tabletop import physics, scene, variants
from a2r.sim.tabletop.engines import c_engine

# Still things whose shadows fall on moving ones: the drawer's case on what is
# in it, the coffee machine on what stands behind it.
_CASTERS = ("drawer", "coffee")
# Pictures drawn at a time: on a CPU, more do not fit its caches.
_CHUNKS = {"cpu": 8}
_CHUNK = 512  # Elsewhere.
_CALL = 64  # Pictures of one call of `draw_frames`.


class VisibleGeoms(NamedTuple):
  """Which shapes are drawn; the same in all environments."""

  moving: np.ndarray  # Rows in the model, ascending by type.
  still: np.ndarray  # Likewise.
  casters: np.ndarray  # Likewise.
  types: tuple[int, ...]  # Of the moving, static.
  still_types: tuple[int, ...]  # Of the still.
  caster_types: tuple[int, ...]  # Of the casters.


@flax.struct.dataclass
class Scenery:
  """What is drawn of one environment at one size: everything but the poses."""

  backdrop: raycast.Backdrop  # All that stands still.
  size: jax.Array  # `[G, 3]` of the moving shapes, as in `geometry.Geoms`.
  rgb: jax.Array  # `[G, 3]` likewise.
  shine: jax.Array  # `[G]` likewise.
  casters: geometry.Geoms  # The still shapes that throw shadows on moving ones.
  image_size: int = flax.struct.field(pytree_node=False)  # H = W in pixels.
  samples: int = flax.struct.field(pytree_node=False)  # Rays a pixel, each way.


@functools.cache
def visible_geoms() -> VisibleGeoms:
  """Returns which shapes of the tabletop are drawn."""
  model = scene.make_model()
  rows = np.flatnonzero(model.geom_group != scene.HIDDEN_GROUP)
  rows = rows[np.argsort(model.geom_type[rows], kind="stable")]
  moves = model.body_weldid[model.geom_bodyid[rows]] != 0
  casts = [variants.geom_role(model, row) in _CASTERS for row in rows]
  groups = rows[moves], rows[~moves], rows[~moves & np.array(casts)]
  return VisibleGeoms(
    *groups, *(tuple(map(int, model.geom_type[group])) for group in groups)
  )


@functools.cache
def make_scenery(
  model: physics.Model, image_size: int, samples: int = 1
) -> Scenery:
  """Draws the backdrop of an environment, once for each size.

  Args:
    model: the environment, from `physics.load`.
    image_size: H = W in pixels.
    samples: rays per pixel in each direction.
  """
  visible = visible_geoms()
  with jax.ensure_compile_time_eval():
    backdrop = _make_backdrop(
      visible.still_types,
      _still_geoms(model.mj, visible.still),
      variants.make_camera(model.variant),
      variants.make_light(model.mj),
      image_size * samples,
    )
    moving = _still_geoms(model.mj, visible.moving)
    return Scenery(
      backdrop=backdrop,
      size=moving.size,
      rgb=moving.rgb,
      shine=moving.shine,
      casters=_still_geoms(model.mj, visible.casters),
      image_size=image_size,
      samples=samples,
    )


def trace(scenery: Scenery, position, rotation) -> raycast.Traced:
  """Traces moving shapes at `[..., G, 3]`, `[..., G, 3, 3]`.

  Segments are rows of the model's geoms, -1 where nothing is hit.
  """
  visible = visible_geoms()
  geoms = geometry.Geoms(
    jnp.asarray(position),
    jnp.asarray(rotation),
    scenery.size,
    scenery.rgb,
    shine=scenery.shine,
  )
  traced = raycast.draw(
    scenery.backdrop,
    visible.types,
    geoms,
    visible.caster_types,
    scenery.casters,
  )
  rows = np.concatenate([[-1], visible.still, visible.moving[::-1]])
  # Still shapes are 0, 1, ..., none is -1, moving shape g is -2 - g.
  segment = jnp.asarray(rows, jnp.int32)[traced.segment + 1]
  return traced.replace(segment=segment)


def draw(scenery: Scenery, position, rotation) -> jax.Array:
  """Draws pictures; pure; batch dimensions `...` or none.

  Args:
    scenery: all but the poses.
    position: `[..., G, 3]` centers of the moving shapes.
    rotation: `[..., G, 3, 3]` their rotations.

  Returns:
    uint8 `[..., H, W, 3]`, stored as DVD stores it (flipped top to bottom).
  """
  color = trace(scenery, position, rotation).color
  size = (scenery.image_size, scenery.samples) * 2
  color = color.reshape(*color.shape[:-1], *size).mean(axis=(-3, -1))
  image = jnp.round(color * 255.0).astype(jnp.uint8)
  return jnp.flip(jnp.moveaxis(image, 0, -1), axis=-3)


@jax.jit
def draw_many(scenery: Scenery, position, rotation) -> jax.Array:
  """Draws `[N, G, ...]`, as many at a time as suits the device."""
  size = min(_CHUNKS.get(jax.default_backend(), _CHUNK), len(position))
  chunks = -(-len(position) // size)
  rows = np.arange(chunks * size).clip(max=len(position) - 1)
  poses = (jnp.asarray(x)[rows] for x in (position, rotation))
  poses = tuple(x.reshape(chunks, size, *x.shape[1:]) for x in poses)
  images = jax.lax.map(lambda pose: draw(scenery, *pose), poses)
  return images.reshape(-1, *images.shape[2:])[: len(position)]


@jax.jit
def draw_mjx(scenery: Scenery, fixtures, qpos) -> jax.Array:
  """Draws joint positions `[N, nq]`, where the `fixtures` are, by MJX."""
  ids = visible_geoms().moving
  poses = jax.vmap(lambda x: physics.geom_poses_mjx(fixtures, x, ids))(qpos)
  return draw_many(scenery, *poses)


def draw_frames(
  model: physics.Model,
  qpos: np.ndarray,
  *,
  image_size: int,
  samples: int = 1,
) -> np.ndarray:
  """Draws many states.

  Args:
    model: the environment, from `physics.load`.
    qpos: `[..., nq]` joint positions.
    image_size: H = W in pixels.
    samples: rays per pixel in each direction, averaged.

  Returns:
    uint8 `[..., H, W, 3]`.
  """
  qpos = np.asarray(qpos)
  flat = qpos.reshape(-1, qpos.shape[-1])
  num_frames = len(flat)
  images = np.empty((num_frames, image_size, image_size, 3), np.uint8)
  scenery = make_scenery(model, image_size, samples)
  for start in range(0, num_frames, _CALL):
    rows = np.arange(start, start + _CALL).clip(max=num_frames - 1)
    poses = c_engine.geom_poses(model.mj, flat[rows], visible_geoms().moving)
    drawn = draw_many(scenery, *poses)
    images[start : start + _CALL] = drawn[: num_frames - start]
  return images.reshape(*qpos.shape[:-1], image_size, image_size, 3)


def _still_geoms(model, rows) -> geometry.Geoms:
  """Shapes `rows` of the model before anything has moved."""
  (position,), (rotation,) = c_engine.geom_poses(
    model, np.float64(model.qpos0)[None], rows
  )
  columns = (
    position,
    rotation,
    model.geom_size[rows],
    model.geom_rgba[rows, :3],
    [variants.geom_pattern(model, row) for row in rows],
    [variants.geom_shine(model, row) for row in rows],
  )
  return geometry.Geoms(*(jnp.asarray(x, jnp.float32) for x in columns))


@functools.partial(jax.jit, static_argnums=(0, 4))
def _make_backdrop(types, geoms, camera, light, pixels):
  return raycast.make_backdrop(
    types, geoms, camera, light, height=pixels, width=pixels
  )

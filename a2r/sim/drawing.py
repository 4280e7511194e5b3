"""States to pictures: joint positions, poses of the shapes, rendered frames.

Letters: B batch, T frames, G drawn geoms, H W image.
"""

import functools

import jax
import mujoco
import numpy as np

from a2r.sim import c_engine, geometry, render, scene, variants

# Frames rendered by one call of the compiled renderer.
_CHUNKS = {"cpu": 32}
_CHUNK = 512  # Elsewhere.


class Look:
  """What is drawn of one environment: everything but the poses.

  Attributes:
    types: static geom types in ascending order.
    geom_ids: `[G]` rows of the drawn geoms in the model.
    size, rgb, pattern: as in `geometry.Geoms`.
    camera, light: as the renderer takes them.
  """

  def __init__(self, variant: variants.Variant, model: mujoco.MjModel):
    drawn = np.flatnonzero(model.geom_group != scene.HIDDEN_GROUP)
    order = np.argsort(model.geom_type[drawn], kind="stable")
    self.geom_ids = drawn[order]
    self.types = tuple(int(kind) for kind in model.geom_type[self.geom_ids])
    self.size = np.float32(model.geom_size[self.geom_ids])
    self.rgb = np.float32(model.geom_rgba[self.geom_ids, :3])
    self.pattern = np.float32(
      [variants.geom_pattern(model, index) for index in self.geom_ids]
    )
    self.camera = variants.make_camera(variant)
    self.light = variants.make_light(model)

  def draw(self, position, rotation, *, image_size: int) -> jax.Array:
    """One picture, pure and unbatched.

    Args:
      position: `[G, 3]` centers of the drawn geoms.
      rotation: `[G, 3, 3]` their rotations.
      image_size: H = W in pixels.

    Returns:
      uint8 `[H, W, 3]`, stored as DVD stores it (flipped top to bottom).
    """
    geoms = geometry.Geoms(
      position, rotation, self.size, self.rgb, self.pattern
    )
    return _draw_one(self.types, geoms, self.camera, self.light, image_size)


def draw_frames(
  look: Look, model: mujoco.MjModel, qpos: np.ndarray, *, image_size: int
) -> np.ndarray:
  """Pictures of many states.

  Args:
    look: what is drawn.
    model: the model that `qpos` belongs to.
    qpos: `[..., nq]` joint positions.
    image_size: H = W in pixels.

  Returns:
    uint8 `[..., H, W, 3]`.
  """
  qpos = np.asarray(qpos)
  flat = qpos.reshape(-1, qpos.shape[-1])
  num_frames = len(flat)
  images = np.empty((num_frames, image_size, image_size, 3), np.uint8)
  chunk_size = _CHUNKS.get(jax.default_backend(), _CHUNK)
  for start in range(0, num_frames, chunk_size):
    rows = np.arange(start, start + chunk_size).clip(max=num_frames - 1)
    position, rotation = c_engine.geom_poses(model, flat[rows], look.geom_ids)
    chunk = _draw_chunk(
      look.types,
      geometry.Geoms(position, rotation, look.size, look.rgb, look.pattern),
      look.camera,
      look.light,
      image_size,
    )
    images[start : start + chunk_size] = chunk[: num_frames - start]
  return images.reshape(*qpos.shape[:-1], image_size, image_size, 3)


def _draw(types, geoms, camera, light, image_size):
  picture = render.render(
    types, geoms, camera, light, height=image_size, width=image_size
  )
  return picture.image[::-1]


_draw_one = jax.jit(_draw, static_argnums=(0, 4))


@functools.partial(jax.jit, static_argnums=(0, 4))
def _draw_chunk(types, geoms, camera, light, image_size):
  def draw(position, rotation):
    moved = geoms.replace(position=position, rotation=rotation)
    return _draw(types, moved, camera, light, image_size)

  return jax.vmap(draw)(geoms.position, geoms.rotation)

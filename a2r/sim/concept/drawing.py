"""Pictures of the table, by the project's ray caster.

Floor and table stand still and are drawn once for each view; robot and things
are drawn over them. Every scene fills the same slots, so that one compiled
program draws them all; what a scene lacks is far below the floor.

Letters: N pictures, G slots, H W image.
"""

import functools
import os
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.core import batching
from a2r.sim.concept import scene as scene_lib
from a2r.sim.concept import views
from a2r.sim.rendering import geometry, material, raycast, tiles

HEIGHT, WIDTH = 120, 160
# Slots by type; the robot takes 2, 11 and 5 of them.
_SLOTS = {geometry.CYLINDER: 3, geometry.CAPSULE: 12, geometry.BOX: 16}
_TYPES = tuple(kind for kind, count in _SLOTS.items() for _ in range(count))
STILL = ("floor/plane", "table/top")
_STILL_TYPES = (geometry.PLANE, geometry.BOX)
STILL_RGB = ((0.40, 0.42, 0.44), (0.62, 0.47, 0.33))
_STILL_GRAIN = (0.0, 0.25)
_HIDDEN_GROUP = 4
_NOWHERE = (0.0, 0.0, -100.0)
_CALL = 64  # Pictures of one call, at most.
_CHUNK = {"cpu": 8}  # Pictures at a time; more do not fit a CPU's caches.
LIGHT = material.Light(
  direction=np.float32([0.35, 0.25, -1.0]) / np.float32(np.sqrt(1.185)),
  ambient=np.float32(0.45),
  headlight=np.float32(0.25),
  diffuse=np.float32(0.45),
  sky=np.float32([0.5, 0.5, 0.5]),
)


class Slots(NamedTuple):
  """What a scene has in the slots."""

  rows: np.ndarray  # `[G]` of its model's geoms, -1 for none.
  size: np.ndarray  # `[G, 3]`.
  rgb: np.ndarray  # `[G, 3]`.


@functools.cache
def make_slots(scene: scene_lib.Scene) -> Slots:
  """Fills the slots with what is drawn of a scene.

  Raises:
    ValueError: the scene has more of a type than there are slots.
  """
  model, rows = scene.model, []
  names = [model.geom(row).name for row in range(model.ngeom)]
  for kind, count in _SLOTS.items():
    found = [
      row
      for row in np.flatnonzero(model.geom_type == kind)
      if names[row] not in STILL and model.geom_group[row] != _HIDDEN_GROUP
    ]
    if len(found) > count:
      raise ValueError(
        f"{len(found)} {mujoco.mjtGeom(kind).name} to draw, at most {count}"
      )
    rows += [*found, *[-1] * (count - len(found))]
  rows = np.array(rows)
  size = np.where(rows[:, None] < 0, 1e-3, model.geom_size[rows])
  return Slots(rows, np.float32(size), np.float32(model.geom_rgba[rows, :3]))


@functools.cache
def make_backdrop(view: str, height: int, width: int) -> raycast.Backdrop:
  """Draws floor and table."""
  with jax.ensure_compile_time_eval():
    camera = views.make_camera(view, width / height)
    return _make_backdrop(camera, height, width)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _make_backdrop(camera, height, width):
  geoms = geometry.Geoms(
    position=jnp.array([(0.0, 0.0, 0.0), (0.42, 0.0, scene_lib.TABLE - 0.015)]),
    rotation=jnp.broadcast_to(jnp.eye(3), (2, 3, 3)),
    size=jnp.array([(10.0, 10.0, 0.01), (0.3, 0.45, 0.015)]),
    rgb=jnp.array(STILL_RGB),
    pattern=jnp.array(_STILL_GRAIN),
  )
  return raycast.make_backdrop(
    _STILL_TYPES, geoms, camera, LIGHT, height=height, width=width
  )


def draw(
  scene: scene_lib.Scene,
  position: np.ndarray,
  rotation: np.ndarray,
  *,
  view: str = "first",
  height: int = HEIGHT,
  width: int = WIDTH,
) -> np.ndarray:
  """Draws pictures.

  Args:
    scene: of the shapes.
    position: `[N, ngeom, 3]` of all geoms of its model, meters.
    rotation: `[N, ngeom, 3, 3]`.
    view: one of `views.VIEWS`.
    height: H.
    width: W.

  Returns:
    uint8 `[N, H, W, 3]`, upright.
  """

  def draw_some(rows):
    *poses, number = rows
    num = number[-1] - number[0] + 1  # Without what fills the call up.
    inputs = _inputs(scene, *poses, view, height, width)
    return _draw(*inputs, num, height, width).reshape(-1, height, width, 3)

  return batching.map_chunks(
    draw_some,
    (_CALL,),
    (position, rotation, np.arange(len(position))),
    num_threads=len(os.sched_getaffinity(0)),
  )


def trace(
  scene: scene_lib.Scene,
  position: np.ndarray,
  rotation: np.ndarray,
  *,
  view: str = "first",
) -> raycast.Traced:
  """Traces pictures of the usual size.

  Args:
    scene, position, rotation, view: as for `draw`.

  Returns:
    What is seen, `[N, H * W]`; segments are rows of the model's geoms.
  """
  size = HEIGHT, WIDTH
  traced = _trace(*_inputs(scene, position, rotation, view, *size), *size)
  still = [scene.model.geom(name).id for name in STILL]
  # Still shapes are 0 and 1, none is -1, slot g is -2 - g.
  rows = np.array([-1, *still, *make_slots(scene).rows[::-1]])
  return traced.replace(segment=rows[np.asarray(traced.segment) + 1])


def _inputs(scene, position, rotation, view, height, width):
  """What the compiled programs take."""
  slots = make_slots(scene)
  at = np.where((slots.rows < 0)[:, None], _NOWHERE, position[:, slots.rows])
  poses = np.float32(at), np.float32(rotation[:, slots.rows])
  return make_backdrop(view, height, width), slots.size, slots.rgb, *poses


@functools.partial(jax.jit, static_argnums=(5, 6))
def _trace(backdrop, size, rgb, position, rotation, height, width):
  """Traces `[N, G, ...]`, by the way that suits the device."""
  geoms = geometry.Geoms(position, rotation, size, rgb)
  if jax.default_backend() == "cpu":
    return tiles.draw(backdrop, _TYPES, geoms, height=height, width=width)
  return raycast.draw(backdrop, _TYPES, geoms)


@functools.partial(jax.jit, static_argnums=(6, 7))
def _draw(backdrop, size, rgb, position, rotation, num, height, width):
  """Draws the first `num` of `[N, G, ...]`, uint8 `[N, H * W, 3]`.

  One program for any number: no picture depends on how many there are.
  """
  chunk = _CHUNK.get(jax.default_backend(), _CALL)

  def draw_chunk(index, images):
    poses = [
      jax.lax.dynamic_slice_in_dim(x, index * chunk, chunk)
      for x in (position, rotation)
    ]
    color = _trace(backdrop, size, rgb, *poses, height, width).color
    chunk_images = jnp.round(color * 255.0).astype(jnp.uint8)
    return jax.lax.dynamic_update_slice_in_dim(
      images, jnp.moveaxis(chunk_images, 0, -1), index * chunk, axis=0
    )

  images = jnp.zeros((len(position), height * width, 3), jnp.uint8)
  return jax.lax.fori_loop(0, -(-num // chunk), draw_chunk, images)

"""Known pictures; and moving shapes over a backdrop as if all stood still.

G moving shapes, S pictures.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material, raycast
from a2r.sim.tabletop import drawing, physics, variants
from a2r.sim.tabletop.engines import c_engine

_SIZE = 40
_SLANTED = np.array([1.0, 0.0, -1.0]) / np.sqrt(2)  # Shadows fall to +x.
_LIGHT = material.Light(
  direction=jnp.array(_SLANTED, jnp.float32),
  ambient=jnp.array(0.2),
  headlight=jnp.array(0.3),
  diffuse=jnp.array(0.5),
  sky=jnp.array([0.0, 0.0, 1.0]),
  specular=jnp.array(0.4),
)
_DOWN = material.Light(
  direction=jnp.array([0.0, 0.0, -1.0]),
  ambient=jnp.array(0.2),
  headlight=jnp.array(0.0),
  diffuse=jnp.array(0.8),
  sky=jnp.array([0.0, 0.0, 1.0]),
)
_FLOOR = (geometry.PLANE, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
_AWAY = (0.0, 0.0, -50.0)  # Below the floor: neither seen nor in the sun.
_KINDS = (
  (geometry.CAPSULE, (0.1, 0.25, 0.0)),
  (geometry.CYLINDER, (0.15, 0.2, 0.0)),
  (geometry.BOX, (0.1, 0.2, 0.3)),
)
# Along the view (an end, a cap), across it (a side), and neither.
_ROTATIONS = jnp.stack(
  [
    jnp.eye(3),
    geometry.align_z(jnp.array([1.0, 0.0, 0.0])),
    geometry.align_z(jnp.array([0.0, 1.0, 0.0])),
    geometry.rotation_about(jnp.array([0.6, 0.0, 0.8]), 2.0),
  ]
)


def _above(height):
  """A camera at `height` that looks straight down, up is +y."""
  position = jnp.array([0.0, 0.0, height])
  return cameras.Camera(position, jnp.eye(3), jnp.array(45.0))


def _lid(position):
  return (geometry.BOX, position, (0.3, 0.05, 0.02))


def _shapes(*rows, rgb=(0.5, 0.5, 0.5), shine=None):
  """Types and geoms of (type, position, size), upright and of one color."""
  types, position, size = zip(*rows, strict=True)
  return types, geometry.Geoms(
    position=jnp.array(position, jnp.float32),
    rotation=jnp.tile(jnp.eye(3), (len(rows), 1, 1)),
    size=jnp.array(size, jnp.float32),
    rgb=jnp.tile(jnp.array(rgb), (len(rows), 1)),
    shine=None if shine is None else jnp.full(len(rows), shine),
  )


_glossy = functools.partial(_shapes, shine=0.8)


@functools.partial(jax.jit, static_argnums=0)
def _trace_jit(types, geoms, camera, light):
  return raycast.make_backdrop(
    types, geoms, camera, light, height=_SIZE, width=_SIZE
  ).traced


def _trace(shapes, camera, light=_DOWN):
  traced = jax.device_get(_trace_jit(*shapes, camera, light))
  image = np.round(np.asarray(traced.color) * 255).reshape(3, _SIZE, _SIZE)
  return traced.segment.reshape(_SIZE, _SIZE), np.moveaxis(image, 0, -1)


def test_a_box_covers_the_pixels_it_should():
  box = (geometry.BOX, (0.3, 0.2, 0.0), (0.2, 0.1, 1e-3))
  segment, image = _trace(_shapes(box), _above(2.0))
  half = 2.0 * np.tan(np.deg2rad(22.5))
  x = ((np.arange(_SIZE) + 0.5) / _SIZE * 2 - 1) * half
  expected = (np.abs(-x[:, None] - 0.2) < 0.1) & (np.abs(x - 0.3) < 0.2)
  np.testing.assert_array_equal(segment == 0, expected)
  np.testing.assert_array_equal(segment == -1, ~expected)
  np.testing.assert_array_equal(image[0, 0], [0, 0, 255])  # The sky.


def test_the_nearest_shape_is_seen_in_whatever_order():
  ball = (geometry.SPHERE, (0.0, 0.0, 0.5), (0.1, 0.0, 0.0))
  for rows, middle in (((_FLOOR, ball), 1), ((ball, _FLOOR), 0)):
    segment, _ = _trace(_shapes(*rows), _above(2.0))
    assert segment[20, 20] == middle
    assert segment[0, 0] == 1 - middle


def test_shadow_darkens_the_plane_under_a_ball():
  position = jnp.array([0.0, -2.0, 1.0])
  rotation = cameras.look_at(position, jnp.zeros(3))
  camera = cameras.Camera(position, rotation, jnp.array(45.0))
  for height, brightness in ((0.5, 26), (-0.5, 128)):  # Ambient light only.
    ball = (geometry.SPHERE, (0.0, 0.0, height), (0.2, 0.0, 0.0))
    segment, image = _trace(_shapes(_FLOOR, ball), camera)
    assert segment[20, 20] == 0
    np.testing.assert_array_equal(image[20, 20], [brightness] * 3)


def test_grain_and_shine_are_as_strong_as_asked_for():
  types, plain = _shapes(_FLOOR)

  def spread(**look):
    return _trace((types, plain.replace(**look)), _above(2.0))[1].std()

  assert spread() == 0
  weak, strong = (spread(pattern=jnp.array([x])) for x in (0.1, 0.2))
  np.testing.assert_allclose(strong, 2 * weak, rtol=0.05)
  dull, shiny = (
    _trace((types, plain.replace(shine=jnp.array([x]))), _above(2.0), _LIGHT)
    for x in (0.0, 1.0)
  )
  assert (shiny[1] >= dull[1]).all() and (shiny[1] > dull[1]).any()


def _moving(places):
  """One shape of each kind at `places`, in S poses: `[S, G, ...]`."""
  rows = [(k, place, s) for (k, s), place in zip(_KINDS, places, strict=True)]
  types, geoms = _glossy(*rows, rgb=(0.9, 0.3, 0.15))
  count = len(_ROTATIONS), len(rows)
  return types, geoms.replace(
    position=jnp.broadcast_to(geoms.position, (*count, 3)),
    rotation=jnp.broadcast_to(_ROTATIONS[:, None], (*count, 3, 3)),
  )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw_jit(still_types, types, still, geoms, casters):
  """The last of the still shapes throws shadows on moving ones."""
  backdrop = raycast.make_backdrop(
    still_types, still, _above(3.0), _LIGHT, height=_SIZE, width=_SIZE
  )
  return raycast.draw(backdrop, types, geoms, still_types[-1:], casters)


def _draw(still, moving, casters=None):
  (still_types, rest), (types, geoms) = still, moving
  if casters is None:
    casters = jax.tree.map(lambda x: x[-1:], rest)
  return _draw_jit(still_types, types, rest, geoms, casters)


def _cast(types, geoms, camera, light):
  """Every shape drawn anew in S poses: `[S, G, ...]` but for looks."""
  rows = [
    _trace_jit(
      types, geoms.replace(position=position, rotation=rotation), camera, light
    )
    for position, rotation in zip(geoms.position, geoms.rotation, strict=True)
  ]
  depth, segment, shade, sun = zip(*map(dataclasses.astuple, rows), strict=True)
  return raycast.Traced(
    np.stack(depth), np.stack(segment), np.stack(shade, 1), np.stack(sun, 1)
  )


def _cast_both(still, moving):
  """Casts all shapes anew; segments as `raycast.draw` numbers them."""
  (still_types, rest), (types, geoms) = still, moving
  both = {
    field: jnp.concatenate([getattr(rest, field), getattr(geoms, field)])
    for field in ("size", "rgb", "shine")
  }
  for field in ("position", "rotation"):
    alike = jnp.stack([getattr(rest, field)] * len(_ROTATIONS))
    both[field] = jnp.concatenate([alike, getattr(geoms, field)], axis=1)
  both = geometry.Geoms(**both)
  traced = _cast(still_types + types, both, _above(3.0), _LIGHT)
  count, segment = len(still_types), traced.segment
  moving = -2 - (segment - count)
  return traced.replace(segment=np.where(segment < count, segment, moving))


def _assert_alike(ours, theirs):
  colors = [np.asarray(x.color) * 255 for x in (ours, theirs)]
  differs = (np.abs(colors[0] - colors[1]) > 1).any(axis=0)
  assert differs.mean() < 0.005
  same = np.asarray(ours.segment) == np.asarray(theirs.segment)
  assert same.mean() > 0.995
  depth = np.abs(np.asarray(ours.depth - theirs.depth))
  assert depth[same].max() < 1e-4


def _pixel(x, y):
  """The pixel that sees `(x, y, 0)` from above."""
  half = 3.0 * np.tan(np.deg2rad(22.5))
  column, row = ((1 + x / half) * _SIZE / 2, (1 - y / half) * _SIZE / 2)
  return int(row) * _SIZE + int(column)


@pytest.mark.parametrize("shown", range(len(_KINDS)))
def test_a_moving_shape_is_drawn_as_if_it_stood_still(shown):
  still = _glossy(_FLOOR, _lid(_AWAY), rgb=(0.9, 0.5, 0.25))
  places = [_AWAY] * len(_KINDS)
  places[shown] = (-0.4, 0.1, 0.6)
  moving = _moving(places)
  ours = _draw(still, moving)
  _assert_alike(ours, _cast_both(still, moving))
  covered = np.asarray(ours.segment == -2 - shown).mean(axis=-1)
  assert covered.min() > 0.005
  # The shadow lies as far to the right as the shape hangs high; what is as
  # far to the left is in the sun.
  sun = np.asarray(ours.sun)
  np.testing.assert_array_equal(sun[:, :, _pixel(0.2, 0.1)], 0)
  np.testing.assert_array_less(0.05, sun[:, :, _pixel(-1.0, 0.1)])


def test_shapes_hide_and_shade_each_other():
  still = _glossy(_FLOOR, _lid((-0.5, 0.0, 1.5)), rgb=(0.9, 0.5, 0.25))
  types, geoms = _moving([(0.5 * i - 0.7, 0, 0.4 * i + 0.2) for i in (0, 1, 2)])
  rgb = jnp.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])
  moving = types, geoms.replace(rgb=rgb)
  ours = _draw(still, moving)
  _assert_alike(ours, _cast_both(still, moving))
  assert set(np.unique(ours.segment)) == {0, 1, -2, -3, -4}
  # Something moving lies in the lid's shadow, which casters alone throw.
  without = _draw(still, moving, _glossy(_lid(_AWAY))[1])
  darker = np.asarray((without.sun > 0).any(0) & (ours.sun == 0).all(0))
  assert darker.sum() > 20
  assert (np.asarray(ours.segment)[darker] < -1).all()


def test_a_picture_does_not_depend_on_its_batch():
  still = _glossy(_FLOOR, _lid((-0.5, 0.0, 1.5)))
  types, batch = _moving([(0.0, 0.0, 0.6)] * 3)
  many = _draw(still, (types, batch))
  for index in range(len(_ROTATIONS)):
    row = batch.replace(
      position=batch.position[index], rotation=batch.rotation[index]
    )
    alone = _draw(still, (types, row))
    np.testing.assert_array_equal(alone.segment, many.segment[index])
    # Two programs: their sums of products are rounded in their own ways, and
    # depths give up five bits.
    np.testing.assert_allclose(alone.depth, many.depth[index], rtol=4e-6)
    close = functools.partial(np.testing.assert_allclose, atol=2e-5)
    close(alone.shade, many.shade[:, index])
    close(alone.sun, many.sun[:, index])


@pytest.mark.parametrize(
  ("call", "named"),
  [
    (lambda: _trace(((6, 6), _shapes(_FLOOR)[1]), _above(2.0)), "2"),
    (lambda: _trace(((7,), _shapes(_FLOOR)[1]), _above(2.0)), "7"),
    (lambda: _draw(_shapes(_FLOOR), _shapes(*[_lid(_AWAY)] * 32)), "32"),
    (lambda: _draw(_shapes(_FLOOR), ((7,), _shapes(_FLOOR)[1])), "7"),
  ],
)
def test_what_cannot_be_drawn_raises(call, named):
  with pytest.raises(ValueError, match=rf"\b{named}\b"):
    call()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tabletop/train", "tabletop/test3"])
def test_a_lively_tabletop_is_drawn_as_if_it_stood_still(name):
  model = physics.load(name)
  actions = np.random.default_rng(0).uniform(-1, 1, (4, 12, 5))
  qpos = physics.rollout(model, actions, physics="c").qpos[:, -1]
  scenery = drawing.make_scenery(model, _SIZE)
  visible = drawing.visible_geoms()
  poses = c_engine.geom_poses(model.mj, qpos, visible.moving)
  ours = jax.jit(drawing.trace)(scenery, *poses)
  rows = np.concatenate([visible.still, visible.moving])
  shine, pattern = (
    jnp.array([f(model.mj, row) for row in rows], jnp.float32)
    for f in (variants.geom_shine, variants.geom_pattern)
  )
  position, rotation = c_engine.geom_poses(model.mj, qpos, rows)
  size, rgb = model.mj.geom_size[rows], model.mj.geom_rgba[rows, :3]
  theirs = _cast(
    tuple(map(int, model.mj.geom_type[rows])),
    geometry.Geoms(position, rotation, size, rgb, pattern, shine),
    scenery.backdrop.camera,
    scenery.backdrop.light,
  )
  segment = np.append(rows, -1)[np.asarray(theirs.segment)]
  _assert_alike(ours, theirs.replace(segment=segment))
  assert np.isin(segment, visible.moving).mean() > 0.05

"""Tests of the moving shapes over a backdrop: against casting every ray anew.

G moving shapes, S pictures.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from a2r.sim.rendering import geometry, overlay, render
from a2r.sim.tabletop import drawing, physics, variants
from a2r.sim.tabletop.engines import c_engine

_SIZE = 40
_KINDS = (
  (geometry.CAPSULE, (0.1, 0.25, 0.0)),
  (geometry.CYLINDER, (0.15, 0.2, 0.0)),
  (geometry.BOX, (0.1, 0.2, 0.3)),
)
_SLANTED = np.array([1.0, 0.0, -1.0]) / np.sqrt(2)  # Shadows fall to +x.
_LIGHT = geometry.Light(
  direction=jnp.array(_SLANTED, jnp.float32),
  ambient=jnp.array(0.2),
  headlight=jnp.array(0.3),
  diffuse=jnp.array(0.5),
  sky=jnp.array([0.0, 0.0, 1.0]),
  specular=jnp.array(0.4),
)
_ABOVE = geometry.Camera(
  position=jnp.array([0.0, 0.0, 3.0]),
  rotation=jnp.eye(3),
  fovy=jnp.array(45.0),
)
_TURN = jnp.array(geometry.rotation_about(jnp.array([0.6, 0.0, 0.8]), 2.0))
# Along the view (an end, a cap), across it (a side), and neither.
_ROTATIONS = jnp.stack(
  [
    jnp.eye(3),
    geometry.align_z(jnp.array([1.0, 0.0, 0.0])),
    geometry.align_z(jnp.array([0.0, 1.0, 0.0])),
    _TURN,
  ]
)
_AWAY = (0.0, 0.0, -50.0)  # Below the floor: neither seen nor in the sun.
_FLOOR = (geometry.PLANE, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), jnp.eye(3))


def _lid(position):
  return (geometry.BOX, position, (0.3, 0.05, 0.02), jnp.eye(3))


def _shapes(rows, shade):
  """Types and geoms of (type, position, size, rotation), gray to red."""
  types, position, size, rotation = zip(*rows, strict=True)
  rgb = jnp.stack([jnp.array([0.9, shade, shade / 2])] * len(rows))
  geoms = geometry.Geoms(
    position=jnp.array(position, jnp.float32),
    rotation=jnp.stack(rotation),
    size=jnp.array(size, jnp.float32),
    rgb=rgb,
    pattern=jnp.zeros(len(rows)),
    shine=jnp.full(len(rows), 0.8),
  )
  return types, geoms


def _moving(places):
  """One shape of each kind at `places`, in S poses: `[S, G, ...]`."""
  rows = [
    (kind, place, size, jnp.eye(3))
    for (kind, size), place in zip(_KINDS, places, strict=True)
  ]
  types, geoms = _shapes(rows, 0.3)
  count = len(_ROTATIONS), len(rows)
  return types, geoms.replace(
    position=jnp.broadcast_to(geoms.position, (*count, 3)),
    rotation=jnp.broadcast_to(_ROTATIONS[:, None], (*count, 3, 3)),
  )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _overlaid_jit(still_types, types, still, geoms, casters):
  """The last of the still shapes throws shadows on moving ones."""
  backdrop = overlay.make_backdrop(
    still_types, still, _ABOVE, _LIGHT, height=_SIZE, width=_SIZE
  )
  return overlay.draw(backdrop, types, geoms, still_types[-1:], casters)


def _overlaid(still, moving, casters=None):
  (still_types, rest), (types, geoms) = still, moving
  if casters is None:
    casters = jax.tree.map(lambda x: x[-1:], rest)
  return _overlaid_jit(still_types, types, rest, geoms, casters)


@functools.partial(jax.jit, static_argnums=0)
def _cast(types, geoms, looks, camera, light):
  """Every shape drawn anew in poses `[S, G, ...]`; `looks` `[G, ...]`."""

  def one(position, rotation):
    whole = geometry.Geoms(position, rotation, *looks)
    return render.trace(types, whole, camera, light, height=_SIZE, width=_SIZE)

  return jax.vmap(one)(*geoms)


def _cast_both(still, moving):
  """Casts still and moving shapes `(types, geoms)`; segments as overlay's."""
  (still_types, rest), (types, geoms) = still, moving
  count = len(geoms.position)
  parts = (
    jnp.concatenate([jnp.stack([a] * count), b], axis=1)
    for a, b in (
      (rest.position, geoms.position),
      (rest.rotation, geoms.rotation),
    )
  )
  looks = [
    jnp.concatenate([getattr(rest, name), getattr(geoms, name)])
    for name in ("size", "rgb", "pattern", "shine")
  ]
  kinds = np.array(still_types + types)
  order = np.argsort(kinds, kind="stable")
  traced = _cast(
    tuple(map(int, kinds[order])),
    tuple(x[:, order] for x in parts),
    tuple(x[order] for x in looks),
    _ABOVE,
    _LIGHT,
  )
  # Overlay's numbers: still 0, 1, ..., moving -2, -3, ..., nothing -1.
  numbers = [*range(len(still_types)), *(-2 - np.arange(len(types))), -1]
  table = np.array(numbers)[np.append(order, len(order))]
  return traced.replace(segment=table[np.asarray(traced.segment)])


def _assert_alike(ours, theirs):
  """Two of `render.Traced`: colors `[3, S, P]` of one, `[S, 3, P]` of two."""
  colors = (
    np.clip(np.asarray(x.shade + x.sun), 0, 1) * 255 for x in (ours, theirs)
  )
  one, two = next(colors), np.moveaxis(next(colors), 1, 0)
  differs = (np.abs(one - two) > 1).any(axis=0)
  np.testing.assert_array_less(differs.mean(), 0.005)
  same = np.asarray(ours.segment) == np.asarray(theirs.segment)
  np.testing.assert_array_less(0.995, same.mean())
  depth = np.abs(np.asarray(ours.depth - theirs.depth))
  np.testing.assert_array_less(depth[same].max(), 1e-4)


def _pixel(x, y):
  """The pixel that sees `(x, y, 0)` from above."""
  half = 3.0 * np.tan(np.deg2rad(22.5))
  column, row = ((1 + x / half) * _SIZE / 2, (1 - y / half) * _SIZE / 2)
  return int(row) * _SIZE + int(column)


class KindsTest(parameterized.TestCase):
  @parameterized.parameters(*range(len(_KINDS)))
  def test_each_kind_is_what_the_ray_caster_draws(self, shown):
    still = _shapes([_FLOOR, _lid(_AWAY)], 0.5)
    places = [_AWAY] * len(_KINDS)
    places[shown] = (-0.4, 0.1, 0.6)
    moving = _moving(places)
    ours = _overlaid(still, moving)
    _assert_alike(ours, _cast_both(still, moving))
    covered = np.asarray(ours.segment == -2 - shown).mean(axis=-1)
    self.assertGreater(covered.min(), 0.005)
    # The shadow lies as far to the right as the shape hangs high; what is as
    # far to the left is in the sun.
    sun = np.asarray(ours.sun)
    np.testing.assert_array_equal(sun[:, :, _pixel(0.2, 0.1)], 0)
    np.testing.assert_array_less(0.05, sun[:, :, _pixel(-1.0, 0.1)])

  def test_shapes_hide_and_shade_each_other(self):
    still = _shapes([_FLOOR, _lid((-0.5, 0.0, 1.5))], 0.5)
    types, geoms = _moving(
      [(0.5 * i - 0.7, 0, 0.4 * i + 0.2) for i in (0, 1, 2)]
    )
    rgb = jnp.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])
    moving = types, geoms.replace(rgb=rgb)
    ours = _overlaid(still, moving)
    _assert_alike(ours, _cast_both(still, moving))
    self.assertSetEqual(set(np.unique(ours.segment)), {0, 1, -2, -3, -4})
    # Something moving lies in the lid's shadow, which casters alone throw.
    _, away = _shapes([_lid(_AWAY)], 0.5)
    without = _overlaid(still, moving, away)
    darker = np.asarray((without.sun > 0).any(0) & (ours.sun == 0).all(0))
    self.assertGreater(darker.sum(), 20)
    self.assertTrue((np.asarray(ours.segment)[darker] < -1).all())

  def test_a_picture_does_not_depend_on_its_batch(self):
    still = _shapes([_FLOOR, _lid((-0.5, 0.0, 1.5))], 0.5)
    types, batch = _moving([(0.0, 0.0, 0.6)] * 3)
    many = _overlaid(still, (types, batch))
    for index in range(len(_ROTATIONS)):
      row = batch.replace(
        position=batch.position[index], rotation=batch.rotation[index]
      )
      one = _overlaid(still, (types, row))
      np.testing.assert_array_equal(one.depth, many.depth[index])
      np.testing.assert_array_equal(one.segment, many.segment[index])
      # Two programs: their sums of products are rounded in their own ways.
      close = functools.partial(np.testing.assert_allclose, atol=1e-6)
      close(one.shade, many.shade[:, index])
      close(one.sun, many.sun[:, index])

  def test_what_cannot_be_drawn_raises(self):
    still = _shapes([_FLOOR, _lid(_AWAY)], 0.5)
    with self.assertRaisesRegex(ValueError, "at most 31 shapes.*got 32"):
      _overlaid(still, _shapes([_lid(_AWAY)] * 32, 0.3))
    ellipsoid = (geometry.ELLIPSOID, *_lid(_AWAY)[1:])
    with self.assertRaisesRegex(
      ValueError, rf"other types: .{geometry.ELLIPSOID}."
    ):
      _overlaid(still, _shapes([ellipsoid], 0.3))


_trace = jax.jit(drawing.trace)


@pytest.mark.slow
class TabletopTest(parameterized.TestCase):
  @parameterized.parameters("tabletop/train", "tabletop/test3")
  def test_a_lively_tabletop_is_what_the_ray_caster_draws(self, name):
    model = physics.load(name)
    actions = np.random.default_rng(0).uniform(-1, 1, (4, 12, 5))
    qpos = physics.rollout(model, actions, physics="c").qpos[:, -1]
    look = drawing.Look(model.variant, model.mj)
    scenery = look.scenery(_SIZE)
    ours = _trace(scenery, *c_engine.geom_poses(model.mj, qpos, look.geom_ids))
    rows = np.sort(np.concatenate([drawing.drawn().still, look.geom_ids]))
    rows = rows[np.argsort(model.mj.geom_type[rows], kind="stable")]
    pattern = [variants.geom_pattern(model.mj, row) for row in rows]
    shine = [variants.geom_shine(model.mj, row) for row in rows]
    looks = (model.mj.geom_size[rows], model.mj.geom_rgba[rows, :3])
    looks += (pattern, shine)
    theirs = _cast(
      tuple(map(int, model.mj.geom_type[rows])),
      c_engine.geom_poses(model.mj, qpos, rows),
      tuple(jnp.asarray(x, jnp.float32) for x in looks),
      scenery.backdrop.camera,
      scenery.backdrop.light,
    )
    segment = np.append(rows, -1)[np.asarray(theirs.segment)]
    _assert_alike(ours, theirs.replace(segment=segment))
    self.assertGreater(np.isin(segment, look.geom_ids).mean(), 0.05)


if __name__ == "__main__":
  absltest.main()

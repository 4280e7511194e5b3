"""Procedural human clips of acts, drawn like those of `human_clips`.

A clip is a pure function of a key and the number of a row of `acts`. Letters:
B clips, T frames, S pixels.
"""

import functools

import jax
import jax.numpy as jnp

from a2r.sim.humans import (
  acting,
  acts,
  hand,
  human_clips,
  motion,
  props,
  scenes,
  stages,
)
from a2r.sim.rendering import geometry

_HANDLE = 0.15  # Length of a faucet's, before scaling.


@functools.partial(jax.jit, static_argnames=("num_frames", "image_size"))
def sample_clips(
  rng, labels, held_out=0, *, num_frames: int, image_size: int
) -> human_clips.Clips:
  """Draws one clip per label.

  Args:
    rng: typed key, consumed; or `[B]` keys, one per clip.
    labels: `[B]` int32 indices into `acts.TEMPLATES`.
    held_out: `[]` or `[B]` int, as in `stages.sample_stage`.
    num_frames: T, evenly spaced over the clip, first and last included.
    image_size: pixels of the square picture.
  """
  sample_fn = functools.partial(_sample_frames, num_frames)
  drawn = labels, held_out
  return human_clips.draw_clips(
    sample_fn, rng, drawn, image_size, num_casters=5
  )


def _sample_frames(num_frames, rng, label, held_out):
  """The stage, its layers `[1, G]` and `[T, G]`, the subject `[T, 2]`."""
  act = stages.act_of(label)
  stage = stages.sample_stage(rng, act, held_out)

  def frame(time):
    poses = acting.play(act, stage, time)
    place = _project(stage.camera, poses.center[0])
    return props.assemble(_moving(act, stage, poses)), place

  moving, point = jax.vmap(frame)(jnp.linspace(0.0, 1.0, num_frames))
  still = props.assemble(_still(act, stage))
  return stage, jax.tree.map(lambda x: x[None], still), moving, point


def _project(camera, point):
  """Where a point `[3]` is in the picture: right, up, in half pictures."""
  x, y, z = (point - camera.position) @ camera.rotation
  half = jnp.tan(jnp.deg2rad(camera.fovy) / 2)
  return jnp.stack([x, y]) / jnp.maximum(-z * half, 1e-3)


def _thing(stage, i, center, rotation):
  """Parts of thing `i`."""
  paint = stage.colors.paint
  return props.hide_unless(
    stage.present[2 + i],
    props.thing(
      stage.things.kinds[i],
      center,
      rotation,
      stage.things.scale[i],
      paint[4 + i],
      paint[7 + i],
    ),
  )


def _moving(act, stage, poses):
  """Parts of the subject, of its leaf, of the partner, the stick, the arm."""
  paint, (tip, end) = stage.colors.paint, poses.stick
  subject, other = (
    _thing(stage, i, poses.center[i], poses.rotation[i]) for i in range(2)
  )
  leaf = props.block(
    poses.center[0],
    poses.rotation[0],
    stages.LEAF * stage.things.scale[0],
    paint[4],
  )
  stick = props.rod(tip, end, stages.STICK[1], paint[5])
  arm = hand.arm(poses.fingertip, stage.arm, stage.colors.skin, paint[9])
  return [
    *props.hide_unless(act.partner == acts.LEAF, [leaf]),
    *subject,
    *other,
    *props.hide_unless(act.partner == acts.STICK, [stick]),
    *arm,
  ]


def _still(act, stage):
  """Parts that stand still; slab and the opener's case come first."""
  boxes, rods, _ = motion.opener(stage, stage.layout.idle_state[0])
  is_shelf = act.partner == acts.SHELF
  case, link = boxes[:4], props.hide_unless(~is_shelf, boxes[4:] + rods)
  opener = props.hide_unless(stage.present[0], [*case, *link])
  layout, paint = stage.layout, stage.colors.paint
  faucet, _ = props.faucet(
    layout.faucet_at,
    stage.things.fixture_scale[1],
    layout.faucet_yaw + layout.idle_state[1],
    _HANDLE,
    paint[2],
    paint[3],
  )
  third = jnp.append(stage.layout.things_at[2], stage.things.half_height[2])
  yaw = geometry.rotation_about_z(stage.layout.thing_yaw[scenes.NUM_THINGS - 1])
  return [
    _slab(act, stage),
    *opener,
    *props.hide_unless(stage.present[1], faucet),
    *_thing(stage, 2, third, yaw),
    *_table(act, stage),
  ]


def _slab(act, stage):
  """The ramp, the towel on the table, or its half that lies still."""
  length, height = stage.ramp
  along, left, up = stage.frame.T
  down = geometry.unit(length * along - height * up)
  slope = jnp.stack([down, left, jnp.cross(down, left)], axis=-1)
  is_ramp, is_leaf = (act.partner == x for x in (acts.RAMP, acts.LEAF))
  ramp = jnp.stack([0.5 * jnp.hypot(length, height), 0.06, 0.006])
  middle = stage.place - 0.5 * (length * along - height * up)
  lying = stage.place - is_leaf * 0.5 * stage.gap * along
  size = stages.LEAF * jnp.where(is_leaf, stage.things.scale[0], 1.4)
  size = size.at[2].set(jnp.where(is_leaf, size[2], stages.LEAF[2]))
  paint = stage.colors.paint
  color = jnp.where(is_leaf, 0.85 * paint[4], paint[5])
  slab = props.block(
    jnp.where(is_ramp, middle - 0.006 * slope[:, 2], lying + size[2] * up),
    jnp.where(is_ramp, slope, stage.frame),
    jnp.where(is_ramp, ramp, size),
    jnp.where(is_ramp, paint[0], color),
  )
  flat = is_leaf | (act.partner == acts.TOWEL)
  return props.hide_unless(is_ramp | flat, [slab])[0]


def _table(act, stage):
  """The table, its edge where something shall not fall off, and the floor."""
  half, line = stage.colors.table_half, stage.frame[:, 0]
  ends = act.edge > 0
  angle = jnp.where(ends, jnp.arctan2(line[1], line[0]), 0.0)
  middle = stage.place + (act.edge * stage.reach - half[0]) * line
  center = jnp.where(ends, middle, 0.0).at[2].set(-0.02)
  colors = stage.colors
  table = props.block(
    center,
    geometry.rotation_about_z(angle),
    (half[0], half[1], 0.02),
    colors.table,
    colors.grain,
  )
  return [table, props.floor(-0.75, colors.paint[3] * 0.6, colors.grain)]

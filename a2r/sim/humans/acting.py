"""How everything moves in an act.

A pure function of an act's row, its stage and the time. Units as in `stages`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.sim.humans import acts, stages
from a2r.sim.rendering import geometry


@struct.dataclass
class Poses:
  """Where everything is that may move."""

  center: jax.Array  # `[3, 3]` of the things.
  rotation: jax.Array  # `[3, 3, 3]` of the things, their yaw included.
  stick: jax.Array  # `[2, 3]` its tip and its end.
  fingertip: jax.Array  # `[3]`.


def play(act: acts.Act, stage: stages.Stage, time) -> Poses:
  """Returns the poses of everything that moves, at `time` in [0, 1]."""
  share = (time - stage.arm.begin) / (stage.arm.end - stage.arm.begin)
  share = jnp.clip(share, 0.0, 1.0)
  center, tilt = _subject(act, stage, share)
  other, other_tilt = _partner(act, stage, share, center, tilt)
  yaws = geometry.rotation_about_z(stage.layout.thing_yaw)
  third = jnp.append(stage.layout.things_at[2], stage.things.half_height[2])
  tip, end = _stick(act, stage, share)
  return Poses(
    center=jnp.stack([center, other, third]),
    rotation=jnp.stack([tilt @ yaws[0], other_tilt @ yaws[1], yaws[2]]),
    stick=jnp.stack([tip, end]),
    fingertip=_fingertip(act, stage, time),
  )


def _smooth(x):
  x = jnp.clip(x, 0.0, 1.0)
  return x * x * (3.0 - 2.0 * x)


def _legs(act, share):
  """Shares `[3]` of the legs' time and of their way that are done."""
  length = jnp.maximum(act.times[1:] - act.times[:-1], 1e-6)
  passed = jnp.clip((share - act.times[:-1]) / length, 0.0, 1.0)
  way = jnp.select(
    [act.manners == x for x in (acts.FALL, acts.SLOW, acts.STEADY)],
    [passed**2, 1.0 - (1.0 - passed) ** 2, passed],
    _smooth(passed),
  )
  return passed, way


def _along(keys, way):
  """The value between four keys `[4, ...]` when `way` `[3]` is done of legs."""
  return keys[0] + jnp.tensordot(way, keys[1:] - keys[:-1], axes=1)


def _subject(act, stage, share):
  """Center `[3]` and tilt `[3, 3]` of the subject."""
  passed, way = _legs(act, share)
  foot = _along(stage.way[0], way)
  bow = 4.0 * passed[1] * (1.0 - passed[1]) * act.arc * stage.lift
  foot = foot.at[2].add(bow)
  return _turned(act, stage, 0, foot, _along(stage.turn[0], way))


def _turned(act, stage, i, foot, angle):
  """Center and tilt of thing `i`, turned by `angle` where its foot is."""
  up, along = stage.frame[:, 2], stage.frame[:, 0]
  radius, half = stage.things.radius[i], stage.things.half_height[i]
  thick = stages.LEAF[2] * stage.things.scale[0]
  is_leaf = act.partner == acts.LEAF
  half = jnp.where(is_leaf, thick, half)
  axis = jnp.where(act.pivot == acts.SPIN, up, jnp.cross(up, along))
  tilt = geometry.rotation_about(axis, angle)
  center = foot + half * up
  # What lies on its side has its middle as high as it is wide.
  lies = jnp.minimum(jnp.abs(angle) / (0.5 * np.pi), 1.0)
  lies *= act.pivot == acts.CENTER
  tips = act.pivot == acts.FOOT
  pivot = jnp.where(tips, foot + jnp.sign(angle) * radius * along, center)
  pivot = jnp.where(
    act.pivot == acts.HINGE, stage.place + 2 * thick * up, pivot
  )
  center = pivot + tilt @ (center - pivot) + lies * (radius - half) * up
  return center, tilt


def _partner(act, stage, share, center, tilt):
  """Center and tilt of the partner; cargo goes with its subject."""
  passed, way = _legs(act, share)
  own, own_tilt = _turned(
    act.replace(pivot=acts.CENTER),
    stage,
    1,
    _along(stage.way[1], way),
    _along(stage.turn[1], way),
  )
  half = stage.things.half_height
  carried = center + (half[0] + half[1]) * tilt[:, 2]
  slipped = jnp.where(jnp.arange(3) == act.slips, passed**2, 0.0).sum()
  is_cargo = act.partner == acts.CARGO
  free = jnp.where(is_cargo, slipped, 1.0)
  falls = carried + free * (own - carried)
  on_top = geometry.rotation_about(
    jnp.cross(stage.frame[:, 2], stage.frame[:, 0]),
    # Cargo goes on turning from the tilt of what it leaves.
    jnp.where(is_cargo, free * stage.turn[1, 3], 0.0)
    + (1.0 - free) * _along(stage.turn[0], way),
  )
  return falls, jnp.where(is_cargo, on_top, own_tilt)


def _stick(act, stage, share):
  """Its tip and its end `[3]`, slanting up towards the arm."""
  tip = _along(stage.way[1], _legs(act, share)[1])
  tip += stages.STICK[1] * stage.frame[:, 2]
  out = geometry.unit(stage.towards_arm + 0.5 * stage.frame[:, 2])
  return tip, tip + 2 * stages.STICK[0] * out


def _fingertip(act, stage, time):
  """The hand's way: come, act with what it holds, and go or stay."""
  length = stage.arm.end - stage.arm.begin
  share = jnp.clip((time - stage.arm.begin) / length, 0.0, 1.0)
  center, tilt = _subject(act, stage, jnp.minimum(share, act.until))
  is_leaf = act.partner == acts.LEAF
  radius = jnp.where(
    is_leaf, stages.LEAF[0] * stage.things.scale[0], stage.things.radius[0]
  )
  half = jnp.where(is_leaf, 0.0, stage.things.half_height[0])
  offset = stage.frame @ (act.touch * jnp.stack([radius, radius, half]))
  touch = center + tilt @ offset
  holds_stick = act.partner == acts.STICK
  touch = jnp.where(holds_stick, _stick(act, stage, share)[1], touch)
  away = stage.away
  touch += (1.0 - act.real) * stage.arm.miss * away / jnp.linalg.norm(away)
  come = _smooth((stage.arm.begin - time) / stage.arm.begin) * act.comes
  lets_go = stage.arm.begin + act.until * length
  go = _smooth((time - lets_go) / 0.25) * act.leaves
  return touch + away * (come + go)

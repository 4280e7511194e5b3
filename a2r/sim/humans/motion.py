"""How everything moves in the procedural human clips.

A pure function of a template's row, a scene and the time: the poses of the
subject, of what lies about, and of the hand. Units as in `scenes`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.sim.humans import props, scenes, templates
from a2r.sim.rendering import geometry


@struct.dataclass
class Poses:
  """Where everything is that may move."""

  opener: jax.Array  # `[]` how far it is open.
  faucet: jax.Array  # `[]` how far it is turned in radians.
  center: jax.Array  # `[3, 3]` of the things.
  rotation: jax.Array  # `[3, 3, 3]` of the things.
  fingertip: jax.Array  # `[3]`.


def motion(row: templates.Template, scene: scenes.Scene, time) -> Poses:
  """Returns the poses of everything that moves, at `time` in [0, 1]."""
  progress = _smooth(
    (time - scene.arm.begin) / (scene.arm.end - scene.arm.begin)
  )
  progress = jnp.minimum(progress, scene.arm.most)
  really = progress * row.real * scene.arm.hits
  kind = row.subject
  state = _blend(scene.action.state, really)
  wished = _blend(scene.action.state, progress)
  is_opener, is_faucet = kind == templates.OPENER, kind == templates.FAUCET
  idle = scene.layout.idle_state
  center, rotation = _subject_pose(row, scene, really)
  # A hand that lets go stays where it let go.
  held = jnp.where(row.released > 0, jnp.minimum(progress, 0.5), progress)
  wished_pose = _subject_pose(row, scene, held)
  others = jnp.concatenate(
    [scene.layout.things_at[1:], scene.things.half_height[1:, None]], axis=-1
  )
  mirrored = _along_path(scene.action.path, *_halves(really, row.released))
  others = others.at[0].add(-row.both * mirrored)
  centers = jnp.concatenate([center[None], others])
  rotations = geometry.rotation_about_z(scene.layout.thing_yaw)
  rotations = rotations.at[0].set(rotation @ rotations[0])
  touch = _touch(row, scene, wished, wished_pose)
  return Poses(
    opener=jnp.where(is_opener, state, idle[0]),
    faucet=jnp.where(is_faucet, state, idle[1]) * scene.action.turn,
    center=centers,
    rotation=rotations,
    fingertip=_fingertip(row, scene, touch, time),
  )


def opener(scene, opening):
  """Returns eight boxes, three rods and the point where a hand opens it."""
  foot, scale = scene.layout.opener_at, scene.things.fixture_scale[0]
  turn = geometry.rotation_about_z(scene.layout.opener_yaw)
  looks = scale, opening, scene.colors.paint[0], scene.colors.paint[1]
  is_drawer = scene.things.is_drawer
  drawer = props.drawer(foot, turn, *looks)
  # A door is the lid of a box that lies on its side, its top in front.
  door = scene.things.door.astype(jnp.float32)
  lying = jnp.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
  lying *= jnp.stack([door, door**2, door])[:, None]
  behind = jnp.abs(door) * scale * jnp.array([0.0, 0.065, 0.117])
  box = props.lidded_box(
    foot + turn @ behind,
    turn @ jnp.where(door != 0, lying, jnp.eye(3)),
    *looks,
  )
  boxes, rods = (
    props.select(is_drawer, *pair)
    for pair in zip(drawer[:2], box[:2], strict=True)
  )
  return boxes, rods, jnp.where(is_drawer, drawer[2], box[2])


def faucet(scene, turned):
  """Returns the faucet's parts, `turned` radians, and its handle's tip."""
  return props.faucet(
    scene.layout.faucet_at,
    scene.things.fixture_scale[1],
    scene.layout.faucet_yaw + turned,
    scene.action.reach,
    scene.colors.paint[2],
    scene.colors.paint[3],
  )


def _smooth(x):
  x = jnp.clip(x, 0.0, 1.0)
  return x * x * (3.0 - 2.0 * x)


def _blend(ends, progress):
  return ends[0] + (ends[1] - ends[0]) * progress


def _along_path(path, first, second):
  """A point on the way through three key poses; both shares in [0, 1]."""
  return path[0] + (path[1] - path[0]) * first + (path[2] - path[1]) * second


def _halves(progress, released):
  """Shares of the first and the second leg; a released thing falls late."""
  first = jnp.clip(2 * progress, 0.0, 1.0)
  second = jnp.clip(2 * progress - 1, 0.0, 1.0)
  fall = jnp.clip(2.5 * second - 1.5, 0.0, 1.0) ** 2
  return first, jnp.where(released > 0, fall, second)


def _subject_pose(row, scene, progress):
  """Center `[3]` and tilt `[3, 3]` of the thing that is acted upon."""
  first, second = _halves(progress, row.released)
  half, radius = scene.things.half_height[0], scene.things.radius[0]
  foot = scene.layout.foot * jnp.where(row.path[0, 2] > 0, 1.0, second)
  rest = jnp.append(scene.layout.things_at[0], half + foot)
  center = rest + _along_path(scene.action.path, first, second)
  topples = row.tilt == templates.TOPPLE
  flips = row.tilt == templates.FLIP
  lays, stands = (row.tilt == t for t in (templates.LAY, templates.STAND))
  push = -jnp.append(scene.layout.line, 0.0)
  axis = jnp.stack([-push[1], push[0], 0.0 * push[0]])
  axis = jnp.where(flips, jnp.array([0.0, 1.0, 0.0]), axis)
  angle = jnp.select(
    [topples, flips, lays, stands],
    [0.5 * second**2, progress, 0.5 * progress, 0.5 - 0.5 * progress],
    0.0,
  )
  angle *= np.pi
  tilt = geometry.rotation_about(axis, angle)
  pivot = jnp.append(scene.layout.things_at[0], 0.0) + radius * push
  toppled = pivot + tilt @ (center - pivot)
  return jnp.where(topples | lays | stands, toppled, center), tilt


def _touch(row, scene, state, pose):
  """Where the fingers touch the subject."""
  on_opener = opener(scene, state)[2]
  on_faucet = faucet(scene, state * scene.action.turn)[1]
  place = jnp.select(
    [row.subject == templates.OPENER, row.subject == templates.FAUCET],
    [on_opener, on_faucet],
    _touch_thing(row, scene, pose),
  )
  missed = (
    scene.arm.miss * scene.action.away / jnp.linalg.norm(scene.action.away)
  )
  return place + (1.0 - row.real * scene.arm.hits) * missed


def _touch_thing(row, scene, pose):
  """Where the fingers touch a thing: behind, before or on top of it."""
  center, tilt = pose
  radius, half = scene.things.radius[0], scene.things.half_height[0]
  up = jnp.array([0.0, 0.0, 1.0])
  way = scene.action.path[1] - scene.action.path[0]
  way = jnp.where(row.toward_arm > 0, -jnp.append(scene.layout.line, 0.0), way)
  way = way.at[2].set(0.0)
  way /= jnp.linalg.norm(way) + 1e-6
  top = jnp.where(row.tilt == templates.FLIP, up, tilt @ up)
  return jnp.select(
    [row.grip == templates.GRASP, row.grip == templates.PULL],
    [center + half * top, center + 0.9 * radius * way + 0.5 * half * up],
    center - radius * way,
  )


def _fingertip(row, scene, touch, time):
  """The hand's way: come, act with the subject, and go or stay."""
  come = _smooth((scene.arm.begin - time) / scene.arm.begin)
  come = jnp.where(scene.arm.idle > 0, 1.0, come * (1.0 - row.carried))
  go = (
    _smooth((time - scene.arm.end) / (1.0 - scene.arm.end)) * scene.arm.leaves
  )
  poke = row.grip == templates.POKE
  middle = 0.5 * (scene.arm.begin + scene.arm.end)
  poked = _smooth(2.5 * (time - middle) / (1.0 - middle))
  go = jnp.where(poke, poked, go)
  go = jnp.where(scene.arm.idle > 0, 0.0, go)
  return touch + (scene.action.away + _sway(scene.arm, time)) * (come + go)


def _sway(arm, time):
  """How a waiting arm has moved about `[3]`, upwards alone."""
  turns = arm.phase + jnp.array([[1.0], [2.0]]) * time
  way = (arm.sway * jnp.sin(2 * np.pi * turns)).sum(axis=0)
  return way.at[2].set(jnp.abs(way[2]))

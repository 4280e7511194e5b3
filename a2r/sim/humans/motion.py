"""How everything moves in the procedural human clips.

A pure function of a template's row, a world and the time: the poses of the
subject, of what lies about, and of the hand. Units as in `human_worlds`.
"""

import jax.numpy as jnp
import numpy as np

from a2r.sim.humans import props, templates
from a2r.sim.rendering import geometry


def motion(row, world, time):
  """Poses of everything that moves, at `time`."""
  progress = _smooth((time - world["begin"]) / (world["end"] - world["begin"]))
  really = progress * row["real"]
  kind = row["subject"]
  state = _blend(world["state"], really)
  wished = _blend(world["state"], progress)
  is_opener, is_faucet = kind == templates.OPENER, kind == templates.FAUCET
  idle = world["idle_state"]
  center, rotation = _subject_pose(row, world, really)
  # A hand that lets go stays where it let go.
  held = jnp.where(row["released"] > 0, jnp.minimum(progress, 0.5), progress)
  wished_pose = _subject_pose(row, world, held)
  others = jnp.concatenate(
    [world["things_at"][1:], world["half_height"][1:, None]], axis=-1
  )
  mirrored = _along_path(world["path"], *_halves(really, row["released"]))
  others = others.at[0].add(-row["both"] * mirrored)
  centers = jnp.concatenate([center[None], others])
  rotations = geometry.rotation_about_z(world["thing_yaw"])
  rotations = rotations.at[0].set(rotation @ rotations[0])
  touch = _touch(row, world, wished, wished_pose)
  return {
    "opener": jnp.where(is_opener, state, idle[0]),
    "faucet": jnp.where(is_faucet, state, idle[1]) * world["turn"],
    "center": centers,
    "rotation": rotations,
    "fingertip": _fingertip(row, world, touch, time),
  }


def faucet(world, turned):
  """Parts of the faucet, `turned` radians, and the tip of its handle."""
  return props.faucet(
    world["faucet_at"],
    world["fixture_scale"][1],
    world["faucet_yaw"] + turned,
    world["reach"],
    world["paint"][2],
    world["paint"][3],
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


def _subject_pose(row, world, progress):
  """Center `[3]` and tilt `[3, 3]` of the thing that is acted upon."""
  first, second = _halves(progress, row["released"])
  half, radius = world["half_height"][0], world["radius"][0]
  foot = world["foot"] * jnp.where(row["path"][0, 2] > 0, 1.0, second)
  rest = jnp.append(world["things_at"][0], half + foot)
  center = rest + _along_path(world["path"], first, second)
  topples = row["tilt"] == templates.TOPPLE
  flips = row["tilt"] == templates.FLIP
  lays, stands = (row["tilt"] == t for t in (templates.LAY, templates.STAND))
  push = -jnp.append(world["line"], 0.0)
  axis = jnp.stack([-push[1], push[0], 0.0 * push[0]])
  axis = jnp.where(flips, jnp.array([0.0, 1.0, 0.0]), axis)
  angle = jnp.select(
    [topples, flips, lays, stands],
    [0.5 * second**2, progress, 0.5 * progress, 0.5 - 0.5 * progress],
    0.0,
  )
  angle *= np.pi
  tilt = geometry.rotation_about(axis, angle)
  pivot = jnp.append(world["things_at"][0], 0.0) + radius * push
  toppled = pivot + tilt @ (center - pivot)
  return jnp.where(topples | lays | stands, toppled, center), tilt


def _touch(row, world, state, pose):
  """Where the fingers touch the subject."""
  opener_frame = geometry.rotation_about_z(world["opener_yaw"])
  plain = (
    world["opener_at"],
    opener_frame,
    world["fixture_scale"][0],
    state,
    jnp.zeros(3),
    jnp.zeros(3),
  )
  on_opener = jnp.where(
    world["is_drawer"], props.drawer(*plain)[2], props.lidded_box(*plain)[2]
  )
  on_faucet = faucet(world, state * world["turn"])[1]
  place = jnp.select(
    [row["subject"] == templates.OPENER, row["subject"] == templates.FAUCET],
    [on_opener, on_faucet],
    _touch_thing(row, world, pose),
  )
  missed = world["miss"] * world["away"] / jnp.linalg.norm(world["away"])
  return place + (1.0 - row["real"]) * missed


def _touch_thing(row, world, pose):
  """Where the fingers touch a thing: behind, before or on top of it."""
  center, tilt = pose
  radius, half = world["radius"][0], world["half_height"][0]
  up = jnp.array([0.0, 0.0, 1.0])
  way = world["path"][1] - world["path"][0]
  way = jnp.where(row["arm_line"] > 0, -jnp.append(world["line"], 0.0), way)
  way = way.at[2].set(0.0)
  way /= jnp.linalg.norm(way) + 1e-6
  top = jnp.where(row["tilt"] == templates.FLIP, up, tilt @ up)
  return jnp.select(
    [row["grip"] == templates.GRASP, row["grip"] == templates.PULL],
    [center + half * top, center + 0.9 * radius * way + 0.5 * half * up],
    center - radius * way,
  )


def _fingertip(row, world, touch, time):
  """The hand's way: come, act with the subject, and go or stay."""
  come = _smooth((world["begin"] - time) / world["begin"])
  come *= 1.0 - row["carried"]
  go = _smooth((time - world["end"]) / (1.0 - world["end"])) * world["leaves"]
  poke = row["grip"] == templates.POKE
  middle = 0.5 * (world["begin"] + world["end"])
  poked = _smooth(2.5 * (time - middle) / (1.0 - middle))
  go = jnp.where(poke, poked, go)
  return touch + world["away"] * (come + go)

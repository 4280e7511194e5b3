"""Stages of acts: all that does not change with time, drawn from a key.

As `scenes`, whose records they are made of: the table's x and y are its sides,
z is up from it, in meters. A stage adds the place of the act, its line, and the
key poses of subject and partner there.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.sim.humans import acts, looks, props, scenes
from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material

BOX_HEIGHT, SHELF_HEIGHT, SHELF_DEPTH = 0.128, 0.168, 0.1
LEAF = np.array([0.07, 0.06, 0.003])  # Half sizes of half a towel.
STICK = (0.11, 0.008)  # Half its length, and its radius.
_LIDDED = acts.NOUNS.index("box", len(props.THINGS))
_UP = np.array([0.0, 0.0, 1.0])
# Places of what does not take part: an opener, a faucet and a thing.
_PLACES = np.array([[-0.28, 0.22], [0.28, 0.22], [-0.28, -0.1], [0.28, -0.1]])


class Ramp(NamedTuple):
  """A slope up against the line, from the act's place."""

  length: jax.Array  # `[]` on the level.
  height: jax.Array  # `[]`.


@struct.dataclass
class Stage:
  """Everything about an act that does not change with time."""

  view: looks.View  # Where the camera stands, as drawn.
  things: scenes.Things  # Subject, partner, a third; `nouns` of `acts.NOUNS`.
  arm: scenes.Arm  # The arm and when it acts.
  layout: scenes.Layout  # Where everything stands.
  colors: looks.Colors  # Of all of it.
  camera: cameras.Camera  # The camera itself.
  light: material.Light  # What lights it.
  present: jax.Array  # `[5]` who is in the picture: opener, faucet, things.
  color: jax.Array  # `[]` in `looks.COLORS`, of what the caption names first.
  place: jax.Array  # `[3]` the partner's, on the table.
  frame: jax.Array  # `[3, 3]` columns: along the line, to its left, up.
  towards_arm: jax.Array  # `[3]` unit vector, level.
  away: jax.Array  # `[3]` where the hand waits, from what it will touch.
  lift: jax.Array  # `[]` meters.
  reach: jax.Array  # `[]` meters.
  gap: jax.Array  # `[]` meters, see `acts.at`.
  way: jax.Array  # `[2, 4, 3]` feet of subject and partner at the key poses.
  turn: jax.Array  # `[2, 4]` in radians.
  ramp: Ramp


def _column(name):
  """One field of all rows as an array."""
  values = [getattr(row, name) for row in acts.ROWS]
  if name in ("things", "partners"):
    return np.array([[x in names for x in props.THINGS] for names in values])
  return np.array(values, np.float32)


def act_of(label) -> acts.Act:
  """Returns row number `label` `[]` of the acts as arrays.

  The ways are `[4, 7]`, `times` `[4]`, `manners` `[3]`, `touch` `[3]`, `size`
  `[2]`, `things` and `partners` bool `[K]` of `props.THINGS`, all else `[]`.
  """
  _, *fields = dataclasses.fields(acts.Act)
  columns = (jnp.asarray(_column(field.name))[label] for field in fields)
  return acts.Act("", *columns)


def sample_stage(rng, act: acts.Act, held_out=0) -> Stage:
  """Draws everything about a clip that does not change with time.

  Args:
    rng: typed key, consumed.
    act: its row.
    held_out: `[]` 1 for a view, colors and hands that training never draws.
  """
  names = ("view", "things", "arm", "layout", "lengths", "colors")
  names += ("camera", "light", "place")
  rngs = dict(zip(names, jax.random.split(rng, len(names)), strict=True))
  spans = looks.ranges(jnp.asarray(held_out))
  view = looks.sample_view(rngs["view"], spans)
  view = view.replace(elevation=_lowered(view.elevation, act.low))
  things = _sample_things(rngs["things"], act)
  place, frame, mirrored = _sample_frame(rngs["place"], act, view)
  arm = _sample_arm(rngs["arm"], act, view, spans, mirrored)
  towards_arm = (arm.root - place).at[2].set(0.0)
  towards_arm /= jnp.linalg.norm(towards_arm)
  left = jnp.cross(_UP, towards_arm) * mirrored
  to_arm = jnp.stack([towards_arm, left, _UP], axis=-1)
  frame = jnp.where(act.line == acts.ARM, to_arm, frame)
  layout = _sample_layout(rngs["layout"], act, place, frame)
  reach, lift, *ramp = (
    looks.within(rng_length, span)
    for rng_length, span in zip(
      jax.random.split(rngs["lengths"], 4),
      ((0.11, 0.19), (0.09, 0.17), (0.22, 0.32), (0.08, 0.15)),
      strict=True,
    )
  )
  ramp = Ramp(*ramp)
  gap, top = _contact(act, things, ramp)
  keys = jnp.stack([act.way, act.partner_way])
  along = keys[..., :1] * reach + keys[..., 1:2] * gap
  way = along * frame[:, 0] + keys[..., 2:3] * reach * frame[:, 1]
  way += keys[..., 3:4] * reach * towards_arm
  way += (keys[..., 4:5] * lift + keys[..., 5:6] * top) * _UP
  colors = looks.sample_colors(rngs["colors"], spans)
  focus, extent = _focus(act, things, place + way, lift)
  camera = looks.sample_camera(rngs["camera"], view, focus, extent)
  back = arm.root / jnp.linalg.norm(arm.root)
  return Stage(
    view=view,
    things=things,
    arm=arm,
    layout=layout,
    colors=colors,
    camera=camera,
    light=looks.sample_light(rngs["light"]),
    present=_present(act, things, layout, camera, focus, extent),
    color=looks.name_color(colors.paint[looks.SUBJECT_PAINTS["thing"]]),
    place=place,
    frame=frame,
    towards_arm=towards_arm,
    away=0.22 * back + jnp.array([0.0, 0.0, 0.05]),
    lift=lift,
    reach=reach,
    gap=gap,
    way=place + way,
    turn=0.5 * np.pi * keys[..., 6],
    ramp=ramp,
  )


def _lowered(elevation, low):
  """The camera's elevation; above the held-out band it is brought below it."""
  lowest, highest, band = looks.RANGES["elevation"]
  share = (elevation - band[1]) / (highest - band[1])
  lowered = lowest + share * (band[0] - lowest)
  return jnp.where((low > 0) & (share > 0), lowered, elevation)


def _sample_things(rng, act):
  """Kinds, sizes and nouns of subject, partner and a third thing."""
  rngs = jax.random.split(rng, 5)
  kinds = jnp.stack(
    [
      jax.random.categorical(rngs[0], jnp.where(act.things, 0.0, -jnp.inf)),
      jax.random.categorical(rngs[1], jnp.where(act.partners, 0.0, -jnp.inf)),
      jax.random.randint(rngs[2], (), 0, len(props.THINGS)),
    ]
  )
  scale = looks.within(rngs[3], (0.85, 1.3), (scenes.NUM_THINGS + 2,))
  stack = act.partner == acts.STACK
  kinds = jnp.where(stack, kinds[0], kinds)
  size = jnp.append(act.size, jnp.where(stack, act.size[0], 1.0))
  size = jnp.where(stack, act.size[0], size)
  fixture = 0.85 * scale[scenes.NUM_THINGS :]
  opens, stands = (act.partner == x for x in (acts.BOX, acts.SHELF))
  fixture = fixture.at[0].set(
    jnp.where(opens | stands, act.size[1], fixture[0])
  )
  scale = scale[: scenes.NUM_THINGS]
  scale = jnp.where(stack, scale[0], scale) * size
  partner = jnp.select(
    [act.partner == x for x in (acts.BOX, acts.SHELF, acts.STICK, acts.TOWEL)],
    [_LIDDED, *map(acts.NOUNS.index, ("shelf", "stick", "towel"))],
    kinds[1],
  )
  towel = acts.NOUNS.index("towel")
  subject = jnp.where(act.partner == acts.LEAF, towel, kinds[0])
  wanted = jax.random.bernoulli(rngs[4], 0.55, (6,))
  return scenes.Things(
    kinds=kinds,
    scale=scale,
    fixture_scale=fixture,
    is_drawer=(wanted[5] | stands) & ~opens,
    door=jnp.zeros((), jnp.int32),
    wanted=wanted[:5],
    nouns=jnp.stack([subject, partner]).astype(jnp.int32),
    radius=jnp.asarray(props.RADIUS)[kinds] * scale,
    half_height=jnp.asarray(props.HALF_HEIGHT)[kinds] * scale,
  )


def _sample_frame(rng, act, view):
  """Place `[3]`, axes `[3, 3]` as the camera sees them, and a sign `[]`."""
  rngs = jax.random.split(rng, 3)
  place = jnp.append(looks.within(rngs[0], (-0.08, 0.08), (2,)), 0.0)
  mirrored = jnp.where(jax.random.bernoulli(rngs[1]), 1.0, -1.0)
  stray = looks.within(rngs[2], (-0.3, 0.3))
  right, away, up = geometry.rotation_about_z(view.azimuth + stray).T
  is_away = act.line == acts.AWAY
  along = jnp.where(is_away, away, mirrored * right)
  aside = jnp.where(is_away, mirrored * right, away)
  return place, jnp.stack([along, aside, up], axis=-1), mirrored


def _sample_arm(rng, act, view, spans, mirrored):
  """Where the arm comes from, its looks, and the timing of the act."""
  rngs = jax.random.split(rng, 9)
  travel = act.way[3] - act.way[0]
  travel = jnp.where(act.line == acts.AWAY, travel[2], travel[0] + travel[1])
  lead = jnp.where(travel < 0, -1.0, 1.0) * mirrored
  sides = (
    (acts.FROM_END, lead, (0.4, 1.2)),
    (acts.FROM_START, -lead, (0.3, 1.3)),
    (acts.FRONT, mirrored, (0.3, 0.8)),
  )
  chosen = [act.side == kind for kind, _, _ in sides]
  low = jnp.select(chosen, [span[0] for *_, span in sides], 0.5)
  high = jnp.select(chosen, [span[1] for *_, span in sides], 1.3)
  sign = jnp.select(chosen, [sign for _, sign, _ in sides], mirrored)
  side = sign * looks.within(rngs[0], (low, high))
  across = jax.random.bernoulli(rngs[8], 0.2) & (act.side != acts.FRONT)
  side = jnp.where(across, np.pi - side, side) + view.azimuth
  height = looks.within(rngs[1], (0.04, 0.24))
  height += jnp.where(act.partner == acts.BOX, 0.3, 0.0)
  root = jnp.stack([0.75 * jnp.sin(side), -0.75 * jnp.cos(side), height])
  body = scenes.sample_body(rngs[5], spans)
  root = jnp.where(body.is_robot, scenes.robot_root(rngs[6], root), root)
  begin = looks.within(rngs[2], (0.08, 0.3))
  return scenes.Arm(
    root=root,
    begin=jnp.where(act.comes > 0, begin, 0.4 * begin),
    end=looks.within(rngs[3], (0.82, 1.0)),
    leaves=act.leaves,
    body=body,
    miss=looks.within(rngs[7], (0.06, 0.1)),
    hits=jnp.ones(()),
    most=jnp.ones(()),
    idle=jnp.zeros(()),
    sway=jnp.zeros((2, 3)),
    phase=jnp.zeros((2, 3)),
  )


def _sample_layout(rng, act, place, frame):
  """Where everything stands; a fixture that takes part faces the line."""
  rngs = jax.random.split(rng, 5)
  places = jnp.asarray(_PLACES)[jax.random.permutation(rngs[0], len(_PLACES))]
  places += looks.within(rngs[1], (-0.04, 0.04), places.shape)
  takes_part = (act.partner == acts.BOX) | (act.partner == acts.SHELF)
  along = frame[:, 0]
  faces = jnp.arctan2(along[0], -along[1])
  yaw = looks.within(rngs[2], (-0.7, 0.7), (2,))
  thing_yaw = looks.within(rngs[3], (-np.pi, np.pi), (scenes.NUM_THINGS,))
  lined = jnp.arctan2(along[1], along[0])
  aligned = (act.partner == acts.CARGO) | (act.partner == acts.STACK)
  aligned |= act.pivot != acts.CENTER
  stack = act.partner == acts.STACK
  opener_at = jnp.where(takes_part, place, jnp.append(places[0], 0.0))
  third = jnp.where(stack, place[:2], places[2])
  idle = looks.within(rngs[4], (0.0, 1.0), (2,)) ** 2
  opening = jnp.select(
    [act.partner == acts.BOX, takes_part], [1.0, 0.0], idle[0]
  )
  return scenes.Layout(
    opener_at=opener_at,
    faucet_at=jnp.append(places[1], 0.0),
    things_at=jnp.stack([place[:2], place[:2], third]),
    foot=jnp.zeros(()),
    line=along[:2],
    opener_yaw=jnp.where(takes_part, faces, yaw[0]),
    faucet_yaw=2.0 * yaw[1],
    thing_yaw=jnp.where(aligned, lined + 0.1 * thing_yaw, thing_yaw),
    idle_state=idle.at[0].set(opening),
  )


def _contact(act, things, ramp):
  """Meters of a key pose's gap and of its top, see `acts.at`."""
  radius, half = things.radius, things.half_height
  fixture = things.fixture_scale[0]
  touching = radius[0] + radius[1] + 0.01
  kinds = (
    (acts.RAMP, ramp.length, ramp.height),
    (acts.CARGO, touching, 2 * half[0]),
    (acts.BOX, touching, BOX_HEIGHT * fixture),
    (acts.SHELF, SHELF_DEPTH * fixture, SHELF_HEIGHT * fixture),
    (acts.TOWEL, touching, 2 * LEAF[2]),
    (acts.LEAF, 2 * LEAF[0] * things.scale[0], 0.0),
    (acts.STICK, radius[0] + STICK[1], 2 * half[0]),
  )
  chosen = [act.partner == kind for kind, _, _ in kinds]
  gap = jnp.select(chosen, [gap for _, gap, _ in kinds], touching)
  return gap, jnp.select(chosen, [top for _, _, top in kinds], 2 * half[1])


def _focus(act, things, way, lift):
  """Middle `[3]` and radius `[]` of what a clip is about."""
  middle = way[1, 0]
  peak = 0.5 * (way[0, 1] + way[0, 2]) + act.arc * lift * _UP
  near = jnp.concatenate([*way, peak[None]]) - middle
  near = jnp.clip(near, -0.3, 0.3)
  low, high = near.min(axis=0), near.max(axis=0)
  extent = 0.5 * jnp.linalg.norm(high - low) + things.radius[:2].max() + 0.04
  large = jnp.select(
    [act.partner == acts.BOX, act.partner == acts.SHELF], [0.24, 0.22], 0.0
  )
  large = jnp.where(
    act.partner == acts.RAMP, 0.2, large * things.fixture_scale[0]
  )
  focus = middle + 0.5 * (low + high) + things.half_height[0] * _UP
  return focus, jnp.maximum(extent, large)


def _present(act, things, layout, camera, focus, extent):
  """`[5]` who is in the picture: fixtures, things; none hides the act."""
  clutter = jnp.array([True, True, False, False, True])
  clutter &= scenes.stands_by(things, layout, camera, focus, extent)
  partner = act.partner
  others = (partner == acts.THING) | (partner == acts.CARGO)
  stack = partner == acts.STACK
  takes_part = jnp.stack(
    [
      (partner == acts.BOX) | (partner == acts.SHELF),
      jnp.zeros((), bool),
      partner != acts.LEAF,
      others | stack,
      stack,
    ]
  )
  return takes_part | clutter

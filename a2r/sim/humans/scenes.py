"""Scenes of the procedural human clips: all that does not change with time.

The table's x and y are its sides, z is up from it, in meters. The camera stands
anywhere in front of it, and ways to the right or away from the camera are
meant as it sees them. A scene is drawn from a key and the row of its template.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.sim.humans import looks, props, templates
from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import geometry, material

NUM_THINGS = 3
OUTCOMES = ("done", "missed", "stopped", "idle")
DONE, MISSED, STOPPED, IDLE = range(len(OUTCOMES))
_DRAWER_NOUN = templates.NOUNS.index("drawer")
_LIDDED_NOUN = len(props.THINGS) + 1
_DOOR_NOUN = templates.NOUNS.index("door")
_BALL, _CAN = (props.THINGS.index(name) for name in ("ball", "can"))
_FAUCET_NOUN = templates.NOUNS.index("faucet")
# Places on the table: two fixtures and three things are dealt onto them.
_PLACES = np.array(
  [[-0.27, 0.2], [0.0, 0.24], [0.27, 0.2], [-0.24, -0.05], [0.24, -0.05]]
  + [[0.0, 0.0]],
  np.float32,
)


@struct.dataclass
class Things:
  """What is in a scene, and how large."""

  kinds: jax.Array  # `[3]` in `props.THINGS`: subject, partner, a third.
  scale: jax.Array  # `[3]` their sizes, relative to those of `props`.
  radius: jax.Array  # `[3]` in meters.
  half_height: jax.Array  # `[3]` in meters.
  fixture_scale: jax.Array  # `[2]` sizes of the opener and the faucet.
  is_drawer: jax.Array  # `[]` the opener is one, else it has a lid.
  door: jax.Array  # `[]` 1 or -1 for the side where a lid's hinge stands up.
  wanted: jax.Array  # `[5]` as `Scene.present`, if there is room.
  nouns: jax.Array  # `[2]` indices into `NOUNS` in the order of the caption.


@struct.dataclass
class Arm:
  """The arm and when it acts; times are shares of the clip."""

  root: jax.Array  # `[3]` where it comes from.
  begin: jax.Array  # `[]` when what it does begins.
  end: jax.Array  # `[]` when it ends.
  leaves: jax.Array  # `[]` whether it goes away then.
  body: "Body"  # What it is.
  miss: jax.Array  # `[]` how far off it stays where it only pretends.
  hits: jax.Array  # `[]` 0 where it misses what it acts on, else 1.
  most: jax.Array  # `[]` share of the deed that it comes to do.
  idle: jax.Array  # `[]` 1 where it stays away from what it could act on.
  sway: jax.Array  # `[2, 3]` how far it moves about while it waits.
  phase: jax.Array  # `[2, 3]` of that in turns.


@struct.dataclass
class Body:
  """What acts: a hand, or a robot's arm of two links with a gripper."""

  width: jax.Array  # `[]` relative to a grown-up's.
  spread: jax.Array  # `[]` opening between thumb and fingers, or of a gripper.
  is_robot: jax.Array  # `[]`.
  link: jax.Array  # `[]` length of a robot's links.
  lean: jax.Array  # `[]` 0 for a gripper that points down, 1 for half level.
  yaw: jax.Array  # `[]` of the gripper's fingers about z.
  shade: jax.Array  # `[2, 3]` of a robot's fingers and upper arm, RGB.


@struct.dataclass
class Layout:
  """Where everything stands before anybody acts."""

  opener_at: jax.Array  # `[3]` its foot.
  faucet_at: jax.Array  # `[3]` its foot.
  opener_yaw: jax.Array  # `[]` about z.
  faucet_yaw: jax.Array  # `[]` about z.
  idle_state: jax.Array  # `[2]` how far fixtures are open that nobody acts on.
  things_at: jax.Array  # `[3, 2]` on the table.
  thing_yaw: jax.Array  # `[3]` about z.
  foot: jax.Array  # `[]` height of what the subject ends up on.
  line: jax.Array  # `[2]` unit vector of the path's fourth coordinate.


@struct.dataclass
class Action:
  """What is done to the subject."""

  path: jax.Array  # `[3, 3]` key poses relative to its place.
  state: jax.Array  # `[2]` of a fixture at the start and at the end.
  turn: jax.Array  # `[]` radians that the faucet's state of 1 stands for.
  reach: jax.Array  # `[]` length of the faucet's handle.
  away: jax.Array  # `[3]` where the hand waits, from what it will touch.


@struct.dataclass
class Scene:
  """Everything about a clip that does not change with time."""

  view: looks.View  # Where the camera stands, as drawn.
  things: Things  # What is there, and how large.
  arm: Arm  # The arm and when it acts.
  layout: Layout  # Where everything stands.
  action: Action  # What is done.
  colors: looks.Colors  # Of all of it.
  camera: cameras.Camera  # The camera itself.
  light: material.Light  # What lights it.
  present: jax.Array  # `[5]` who is in the picture: opener, faucet, things.
  color: jax.Array  # `[]` in `looks.COLORS`, of what the caption names first.


def _column(name):
  """One field of all rows as an array."""
  values = [getattr(row, name) for row in templates.ROWS]
  if name == "things":
    return np.array([[x in names for x in props.THINGS] for names in values])
  return np.float32([0.5 if value is None else value for value in values])


def _may_fail(row):
  """Whether it may be missed, stop on its way, or not be tried at all.

  Where a failure would look like the success of another template it may not.
  """
  does = row.real and row.hand and "Pretend" not in row.text
  moves = len(set(row.path)) > 1 or row.tilt or row.state[0] != row.state[1]
  if not (does and moves) or row.released:
    return False, False, False
  if row.subject != templates.THING:  # Missed, an opener is one of pretending.
    opener = row.subject == templates.OPENER
    return not opener, opener, True
  grasped = row.grip == templates.GRASP
  alone = row.partner == templates.ALONE and not row.tilt
  poked = row.grip == templates.POKE
  held = row.carried and alone and not row.toward_arm  # It would be held.
  missed = not (row.carried or poked or (grasped and alone))
  return missed, not (held or poked), not row.carried


MAY_FAIL = np.array([_may_fail(row) for row in templates.ROWS])


def row_of(label) -> templates.Template:
  """Returns row number `label` `[]` of the templates as arrays.

  `path` is `[3, 4]`, `state` `[2]`, `things` bool `[K]` of `props.THINGS`, all
  else `[]`: yes is 1, no 0, what is left to chance a half.
  """
  _, *fields = dataclasses.fields(templates.Template)
  columns = (jnp.asarray(_column(field.name))[label] for field in fields)
  return templates.Template("", *columns)


def sample_scene(
  rng, row: templates.Template, held_out=0, outcome=DONE
) -> Scene:
  """Draws everything about a clip that does not change with time.

  Args:
    rng: typed key, consumed.
    row: of the template.
    held_out: `[]` 1 for a view, colors and hands that training never draws.
    outcome: `[]` in `OUTCOMES`.
  """
  names = ("view", "things", "arm", "layout", "action", "colors")
  names += ("camera", "light")
  rngs = dict(zip(names, jax.random.split(rng, len(names)), strict=True))
  spans = looks.ranges(jnp.asarray(held_out))
  view = looks.sample_view(rngs["view"], spans)
  things = _sample_things(rngs["things"], row)
  arm = _sample_arm(rngs["arm"], row, view, spans, outcome)
  layout = _sample_layout(rngs["layout"], row, view, things, arm)
  action = _sample_action(rngs["action"], row, view, arm, layout)
  colors = looks.sample_colors(rngs["colors"], spans)
  focus, extent = _focus(row, things, layout, action)
  camera = looks.sample_camera(rngs["camera"], view, focus, extent)
  return Scene(
    view=view,
    things=things,
    arm=arm,
    layout=layout,
    action=action,
    colors=colors,
    camera=camera,
    light=looks.sample_light(rngs["light"]),
    present=_present(row, things, layout, camera, focus, extent),
    color=_color(row, colors),
  )


def _sample_things(rng, row):
  """Kinds and sizes of the things, the openers and who is in the picture."""
  rngs = jax.random.split(rng, 6)
  logits = jnp.where(row.things, 0.0, -jnp.inf)
  subject = jax.random.categorical(rngs[0], logits)
  others = jax.random.randint(rngs[1], (2,), 0, len(props.THINGS))
  chance = jax.random.randint(rngs[2], (), 0, 2)
  cover = row.partner == templates.COVER
  into = row.partner == templates.INTO
  partner = jnp.select(
    [row.partner == templates.ONTO, cover],
    [1 + chance, jnp.where(chance > 0, _BALL, _CAN)],  # Onto a box or a book.
    others[0],
  )
  kinds = jnp.stack([subject, partner, others[1]])
  scale = looks.within(rngs[3], (0.85, 1.5), (NUM_THINGS + 2,))
  fixture = 0.85 * scale[NUM_THINGS:]
  fixture = jnp.where(into, jnp.maximum(fixture, 1.0), fixture)
  scale = scale[:NUM_THINGS]
  covering = jnp.stack([1.2 + 0.5 * scale[0], 0.4 + 0.25 * scale[1], scale[2]])
  scale = jnp.where(cover, covering, scale)
  scale = jnp.where(into, 0.4 + 0.4 * scale, scale)
  is_drawer = jax.random.bernoulli(rngs[4], 0.6) & ~into
  door = jax.random.randint(jax.random.fold_in(rngs[4], 1), (), 0, 4)
  door = jnp.select([is_drawer | into, door == 0, door == 1], [0, -1, 1], 0)
  opener = jnp.where(door == 0, _LIDDED_NOUN, _DOOR_NOUN)
  opener = jnp.where(is_drawer, _DRAWER_NOUN, opener)
  first = jnp.select(
    [row.subject == templates.THING, row.subject == templates.OPENER],
    [subject, opener],
    _FAUCET_NOUN,
  )
  second = jnp.where(into, _LIDDED_NOUN, partner)
  nouns = jnp.stack([first, second]).astype(jnp.int32)
  return Things(
    kinds=kinds,
    scale=scale,
    fixture_scale=fixture,
    is_drawer=is_drawer,
    door=door,
    wanted=jax.random.bernoulli(rngs[5], 0.55, (5,)),
    nouns=jnp.where(cover, nouns[::-1], nouns),
    radius=jnp.asarray(props.RADIUS)[kinds] * scale,
    half_height=jnp.asarray(props.HALF_HEIGHT)[kinds] * scale,
  )


def _sample_arm(rng, row, view, spans, outcome):
  """Where the arm comes from, its looks, and the timing of what it does."""
  rngs = jax.random.split(rng, 13)
  # Who pushes comes from behind, who pulls from before: they look different.
  lead = jnp.sign(row.path[2, 0] - row.path[0, 0])
  pulls = row.grip == templates.PULL
  side = jnp.select(
    [pulls, lead != 0],
    [
      lead * looks.within(rngs[0], (0.5, 1.3)),
      lead * looks.within(rngs[0], (-1.3, 0.2)),
    ],
    jnp.where(jax.random.bernoulli(rngs[9]), 1.0, -1.0)
    * looks.within(
      rngs[0], (0.35, 1.4)
    ),  # Else the arm would hide what it holds.
  )
  across = jax.random.bernoulli(rngs[8], 0.2)  # From the far side of the table.
  side = jnp.where(across, np.pi - side, side) + view.azimuth
  into = row.partner == templates.INTO
  height = looks.within(rngs[1], (0.04, 0.24)) + jnp.where(into, 0.3, 0.0)
  root = jnp.stack([0.75 * jnp.sin(side), -0.75 * jnp.cos(side), height])
  body = sample_body(rngs[5], spans)
  root = jnp.where(body.is_robot, robot_root(rngs[6], root), root)
  released = row.released > 0
  begin = looks.within(rngs[2], (0.08, 0.35)) * jnp.where(released, 0.6, 1.0)
  end = looks.within(rngs[3], (0.62, 0.9))
  chance = jax.random.uniform(rngs[4])
  return Arm(
    root=root,
    begin=jnp.where(row.carried > 0, 0.5 * begin, begin),
    end=jnp.where(released, 0.5 + 0.5 * end, end),
    leaves=chance < row.leaves,
    body=body,
    miss=looks.within(rngs[7], (0.06, 0.1)),
    hits=jnp.where(outcome == MISSED, 0.0, 1.0),
    most=_most(rngs[10], row, outcome),
    idle=jnp.where(outcome == IDLE, 1.0, 0.0),
    sway=_sample_sway(rngs[11], outcome),
    phase=jax.random.uniform(rngs[12], (2, 3)),
  )


def sample_body(rng, spans) -> Body:
  """Draws a hand or, in half of all clips, a robot's arm."""
  rngs = jax.random.split(rng, 8)
  is_robot = jax.random.bernoulli(rngs[0])
  grey = looks.within(rngs[1], (0.05, 0.95), (2, 1))
  tint = jax.random.uniform(rngs[2], (2, 3))
  plain = jax.random.bernoulli(rngs[3], 0.6, (2, 1))
  return Body(
    is_robot=is_robot,
    width=looks.from_span(rngs[4], spans["width"]),
    spread=looks.within(rngs[5], (0.01, 0.04)),
    link=looks.within(rngs[6], (0.48, 0.7)),
    lean=looks.within(rngs[7], (0.0, 1.0)) ** 2,
    yaw=looks.within(rngs[7], (-np.pi, np.pi)),
    shade=jnp.where(plain, grey, tint),
  )


def robot_root(rng, root):
  """Moves the root of an arm to where a robot's shoulder may stand."""
  rngs = jax.random.split(rng, 2)
  place = looks.within(rngs[0], (0.6, 1.0)) * root
  return place.at[2].set(looks.within(rngs[1], (0.05, 0.5)))


def _most(rng, row, outcome):
  """Share of the deed that is done: part of it where the arm stops."""
  aimless = (row.subject == templates.THING) & (row.partner == templates.ALONE)
  aimless &= row.carried == 0
  part = looks.within(rng, (0.0, 1.0)) * jnp.where(aimless, 0.12, 0.6)
  return jnp.select([outcome == STOPPED, outcome == IDLE], [part, 0.0], 1.0)


def _sample_sway(rng, outcome):
  """How far an arm that waits moves about, in meters: two waves `[2, 3]`."""
  rngs = jax.random.split(rng, 2)
  size = looks.within(rngs[0], (-0.08, 0.12))  # Four in ten keep still.
  size = jnp.maximum(size, 0.0) * jnp.where(outcome == IDLE, 1.5, 1.0)
  return size * looks.within(rngs[1], (-1.0, 1.0), (2, 3))


def _sample_layout(rng, row, view, things, arm):
  """Places of fixtures and things; the partner's place fixes the subject's."""
  rngs = jax.random.split(rng, 8)
  order = jax.random.permutation(rngs[0], len(_PLACES))
  places = jnp.asarray(_PLACES)[order]
  places += looks.within(rngs[1], (-0.05, 0.05), places.shape)
  places *= looks.within(rngs[2], (0.85, 1.2))
  angle = looks.within(rngs[3], (-np.pi, np.pi))
  line = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
  towards_arm = arm.root[:2] / jnp.linalg.norm(arm.root[:2])
  line = jnp.where(row.toward_arm > 0, towards_arm, line)
  gap = things.radius[0] + things.radius[1] + 0.015
  partner = row.partner
  onto, cover = partner == templates.ONTO, partner == templates.COVER
  into = partner == templates.INTO
  spot = jnp.select(
    [partner == templates.BESIDE, onto | cover, into],
    [places[3] + line * gap, places[3], places[0]],
    0.75 * places[2],
  )
  idle = looks.within(rngs[7], (0.0, 1.0), (2,)) ** 2
  return Layout(
    opener_at=jnp.append(places[0], 0.0),
    faucet_at=jnp.append(places[1], 0.0),
    things_at=jnp.stack([spot, places[3], places[4]]),
    foot=jnp.where(onto, 2 * things.half_height[1], 0.0),
    line=line,
    # A fixture is seen from before or from a side, not from behind.
    opener_yaw=view.azimuth + looks.within(rngs[4], (-1.6, 1.6)),
    faucet_yaw=view.azimuth + looks.within(rngs[5], (-2.2, 2.2)),
    thing_yaw=looks.within(rngs[6], (-np.pi, np.pi), (NUM_THINGS,)),
    idle_state=idle.at[0].set(jnp.where(into, 1.0, idle[0])),
  )


def _sample_action(rng, row, view, arm, layout):
  """Key poses of the subject in meters, and the states of a fixture."""
  rngs = jax.random.split(rng, 7)
  reach = looks.within(rngs[0], (0.11, 0.21))
  lift = looks.within(rngs[1], (0.09, 0.2))
  # A low camera hardly sees depth, and more of what is sideways.
  depth = jnp.abs(row.path[:, 1]).max() > 0
  stray = jnp.where(depth, jnp.minimum(0.5, 0.8 * view.elevation), 0.5)
  heading = view.azimuth + stray * looks.within(rngs[6], (-1.0, 1.0))
  turned = geometry.rotation_about_z(heading)[:2, :2]
  across = row.path[:, :2] @ turned.T * reach
  along = row.path[:, 3:] * reach * layout.line
  path = jnp.concatenate([across + along, row.path[:, 2:3] * lift], axis=-1)
  turn = looks.within(rngs[2], (0.7, 1.5))
  turn *= jnp.where(jax.random.bernoulli(rngs[3]), 1.0, -1.0)
  opener = row.subject == templates.OPENER
  wide = jnp.where(opener, looks.within(rngs[4], (0.6, 1.0)), 1.0)
  back = arm.root / jnp.linalg.norm(arm.root)
  return Action(
    path=path,
    state=row.state * wide,
    turn=turn,
    reach=looks.within(rngs[5], (0.12, 0.19)),
    # Where the hand waits, relative to what it will touch.
    away=0.22 * back + jnp.array([0.0, 0.0, 0.05]),
  )


def _focus(row, things, layout, action):
  """Middle `[3]` and radius `[]` of what a clip is about."""
  travel = jnp.clip(action.path, -0.2, 0.2)
  low, high = travel.min(axis=0), travel.max(axis=0)
  apart = jnp.linalg.norm(high - low) * (1.0 + row.both)
  middle = (0.5 - 0.5 * row.both) * (low + high)
  at_thing = jnp.append(layout.things_at[0], things.half_height[0]) + middle
  scale = things.fixture_scale
  opener = row.subject == templates.OPENER
  opener |= row.partner == templates.INTO
  faucet = row.subject == templates.FAUCET
  up = jnp.array([0.0, 0.0, 0.08])
  yaw = layout.opener_yaw
  front = 0.08 * jnp.stack([jnp.sin(yaw), -jnp.cos(yaw), 0.0 * yaw])
  front *= things.is_drawer
  focus = jnp.select(
    [opener, faucet],
    [layout.opener_at + up + front, layout.faucet_at + up],
    at_thing,
  )
  thing = 0.5 * apart + things.radius[0] + 0.05
  extent = jnp.select(
    [opener, faucet], [0.27 * scale[0], 0.2 * scale[1]], thing
  )
  return focus, extent


def _present(row, things, layout, camera, focus, extent):
  """`[5]` who is in the picture: fixtures, things; none hides the subject."""
  beside = stands_by(things, layout, camera, focus, extent)
  kind, partner = row.subject, row.partner
  needed = jnp.stack(
    [
      (kind == templates.OPENER) | (partner == templates.INTO),
      kind == templates.FAUCET,
      kind == templates.THING,
      (partner > templates.ALONE) & (partner < templates.INTO),
      jnp.zeros((), bool),
    ]
  )
  return needed | beside


def stands_by(things, layout, camera, focus, extent):
  """Returns which of fixtures and things `[5]` may stand by, hiding nothing.

  Args:
    things: what there is, and what of it is wanted.
    layout: where it stands.
    camera: what sees it.
    focus: `[3]` middle of what the clip is about.
    extent: `[]` its radius.
  """
  places = jnp.stack([layout.opener_at, layout.faucet_at])[:, :2]
  places = jnp.concatenate([places, layout.things_at])
  half = jnp.array([0.14, 0.1, 0.05, 0.05, 0.05])
  offset = places - focus[:2]
  towards = camera.position[:2] - focus[:2]
  towards /= jnp.linalg.norm(towards)
  nearer = offset @ towards
  beside = jnp.abs(offset @ jnp.stack([-towards[1], towards[0]]))
  hides = (nearer > 0) & (beside < half + 0.6 * extent)
  hinders = jnp.linalg.norm(offset, axis=-1) < half + 0.8 * extent
  return things.wanted & ~hides & ~hinders


def _color(row, colors):
  """`[]` the name of the color of what the caption names first."""
  paints = looks.SUBJECT_PAINTS
  index = jnp.select(
    [
      row.subject == templates.OPENER,
      row.subject == templates.FAUCET,
      row.partner == templates.COVER,
    ],
    [paints["opener"], paints["faucet"], paints["partner"]],
    paints["thing"],
  )
  return looks.name_color(colors.paint[index])

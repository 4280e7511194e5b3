"""Scenes of the procedural human clips: all that does not change with time.

The table's x and y are its sides, z is up from it, in meters. The camera stands
anywhere in front of it, and ways to the right or away from the camera are
meant as it sees them. A world is a dict of arrays, drawn from a key and the row
of its template.
"""

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.humans import looks, props, templates
from a2r.sim.rendering import geometry

NUM_THINGS = 3
_DRAWER_NOUN = templates.NOUNS.index("drawer")
_LIDDED_NOUN = len(props.THINGS) + 1
_BALL, _CAN = (props.THINGS.index(name) for name in ("ball", "can"))
_FAUCET_NOUN = templates.NOUNS.index("faucet")
# Places on the table: two fixtures and three things are dealt onto them.
_PLACES = np.array(
  [[-0.27, 0.2], [0.0, 0.24], [0.27, 0.2], [-0.24, -0.05], [0.24, -0.05]]
  + [[0.0, 0.0]],
  np.float32,
)


_CHANCE = 0.5  # What `None` in a row stands for.
_NUMBERS = ("subject", "path", "both", "state", "grip", "tilt", "partner")
_NUMBERS += ("carried", "leaves", "real", "released", "hand", "edge")


def _column(name):
  """One field of all rows as an array, booleans as 0 and 1."""
  values = [getattr(row, name) for row in templates.ROWS]
  return np.array([_CHANCE if v is None else v for v in values], np.float32)


_COLUMNS = {name: _column(name) for name in _NUMBERS}
_COLUMNS["arm_line"] = np.array(
  [row.toward == "arm" for row in templates.ROWS], np.float32
)
_COLUMNS["things"] = np.array(
  [[name in row.things for name in props.THINGS] for row in templates.ROWS]
)


def row_of(label):
  """The row of template number `label` `[]`, as arrays."""
  return {name: jnp.asarray(column)[label] for name, column in _COLUMNS.items()}


def sample_world(rng, row, held_out=0):
  """Everything about a clip that does not change with time.

  Args:
    rng: typed key, consumed.
    row: of the template, from `row_of`.
    held_out: `[]` 1 for a view, colors and hands that training never draws.

  Returns:
    A dict. Of interest outside: `nouns` `[2]`, indices into `NOUNS` in the
    order of the caption, and `color` `[]`, the index into `looks.COLORS`
    of the first of them.
  """
  names = ("view", "kinds", "arm", "layout", "path", "color", "camera", "light")
  rngs = dict(zip(names, jax.random.split(rng, len(names)), strict=True))
  spans = looks.ranges(jnp.asarray(held_out))
  world = looks.sample_view(rngs["view"], spans)
  world |= _sample_things(rngs["kinds"], row)
  world |= _sample_arm(rngs["arm"], row, world, spans)
  world |= _sample_layout(rngs["layout"], row, world)
  world |= _sample_path(rngs["path"], row, world)
  world |= looks.sample_colors(rngs["color"], spans)
  focus, extent = _focus(row, world)
  world["camera"] = looks.sample_camera(rngs["camera"], world, focus, extent)
  world["present"] = _out_of_the_way(row, world, focus, extent)
  world["color"] = _color(row, world)
  world["light"] = looks.sample_light(rngs["light"])
  return world


_within = looks.within


def _sample_things(rng, row):
  """Kinds and sizes of the things, the openers and who is in the picture."""
  rngs = jax.random.split(rng, 6)
  logits = jnp.where(row["things"], 0.0, -jnp.inf)
  subject = jax.random.categorical(rngs[0], logits)
  others = jax.random.randint(rngs[1], (2,), 0, len(props.THINGS))
  chance = jax.random.randint(rngs[2], (), 0, 2)
  cover = row["partner"] == templates.COVER
  into = row["partner"] == templates.INTO
  partner = jnp.select(
    [row["partner"] == templates.ONTO, cover],
    [1 + chance, jnp.where(chance > 0, _BALL, _CAN)],  # Onto a box or a book.
    others[0],
  )
  kinds = jnp.stack([subject, partner, others[1]])
  scale = _within(rngs[3], (0.85, 1.5), (NUM_THINGS + 2,))
  fixture = 0.85 * scale[NUM_THINGS:]
  fixture = jnp.where(into, jnp.maximum(fixture, 1.0), fixture)
  scale = scale[:NUM_THINGS]
  covering = jnp.stack([1.2 + 0.5 * scale[0], 0.4 + 0.25 * scale[1], scale[2]])
  scale = jnp.where(cover, covering, scale)
  scale = jnp.where(into, 0.4 + 0.4 * scale, scale)
  is_drawer = jax.random.bernoulli(rngs[4], 0.6) & ~into
  opener = jnp.where(is_drawer, _DRAWER_NOUN, _LIDDED_NOUN)
  first = jnp.select(
    [row["subject"] == templates.THING, row["subject"] == templates.OPENER],
    [subject, opener],
    _FAUCET_NOUN,
  )
  second = jnp.where(into, _LIDDED_NOUN, partner)
  nouns = jnp.stack([first, second]).astype(jnp.int32)
  return {
    "kinds": kinds,
    "scale": scale,
    "fixture_scale": fixture,
    "is_drawer": is_drawer,
    "present": jax.random.bernoulli(rngs[5], 0.55, (5,)),
    "nouns": jnp.where(cover, nouns[::-1], nouns),
    "radius": jnp.asarray(props.RADIUS)[kinds] * scale,
    "half_height": jnp.asarray(props.HALF_HEIGHT)[kinds] * scale,
  }


def _sample_arm(rng, row, world, spans):
  """Where the arm comes from, its looks, and the timing of what it does."""
  rngs = jax.random.split(rng, 10)
  # Who pushes comes from behind, who pulls from before: they look different.
  lead = jnp.sign(row["path"][2, 0] - row["path"][0, 0])
  pulls = row["grip"] == templates.PULL
  side = jnp.select(
    [pulls, lead != 0],
    [
      lead * _within(rngs[0], (0.5, 1.3)),
      lead * _within(rngs[0], (-1.3, 0.2)),
    ],
    jnp.where(jax.random.bernoulli(rngs[9]), 1.0, -1.0)
    * _within(rngs[0], (0.35, 1.4)),  # Else the arm would hide what it holds.
  )
  across = jax.random.bernoulli(rngs[8], 0.2)  # From the far side of the table.
  side = jnp.where(across, np.pi - side, side) + world["azimuth"]
  into = row["partner"] == templates.INTO
  height = _within(rngs[1], (0.04, 0.24)) + jnp.where(into, 0.3, 0.0)
  root = jnp.stack([0.75 * jnp.sin(side), -0.75 * jnp.cos(side), height])
  released = row["released"] > 0
  begin = _within(rngs[2], (0.08, 0.35)) * jnp.where(released, 0.6, 1.0)
  end = _within(rngs[3], (0.62, 0.9))
  chance = jax.random.uniform(rngs[4])
  return {
    "root": root,
    "begin": jnp.where(row["carried"] > 0, 0.5 * begin, begin),
    "end": jnp.where(released, 0.5 + 0.5 * end, end),
    "leaves": chance < row["leaves"],
    "width": looks.from_span(rngs[5], spans["width"]),
    "spread": _within(rngs[6], (0.01, 0.04)),
    "miss": _within(rngs[7], (0.06, 0.1)),
  }


def _sample_layout(rng, row, world):
  """Places of fixtures and things; the partner's place fixes the subject's."""
  rngs = jax.random.split(rng, 8)
  order = jax.random.permutation(rngs[0], len(_PLACES))
  places = jnp.asarray(_PLACES)[order]
  places += _within(rngs[1], (-0.05, 0.05), places.shape)
  places *= _within(rngs[2], (0.85, 1.2))
  angle = _within(rngs[3], (-np.pi, np.pi))
  line = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
  towards_arm = world["root"][:2] / jnp.linalg.norm(world["root"][:2])
  line = jnp.where(row["arm_line"] > 0, towards_arm, line)
  gap = world["radius"][0] + world["radius"][1] + 0.015
  partner = row["partner"]
  onto, cover = partner == templates.ONTO, partner == templates.COVER
  into = partner == templates.INTO
  spot = jnp.select(
    [partner == templates.BESIDE, onto | cover, into],
    [places[3] + line * gap, places[3], places[0]],
    0.75 * places[2],
  )
  idle = _within(rngs[7], (0.0, 1.0), (2,)) ** 2
  return {
    "opener_at": jnp.append(places[0], 0.0),
    "faucet_at": jnp.append(places[1], 0.0),
    "things_at": jnp.stack([spot, places[3], places[4]]),
    "foot": jnp.where(onto, 2 * world["half_height"][1], 0.0),
    "line": line,
    "opener_yaw": _within(rngs[4], (-0.7, 0.7)),
    "faucet_yaw": _within(rngs[5], (-1.3, 1.3)),
    "thing_yaw": _within(rngs[6], (-np.pi, np.pi), (NUM_THINGS,)),
    "idle_state": idle.at[0].set(jnp.where(into, 1.0, idle[0])),
  }


def _sample_path(rng, row, world):
  """Key poses of the subject in meters, and the states of a fixture."""
  rngs = jax.random.split(rng, 7)
  reach = _within(rngs[0], (0.11, 0.21))
  lift = _within(rngs[1], (0.09, 0.2))
  # A low camera hardly sees depth, and more of what is sideways.
  depth = jnp.abs(row["path"][:, 1]).max() > 0
  stray = jnp.where(depth, jnp.minimum(0.5, 0.8 * world["elevation"]), 0.5)
  heading = world["azimuth"] + stray * _within(rngs[6], (-1.0, 1.0))
  turned = geometry.rotation_about_z(heading)[:2, :2]
  across = row["path"][:, :2] @ turned.T * reach
  along = row["path"][:, 3:] * reach * world["line"]
  path = jnp.concatenate([across + along, row["path"][:, 2:3] * lift], axis=-1)
  turn = _within(rngs[2], (0.7, 1.5))
  turn *= jnp.where(jax.random.bernoulli(rngs[3]), 1.0, -1.0)
  opener = row["subject"] == templates.OPENER
  wide = jnp.where(opener, _within(rngs[4], (0.6, 1.0)), 1.0)
  back = world["root"] / jnp.linalg.norm(world["root"])
  return {
    "path": path,
    "state": row["state"] * wide,
    "turn": turn,
    "reach": _within(rngs[5], (0.12, 0.19)),
    # Where the hand waits, relative to what it will touch.
    "away": 0.22 * back + jnp.array([0.0, 0.0, 0.05]),
  }


def _focus(row, world):
  """Middle `[3]` and radius `[]` of what a clip is about."""
  travel = jnp.clip(world["path"], -0.2, 0.2)
  low, high = travel.min(axis=0), travel.max(axis=0)
  apart = jnp.linalg.norm(high - low) * (1.0 + row["both"])
  middle = (0.5 - 0.5 * row["both"]) * (low + high)
  at_thing = jnp.append(world["things_at"][0], world["half_height"][0]) + middle
  scale = world["fixture_scale"]
  opener = row["subject"] == templates.OPENER
  opener |= row["partner"] == templates.INTO
  faucet = row["subject"] == templates.FAUCET
  up = jnp.array([0.0, 0.0, 0.08])
  yaw = world["opener_yaw"]
  front = 0.08 * jnp.stack([jnp.sin(yaw), -jnp.cos(yaw), 0.0 * yaw])
  front *= world["is_drawer"]
  focus = jnp.select(
    [opener, faucet],
    [world["opener_at"] + up + front, world["faucet_at"] + up],
    at_thing,
  )
  thing = 0.5 * apart + world["radius"][0] + 0.05
  extent = jnp.select(
    [opener, faucet], [0.27 * scale[0], 0.2 * scale[1]], thing
  )
  return focus, extent


def _out_of_the_way(row, world, focus, extent):
  """`[5]` who is in the picture: fixtures, things; none hides the subject."""
  places = jnp.stack([world["opener_at"], world["faucet_at"]])[:, :2]
  places = jnp.concatenate([places, world["things_at"]])
  half = jnp.array([0.14, 0.1, 0.05, 0.05, 0.05])
  offset = places - focus[:2]
  towards = world["camera"].position[:2] - focus[:2]
  towards /= jnp.linalg.norm(towards)
  nearer = offset @ towards
  beside = jnp.abs(offset @ jnp.stack([-towards[1], towards[0]]))
  hides = (nearer > 0) & (beside < half + 0.6 * extent)
  hinders = jnp.linalg.norm(offset, axis=-1) < half + 0.8 * extent
  kind, partner = row["subject"], row["partner"]
  needed = jnp.stack(
    [
      (kind == templates.OPENER) | (partner == templates.INTO),
      kind == templates.FAUCET,
      kind == templates.THING,
      (partner > templates.ALONE) & (partner < templates.INTO),
      jnp.zeros((), bool),
    ]
  )
  return needed | (world["present"] & ~hides & ~hinders)


def _color(row, world):
  """`[]` the name of the color of what the caption names first."""
  paints = looks.SUBJECT_PAINTS
  index = jnp.select(
    [
      row["subject"] == templates.OPENER,
      row["subject"] == templates.FAUCET,
      row["partner"] == templates.COVER,
    ],
    [paints["opener"], paints["faucet"], paints["partner"]],
    paints["thing"],
  )
  return looks.name_color(world["paint"][index])

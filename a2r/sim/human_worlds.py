"""Scenes of the procedural human clips: all that does not change with time.

The world is laid out as the camera sees it: x to the right, y away from the
camera, z up from the table, in meters. A world is a dict of arrays, drawn from
a key and the row of its template.
"""

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim import geometry, props
from a2r.sim import human_templates as templates

NUM_THINGS = 3
_DRAWER_NOUN = templates.NOUNS.index("drawer")
_LIDDED_NOUN = len(props.THINGS) + 1
_FAUCET_NOUN = templates.NOUNS.index("faucet")
# Places on the table: two fixtures and three things are dealt onto them.
_PLACES = np.array(
  [[-0.27, 0.2], [0.0, 0.24], [0.27, 0.2], [-0.24, -0.05], [0.24, -0.05]]
  + [[0.0, 0.0]],
  np.float32,
)


def _column(name, default=None):
  """One field of all rows as an array, booleans as 0 and 1."""
  values = [getattr(row, name) for row in templates.ROWS]
  return np.array([default if v is None else v for v in values], np.float32)


_COLUMNS = {
  name: _column(name, default)
  for name, default in (
    ("subject", None),
    ("path", None),
    ("state", None),
    ("grip", None),
    ("tilt", None),
    ("partner", None),
    ("carried", None),
    ("leaves", 0.5),
    ("real", None),
    ("released", None),
    ("hand", None),
    ("edge", None),
  )
}
_COLUMNS["arm_line"] = np.array(
  [row.toward == "arm" for row in templates.ROWS], np.float32
)
_COLUMNS["things"] = np.array(
  [[name in row.things for name in props.THINGS] for row in templates.ROWS]
)


def row_of(label):
  """The row of template number `label` `[]`, as arrays."""
  return {name: jnp.asarray(column)[label] for name, column in _COLUMNS.items()}


def _uniform(rng, low, high, shape=()):
  return jax.random.uniform(rng, shape, minval=low, maxval=high)


def sample_world(rng, row):
  """Everything about a clip that does not change with time."""
  names = ("kinds", "layout", "size", "color", "camera", "light", "arm", "path")
  rngs = dict(zip(names, jax.random.split(rng, len(names)), strict=True))
  world = _sample_things(rngs["kinds"], row)
  world |= _sample_arm(rngs["arm"], row)
  world |= _sample_layout(rngs["layout"], row, world)
  world |= _sample_path(rngs["path"], row, world)
  world |= _sample_colors(rngs["color"])
  world["camera"] = _sample_camera(rngs["camera"], row, world)
  world["light"] = _sample_light(rngs["light"])
  return world


def _sample_things(rng, row):
  """Kinds and sizes of the things, the openers and who is in the picture."""
  rngs = jax.random.split(rng, 6)
  logits = jnp.where(row["things"], 0.0, -jnp.inf)
  subject = jax.random.categorical(rngs[0], logits)
  others = jax.random.randint(rngs[1], (2,), 0, len(props.THINGS))
  flat = jax.random.randint(rngs[2], (), 1, 3)  # A box or a book carries well.
  partner = jnp.where(row["partner"] == templates.ONTO, flat, others[0])
  kinds = jnp.stack([subject, partner, others[1]])
  scale = _uniform(rngs[3], 0.85, 1.5, (NUM_THINGS + 2,))
  is_drawer = jax.random.bernoulli(rngs[4], 0.6)
  present = jax.random.bernoulli(rngs[5], 0.55, (5,))
  kind = row["subject"]
  present |= jnp.stack(
    [
      kind == templates.OPENER,
      kind == templates.FAUCET,
      kind == templates.THING,
      row["partner"] > 0,
      jnp.zeros((), bool),
    ]
  )
  opener = jnp.where(is_drawer, _DRAWER_NOUN, _LIDDED_NOUN)
  first = jnp.select(
    [kind == templates.THING, kind == templates.OPENER],
    [subject, opener],
    _FAUCET_NOUN,
  )
  return {
    "kinds": kinds,
    "scale": scale[:NUM_THINGS],
    "fixture_scale": scale[NUM_THINGS:] * 0.85,
    "is_drawer": is_drawer,
    "present": present,
    "nouns": jnp.stack([first, partner]).astype(jnp.int32),
    "radius": jnp.asarray(props.RADIUS)[kinds] * scale[:NUM_THINGS],
    "half_height": jnp.asarray(props.HALF_HEIGHT)[kinds] * scale[:NUM_THINGS],
  }


def _sample_arm(rng, row):
  """Where the arm comes from, its looks, and the timing of what it does."""
  rngs = jax.random.split(rng, 8)
  side = _uniform(rngs[0], -1.2, 1.2)
  root = jnp.stack(
    [
      0.75 * jnp.sin(side),
      -0.75 * jnp.cos(side),
      _uniform(rngs[1], 0.04, 0.24),
    ]
  )
  begin = _uniform(rngs[2], 0.08, 0.35)
  end = _uniform(rngs[3], 0.62, 0.9)
  chance = jax.random.uniform(rngs[4])
  return {
    "root": root,
    "begin": jnp.where(row["carried"] > 0, 0.5 * begin, begin),
    "end": end,
    "leaves": chance < row["leaves"],
    "width": _uniform(rngs[5], 0.8, 1.3),
    "spread": _uniform(rngs[6], 0.01, 0.04),
    "miss": _uniform(rngs[7], 0.03, 0.07),
  }


def _sample_layout(rng, row, world):
  """Places of fixtures and things; the partner's place fixes the subject's."""
  rngs = jax.random.split(rng, 8)
  order = jax.random.permutation(rngs[0], len(_PLACES))
  places = jnp.asarray(_PLACES)[order]
  places += _uniform(rngs[1], -0.05, 0.05, places.shape)
  places *= _uniform(rngs[2], 0.85, 1.2)
  angle = _uniform(rngs[3], -np.pi, np.pi)
  line = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
  towards_arm = world["root"][:2] / jnp.linalg.norm(world["root"][:2])
  line = jnp.where(row["arm_line"] > 0, towards_arm, line)
  gap = world["radius"][0] + world["radius"][1] + 0.015
  beside = places[3] + line * gap
  stacked = row["partner"] == templates.ONTO
  spot = jnp.where(row["partner"] > 0, beside, 0.75 * places[2])
  spot = jnp.where(stacked, places[3], spot)
  return {
    "opener_at": jnp.append(places[0], 0.0),
    "faucet_at": jnp.append(places[1], 0.0),
    "things_at": jnp.stack([spot, places[3], places[4]]),
    "foot": jnp.where(stacked, 2 * world["half_height"][1], 0.0),
    "line": line,
    "opener_yaw": _uniform(rngs[4], -1.0, 1.0),
    "faucet_yaw": _uniform(rngs[5], -1.3, 1.3),
    "thing_yaw": _uniform(rngs[6], -np.pi, np.pi, (NUM_THINGS,)),
    "idle_state": _uniform(rngs[7], 0.0, 1.0, (2,)) ** 2,
  }


def _sample_path(rng, row, world):
  """Key poses of the subject in meters, and the states of a fixture."""
  rngs = jax.random.split(rng, 6)
  reach = _uniform(rngs[0], 0.09, 0.2)
  lift = _uniform(rngs[1], 0.09, 0.2)
  across = row["path"][:, :2] * reach
  along = row["path"][:, 3:] * reach * world["line"]
  path = jnp.concatenate([across + along, row["path"][:, 2:3] * lift], axis=-1)
  turn = _uniform(rngs[2], 0.5, 1.4)
  turn *= jnp.where(jax.random.bernoulli(rngs[3]), 1.0, -1.0)
  start, stop = row["state"]
  opener = row["subject"] == templates.OPENER
  wide = jnp.where(opener, _uniform(rngs[4], 0.6, 1.0), 1.0)
  return {
    "path": path,
    "state": jnp.stack([start, stop]) * wide,
    "turn": turn,
    "reach": _uniform(rngs[5], 0.12, 0.19),
    "away": _step_back(world["root"]),
  }


def _step_back(root):
  """Where the hand waits, relative to what it will touch."""
  back = root / jnp.linalg.norm(root)
  return 0.22 * back + jnp.array([0.0, 0.0, 0.05])


def _sample_colors(rng):
  rngs = jax.random.split(rng, 8)
  paint = _uniform(rngs[0], 0.08, 0.95, (10, 3))
  skin_tone = _uniform(rngs[1], 0.25, 1.0)
  skin = skin_tone * jnp.array([0.95, 0.72, 0.58])
  odd = jax.random.bernoulli(rngs[2], 0.3)
  skin = jnp.where(odd, paint[8], skin)
  grey = _uniform(rngs[3], 0.2, 0.9) * jnp.ones(3)
  wood = _uniform(rngs[4], 0.4, 1.0) * jnp.array([0.8, 0.58, 0.38])
  kind = jax.random.randint(rngs[5], (), 0, 3)
  table = jnp.select([kind == 0, kind == 1], [wood, grey], paint[7])
  return {
    "paint": paint,
    "skin": skin,
    "table": table,
    "grain": _uniform(rngs[6], 0.0, 0.25),
    "table_half": _uniform(rngs[7], 0.45, 0.8, (2,)),
  }


def _sample_camera(rng, row, world):
  """Somewhere in front of the table, the subject well in the picture."""
  rngs = jax.random.split(rng, 7)
  azimuth = _uniform(rngs[0], -0.25, 0.25)
  elevation = _uniform(rngs[1], 0.32, 0.85)
  distance = _uniform(rngs[2], 0.6, 1.0)
  subject = jnp.select(
    [row["subject"] == templates.OPENER, row["subject"] == templates.FAUCET],
    [world["opener_at"], world["faucet_at"]],
    jnp.append(world["things_at"][0], 0.0),
  )
  middle = jnp.array([0.0, 0.1, 0.04])
  target = middle + 0.6 * (subject - middle)
  target += _uniform(rngs[3], -0.04, 0.04, (3,))
  direction = jnp.stack(
    [
      jnp.sin(azimuth) * jnp.cos(elevation),
      -jnp.cos(azimuth) * jnp.cos(elevation),
      jnp.sin(elevation),
    ]
  )
  position = target + distance * direction
  roll = _uniform(rngs[4], -0.08, 0.08)
  rotation = geometry.look_at(position, target, roll)
  return geometry.Camera(position, rotation, _uniform(rngs[5], 38.0, 50.0))


def _sample_light(rng):
  rngs = jax.random.split(rng, 5)
  slope = _uniform(rngs[0], -0.7, 0.7, (2,))
  direction = jnp.append(slope, -1.0)
  return geometry.Light(
    direction=direction / jnp.linalg.norm(direction),
    ambient=_uniform(rngs[1], 0.35, 0.6),
    headlight=_uniform(rngs[2], 0.1, 0.4),
    diffuse=_uniform(rngs[3], 0.2, 0.6),
    sky=_uniform(rngs[4], 0.1, 0.9, (3,)),
  )

"""Procedural human clips: a hand acts on props in a scene drawn from a key.

They stand in for Something-Something V2 where that is not at hand. Motion is
kinematic: a clip is a pure function of a key and a template number. Layout,
camera, colors, sizes, clutter, lighting, arm, speed and timing are all drawn.
The world is laid out as the camera sees it: x to the right, y away from the
camera, z up from the table, in meters. Letters: B clips, T frames.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim import geometry, props, render
from a2r.sim import human_templates as templates

TEMPLATES = templates.TEMPLATES
NOUNS = templates.NOUNS
OPPOSITES = templates.OPPOSITES
caption = templates.caption

_NUM_THINGS = 3
_DRAWER_NOUN = NOUNS.index("drawer")
_LIDDED_NOUN = len(props.THINGS) + 1
_FAUCET_NOUN = NOUNS.index("faucet")
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


@functools.partial(jax.jit, static_argnames=("num_frames", "image_size"))
def sample_clips(rng, labels, *, num_frames: int, image_size: int):
  """Draws one clip per label.

  Args:
    rng: typed key, consumed; or `[B]` keys, one per clip.
    labels: `[B]` int32 indices into `TEMPLATES`.
    num_frames: T, evenly spaced over the clip, first and last included.
    image_size: pixels of the square picture.

  Returns:
    frames `[B, T, S, S, 3]` uint8, and nouns `[B, 2]` int32 for `caption`.
  """
  rngs = rng if rng.ndim else jax.random.split(rng, labels.shape[0])

  def one_clip(rng, label):
    row = {k: jnp.asarray(v)[label] for k, v in _COLUMNS.items()}
    world = _sample_world(rng, row)
    times = jnp.linspace(0.0, 1.0, num_frames)

    def frame(time):
      types, geoms = props.assemble(_parts(row, world, time))
      return render.render(
        types,
        geoms,
        world["camera"],
        world["light"],
        height=image_size,
        width=image_size,
      ).image

    return jax.vmap(frame)(times), world["nouns"]

  return jax.vmap(one_clip)(rngs, labels)


def _uniform(rng, low, high, shape=()):
  return jax.random.uniform(rng, shape, minval=low, maxval=high)


def _sample_world(rng, row):
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
  scale = _uniform(rngs[3], 0.85, 1.5, (_NUM_THINGS + 2,))
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
    "scale": scale[:_NUM_THINGS],
    "fixture_scale": scale[_NUM_THINGS:] * 0.85,
    "is_drawer": is_drawer,
    "present": present,
    "nouns": jnp.stack([first, partner]).astype(jnp.int32),
    "radius": jnp.asarray(props.RADIUS)[kinds] * scale[:_NUM_THINGS],
    "half_height": jnp.asarray(props.HALF_HEIGHT)[kinds] * scale[:_NUM_THINGS],
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
    "thing_yaw": _uniform(rngs[6], -np.pi, np.pi, (_NUM_THINGS,)),
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


def _parts(row, world, time):
  """All parts of the scene at `time` in [0, 1]."""
  motion = _motion(row, world, time)
  paint, present = world["paint"], world["present"]
  turned = geometry.rotation_about_z(world["opener_yaw"])
  opener = [
    make(
      world["opener_at"],
      turned,
      world["fixture_scale"][0],
      motion["opener"],
      paint[0],
      paint[1],
    )
    for make in (props.drawer, props.lidded_box)
  ]
  walls = props.select(world["is_drawer"], opener[0][0], opener[1][0])
  handles = props.select(world["is_drawer"], opener[0][1], opener[1][1])
  faucet, _ = _faucet(world, motion["faucet"])
  parts = props.shown(present[0], walls + handles)
  parts += props.shown(present[1], faucet)
  for i in range(_NUM_THINGS):
    center, rotation = motion["center"][i], motion["rotation"][i]
    shape = props.thing(
      world["kinds"][i],
      center,
      rotation,
      world["scale"][i],
      paint[4 + i],
      paint[7 + i],
    )
    parts += props.shown(present[2 + i], shape)
  arm = props.arm(
    motion["fingertip"],
    world["root"],
    world["width"],
    world["spread"],
    world["skin"],
    paint[9],
  )
  return parts + props.shown(row["hand"] > 0, arm) + _furniture(row, world)


def _furniture(row, world):
  """The table, its edge where something shall fall off, and the floor."""
  half = world["table_half"]
  line = jnp.append(world["line"], 0.0)
  turn = jnp.where(row["edge"] > 0, 1.0, 0.0)
  angle = turn * jnp.arctan2(line[1], line[0])
  edge = jnp.append(world["things_at"][0], 0.0) + world["path"][1]
  center = jnp.where(row["edge"] > 0, edge - half[0] * line, 0.0)
  center = center.at[2].set(-0.02)
  table = props.block(
    center,
    geometry.rotation_about_z(angle),
    (half[0], half[1], 0.02),
    world["table"],
    world["grain"],
  )
  return [table, props.floor(-0.75, world["paint"][3] * 0.6, world["grain"])]


def _faucet(world, turned):
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


def _motion(row, world, time):
  """Poses of everything that moves, at `time`."""
  progress = _smooth((time - world["begin"]) / (world["end"] - world["begin"]))
  really = progress * row["real"]
  kind = row["subject"]
  state = _blend(world["state"], really)
  wished = _blend(world["state"], progress)
  is_opener, is_faucet = kind == templates.OPENER, kind == templates.FAUCET
  idle = world["idle_state"]
  center, rotation = _subject_pose(row, world, really)
  wished_center, _ = _subject_pose(row, world, progress)
  centers = jnp.concatenate(
    [
      center[None],
      jnp.concatenate(
        [world["things_at"][1:], world["half_height"][1:, None]], axis=-1
      ),
    ]
  )
  rotations = geometry.rotation_about_z(world["thing_yaw"])
  rotations = rotations.at[0].set(rotation @ rotations[0])
  touch = _touch(row, world, wished, wished_center, progress)
  return {
    "opener": jnp.where(is_opener, state, idle[0]),
    "faucet": jnp.where(is_faucet, state, idle[1]) * world["turn"],
    "center": centers,
    "rotation": rotations,
    "fingertip": _fingertip(row, world, touch, time),
  }


def _blend(ends, progress):
  return ends[0] + (ends[1] - ends[0]) * progress


def _along_path(path, first, second):
  """A point on the way through three key poses; both shares in [0, 1]."""
  return path[0] + (path[1] - path[0]) * first + (path[2] - path[1]) * second


def _halves(progress, released):
  """Shares of the first and the second leg; a released thing falls fast."""
  first = jnp.clip(2 * progress, 0.0, 1.0)
  second = jnp.clip(2 * progress - 1, 0.0, 1.0)
  fall = jnp.clip(2.5 * second, 0.0, 1.0) ** 2
  return first, jnp.where(released > 0, fall, second)


def _subject_pose(row, world, progress):
  """Center `[3]` and tilt `[3, 3]` of the thing that is acted upon."""
  first, second = _halves(progress, row["released"])
  half, radius = world["half_height"][0], world["radius"][0]
  foot = world["foot"] * jnp.where(row["path"][0, 2] > 0, 1.0, second)
  rest = jnp.append(world["things_at"][0], half + foot)
  center = rest + _along_path(world["path"], first, second)
  falls = row["tilt"] == templates.TOPPLE
  flips = row["tilt"] == templates.FLIP
  push = -jnp.append(world["line"], 0.0)
  axis = jnp.stack([-push[1], push[0], 0.0 * push[0]])
  axis = jnp.where(flips, jnp.array([0.0, 1.0, 0.0]), axis)
  angle = jnp.where(falls, second**2 * np.pi / 2, 0.0)
  angle = jnp.where(flips, _smooth(progress) * np.pi, angle)
  tilt = geometry.rotation_about(axis, angle)
  pivot = jnp.append(world["things_at"][0], 0.0) + radius * push
  toppled = pivot + tilt @ (center - pivot)
  return jnp.where(falls, toppled, center), tilt


def _touch(row, world, state, center, progress):
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
  on_faucet = _faucet(world, state * world["turn"])[1]
  way = world["path"][1] - world["path"][0]
  way = jnp.where(row["arm_line"] > 0, -jnp.append(world["line"], 0.0), way)
  way = way.at[2].set(0.0)
  way /= jnp.linalg.norm(way) + 1e-6
  behind = center - way * world["radius"][0]
  above = center + jnp.array([0.0, 0.0, 1.0]) * world["half_height"][0]
  on_thing = jnp.where(row["grip"] == templates.GRASP, above, behind)
  # A hand that lets go stays where it let go.
  held = _along_path(world["path"], jnp.clip(2 * progress, 0.0, 1.0), 0.0)
  stays = jnp.append(world["things_at"][0], 2 * world["half_height"][0])
  on_thing = jnp.where(
    (row["released"] > 0) & (progress > 0.5), stays + held, on_thing
  )
  place = jnp.select(
    [row["subject"] == templates.OPENER, row["subject"] == templates.FAUCET],
    [on_opener, on_faucet],
    on_thing,
  )
  missed = world["miss"] * world["away"] / jnp.linalg.norm(world["away"])
  return place + (1.0 - row["real"]) * missed


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

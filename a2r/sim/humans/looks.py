"""What the scenes of human clips look like: ranges, view, colors and light.

A table of ranges: what training draws from, and what only held-out scenes show.
Lengths are in meters, angles in radians, `fovy` in degrees.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import material

NUM_PAINTS = 10
_HELD_OUT_PAINTS = np.isin(np.arange(NUM_PAINTS), (0, 1, 2, 3, 7, 9))
SUBJECT_PAINTS = {"opener": 0, "faucet": 2, "thing": 4, "partner": 5}

COLORS = {
  "red": (0.8, 0.12, 0.1),
  "orange": (0.95, 0.5, 0.1),
  "yellow": (0.92, 0.85, 0.15),
  "green": (0.2, 0.65, 0.25),
  "blue": (0.15, 0.35, 0.85),
  "purple": (0.5, 0.2, 0.7),
  "pink": (0.92, 0.5, 0.7),
  "brown": (0.45, 0.27, 0.14),
  "white": (0.92, 0.92, 0.92),
  "grey": (0.55, 0.55, 0.55),
  "black": (0.1, 0.1, 0.1),
}
# Lightness counts half of what the two opponent pairs of colors count.
_OPPONENT = np.array([[0.17, 0.17, 0.17], [1, -1, 0], [0.5, 0.5, -1]])


# What training and held-out scenes do not share: the lowest and the highest
# value, and a band between them that only held-out scenes show. Azimuth is that
# of the camera from the table's front, to either side; distance, from the
# camera to what it looks at, is more where it must see more; hue is in turns
# (above 1 it comes round to red again), and things keep training's, so that
# their names stay true; grain is the contrast of table and floor, tone the
# brightness of the skin, width the arm's relative to a grown-up's.
RANGES = {
  "azimuth": (0.0, 1.05, (0.4, 0.55)),
  "elevation": (0.25, 1.15, (0.6, 0.72)),
  "distance": (0.45, 1.4, (0.75, 0.82)),
  "fovy": (36.0, 56.0, (44.0, 47.0)),
  "hue": (0.56, 1.56, (1.42, 1.56)),
  "grain": (0.0, 0.4, (0.16, 0.24)),
  "tone": (0.2, 1.0, (0.45, 0.55)),
  "width": (0.8, 1.5, (1.1, 1.2)),
}
# Chances of a wooden, a grey and a painted table, and the least saturation.
_TABLES = {"train": (0.34, 0.33, 0.33), "held out": (0.0, 0.0, 1.0)}
_SATURATION = {"train": 0.0, "held out": 0.45}


def ranges(held_out):
  """Returns what a scene's looks are drawn from.

  Args:
    held_out: `[]` 1 for a held-out scene, 0 for one of training.

  Returns:
    Every name of `RANGES` with its two intervals `[2, 2]`, of which one may be
    empty, and `tables` `[3]` and `saturation` `[]`.
  """

  def choose(mine, other):
    return jnp.where(held_out > 0, jnp.array(other), jnp.array(mine))

  spans = {
    name: choose(((low, band[0]), (band[1], high)), (band, (high, high)))
    for name, (low, high, band) in RANGES.items()
  }
  spans["tables"] = choose(_TABLES["train"], _TABLES["held out"])
  spans["saturation"] = choose(_SATURATION["train"], _SATURATION["held out"])
  return spans


def within(rng, pair, shape=()):
  """Draws uniformly between the two values of `pair`."""
  return jax.random.uniform(rng, shape, minval=pair[0], maxval=pair[1])


def from_span(rng, span, shape=()):
  """Draws uniformly from the two intervals `span` `[2, 2]`."""
  first, second = span[:, 1] - span[:, 0]
  place = jax.random.uniform(rng, shape) * (first + second)
  return jnp.where(
    place < first, span[0, 0] + place, span[1, 0] + place - first
  )


@struct.dataclass
class View:
  """Where a camera stands, relative to what it looks at."""

  azimuth: jax.Array  # `[]` radians from the table's front.
  elevation: jax.Array  # `[]` radians from level.
  distance: jax.Array  # `[]` at least.
  fovy: jax.Array  # `[]` degrees.
  roll: jax.Array  # `[]` radians.


@struct.dataclass
class Colors:
  """Colors of a scene, RGB in [0, 1]."""

  paint: jax.Array  # `[10, 3]` of things and fixtures; see `SUBJECT_PAINTS`.
  skin: jax.Array  # `[3]`.
  table: jax.Array  # `[3]`.
  grain: jax.Array  # `[]` strength of the pattern on table and floor.
  table_half: jax.Array  # `[2]` half sizes of the table.


def sample_view(rng, spans) -> View:
  """Draws the camera's angles, its distance and its field of view."""
  rngs = jax.random.split(rng, 6)
  left = jax.random.bernoulli(rngs[0])
  azimuth = from_span(rngs[1], spans["azimuth"])
  return View(
    azimuth=jnp.where(left, -azimuth, azimuth),
    elevation=from_span(rngs[2], spans["elevation"]),
    distance=from_span(rngs[3], spans["distance"]),
    fovy=from_span(rngs[4], spans["fovy"]),
    roll=within(rngs[5], (-0.08, 0.08)),
  )


def sample_camera(rng, view, focus, extent):
  """Draws a camera from its view, the subject well in the picture.

  Args:
    rng: typed key, consumed.
    view: from `sample_view`.
    focus: `[3]` middle of the subject.
    extent: `[]` its radius.
  """
  angle, elevation = view.azimuth, view.elevation
  room = extent / jnp.tan(jnp.radians(view.fovy) / 2)
  distance = jnp.maximum(view.distance, room)
  middle = jnp.array([0.0, 0.1, 0.04])
  share = jnp.clip(1.4 - 0.8 * distance, 0.5, 1.0)
  target = middle + share * (focus - middle)
  aside = 0.04 + 0.1 * jnp.maximum(distance - 0.5, 0.0)
  target += aside * within(rng, (-1.0, 1.0), (3,))
  direction = jnp.stack(
    [
      jnp.sin(angle) * jnp.cos(elevation),
      -jnp.cos(angle) * jnp.cos(elevation),
      jnp.sin(elevation),
    ]
  )
  position = target + distance * direction
  rotation = cameras.look_at(position, target, view.roll)
  return cameras.Camera(position, rotation, view.fovy)


def sample_colors(rng, spans) -> Colors:
  """Draws paints, skin and table, and the table's size along."""
  rngs = jax.random.split(rng, 8)
  train = ranges(jnp.zeros(()))
  paint = jnp.where(
    _HELD_OUT_PAINTS[:, None],
    _sample_paint(rngs[0], spans),
    _sample_paint(rngs[0], train),
  )
  skin = from_span(rngs[1], spans["tone"]) * jnp.array([0.95, 0.72, 0.58])
  gloved = jax.random.bernoulli(rngs[2], 0.3)
  grey = within(rngs[3], (0.2, 0.9)) * jnp.ones(3)
  wood = within(rngs[4], (0.4, 1.0)) * jnp.array([0.8, 0.58, 0.38])
  kind = jax.random.categorical(rngs[5], jnp.log(spans["tables"]))
  return Colors(
    paint=paint,
    skin=jnp.where(gloved, paint[8], skin),
    table=jnp.select([kind == 0, kind == 1], [wood, grey], paint[7]),
    grain=from_span(rngs[6], spans["grain"]),
    table_half=within(rngs[7], (0.45, 0.8), (2,)),
  )


def _sample_paint(rng, spans):
  """`[10, 3]` RGB; where saturation may be low, every fifth is a grey."""
  rngs = jax.random.split(rng, 4)
  hue = from_span(rngs[0], spans["hue"], (NUM_PAINTS, 1))
  saturation = within(rngs[1], (spans["saturation"], 1.0), (NUM_PAINTS, 1))
  saturation = saturation**0.5
  value = within(rngs[2], (0.3, 0.95), (NUM_PAINTS, 1))
  dull = jax.random.bernoulli(rngs[3], 0.2, (NUM_PAINTS, 1))
  dull &= spans["saturation"] < 0.1
  saturation = jnp.where(dull, 0.0, saturation)
  value = jnp.where(dull, 1.4 * value - 0.35, value)
  offset = jnp.array([0.0, 2.0, 1.0]) / 3.0
  wheel = jnp.abs(((hue + offset) % 1.0) * 6.0 - 3.0) - 1.0
  return value * (1.0 - saturation * (1.0 - jnp.clip(wheel, 0.0, 1.0)))


def name_color(rgb):
  """Returns the index into `COLORS` of the name nearest to `rgb` `[3]`."""
  names = jnp.array(tuple(COLORS.values())) @ _OPPONENT.T
  apart = names - _OPPONENT @ rgb
  return jnp.argmin((apart**2).sum(-1)).astype(jnp.int32)


def sample_light(rng):
  """Draws one directional light from above, and the sky."""
  rngs = jax.random.split(rng, 5)
  slope = within(rngs[0], (-0.7, 0.7), (2,))
  direction = jnp.append(slope, -1.0)
  return material.Light(
    direction=direction / jnp.linalg.norm(direction),
    ambient=within(rngs[1], (0.35, 0.6)),
    headlight=within(rngs[2], (0.1, 0.4)),
    diffuse=within(rngs[3], (0.2, 0.6)),
    sky=within(rngs[4], (0.1, 0.9), (3,)),
  )

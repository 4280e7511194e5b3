"""Procedural human clips: a hand acts on props in a scene drawn from a key.

They stand in for Something-Something V2 where that is not at hand. Motion is
kinematic: a clip is a pure function of a key and a template number. Layout,
camera, colors, sizes, clutter, lighting, arm, speed and timing are all drawn
(`human_worlds`). Letters: B clips, T frames, S pixels.
"""

import functools

import jax
import jax.numpy as jnp

from a2r.sim import geometry, human_motion, human_worlds, props, render
from a2r.sim import human_templates as templates

TEMPLATES = templates.TEMPLATES
NOUNS = templates.NOUNS
OPPOSITES = templates.OPPOSITES
caption = templates.caption


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
    row = human_worlds.row_of(label)
    world = human_worlds.sample_world(rng, row)
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


def _parts(row, world, time):
  """All parts of the scene at `time` in [0, 1]."""
  motion = human_motion.motion(row, world, time)
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
  faucet, _ = human_motion.faucet(world, motion["faucet"])
  parts = props.shown(present[0], walls + handles)
  parts += props.shown(present[1], faucet)
  for i in range(human_worlds.NUM_THINGS):
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

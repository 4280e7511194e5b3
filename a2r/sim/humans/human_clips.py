"""Procedural human clips: a hand acts on props in a scene drawn from a key.

They stand in for Something-Something V2 where that is not at hand. Motion is
kinematic: a clip is a pure function of a key and a template number. Layout,
camera, colors, sizes, clutter, lighting, arm, speed and timing are all drawn
(`scenes`). Letters: B clips, T frames, S pixels.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from a2r.sim.humans import hand, motion, props, scenes, templates
from a2r.sim.rendering import batches, geometry

TEMPLATES = templates.TEMPLATES
NOUNS = templates.NOUNS
OPPOSITES = templates.OPPOSITES
caption = templates.caption
MAY_FAIL = scenes.MAY_FAIL


class Clips(NamedTuple):
  """Human clips and what is in them.

  Attributes:
    frames: `[B, T, S, S, 3]` uint8.
    nouns: `[B, 2]` int32, for `caption`.
    color: `[B]` int32 name of the subject's color.
    start: `[B, 2]` where the subject's moving point is in the first frame: to
      the right and up, in halves of the picture from its middle.
    shift: `[B, 2]` how far it gets from there to the last frame, likewise.
  """

  frames: jax.Array
  nouns: jax.Array
  color: jax.Array
  start: jax.Array
  shift: jax.Array


@functools.partial(jax.jit, static_argnames=("num_frames", "image_size"))
def sample_clips(
  rng, labels, held_out=0, outcome=0, *, num_frames: int, image_size: int
) -> Clips:
  """Draws one clip per label.

  Args:
    rng: typed key, consumed; or `[B]` keys, one per clip.
    labels: `[B]` int32 indices into `TEMPLATES`.
    held_out: `[]` or `[B]` int, as in `scenes.sample_scene`.
    outcome: `[]` or `[B]` int in `scenes.OUTCOMES`.
    num_frames: T, evenly spaced over the clip, first and last included.
    image_size: pixels of the square picture.
  """
  sample_fn = functools.partial(_sample_frames, num_frames)
  drawn = labels, held_out, outcome
  return draw_clips(sample_fn, rng, drawn, image_size, num_casters=4)


def draw_clips(
  sample_fn, rng, drawn, image_size: int, *, num_casters: int
) -> Clips:
  """Draws the clips of sampled scenes; pure.

  Args:
    sample_fn: a key and what is drawn to a scene, its layers `[1, G]` and
      `[T, G]`, and the moving point `[T, 2]`; unbatched.
    rng: typed key, consumed; or `[B]` keys, one per clip.
    drawn: what `sample_fn` takes after the key: labels `[B]` int32, then
      integers `[]` or `[B]`.
    image_size: pixels of the square picture.
    num_casters: how many still boxes, from the first, throw shadows.
  """
  shape = drawn[0].shape
  rngs = rng if rng.ndim else jax.random.split(rng, shape[0])
  drawn = [jnp.broadcast_to(jnp.asarray(x, jnp.int32), shape) for x in drawn]
  scene, still, moving, point = jax.vmap(sample_fn)(rngs, *drawn)
  case = still.types.index(geometry.BOX)
  frames = batches.draw(
    still,
    moving,
    scene.camera,
    scene.light,
    casters=range(case, case + num_casters),
    image_size=image_size,
  )
  start, stop = point[:, 0], point[:, -1]
  return Clips(frames, scene.things.nouns, scene.color, start, stop - start)


def _sample_frames(num_frames, rng, label, held_out, outcome):
  """The scene, its layers `[1, G]` and `[T, G]`, the moving point `[T, 2]`."""
  row = scenes.row_of(label)
  scene = scenes.sample_scene(rng, row, held_out, outcome)

  def frame(time):
    still, moving, point = _parts(row, scene, time)
    place = _project(scene.camera, point)
    return props.assemble(still), props.assemble(moving), place

  still, *others = jax.vmap(frame)(jnp.linspace(0.0, 1.0, num_frames))
  return scene, jax.tree.map(lambda x: x[:1], still), *others


def _project(camera, point):
  """Where a point `[3]` is in the picture: right, up, in half pictures."""
  x, y, z = (point - camera.position) @ camera.rotation
  half = jnp.tan(jnp.deg2rad(camera.fovy) / 2)
  return jnp.stack([x, y]) / jnp.maximum(-z * half, 1e-3)


def _props(row, scene, time):
  """Parts of what may move at `time`, the arm and the subject's point.

  Returns:
    The opener's eight boxes and three rods, the last four boxes and the rods
    on its moving part; the faucet's parts, the last on its handle; the parts
    of each thing; the arm's; and the point `[3]` that the motion is about.
  """
  poses = motion.motion(row, scene, time)
  paint, present = scene.colors.paint, scene.present
  *opener, edge = motion.opener(scene, poses.opener)
  boxes, rods = (props.hide_unless(present[0], parts) for parts in opener)
  faucet, tip = motion.faucet(scene, poses.faucet)
  things = [
    props.hide_unless(
      present[2 + i],
      props.thing(
        scene.things.kinds[i],
        poses.center[i],
        poses.rotation[i],
        scene.things.scale[i],
        paint[4 + i],
        paint[7 + i],
      ),
    )
    for i in range(scenes.NUM_THINGS)
  ]
  arm = hand.arm(poses.fingertip, scene.arm, scene.colors.skin, paint[9])
  arm = props.hide_unless(row.hand > 0, arm)
  faucet = props.hide_unless(present[1], faucet)
  kind = row.subject
  point = jnp.select(
    [kind == templates.OPENER, kind == templates.FAUCET],
    [edge, tip],
    poses.center[0],
  )
  return boxes, rods, faucet, things, arm, point


def _parts(row, scene, time):
  """Parts that stand still, parts that may move, the subject's point `[3]`.

  Only one of opener, faucet and things moves in a clip, so they share parts.
  Of what stands still, the four boxes of the opener's case come first.
  """
  boxes, rods, faucet, things, arm, point = _props(row, scene, time)
  kind = row.subject
  is_opener, is_faucet, is_thing = (
    kind == k for k in (templates.OPENER, templates.FAUCET, templates.THING)
  )
  still = [
    *boxes[:4],
    *props.hide_unless(~is_opener, boxes[4:] + rods),
    *faucet[:3],
    *props.hide_unless(~is_faucet, faucet[3:]),
    *props.hide_unless(~is_thing, things[0] + things[1]),
    *things[2],
    *_furniture(row, scene),
  ]
  cylinders, flat, rounded = zip(*things[:2], strict=True)
  shared = props.select(is_thing, flat + rounded, boxes[4:6] + rods[:2])
  first = props.select(is_faucet, faucet[3:], shared[2:3])
  moving = [
    *props.hide_unless(~is_faucet, shared[:2] + shared[3:]),
    *first,
    *props.hide_unless(is_opener, boxes[6:] + rods[2:]),
    *props.hide_unless(is_thing, cylinders),
    *arm,
  ]
  return still, moving, point


def _furniture(row, scene):
  """The table, its edge where something shall fall off, and the floor."""
  half = scene.colors.table_half
  line = jnp.append(scene.layout.line, 0.0)
  turn = jnp.where(row.edge > 0, 1.0, 0.0)
  angle = turn * jnp.arctan2(line[1], line[0])
  edge = jnp.append(scene.layout.things_at[0], 0.0) + scene.action.path[1]
  center = jnp.where(row.edge > 0, edge - half[0] * line, 0.0)
  center = center.at[2].set(-0.02)
  table = props.block(
    center,
    geometry.rotation_about_z(angle),
    (half[0], half[1], 0.02),
    scene.colors.table,
    scene.colors.grain,
  )
  return [
    table,
    props.floor(-0.75, scene.colors.paint[3] * 0.6, scene.colors.grain),
  ]

"""Props of the procedural human clips: drawer, lidded box, faucet, things.

Every builder returns parts in world coordinates; `assemble` turns them into
what the renderer takes. The number and types of a builder's parts never hang on
values, so that one compiled program draws every clip. Lengths are in meters.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.rendering import batches, geometry

_GONE = np.array([0.0, 0.0, -50.0], np.float32)  # Where hidden parts are put.
_DRAWER_REACH = 0.14  # How far a drawer opens.
_LID_SWING = 1.9  # How far a lid opens, in radians.

# What can be moved about: cylinder (radius, half height), box half sizes,
# capsule (radius, half length, center x, center z); 0 hides a part.
_SHAPES = {
  "cup": ((0.036, 0.045), (0, 0, 0), (0.007, 0.02, 0.044, 0)),
  "box": ((0, 0), (0.045, 0.036, 0.036), (0, 0, 0, 0)),
  "book": ((0, 0), (0.07, 0.05, 0.013), (0, 0, 0, 0)),
  "bottle": ((0.03, 0.07), (0, 0, 0), (0.012, 0.03, 0, 0.08)),
  "can": ((0.03, 0.05), (0, 0, 0), (0, 0, 0, 0)),
  "ball": ((0, 0), (0, 0, 0), (0.04, 0, 0, 0)),
}
THINGS = tuple(_SHAPES)
_CYLINDERS, _BOXES, _CAPSULES = map(
  np.float32, zip(*_SHAPES.values(), strict=True)
)
_ROUND = _CAPSULES[:, 0]
RADIUS = np.maximum.reduce([_CYLINDERS[:, 0], _BOXES[:, 0], _ROUND])
HALF_HEIGHT = np.maximum.reduce([_CYLINDERS[:, 1], _BOXES[:, 2], _ROUND])


class Part(NamedTuple):
  """One shape."""

  kind: int  # Its static type.
  geom: geometry.Geoms  # All else, `Geoms` without G.


def assemble(parts) -> batches.Layer:
  """Returns `parts` as the renderer takes them, unbatched, types ascending."""
  kinds, geoms = zip(*sorted(parts, key=lambda part: part.kind), strict=True)
  return batches.Layer(kinds, jax.tree.map(lambda *x: jnp.stack(x), *geoms))


def make_part(kind, position, rotation, size, rgb, pattern=0.0):
  """Returns one shape of a static `kind`, of three half sizes."""
  position, pattern = (jnp.asarray(x, jnp.float32) for x in (position, pattern))
  size = jnp.stack([jnp.asarray(half, jnp.float32) for half in size])
  return Part(kind, geometry.Geoms(position, rotation, size, rgb, pattern))


def block(position, rotation, half_sizes, rgb, pattern=0.0):
  """Returns one box."""
  return make_part(geometry.BOX, position, rotation, half_sizes, rgb, pattern)


def floor(height, rgb, pattern):
  """Returns an endless plane at `height`."""
  position = jnp.array([0.0, 0.0, 1.0]) * height
  return make_part(
    geometry.PLANE, position, jnp.eye(3), (0.0, 0.0, 1.0), rgb, pattern
  )


def rod(start, end, radius, rgb):
  """Returns one capsule between two points `[3]`."""
  half = (end - start) / 2
  length = jnp.linalg.norm(half)
  rotation = geometry.align_z(half)
  size = (radius, length, 0.0)
  return make_part(geometry.CAPSULE, start + half, rotation, size, rgb)


def hide_unless(visible, parts):
  """Returns `parts`, moved out of sight where `visible` `[]` is false."""

  def hide(geom):
    return geom.replace(position=jnp.where(visible, geom.position, _GONE))

  return [Part(kind, hide(geom)) for kind, geom in parts]


def select(first_chosen, first, second):
  """Returns parts of `first` where the flag is set, else those of `second`."""
  choose = functools.partial(jnp.where, first_chosen)
  return [
    Part(a.kind, jax.tree.map(choose, a.geom, b.geom))
    for a, b in zip(first, second, strict=True)
  ]


def drawer(origin, rotation, scale, opening, rgb, handle_rgb):
  """Returns a drawer's eight boxes, three rods and its handle's middle.

  Args:
    origin: `[3]` middle of its foot on the table.
    rotation: `[3, 3]`; the front looks along the local -y.
    scale: `[]` relative to DVD's drawer.
    opening: `[]` from 0 (closed) to 1 (open).
    rgb: `[3]`.
    handle_rgb: `[3]`.
  """

  def at(x, y, z):
    return origin + rotation @ (scale * jnp.array([x, y, z]))

  def wall(x, y, z, *half, shade=1.0):
    return block(at(x, y, z), rotation, [scale * h for h in half], rgb * shade)

  slide = -_DRAWER_REACH * opening
  case = [
    wall(-0.11, 0.0, 0.084, 0.008, 0.1, 0.084),
    wall(0.11, 0.0, 0.084, 0.008, 0.1, 0.084),
    wall(0.0, 0.0, 0.16, 0.118, 0.1, 0.008),
    wall(0.0, 0.092, 0.08, 0.102, 0.008, 0.08),
  ]
  link = [
    wall(0.0, slide - 0.095, 0.09, 0.1, 0.008, 0.06, shade=1.15),
    wall(-0.09, slide, 0.08, 0.008, 0.085, 0.045, shade=0.8),
    wall(0.09, slide, 0.08, 0.008, 0.085, 0.045, shade=0.8),
    wall(0.0, slide, 0.035, 0.09, 0.085, 0.006, shade=0.7),
  ]
  grip = slide - 0.15
  handle = [
    rod(at(x0, y0, 0.09), at(x1, y1, 0.09), 0.011 * scale, handle_rgb)
    for x0, y0, x1, y1 in (
      (-0.05, slide - 0.1, -0.05, grip),
      (0.05, slide - 0.1, 0.05, grip),
      (-0.05, grip, 0.05, grip),
    )
  ]
  return case + link, handle, at(0.0, grip - 0.01, 0.09)


def lidded_box(origin, rotation, scale, opening, rgb, lid_rgb):
  """Returns a lidded box's eight boxes, three rods and the lid's free edge."""

  def at(x, y, z):
    return origin + rotation @ (scale * jnp.array([x, y, z]))

  def wall(position, turn, *half, color=rgb):
    return block(position, turn, [scale * h for h in half], color)

  swing = geometry.rotation_about(
    jnp.array([1.0, 0.0, 0.0]), -_LID_SWING * opening
  )
  hinge = jnp.array([0.0, 0.09, 0.125])

  def on_lid(x, y, z):
    return at(*(hinge + swing @ jnp.array([x, y, z])))

  lid_turn = rotation @ swing
  walls = [
    wall(at(-0.11, 0.0, 0.06), rotation, 0.006, 0.09, 0.06),
    wall(at(0.11, 0.0, 0.06), rotation, 0.006, 0.09, 0.06),
    wall(at(0.0, -0.085, 0.06), rotation, 0.11, 0.006, 0.06),
    wall(at(0.0, 0.085, 0.06), rotation, 0.11, 0.006, 0.06),
    wall(at(0.0, 0.0, 0.006), rotation, 0.11, 0.085, 0.006, color=rgb * 0.7),
    wall(on_lid(0.0, -0.09, 0.0), lid_turn, 0.116, 0.095, 0.006, color=lid_rgb),
    wall(
      on_lid(-0.1, -0.09, -0.012), lid_turn, 0.01, 0.09, 0.01, color=lid_rgb
    ),
    wall(on_lid(0.1, -0.09, -0.012), lid_turn, 0.01, 0.09, 0.01, color=lid_rgb),
  ]
  edge = on_lid(0.0, -0.185, 0.0)
  knob = rod(
    on_lid(-0.02, -0.185, 0.0), on_lid(0.02, -0.185, 0.0), 0.01 * scale, rgb
  )
  hidden = rod(edge, edge + 1e-3, 1e-3, rgb)
  return walls, [knob, *hide_unless(False, [hidden, hidden])], edge


def faucet(origin, scale, angle, reach, rgb, handle_rgb):
  """Returns parts of a faucet and the tip of its handle.

  Args:
    origin: `[3]` middle of its foot.
    scale: `[]` relative to DVD's faucet.
    angle: `[]` direction of the handle about z, radians from local -y.
    reach: `[]` length of the handle before scaling.
    rgb: `[3]`.
    handle_rgb: `[3]`.
  """
  upright = jnp.eye(3)
  out = jnp.stack([jnp.sin(angle), -jnp.cos(angle), 0.0 * angle])
  top = origin + scale * jnp.array([0.0, 0.0, 0.124])
  tip = top + scale * reach * out

  def cylinder(z, radius, half):
    size = (radius * scale, half * scale, 0.0)
    position = origin + scale * jnp.array([0.0, 0.0, z])
    return make_part(geometry.CYLINDER, position, upright, size, rgb)

  return [
    cylinder(0.009, 0.046, 0.009),
    cylinder(0.124, 0.032, 0.02),
    rod(origin, top, 0.018 * scale, rgb),
    rod(top + scale * 0.03 * out, tip, 0.017 * scale, handle_rgb),
  ], tip


def thing(kind, center, rotation, scale, rgb, trim_rgb):
  """Returns parts of a movable thing, `kind` `[]` an index into `THINGS`."""
  radius, half = jnp.asarray(_CYLINDERS)[kind] * scale
  sides = jnp.asarray(_BOXES)[kind] * scale
  thick, length, x, z = jnp.asarray(_CAPSULES)[kind] * scale
  offset = rotation @ jnp.stack([x, 0.0 * x, z])
  tiny = 1e-4  # A shape of no size is hidden instead of dividing by zero.
  cylinder = make_part(
    geometry.CYLINDER,
    jnp.where(radius > 0, center, _GONE),
    rotation,
    (jnp.maximum(radius, tiny), half, 0.0),
    rgb,
  )
  box = block(jnp.where(sides[0] > 0, center, _GONE), rotation, sides, rgb)
  capsule = make_part(
    geometry.CAPSULE,
    jnp.where(thick > 0, center + offset, _GONE),
    rotation,
    (jnp.maximum(thick, tiny), length, 0.0),
    jnp.where(length > 0, trim_rgb, rgb),
  )
  return [cylinder, box, capsule]

"""What stands, lies and is held on Concept2Robot's table, from primitives.

Sizes are those of the released URDFs (docs/concept.md), full lengths in meters
as a ruler gives them; masses are in kilograms. Meshes became primitives: a
hexagonal nut is exactly the union of three boxes, open boxes have five sides.
Each body's origin is where its URDF has it, mostly in its middle.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

_DENSE = 0.1  # Kilograms, of what has no better figure.


class Part(NamedTuple):
  """A primitive of a body, in the body's frame."""

  kind: str  # 'box', 'capsule' or 'cylinder', the last two along z.
  size: tuple[float, ...]  # MuJoCo's: half lengths, or radius and half length.
  position: tuple[float, float, float] = (0.0, 0.0, 0.0)
  # Its turn about x, then y, then z.
  euler: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Joint:
  """How the moving parts of a body move against its base.

  Attributes:
    kind: 'slide' or 'hinge'.
    axis: in the body's frame.
    range: in meters or radians.
    anchor: a point of the axis.
    friction: what holds it still, in newtons or newton meters.
    damping: per meter or radian a second.
  """

  kind: str
  axis: tuple[float, float, float]
  range: tuple[float, float]
  anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)
  friction: float = 0.0
  damping: float = 0.0


@dataclasses.dataclass(frozen=True)
class Body:
  """A rigid body, or a base and what moves on it.

  Attributes:
    parts: its primitives.
    noun: what instructions call it.
    mass: of what moves.
    friction: sliding, against table and hand.
    joint: of the moving parts, if it has any.
    moving: these parts, in the frame of the base at joint 0.
  """

  parts: tuple[Part, ...]
  noun: str = "box"
  mass: float = _DENSE
  friction: float = 1.0
  joint: Joint | None = None
  moving: tuple[Part, ...] = ()


def box(x: float, y: float, z: float, **kwargs) -> Body:
  """Returns a block."""
  return Body((_box(x, y, z),), **kwargs)


def nut(scale: float, **kwargs) -> Body:
  """Returns the hexagonal nut, its axis along y; 0.052 across corners at 1."""
  across, thickness = 0.045 * scale, 0.024 * scale
  side = across / np.sqrt(3)
  turns = (0.0, np.pi / 3, 2 * np.pi / 3)
  parts = (_box(side, thickness, across, euler=(0.0, a, 0.0)) for a in turns)
  return Body(tuple(parts), "nut", **kwargs)


def roller(radius: float = 0.05, length: float = 0.18, **kwargs) -> Body:
  """Returns a can along x: a capsule, which rolls on boxes in MJX too."""
  size = (radius, length / 2 - radius)
  part = Part("capsule", size, euler=(0.0, np.pi / 2, 0.0))
  return Body((part,), "can", **kwargs)


def cup(radius: float = 0.045, height: float = 0.073) -> Body:
  """Returns the cup that things are moved to and from, upside down."""
  return Body((Part("cylinder", (radius, height / 2)),), "cup")


def open_box(scale: float) -> Body:
  """Returns a box without lid: 0.2 wide and deep, its walls 0.1 high, at 1."""
  s = scale
  floor = _box(0.2 * s, 0.2 * s, 0.02 * s, (0.0, 0.0, -0.05 * s))
  return Body((floor, *_walls(0.2 * s, 0.2 * s, 0.1 * s, 0.01 * s)))


def bin_of(x: float, y: float, z: float, wall: float = 0.005) -> Body:
  """Returns a box without lid of any sizes, its origin in its middle."""
  floor = _box(x, y, wall, (0.0, 0.0, (wall - z) / 2))
  return Body((floor, *_walls(x, y, z, wall)))


def tray() -> Body:
  """Returns four thick walls around what stands within."""
  return Body(_walls(0.3, 0.3, 0.1, 0.05), "tray")


def shelter(scale: float = 1.5) -> Body:
  """Returns a roof on a back and two sides, open toward -x."""
  s = scale
  return Body(
    (
      _box(0.15 * s, 0.28 * s, 0.01 * s, (0.0, 0.0, 0.075 * s)),
      _box(0.01 * s, 0.28 * s, 0.15 * s, (0.07 * s, 0.0, 0.0)),
      _box(0.15 * s, 0.01 * s, 0.15 * s, (0.0, 0.135 * s, 0.0)),
      _box(0.15 * s, 0.01 * s, 0.15 * s, (0.0, -0.135 * s, 0.0)),
    ),
    "shelf",
  )


def drawer(scale: float) -> Body:
  """Returns a cabinet whose drawer slides out along -x; 0.2 at scale 1."""
  s = scale
  x, y, z, wall = 0.184 * s, 0.336 * s, 0.123 * s, 0.016 * s
  cabinet = (
    _box(x, y, wall, (0.0, 0.0, (z - wall) / 2)),
    _box(x, y, wall, (0.0, 0.0, (wall - z) / 2)),
    _box(x, wall, z, (0.0, (y - wall) / 2, 0.0)),
    _box(x, wall, z, (0.0, (wall - y) / 2, 0.0)),
    _box(wall, y, z, ((x - wall) / 2, 0.0, 0.0)),
  )
  deep, wide, high, thin = 0.15 * s, 0.28 * s, 0.08 * s, 0.01 * s
  front = -x / 2 - 0.02 * s
  middle = front + deep / 2
  inside = (
    _box(0.016 * s, wide, 0.1 * s, (front, 0.0, 0.0)),
    _box(deep, wide, thin, (middle, 0.0, (thin - high) / 2)),
    _box(deep, thin, high, (middle, (wide - thin) / 2, 0.0)),
    _box(deep, thin, high, (middle, (thin - wide) / 2, 0.0)),
    _box(thin, wide, high, (middle + (deep - thin) / 2, 0.0, 0.0)),
  )
  slide = Joint(
    "slide", (-1.0, 0.0, 0.0), (0.0, 0.2 * s), friction=0.5, damping=2.0
  )
  return Body(cabinet, "drawer", joint=slide, moving=inside)


def book() -> Body:
  """Returns two leaves, hinged on one edge; the joint is 0 when it is shut."""
  leaf, thickness = (0.18, 0.20, 0.02), 0.02
  hinge = Joint(
    "hinge",
    (0.0, 1.0, 0.0),
    (0.0, np.pi),
    anchor=(0.09, 0.0, thickness / 2),
    friction=0.02,
    damping=0.02,
  )
  upper = _box(*leaf, (0.0, 0.0, thickness))
  return Body((_box(*leaf),), "book", joint=hinge, moving=(upper,))


def spinner() -> Body:
  """Returns a post with a bar on it that turns about z."""
  hinge = Joint(
    "hinge", (0.0, 0.0, 1.0), (-9.0, 9.0), friction=0.002, damping=0.001
  )
  bar = _box(0.20, 0.04, 0.02, (0.0, 0.0, 0.05))
  post = _box(0.046, 0.046, 0.08)
  return Body((post,), "spinner", joint=hinge, moving=(bar,))


def _box(x, y, z, position=(0.0, 0.0, 0.0), euler=(0.0, 0.0, 0.0)) -> Part:
  return Part("box", (x / 2, y / 2, z / 2), position, euler)


def _walls(x, y, z, wall):
  """Four walls of a height around an outline, their middle at the origin."""
  return (
    _box(wall, y, z, ((x - wall) / 2, 0.0, 0.0)),
    _box(wall, y, z, ((wall - x) / 2, 0.0, 0.0)),
    _box(x, wall, z, (0.0, (y - wall) / 2, 0.0)),
    _box(x, wall, z, (0.0, (wall - y) / 2, 0.0)),
  )

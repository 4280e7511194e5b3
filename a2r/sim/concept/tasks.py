"""Concept2Robot's tasks: each is one row of `TASKS`, and the row is all of it.

A row says what the task is called (a template of Something-Something V2, whose
label's index is its number), what it is played with, and when it succeeded
(`a2r.sim.concept.margins`). docs/concept.md tells where scenes and tests differ
from the released code and why. To add a task, add a row.

The 68 are the released environments that run unmodified and have a test of
success; `OURS` are three more with scenes alone in the release.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from a2r.core import checks
from a2r.sim.concept import margins as m
from a2r.sim.concept import objects
from a2r.sim.concept.scene import TABLE, Hand, Scene, Thing

_PI = math.pi
_YAW = -0.3  # Of what is held: its faces lie along the pads.
_IN_PADS = (0.0, 0.0, _YAW - _PI / 2)  # A nut between the pads.
_LYING = (-_PI / 2, 0.0, 0.0)  # A nut on its face.
_CAMERA = (-0.0937, 0.0195, 0.8930)

GREEN, RED, BLUE = (0.16, 0.55, 0.2), (0.75, 0.12, 0.1), (0.1, 0.2, 0.7)
VIOLET, YELLOW, BROWN = (0.15, 0.05, 0.5), (0.85, 0.75, 0.1), (0.55, 0.36, 0.2)


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """One task.

  Attributes:
    number: of its label in Something-Something V2.
    template: that label.
    scene: what it is played with.
    margin: of a `margins.Record`, `[B, T+1]`; above zero in a success.
    at_end: whether the last state alone decides; else any, and it ends there.
    as_released: whether it has the release's test, which cannot tell (below).
    spares: a thing that the arm, but for the gripper, must not touch.
    ours: whether the release has no test of it, or nothing at all.
    nouns: what stands in the template for each 'something', if it is not the
      object, then the reference.
  """

  number: int
  template: str
  scene: Scene
  margin: Callable[[m.Record], np.ndarray]
  at_end: bool = False
  as_released: bool = False
  spares: str = ""
  ours: bool = False
  nouns: tuple[str, ...] = ()

  @property
  def instruction(self) -> str:
    """The template with its things named, lower case: 'closing drawer'."""
    things, text = self.scene.things, self.template.lower()
    named = [n for n in (m.OBJECT, m.REFERENCE) if n in things]
    for noun in self.nouns or [things[n].body.noun for n in named]:
      text = text.replace("something", noun, 1)
    return text

  @property
  def name(self) -> str:
    """The template as a name, 'closing_something'."""
    words = "".join(x for x in self.template.lower() if x.isalpha() or x == " ")
    name = "_".join(words.split())
    return f"{name}_as_released" if self.as_released else name


def _fixed(body, at, **options) -> Thing:
  return Thing(body, at, fixed=True, **options)


def _holding(thing: Thing, reference: Thing | None = None, grip=130, rate=100):
  """A scene whose object is between the pads."""
  things = {} if reference is None else {m.REFERENCE: reference}
  hand = Hand("grasp", grip, holds=m.OBJECT)
  return Scene(things | {m.OBJECT: thing}, hand, rate)


def _beside_box(reference: Thing, scale=2.2, at=(-0.11, -0.12, 0.19)) -> Scene:
  """A nut is held near a container, by chance higher or lower."""
  return _holding(
    Thing(
      objects.nut(scale),
      at,
      near=m.REFERENCE,
      spread=(0.0, 0.0, 0.08),
      euler=_IN_PADS,
      color=VIOLET,
    ),
    reference,
  )


def _open_box(scale=1.0, x=0.35, y=0.1) -> Thing:
  height = TABLE + 0.06 * scale
  return _fixed(
    objects.open_box(scale), (x, y, height), spread=0.05, euler=(0, 0, _PI / 2)
  )


def _slab(x, y, z, spread=0.05, **options) -> Thing:
  body = objects.box(0.3, 0.3, 0.075, noun="board")
  return _fixed(body, (x, y, z), spread=spread, **options)


def _released(margin_fn):
  return lambda r: m.both(m.released(r), margin_fn(r))


def _held(margin_fn):
  return lambda r: m.both(m.held(r), margin_fn(r))


def _on_table(margin_fn):
  return lambda r: m.both(m.touches(r, two=m.TABLE), margin_fn(r))


def _over(r):
  return r.radius(m.REFERENCE) - m.distance_above(r)


def _onto(r):
  return m.both(m.inside(r), m.touches(r))


_NEAR_A_BOX = (
  Task(
    8,
    "Dropping something behind something",
    _beside_box(_open_box()),
    _released(m.behind),
  ),
  Task(
    9,
    "Dropping something in front of something",
    _beside_box(_open_box()),
    _released(m.in_front),
  ),
  Task(
    10,
    "Dropping something into something",
    _beside_box(_open_box()),
    _released(m.within),
  ),
  Task(
    11,
    "Dropping something next to something",
    _beside_box(_open_box()),
    _released(m.beside),
  ),
  Task(
    12,
    "Dropping something onto something",
    _beside_box(_slab(0.42, -0.02, 0.27), at=(-0.11, -0.08, 0.21)),
    _released(m.touches),
  ),
  Task(16, "Holding something", _beside_box(_open_box()), m.held, at_end=True),
  Task(
    17,
    "Holding something behind something",
    _beside_box(_open_box()),
    _held(m.behind),
    at_end=True,
  ),
  Task(
    18,
    "Holding something in front of something",
    _beside_box(_open_box(0.7, 0.43, 0.0), 2.0, at=(0.02, -0.14, 0.17)),
    _held(m.in_front),
    at_end=True,
  ),
  Task(
    19,
    "Holding something next to something",
    _beside_box(_open_box()),
    _held(m.beside),
    at_end=True,
  ),
  Task(
    20,
    "Holding something over something",
    _beside_box(_open_box(1.3, 0.40, 0.05), 2.0, at=(-0.19, -0.14, 0.18)),
    _held(_over),
    at_end=True,
  ),
  Task(
    104,
    "Putting something behind something",
    _beside_box(_open_box()),
    _on_table(m.behind),
  ),
  Task(
    105,
    "Putting something in front of something",
    _beside_box(_open_box(0.8, 0.39, 0.0), 2.0),
    _on_table(m.in_front),
  ),
  Task(
    106,
    "Putting something into something",
    _beside_box(_open_box(1.1, 0.37, 0.1), 2.0),
    m.within,
  ),
  Task(
    107,
    "Putting something next to something",
    _beside_box(_open_box()),
    _on_table(m.beside),
  ),
)


def _nut_at(x, y, z, reference=None, *, spread=0.1, scale=2.0, grip=130):
  nut = Thing(
    objects.nut(scale), (x, y, z), spread=spread, euler=_IN_PADS, color=VIOLET
  )
  return _holding(nut, reference, grip)


def _nut_by_cup():
  cup = _fixed(objects.cup(), (0.34, 0.16, TABLE + 0.0365), spread=0.1)
  return _nut_at(0.32, -0.06, 0.5, cup)


def _from_camera(r):
  return np.linalg.norm(r.position(m.OBJECT) - np.array(_CAMERA), axis=-1)


_MOVED_IN_THE_AIR = (
  Task(
    40,
    "Moving something away from something",
    _nut_by_cup(),
    lambda r: m.since_start(m.distance(r)) - 0.05,
  ),
  Task(
    41,
    "Moving something away from the camera",
    _nut_at(0.32, -0.06, 0.5),
    lambda r: m.since_start(_from_camera(r)) - 0.05,
  ),
  Task(
    42,
    "Moving something closer to something",
    _nut_by_cup(),
    lambda r: -m.since_start(m.distance(r)) - 0.05,
  ),
  Task(
    43,
    "Moving something down",
    _nut_at(0.32, -0.06, 0.45),
    lambda r: -m.moved(r, axis=m.Z) - 0.05,
  ),
  Task(
    44,
    "Moving something towards the camera",
    _nut_at(0.32, -0.06, 0.5),
    lambda r: -m.since_start(_from_camera(r)) - 0.1,
  ),
  Task(
    45,
    "Moving something up",
    _nut_at(0.32, -0.06, 0.45),
    lambda r: m.moved(r, axis=m.Z) - 0.05,
  ),
  Task(
    13,
    "Failing to put something into something because something does not fit",
    _nut_at(
      0.38,
      -0.02,
      0.45,
      _fixed(
        objects.bin_of(0.109, 0.127, 0.068),
        (0.35, 0.03, TABLE + 0.034),
        spread=0.05,
        turn=_PI,
      ),
      spread=0.0,
      scale=2.2,
      grip=120,
    ),
    _held(m.touches),
    nouns=("nut", "box", "nut"),
  ),
  Task(
    85,
    "Pulling something from behind of something",
    _nut_at(
      0.52,
      -0.02,
      0.40,
      _fixed(objects.bin_of(0.167, 0.194, 0.103), (0.40, 0.02, TABLE + 0.0515)),
      spread=0.0,
    ),
    _held(lambda r: -m.moved(r, axis=m.Y) - 0.05),
  ),
  Task(
    86,
    "Pulling something from left to right",
    _nut_at(0.42, 0.04, 0.40),
    _held(lambda r: -m.moved(r, axis=m.Y) - 0.05),
  ),
  Task(
    87,
    "Pulling something from right to left",
    _nut_at(0.40, -0.03, 0.39, grip=150),
    _held(lambda r: m.moved(r, axis=m.Y) - 0.1),
  ),
  Task(
    88,
    "Pulling something onto something",
    _nut_at(
      0.32,
      -0.1,
      0.40,
      _fixed(
        objects.box(0.2, 0.2, 0.05, noun="board"),
        (0.30, -0.05, 0.27),
        spread=0.05,
        turn=_PI,
      ),
    ),
    _onto,
  ),
  Task(
    89,
    "Pulling something out of something",
    _nut_at(
      0.4237,
      0.04,
      0.40,
      _fixed(objects.box(0.3, 0.3, 0.03, noun="tray"), (0.4237, 0.06, 0.30)),
      spread=0.0,
      grip=150,
    ),
    lambda r: -m.inside(r),
  ),
  Task(
    109,
    "Putting something on a surface",
    _nut_at(0.42, -0.06, 0.51, _slab(0.42, -0.02, 0.28, 0.1), grip=150),
    _onto,
  ),
)


def _box_held(x, y, z, reference=None, *, spread=0.0, grip=130, color=RED):
  box = objects.box(0.05, 0.05, 0.10)
  thing = Thing(box, (x, y, z), spread=spread, euler=(0, 0, _YAW), color=color)
  return _holding(thing, reference, grip)


def _bat(reference: Thing, z=0.36, spread=0.05) -> Scene:
  """A smaller box is held to hit with, or to throw."""
  box = objects.box(0.045, 0.045, 0.09, mass=0.05)
  thing = Thing(
    box, (0.42, -0.12, z), spread=spread, euler=(0, 0, _YAW), color=BLUE
  )
  return _holding(thing, reference, 150, rate=30)


def _block() -> Thing:
  return _fixed(
    objects.box(0.10, 0.10, 0.07, noun="block"),
    (0.3337, 0.08, TABLE + 0.035),
    spread=0.05,
    euler=(0, 0, _YAW),
    turn=0.5,
  )


def _beneath(r):
  """The object is under the roof, the first part of the reference."""
  halves, places, turns = r.boxes(m.REFERENCE)
  way = r.position(m.OBJECT) - places[:, :, 0]
  x, y, _ = np.moveaxis(np.einsum("...ji,...j", turns[:, :, 0], way), -1, 0)
  (width, depth, _), high = halves[0], r.box(m.OBJECT)[1][..., m.Z]
  return m.both(
    width - np.abs(x), depth - np.abs(y), places[:, :, 0, m.Z] - high
  )


_BOXES_HELD = (
  Task(
    47,
    "Picking something up",
    _box_held(0.4437, -0.07, TABLE + 0.06, color=BLUE),
    _held(lambda r: m.moved(r, axis=m.Z) - 0.1),
  ),
  Task(
    27,
    "Lifting something up completely without letting it drop down",
    _box_held(0.4237, -0.05, 0.36, spread=0.1),
    lambda r: m.moved(r, axis=m.Z) - 0.15,
  ),
  Task(
    21,
    "Laying something on the table on its side, not upright",
    _box_held(0.4237, -0.05, 0.36, spread=0.1),
    _on_table(lambda r: m.ANGLE * (m.leaning(r) - 0.8)),
  ),
  Task(
    148,
    "Taking something out of something",
    _box_held(
      0.4237,
      -0.05,
      TABLE + 0.06,
      _fixed(objects.tray(), (0.40, -0.05, 0.29), euler=(0, 0, _PI / 2)),
      color=BLUE,
    ),
    _held(lambda r: r.position(m.OBJECT)[..., m.Z] - 0.4),
  ),
  Task(
    118,
    "Putting something underneath something",
    _box_held(
      0.30,
      -0.05,
      0.40,
      _fixed(
        objects.shelter(), (0.6, 0.0, 0.4), spread=0.05, turn=0.8, swing=True
      ),
      spread=0.05,
    ),
    _beneath,
  ),
  Task(
    151,
    "Throwing something",
    _box_held(0.4237, -0.05, 0.38, spread=0.1, grip=120),
    lambda r: m.both(m.thrown(r), -m.touches(r, two=m.TABLE)),
  ),
  Task(
    15,
    "Hitting something with something",
    _bat(_block()),
    _held(m.touches),
    nouns=("block", "box"),
  ),
  Task(
    152,
    "Throwing something against something",
    _bat(_block()),
    lambda r: m.both(m.thrown(r), m.touches(r)),
  ),
  Task(
    153,
    "Throwing something in the air and catching it",
    _bat(_slab(0.3337, 0.05, 0.2915, 0.1), 0.42, 0.0),
    lambda r: m.both(m.thrown(r), m.inside(r)),
  ),
)

_LEFTWARD = Hand("grasp", 150, near=m.OBJECT, at=(-0.08, -0.2, 0.08))
_RIGHTWARD = Hand(
  "aside",
  0,
  near=m.OBJECT,
  at=(-0.02, 0.17, 0.15),
  spread=(0.03, 0.03, 0.01),
)


def _nut_lying(y, spread, hand, reference=None, color=RED):
  nut = Thing(
    objects.nut(2.0),
    (0.35, y, TABLE + 0.024),
    spread=spread,
    euler=_LYING,
    color=color,
  )
  things = {} if reference is None else {m.REFERENCE: reference}
  return Scene(things | {m.OBJECT: nut}, hand, 30)


_PUSHED = (
  Task(
    93,
    "Pushing something from left to right",
    _nut_lying(0.05, 0.1, _RIGHTWARD),
    lambda r: -m.moved(r, axis=m.Y) - 0.1,
  ),
  Task(
    94,
    "Pushing something from right to left",
    _nut_lying(-0.05, 0.075, _LEFTWARD),
    lambda r: m.moved(r, axis=m.Y) - 0.1,
  ),
  Task(
    100,
    "Pushing something so that it slightly moves",
    _nut_lying(-0.05, 0.1, _LEFTWARD, color=BLUE),
    lambda r: m.both(m.moved(r) - 0.05, 0.1 - m.moved(r), m.robot_touches(r)),
  ),
  Task(
    95,
    "Pushing something off of something",
    Scene(
      {
        m.REFERENCE: _slab(0.48, -0.05, 0.27, 0.1),
        m.OBJECT: Thing(
          objects.nut(2.0),
          (0.0, 0.0, 0.0375 + 0.045),
          near=m.REFERENCE,
          spread=0.1,
          euler=(0.0, 0.0, -_PI / 2),
          color=BLUE,
        ),
      },
      dataclasses.replace(_LEFTWARD, grip=0),
      30,
    ),
    lambda r: -m.touches(r),
    at_end=True,
  ),
  Task(
    96,
    "Pushing something onto something",
    _nut_lying(
      0.12,
      0.05,
      dataclasses.replace(_RIGHTWARD, spread=0.0),
      _slab(0.48, -0.12, 0.256),
      BLUE,
    ),
    lambda r: m.both(m.touches(r), m.inside(r, shrink=0.03)),
  ),
)

_POKING = Hand("poke", 255, near=m.OBJECT, at=(-0.01, -0.25, 0.06))


def _lying_box(hand) -> Scene:
  box = objects.box(0.07, 0.10, 0.07, mass=0.3)
  thing = Thing(box, (0.42, -0.01, TABLE + 0.035), spread=0.1, color=GREEN)
  return Scene({m.OBJECT: thing}, hand)


def _tower() -> Scene:
  """Four cubes on each other."""
  cube = objects.box(0.05, 0.05, 0.05)
  base = Thing(cube, (0.4, -0.02, TABLE + 0.025), spread=0.1, color=GREEN)
  names = (m.OBJECT, "second", "third", "top")
  colors = (YELLOW, BLUE, RED)
  above = {
    name: Thing(cube, (0.0, 0.0, 0.05), near=under, color=color)
    for under, name, color in zip(names, names[1:], colors, strict=False)
  }
  hand = Hand("poke", 255, near="third", at=(-0.01, -0.2, 0.0))
  return Scene({m.OBJECT: base} | above, hand, 30)


def _tall_box() -> Scene:
  box = objects.box(0.05, 0.05, 0.20, mass=0.5)
  thing = Thing(box, (0.42, -0.01, TABLE + 0.1), spread=0.1, color=GREEN)
  hand = Hand("poke", 220, near=m.OBJECT, at=(-0.03, -0.2, 0.1))
  return Scene({m.OBJECT: thing}, hand, 30)


def _on_an_edge() -> Scene:
  return Scene(
    {
      m.REFERENCE: _fixed(
        objects.box(0.2, 0.2, 0.1), (0.44, -0.05, 0.33), spread=0.05
      ),
      m.OBJECT: Thing(
        objects.box(0.07, 0.10, 0.07, mass=0.3),
        (0.0, 0.0, 0.085),
        near=m.REFERENCE,
        spread=0.05,
        color=BLUE,
      ),
    },
    Hand("grasp", 0, near=m.OBJECT, at=(-0.1, -0.18, 0.02)),
    30,
  )


def _two_boxes() -> Scene:
  box = objects.box(0.105, 0.105, 0.105, mass=0.3)
  return Scene(
    {
      m.OBJECT: Thing(box, (0.42, -0.11, TABLE + 0.0525), color=RED),
      "other": Thing(box, (0.42, 0.09, TABLE + 0.0525), color=BLUE),
    },
    Hand("poke", 220, near=m.OBJECT, at=(-0.03, -0.23, 0.06)),
    30,
  )


def _roll() -> Scene:
  roll = Thing(
    objects.roller(), (0.35, -0.02, TABLE + 0.05), spread=0.1, turn=0.3
  )
  hand = Hand(
    "grasp",
    135,
    near=m.OBJECT,
    at=(-0.03, -0.23, 0.07),
    spread=(0.05, 0.01, 0.02),
  )
  return Scene({m.OBJECT: roll}, hand, 30)


def _roll_on_slope(at) -> Scene:
  return Scene(
    {
      m.REFERENCE: _fixed(
        objects.box(0.2, 0.4, 0.1), (0.29, 0.1, 0.31), euler=(_PI / 8, 0, 0)
      ),
      m.OBJECT: Thing(objects.roller(), at, color=BLUE),
    },
    Hand("poke", 20, near=m.OBJECT, at=(-0.03, -0.2, 0.02)),
    30,
  )


def _up_and_back(r):
  rise = m.moved(r, axis=m.Z)
  return m.both(m.so_far(rise - 0.05), 0.03 - np.abs(rise))


def _falls_over(r):
  return m.ANGLE * (m.leaning(r) - _PI / 6)


def _rolls(r):
  return m.moved(r) - 0.1


def _still_standing(r):
  names = (m.OBJECT, "second", "third", "top")
  touched = m.either(*(m.so_far(m.robot_touches(r, n)) for n in names))
  return m.both(touched, 0.04 - np.abs(m.moved(r, "top", m.Z)))


def _barely(r):
  return m.both(m.so_far(m.robot_touches(r)), 0.05 - m.moved(r))


_POKED = (
  Task(
    55,
    "Poking something so it slightly moves",
    _lying_box(_POKING),
    lambda r: m.both(m.so_far(m.robot_touches(r)), m.moved(r) - 0.05),
    spares=m.OBJECT,
  ),
  Task(
    56,
    "Poking something so lightly that it doesn't or almost doesn't move",
    _lying_box(_POKING),
    _barely,
    at_end=True,
    spares=m.OBJECT,
  ),
  Task(
    160,
    "Touching (without moving) part of something",
    _lying_box(_POKING),
    _barely,
    at_end=True,
    spares=m.OBJECT,
  ),
  Task(
    69,
    "Pretending to poke something",
    _lying_box(Hand("poke", 255, near=m.OBJECT, at=(-0.1, -0.25, 0.15))),
    lambda r: m.both(
      0.13 - np.linalg.norm(r.position(m.OBJECT) - r.pads, axis=-1),
      -m.so_far(m.robot_touches(r)),
    ),
    spares=m.OBJECT,
  ),
  Task(
    57,
    "Poking something so that it falls over",
    _tall_box(),
    _falls_over,
    spares=m.OBJECT,
  ),
  Task(
    158,
    "Tipping something over",
    _tall_box(),
    _falls_over,
    spares=m.OBJECT,
  ),
  Task(
    58,
    "Poking something so that it spins around",
    Scene(
      {
        m.OBJECT: _fixed(
          objects.spinner(),
          (0.35, -0.02, TABLE + 0.04),
          spread=0.1,
          euler=(0, 0, -_PI / 4),
          joint=(-_PI, _PI),
        )
      },
      Hand("steep", 220, near=m.OBJECT, at=(-0.03, -0.15, 0.22)),
      30,
    ),
    lambda r: m.ANGLE * (np.abs(m.since_start(r.joint())) - 0.1),
    spares=m.OBJECT,
  ),
  Task(
    53,
    "Poking a stack of something so the stack collapses",
    _tower(),
    lambda r: m.touches(r, "top", m.TABLE),
    nouns=("boxes",),
  ),
  Task(
    54,
    "Poking a stack of something without the stack collapsing",
    _tower(),
    _still_standing,
    at_end=True,
    nouns=("boxes",),
  ),
  Task(
    98,
    "Pushing something so that it almost falls off but doesn't",
    _on_an_edge(),
    lambda r: m.both(
      m.so_far(m.robot_touches(r)), 0.04 - np.abs(m.moved(r, axis=m.Z))
    ),
    at_end=True,
  ),
  Task(
    99,
    "Pushing something so that it falls off the table",
    _on_an_edge(),
    lambda r: m.both(
      m.so_far(m.robot_touches(r)), -m.moved(r, axis=m.Z) - 0.04
    ),
    at_end=True,
  ),
  Task(
    101,
    "Pushing something with something",
    _two_boxes(),
    lambda r: m.both(
      m.so_far(m.robot_touches(r)),
      m.moved(r, "other") - 0.03,
      0.1 - m.moved(r, "other"),
    ),
    spares=m.OBJECT,
    nouns=("blue box", "red box"),
  ),
  Task(
    22,
    "Letting something roll along a flat surface",
    _roll(),
    _rolls,
  ),
  Task(
    122,
    "Rolling something on a flat surface",
    _roll(),
    _rolls,
  ),
  Task(
    23,
    "Letting something roll down a slanted surface",
    _roll_on_slope((0.29, 0.154, 0.441)),
    lambda r: m.both(m.moved(r) - 0.1, -0.15 - r.position(m.OBJECT)[..., m.Y]),
  ),
  Task(
    24,
    "Letting something roll up a slanted surface, so it rolls back down",
    _roll_on_slope((0.29, -0.16, TABLE + 0.05)),
    _up_and_back,
    spares=m.OBJECT,
  ),
)

_WITH_JOINTS = (
  Task(
    5,
    "Closing something",
    Scene(
      {
        m.OBJECT: _fixed(
          objects.drawer(0.8),
          (0.48, 0.0, TABLE + 0.05),
          spread=0.05,
          euler=(0, 0, 0.1),
          turn=0.5,
          swing=True,
          joint=(0.05, 0.1),
          color=BROWN,
        )
      },
      Hand("grasp", 220, at=(0.14, -0.25, 0.40), spread=0.03),
      30,
    ),
    lambda r: 0.01 - r.joint(),
    spares=m.OBJECT,
  ),
  Task(
    46,
    "Opening something",
    Scene(
      {
        m.OBJECT: _fixed(
          objects.drawer(1.0),
          (0.46, 0.05, TABLE + 0.0615),
          spread=0.05,
          euler=(0, 0, 0.1),
          turn=0.5,
          joint=(0.01, 0.04),
          color=BROWN,
        )
      },
      Hand("down", 220, near=m.OBJECT, at=(-0.14, 0.0, 0.26)),
      30,
    ),
    lambda r: r.joint() - 0.1,
  ),
  Task(
    14,
    "Folding something",
    Scene(
      {
        m.OBJECT: _fixed(
          objects.book(),
          (0.37, 0.1, TABLE + 0.01),
          spread=0.1,
          euler=(0, 0, -_PI / 2),
          turn=0.3,
          joint=(_PI - 1.1, _PI - 1.1),
          color=BLUE,
        )
      },
      Hand("poke", 220, at=(0.36, -0.3, 0.36), spread=0.05),
      30,
    ),
    lambda r: m.ANGLE * (_PI - 2.5 - r.joint()),
    spares=m.OBJECT,
  ),
  Task(
    172,
    "Unfolding something",
    Scene(
      {
        m.OBJECT: _fixed(
          objects.book(),
          (0.37, 0.0, TABLE + 0.01),
          spread=0.1,
          euler=(0, 0, _PI / 2),
          turn=0.3,
          joint=(_PI - 2.5, _PI - 2.5),
          color=BLUE,
        )
      },
      Hand("poke", 220, at=(0.36, -0.38, 0.36), spread=0.05),
      30,
    ),
    lambda r: m.ANGLE * (r.joint() - (_PI - 1.8)),
    spares=m.OBJECT,
  ),
)


def _on_plate(scale, thing=None, *, z=0.374, spread=0.0, reach=0.07, color=RED):
  """A plate is held at its edge, perhaps with a thing on it."""
  plate = Thing(
    objects.box(
      0.1 * scale, 0.1 * scale, 0.01 * scale, mass=0.05, friction=2.0
    ),
    (0.3797, -0.1114, z),
    spread=spread,
    euler=(0, 0, _YAW),
    color=color,
  )
  things = {} if thing is None else {m.OBJECT: thing}
  hand = Hand("flat", 220, holds=_PLATE, reach=reach)
  return Scene({_PLATE: plate} | things, hand)


_PLATE = "plate"


def _small_box(scale, at, *, near="", spread=0.0, color=BLUE) -> Thing:
  s = 0.05 * scale
  return Thing(
    objects.box(s, 2 * s, s), at, near=near, spread=spread, color=color
  )


def _covering() -> Scene:
  box = _small_box(1.2, (0.33, 0.06, TABLE + 0.03), spread=0.07, color=RED)
  return _on_plate(2.0, box, z=0.45, color=BLUE)


def _covered() -> Scene:
  """The plate is over the box, as the camera sees them."""
  box = _small_box(1.2, (0.09, 0.0, -0.11), near=_PLATE, spread=0.02, color=RED)
  return _on_plate(2.0, box, z=TABLE + 0.14, spread=0.05, color=BLUE)


def _seen(r):
  return m.visible(r, m.OBJECT, _PLATE, "finger", "pad", "gripper")


def _uncovers(r):
  return 0.1 * (_seen(r) - 0.7)


def _loaded(scale, box_scale, **options) -> Scene:
  """A plate with a box on it."""
  above = 0.005 * scale + 0.025 * box_scale
  box = _small_box(box_scale, (0.01, 0.03, above), near=_PLATE)
  return _on_plate(scale, box, spread=(0.07, 0.05, 0.02), **options)


def _on_the_plate(r):
  return m.both(m.inside(r, two=_PLATE), m.touches(r, two=_PLATE))


_ON_PLATES = (
  Task(
    6,
    "Covering something with something",
    _covering(),
    lambda r: m.both(
      0.1 * (0.05 - _seen(r)), 0.04 - m.gap(r, m.OBJECT, _PLATE)
    ),
    nouns=("box", "plate"),
  ),
  Task(
    121,
    "Removing something, revealing something behind",
    _covered(),
    _uncovers,
    nouns=("plate", "box"),
  ),
  Task(171, "Uncovering something", _covered(), _uncovers),
  Task(
    29,
    "Lifting something with something on it",
    _loaded(1.5, 0.8),
    lambda r: m.both(m.moved(r, _PLATE, m.Z) - 0.1, m.moved(r, axis=m.Z) - 0.1),
    nouns=("plate", "box"),
  ),
  Task(
    156,
    "Tilting something with something on it slightly so it doesn't fall down",
    _loaded(1.8, 0.8, color=YELLOW),
    lambda r: m.both(m.ANGLE * (m.leaning(r, _PLATE) - 0.05), _on_the_plate(r)),
    at_end=True,
    nouns=("plate", "box"),
  ),
  Task(
    157,
    "Tilting something with something on it until it falls off",
    _loaded(1.8, 0.8, color=YELLOW),
    lambda r: -m.inside(r, two=_PLATE),
    nouns=("plate", "box"),
  ),
)


def _long_box(x, y, z, reference, others=None, grip=100) -> Scene:
  box = objects.box(0.06, 0.084, 0.12)
  thing = Thing(box, (x, y, z), euler=(0, 0, _YAW), color=BLUE)
  scene = _holding(thing, reference, grip)
  return dataclasses.replace(scene, things={**scene.things, **(others or {})})


def _over_the_edge(r):
  rim = r.box(m.REFERENCE)[1][..., m.Z]
  upon = m.both(m.touches(r), r.box(m.OBJECT)[1][..., m.Z] - rim)
  return m.both(m.so_far(upon), m.touches(r, two=m.TABLE))


def _rests_on(r):
  slow = 0.1 * (0.1 - np.linalg.norm(r.velocity(), axis=-1))
  return m.both(m.released(r), m.touches(r), slow, -m.touches(r, two=m.TABLE))


def _crumbs() -> dict[str, Thing]:
  crumb = objects.box(0.03, 0.03, 0.03, mass=0.01)
  places = ((-0.02, 0.0), (0.02, 0.0), (0.0, 0.03))
  return {
    f"crumb{index}": Thing(
      crumb,
      (x, y, 0.0375 + 0.015),
      near=m.REFERENCE,
      spread=0.003,
      color=YELLOW,
    )
    for index, (x, y) in enumerate(places)
  }


def _wiped(r):
  return m.both(*(-m.touches(r, name) for name in _crumbs()))


_LONG_BOXES = (
  Task(
    110,
    "Putting something on the edge of something so it is not supported and "
    "falls down",
    _long_box(
      0.42,
      -0.05,
      0.46,
      _fixed(objects.box(0.3, 0.3, 0.3, noun="crate"), (0.25, 0.16, 0.21)),
    ),
    _over_the_edge,
  ),
  Task(
    111,
    "Putting something onto a slanted surface but it doesn't glide down",
    _long_box(
      0.40,
      -0.08,
      0.46,
      _fixed(
        objects.box(0.2, 0.4, 0.1), (0.29, 0.1, 0.31), euler=(_PI / 10, 0, 0)
      ),
    ),
    _rests_on,
    at_end=True,
    ours=True,
  ),
  Task(
    112,
    "Putting something onto something",
    _long_box(
      0.42,
      -0.14,
      0.46,
      _fixed(
        objects.box(0.15, 0.15, 0.105, noun="block"),
        (0.3637, 0.05, TABLE + 0.0525),
        spread=0.05,
      ),
    ),
    _rests_on,
    at_end=True,
    ours=True,
  ),
  Task(
    173,
    "Wiping something off of something",
    _long_box(
      0.42,
      -0.14,
      0.42,
      _fixed(objects.box(0.2, 0.2, 0.075), (0.36, 0.04, 0.27)),
      _crumbs(),
    ),
    _wiped,
    at_end=True,
    ours=True,
    nouns=("crumbs", "board"),
  ),
)

ALL_TASKS = {
  task.number: task
  for group in (
    _NEAR_A_BOX,
    _MOVED_IN_THE_AIR,
    _BOXES_HELD,
    _PUSHED,
    _POKED,
    _WITH_JOINTS,
    _ON_PLATES,
    _LONG_BOXES,
  )
  for task in group
}
TASKS = {n: task for n, task in ALL_TASKS.items() if not task.ours}


def _within_itself(r):
  """The box is within its own outline: always."""
  return m.inside(r, two=m.OBJECT)


# Tests of the release that are constant, or that its scene contradicts.
_RELEASED_MARGINS = {
  19: _released(m.beside),
  107: lambda r: m.both(m.beside(r), m.on_floor(r)),
  156: _within_itself,
  157: lambda r: -_within_itself(r),
}
# The twelve that the reward is trained on: ways to push, pull, pick, put, drop,
# close, cover, poke and roll, both of opposite ways, one of two that are alike.
# The optimizer does each in more than nine of ten episodes, and people are seen
# doing each (`a2r.sim.humans.templates`).
TRAINED = (5, 6, 12, 22, 47, 57, 86, 87, 93, 94, 106, 171)
AS_RELEASED = tuple(
  dataclasses.replace(TASKS[number], margin=margin_fn, as_released=True)
  for number, margin_fn in _RELEASED_MARGINS.items()
)
NAMES = {task.name: task for task in (*ALL_TASKS.values(), *AS_RELEASED)}


def get(name: str) -> Task:
  """Returns a task by the number of its label ('5') or its name.

  Raises:
    KeyError: if there is none; the known are listed.
  """
  if name.isdecimal() and int(name) in ALL_TASKS:
    return ALL_TASKS[int(name)]
  checks.one_of("task", name, [*map(str, ALL_TASKS), *NAMES], KeyError)
  return NAMES[name]

"""What people do in the procedural clips: one row per SS-V2 template.

A row moves one subject: a thing on the table, an opener (drawer or lidded box)
or a faucet. For a thing the row gives its way through three key poses; for an
opener and a faucet the state at the start and at the end. Adding a template is
adding a row.
"""

import itertools

from flax import struct

from a2r.sim.humans import props

THING, OPENER, FAUCET = 0, 1, 2
PUSH, GRASP, POKE, PULL = 0, 1, 2, 3
NO_TILT, TOPPLE, FLIP, LAY, STAND = 0, 1, 2, 3, 4
ALONE, BESIDE, ONTO, COVER, INTO = 0, 1, 2, 3, 4

NOUNS = (*props.THINGS, "drawer", "box", "faucet", "door")

_STANDING = ("cup", "box", "bottle", "can")


@struct.dataclass
class Template:
  """One human activity; `scenes.row_of` makes arrays of all but its text.

  Attributes:
    text: the SS-V2 template; 'something' stands for an object.
    subject: THING, OPENER or FAUCET.
    path: three key poses of a thing relative to its place, each
      (right, away from the camera, up, along a line given by `toward_arm`);
      horizontal steps count in reaches, vertical ones in lifts.
    both: the partner goes the mirrored way.
    state: start and end of an opener (0 closed, 1 open) or of a faucet
      (0 to 1 turned).
    grip: PUSH from behind the motion, GRASP from above, POKE and return, or
      PULL from before the motion.
    tilt: NO_TILT, TOPPLE about the foot, FLIP upside down, LAY down slowly, or
      STAND up slowly.
    partner: ALONE, BESIDE a second thing, ONTO it, over it so that it is not
      seen (COVER), or INTO the open box with the lid. What is covered is named
      before what covers it.
    toward_arm: the fourth coordinate's line is the arm's, not any.
    carried: the hand holds the thing when the clip starts.
    leaves: whether the hand goes away at the end; None is left to chance.
    real: False if the hand goes through the motion and nothing follows.
    released: the hand lets go halfway and the thing falls late and fast.
    hand: False if nobody is seen.
    edge: the table ends where the path's middle is.
    things: which things may be the subject.
    undone_by_next: the next row's template undoes this one.
  """

  text: str = struct.field(pytree_node=False)
  subject: int = THING
  path: tuple = ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))
  both: bool = False
  state: tuple = (0.0, 0.0)
  grip: int = PUSH
  tilt: int = NO_TILT
  partner: int = ALONE
  toward_arm: bool = False
  carried: bool = False
  leaves: bool | None = None
  real: bool = True
  released: bool = False
  hand: bool = True
  edge: bool = False
  things: tuple = props.THINGS
  undone_by_next: bool = False


def _line(start, end):
  middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
  return (start, middle, end)


_REST = (0, 0, 0, 0)
_UP = (0, 0, 1, 0)
_APART = (0, 0, 0, 1.2)
_AT_ARM = (0, 0, 0.5, 3.0)
_ABOVE = (0, 0, 1.8, 0)
_ABOVE_ARM = (0, 0, 1.5, 2.0)

# fmt: off
ROWS = (
  Template("Closing something", OPENER, state=(1.0, 0.0), undone_by_next=True),
  Template("Opening something", OPENER, state=(0.0, 1.0), grip=GRASP),
  Template("Moving something away from the camera",
    path=_line((0, -0.5, 0, 0), (0, 1, 0, 0)), undone_by_next=True),
  Template("Moving something towards the camera",
    path=_line((0, 0.5, 0, 0), (0, -1, 0, 0))),
  Template("Pushing something from left to right",
    path=_line((-0.5, 0, 0, 0), (0.7, 0, 0, 0)), undone_by_next=True),
  Template("Pushing something from right to left",
    path=_line((0.5, 0, 0, 0), (-0.7, 0, 0, 0))),
  Template("Moving part of something", FAUCET, state=(0.0, 1.0)),
  Template("Poking something so lightly that it doesn't or almost doesn't move",
    grip=POKE, leaves=True),
  Template("Poking something so it slightly moves",
    path=_line(_REST, (0, 0, 0, -0.35)), grip=POKE, toward_arm=True,
    leaves=True),
  Template("Poking something so that it falls over", grip=POKE, tilt=TOPPLE,
    toward_arm=True, leaves=True, things=_STANDING),
  Template("Touching (without moving) part of something", FAUCET, leaves=False),
  Template("Moving something up", path=_line((0, 0, 0.3, 0), (0, 0, 1.7, 0)),
    grip=GRASP, carried=True, leaves=False, undone_by_next=True),
  Template("Moving something down", path=_line((0, 0, 1.7, 0), (0, 0, 0.3, 0)),
    grip=GRASP, carried=True, leaves=False),
  Template("Lifting something up completely without letting it drop down",
    path=(_REST, (0, 0, 1.4, 0), (0, 0, 1.4, 0)), grip=GRASP, leaves=False),
  Template("Lifting something up completely, then letting it drop down",
    path=(_REST, (0, 0, 1.4, 0), _REST), grip=GRASP, released=True,
    leaves=False),
  Template("Picking something up",
    path=(_REST, (0, 0, 0.9, 0), (0, 0, 2.5, 0.5)), grip=GRASP, toward_arm=True,
    leaves=False),
  Template("Putting something on a surface",
    path=(_AT_ARM, (0, 0, 0.4, 0.6), _REST), grip=GRASP, toward_arm=True,
    carried=True, leaves=True, undone_by_next=True),
  Template("Taking something from somewhere",
    path=(_REST, (0, 0, 0.4, 0.6), _AT_ARM), grip=GRASP, toward_arm=True,
    leaves=False),
  Template("Pushing something so that it falls off the table",
    path=(_REST, (0, 0, 0, 0.8), (0, 0, -4, 1.4)), released=True, edge=True),
  Template("Turning something upside down", path=(_REST, _UP, _REST),
    grip=GRASP, tilt=FLIP, things=("cup", "bottle", "book", "box")),
  Template("Moving something closer to something", path=_line(_APART, _REST),
    partner=BESIDE, undone_by_next=True),
  Template("Moving something away from something", path=_line(_REST, _APART),
    partner=BESIDE),
  Template("Moving something and something closer to each other",
    path=_line(_APART, _REST), both=True, partner=BESIDE, undone_by_next=True),
  Template("Moving something and something away from each other",
    path=_line(_REST, _APART), both=True, partner=BESIDE),
  Template("Putting something onto something",
    path=((0, 0, 0, 1.4), (0, 0, 1.3, 0.6), _REST), grip=GRASP, partner=ONTO,
    leaves=True),
  Template("Dropping something onto something",
    path=((0, 0, 1.4, 0), (0, 0, 1.4, 0), _REST), grip=GRASP, partner=ONTO,
    carried=True, released=True, leaves=False),
  Template("Putting something next to something",
    path=((0, 0, 0, 1.4), (0, 0, 1, 0.7), _REST), grip=GRASP, partner=BESIDE,
    leaves=True),
  Template("Pretending to put something next to something",
    path=(_ABOVE_ARM, (0, 0, 0.2, 0.2), _ABOVE_ARM), grip=GRASP, partner=BESIDE,
    toward_arm=True, carried=True, leaves=False),
  Template("Covering something with something",
    path=(_ABOVE_ARM, _ABOVE, _REST), grip=GRASP, partner=COVER,
    toward_arm=True, carried=True, things=("box", "cup"), undone_by_next=True),
  Template("Uncovering something", path=(_REST, _ABOVE, _ABOVE_ARM), grip=GRASP,
    partner=COVER, toward_arm=True, leaves=False, things=("box", "cup")),
  Template("Putting something into something", path=(_ABOVE_ARM, _ABOVE, _REST),
    grip=GRASP, partner=INTO, toward_arm=True, carried=True, leaves=True,
    things=("cup", "can", "ball"), undone_by_next=True),
  Template("Taking something out of something",
    path=(_REST, _ABOVE, _ABOVE_ARM), grip=GRASP, partner=INTO, toward_arm=True,
    leaves=False, things=("cup", "can", "ball")),
  Template("Pulling something from left to right",
    path=_line((-0.7, 0, 0, 0), (0.5, 0, 0, 0)), grip=PULL,
    undone_by_next=True),
  Template("Pulling something from right to left",
    path=_line((0.7, 0, 0, 0), (-0.5, 0, 0, 0)), grip=PULL),
  Template("Putting something upright on the table",
    path=(_REST, (0, 0, 0.4, 0), _REST), grip=GRASP, tilt=STAND,
    things=("bottle", "can", "cup"), undone_by_next=True),
  Template("Laying something on the table on its side, not upright",
    path=(_REST, (0, 0, 0.4, 0), _REST), grip=GRASP, tilt=LAY,
    things=("bottle", "can", "cup")),
  Template("Holding something", path=(_UP, _UP, _UP), grip=GRASP, carried=True,
    leaves=False),
  Template("Pretending to pick something up", path=_line(_REST, (0, 0, 1.4, 0)),
    grip=GRASP, real=False, leaves=False),
  Template("Pretending to close something without actually closing it", OPENER,
    state=(1.0, 0.0), real=False),
  Template("Pretending to open something without actually opening it", OPENER,
    state=(0.0, 1.0), grip=GRASP, real=False),
  Template("Something falling like a rock",
    path=((0, 0, 1.8, 0), (0, 0, 1.8, 0), _REST), released=True, hand=False),
  Template("Letting something roll along a flat surface",
    path=_line((0, 0, 0, -1.3), (0, 0, 0, 1.3)), hand=False, things=("ball",)),
)
# fmt: on

TEMPLATES = tuple(row.text for row in ROWS)
OPPOSITES = tuple(
  (row.text, following.text)
  for row, following in itertools.pairwise(ROWS)
  if row.undone_by_next
)


def caption(template: int, nouns) -> str:
  """Returns the text of template number `template` with its `nouns` filled in.

  Args:
    template: index into `TEMPLATES`.
    nouns: indices into `NOUNS`; as many are used as the template has places.
  """
  text = TEMPLATES[template]
  for noun in nouns:
    for place in ("Something", "something"):
      if place in text:
        text = text.replace(place, NOUNS[int(noun)], 1)
        break
  return text.lower()

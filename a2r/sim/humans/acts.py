"""What people do with two things in the procedural clips: more SS-V2 templates.

A row of `templates` moves one subject through three poses; a row here moves a
subject and what it has to do with through four key poses each, in its own time
and manner. Adding a template is adding a row. Lengths of a key pose count in
what the scene has drawn, see `at`.
"""

import itertools

from flax import struct

from a2r.sim.humans import props, templates

NONE, THING, CARGO, STACK, BOX, SHELF, RAMP, TOWEL, LEAF, STICK = range(10)
AWAY, ACROSS, ARM = range(3)
CENTER, FOOT, HINGE, SPIN = range(4)
SMOOTH, FALL, SLOW, STEADY = range(4)
EITHER, FROM_START, FROM_END, FRONT = range(4)

NOUNS = (*templates.NOUNS, "shelf", "stick", "towel")


def at(along=0, gap=0, aside=0, arm=0, lift=0, top=0, turn=0) -> tuple:
  """Returns a key pose, from the partner's place on the table.

  Args:
    along: reaches along the row's line.
    gap: times the way at which subject and partner touch, along the same line;
      of a ramp its length, of a shelf half its depth.
    aside: reaches to one side of the line.
    arm: reaches towards the arm.
    lift: lifts above the table.
    top: heights of what can carry: partner, cargo's subject, box, shelf, ramp.
    turn: quarter turns, those about a level axis towards the line's end.
  """
  return (along, gap, aside, arm, lift, top, turn)


_STILL = (at(),) * 4


@struct.dataclass
class Act:
  """One human activity; `stages.act_of` makes arrays of all but its text.

  Attributes:
    text: the SS-V2 template.
    way: four key poses of the subject.
    partner: what the second 'something' is, or what the first one needs: a
      THING, CARGO on the subject, the rest of a STACK, an open BOX, a SHELF, a
      RAMP that goes up against the line from its foot, a TOWEL, the other LEAF
      of a towel that the subject is one of, or a STICK in the hand.
    partner_way: its key poses; of a stick those of its tip.
    times: shares of the act at which the key poses are reached.
    manners: of the three legs: SMOOTH, FALL (ever faster), SLOW (ever slower)
      or STEADY.
    arc: lifts by which the subject's second leg is bent upwards.
    line: AWAY from the camera, ACROSS what it sees, or towards the ARM.
    pivot: what a turn is about: CENTER, the FOOT on the side where it tips, the
      HINGE of two leaves, all of them level, or the upright axis (SPIN).
    touch: where the hand holds the subject, along the line, aside and up, in
      its radii and half heights; of a stick it is always the end.
    until: share of the act until which the hand follows what it holds.
    comes: whether the hand comes when the clip starts; else it holds.
    leaves: whether it goes away when it has let go.
    side: whence the arm comes: EITHER side, that where the way starts or where
      it ends (FROM_START, FROM_END), or where the camera is (FRONT). A way that
      goes nowhere ends where the line does.
    slips: the leg, from 0, on which cargo leaves its subject; 3 for none.
    edge: reaches along the line at which the table ends; 0 for no edge.
    real: False if the hand stays off what it would touch.
    low: the camera is not high, for the sake of what is hidden.
    things: which things may be the subject.
    partners: which may be a THING or CARGO.
    size: of the subject relative to others, and of the partner.
    undone_by_next: the next row's template undoes this one.
  """

  text: str = struct.field(pytree_node=False)
  way: tuple = _STILL
  partner: int = NONE
  partner_way: tuple = _STILL
  times: tuple = (0.0, 0.4, 0.7, 1.0)
  manners: tuple = (SMOOTH, SMOOTH, SMOOTH)
  arc: float = 0.0
  line: int = ARM
  pivot: int = CENTER
  touch: tuple = (0.0, 0.0, 1.0)
  until: float = 1.0
  comes: bool = True
  leaves: bool = True
  side: int = EITHER
  slips: int = 3
  edge: float = 0.0
  real: bool = True
  low: bool = False
  things: tuple = props.THINGS
  partners: tuple = props.THINGS
  size: tuple = (1.0, 1.0)
  undone_by_next: bool = False


_SMALL = ("cup", "can", "ball")
_TALL = ("cup", "bottle", "can")
_SOLID = ("cup", "box", "bottle", "can")
_BALL = ("ball",)
_PUSH, _PULL = (-1.0, 0.0, 0.2), (0.9, 0.0, 0.5)
_NEAR, _BELOW = (1.0, 0.0, 0.3), (0.0, 0.0, -1.0)
_DROP = (0.0, 0.45, 0.65, 1.0)


def _dropped(text, rest, above, **fields):
  """A thing held above where it falls to and let go."""
  return Act(
    text,
    (above, above, rest, rest),
    times=_DROP,
    manners=(SMOOTH, FALL, SMOOTH),
    until=0.45,
    comes=False,
    leaves=False,
    **fields,
  )


def _held(text, place, **fields):
  """A thing that stays in the hand at one place."""
  return Act(text, (place,) * 4, THING, comes=False, leaves=False, **fields)


def _put(text, rest, **fields):
  """A thing that the hand brings in and puts next to another."""
  far, near = (
    at(gap=rest[1], arm=arm, lift=lift) for arm, lift in ((2, 1.3), (0.3, 1))
  )
  way, times = (far, near, rest, rest), (0.0, 0.45, 0.75, 1.0)
  return Act(text, way, THING, times=times, until=0.8, comes=False, **fields)


# fmt: off
ROWS = (
  _dropped("Dropping something behind something", at(gap=1.1),
    at(gap=1.1, lift=1.6), partner=THING, line=AWAY),
  _dropped("Dropping something in front of something", at(gap=-1.1),
    at(gap=-1.1, lift=1.6), partner=THING, line=AWAY),
  _dropped("Dropping something into something", at(), at(lift=0.9, top=1),
    partner=BOX, things=_SMALL, size=(0.65, 1.0)),
  _dropped("Dropping something next to something", at(gap=1.1),
    at(gap=1.1, lift=1.6), partner=THING, line=ACROSS),
  _held("Holding something behind something", at(gap=1.2, lift=0.4), line=AWAY,
    size=(1.0, 0.9)),
  _held("Holding something in front of something", at(gap=-1.2, lift=0.4),
    line=AWAY),
  _held("Holding something next to something", at(gap=1.2, lift=0.4),
    line=ACROSS),
  _held("Holding something over something", at(lift=0.5, top=1), line=ACROSS),
  _put("Putting something behind something", at(gap=1.1), line=AWAY),
  _put("Putting something in front of something", at(gap=-1.1), line=AWAY),
  Act("Failing to put something into something because something does not fit",
    (at(arm=1.2, lift=1.2, top=1), at(top=1), at(lift=0.5, top=1), at(top=1)),
    BOX, times=(0.0, 0.4, 0.6, 0.8), comes=False, leaves=False,
    things=("box", "ball", "book"), size=(1.6, 0.62)),
  Act("Pulling something from behind of something",
    (at(gap=1), at(gap=1), at(gap=1, aside=2.2), at(gap=1, aside=2.2)), THING,
    times=(0.0, 0.1, 0.9, 1.0), line=AWAY, touch=(0.0, 0.9, 0.5),
    side=FROM_END, low=True, things=_SMALL, partners=("box", "bottle"),
    size=(0.7, 1.5)),
  Act("Pulling something onto something",
    (at(along=-1.6), at(along=-1.6), at(top=1), at(top=1)), TOWEL,
    times=(0.0, 0.1, 0.9, 1.0), touch=_PULL),
  Act("Pulling something out of something",
    (at(), at(), at(gap=1, along=1.3), at(gap=1, along=1.3)), SHELF,
    times=(0.0, 0.1, 0.9, 1.0), touch=_PULL, side=FRONT, things=_SMALL,
    size=(0.75, 1.2)),
  Act("Putting something underneath something",
    (at(gap=1, along=1.6), at(gap=1, along=0.5), at(), at()), SHELF,
    times=(0.0, 0.45, 0.8, 1.0), touch=_NEAR, until=0.85, comes=False,
    side=FRONT, things=_SMALL, size=(0.75, 1.2)),
  Act("Throwing something",
    (at(along=-1, lift=0.4), at(lift=0.9), at(along=1.6), at(along=2)),
    times=(0.0, 0.35, 0.65, 0.85), manners=(FALL, STEADY, SLOW), arc=0.7,
    line=ACROSS, touch=(-0.7, 0.0, 0.5), until=0.35, comes=False, leaves=False,
    side=FROM_START, things=_SMALL, size=(0.8, 1.0)),
  Act("Hitting something with something",
    (at(), at(), at(arm=-0.2), at(arm=-0.2)), STICK,
    (at(lift=1.3, top=1), at(top=1), at(lift=1, top=1), at(lift=1, top=1)),
    times=(0.0, 0.35, 0.6, 1.0), manners=(FALL, SLOW, SMOOTH), comes=False,
    leaves=False),
  Act("Throwing something against something",
    (at(gap=1, along=1.8, lift=0.4), at(gap=1, along=1.1, lift=0.8),
      at(gap=1, top=0.4), at(gap=1, along=0.6)), THING,
    times=(0.0, 0.35, 0.6, 0.8), manners=(FALL, STEADY, FALL), arc=0.15,
    line=ACROSS, touch=(0.7, 0.0, 0.5), until=0.35, comes=False, leaves=False,
    side=FROM_START, things=_SMALL, partners=("box",), size=(0.7, 1.7)),
  Act("Throwing something in the air and catching it",
    (at(lift=0.3), at(lift=0.8), at(lift=0.8), at(lift=0.6)),
    times=(0.0, 0.25, 0.75, 0.9), manners=(FALL, STEADY, SLOW), arc=1.7,
    touch=_BELOW, until=0.25, comes=False, leaves=False, size=(0.8, 1.0)),
  Act("Pushing something so that it slightly moves",
    (at(), at(along=-0.4), at(along=-0.4), at(along=-0.4)),
    times=(0.0, 0.6, 0.8, 1.0), touch=_NEAR, until=0.65),
  Act("Pushing something off of something",
    (at(top=1), at(gap=-0.75, top=1), at(gap=-1.3, turn=-1),
      at(gap=-1.3, turn=-1)), THING, times=(0.0, 0.55, 0.7, 1.0),
    manners=(SMOOTH, FALL, SMOOTH), line=ACROSS, touch=_NEAR, until=0.55,
    side=FROM_START, things=("cup", "box", "can", "ball"), partners=("box",),
    size=(0.75, 1.6)),
  Act("Pushing something onto something",
    (at(along=1.6), at(along=1.6), at(top=1), at(top=1)), TOWEL,
    times=(0.0, 0.1, 0.9, 1.0), touch=_NEAR),
  Act("Pretending to poke something", times=(0.0, 0.2, 0.4, 1.0), touch=_NEAR,
    until=0.3, real=False),
  Act("Tipping something over",
    (at(), at(turn=-0.35), at(turn=-1), at(turn=-1)),
    times=(0.0, 0.6, 0.75, 1.0), manners=(SMOOTH, FALL, SMOOTH), pivot=FOOT,
    touch=(1.0, 0.0, 0.8), until=0.6, things=_TALL),
  Act("Poking something so that it spins around",
    (at(), at(), at(turn=3.5), at(turn=5.5)), times=(0.0, 0.2, 0.6, 1.0),
    manners=(SMOOTH, STEADY, SLOW), pivot=SPIN, touch=(0.7, 0.7, 0.3),
    until=0.2, things=("book", "box"), size=(1.25, 1.0)),
  Act("Poking a stack of something so the stack collapses",
    (at(top=2), at(top=2), at(gap=-1.9, aside=0.4, turn=-1),
      at(gap=-1.9, aside=0.4, turn=-1)), STACK,
    (at(top=1), at(top=1), at(gap=-1.3, aside=-0.3, turn=-1),
      at(gap=-1.3, aside=-0.3, turn=-1)),
    times=(0.0, 0.2, 0.5, 1.0), manners=(SMOOTH, FALL, SMOOTH),
    touch=(1.0, 0.0, -0.6), until=0.25, things=("box", "can"),
    size=(0.85, 1.0)),
  Act("Poking a stack of something without the stack collapsing",
    (at(top=2),) * 4, STACK, (at(top=1),) * 4, times=(0.0, 0.2, 0.5, 1.0),
    touch=(1.0, 0.0, -0.6), until=0.25, things=("box", "can"),
    size=(0.85, 1.0)),
  Act("Pushing something so that it almost falls off but doesn't",
    (at(along=-0.6), at(along=1, turn=0.15), at(along=0.9), at(along=0.9)),
    times=(0.0, 0.6, 0.7, 1.0), line=ACROSS, touch=_PUSH, until=0.6,
    side=FROM_START, edge=1.0, things=_SOLID),
  Act("Pushing something with something",
    (at(), at(), at(along=-1.4), at(along=-1.4)), STICK,
    (at(gap=1.5, top=0.4), at(gap=1, top=0.4),
      at(gap=1, along=-1.4, top=0.4), at(gap=1, along=-1.4, top=0.4)),
    times=(0.0, 0.3, 0.9, 1.0), comes=False, leaves=False),
  Act("Rolling something on a flat surface",
    (at(along=-1.3), at(along=-0.7), at(along=1.6), at(along=1.6)),
    times=(0.0, 0.25, 0.9, 1.0), manners=(FALL, SLOW, SMOOTH), line=ACROSS,
    touch=_PUSH, until=0.25, side=FROM_START, things=_BALL),
  Act("Letting something roll down a slanted surface",
    (at(gap=-0.85, top=0.85), at(gap=-0.85, top=0.85), at(), at(along=1.2)),
    RAMP, times=(0.0, 0.15, 0.6, 0.9), manners=(SMOOTH, FALL, SLOW),
    line=ACROSS, until=0.15, comes=False, side=FROM_START, things=_BALL,
    size=(0.75, 1.0)),
  Act("Letting something roll up a slanted surface, so it rolls back down",
    (at(along=0.6), at(), at(gap=-0.75, top=0.75), at()),
    RAMP, times=(0.0, 0.25, 0.55, 0.9), manners=(FALL, SLOW, FALL), line=ACROSS,
    touch=(1.0, 0.0, 0.2), until=0.25, leaves=False, side=FROM_START,
    things=_BALL, size=(0.75, 1.0)),
  Act("Folding something",
    (at(gap=0.5), at(gap=0.5, turn=-1), at(gap=0.5, turn=-2),
      at(gap=0.5, turn=-2)), LEAF, (at(gap=-0.5),) * 4,
    times=(0.0, 0.45, 0.9, 1.0), manners=(STEADY, STEADY, STEADY), pivot=HINGE,
    touch=(1.0, 0.0, 0.0), size=(1.3, 1.0), undone_by_next=True),
  Act("Unfolding something",
    (at(gap=0.5, turn=-2), at(gap=0.5, turn=-1), at(gap=0.5), at(gap=0.5)),
    LEAF, (at(gap=-0.5),) * 4, times=(0.0, 0.45, 0.9, 1.0),
    manners=(STEADY, STEADY, STEADY), pivot=HINGE, touch=(1.0, 0.0, 0.0),
    size=(1.3, 1.0)),
  Act("Removing something, revealing something behind",
    (at(gap=-0.9), at(gap=-0.9), at(gap=-0.9, arm=0.6, lift=0.8),
      at(gap=-0.9, arm=3, lift=1)), THING, times=(0.0, 0.1, 0.5, 1.0),
    line=AWAY, leaves=False, low=True, things=("box", "bottle", "can"),
    partners=("ball", "can", "cup"), size=(1.4, 0.6)),
  Act("Lifting something with something on it",
    (at(), at(), at(lift=1.3), at(lift=1.3)), CARGO,
    times=(0.0, 0.1, 0.8, 1.0), touch=(1.0, 0.0, 0.0), leaves=False,
    things=("book",), partners=_SOLID, size=(1.2, 0.75)),
  Act("Tilting something with something on it slightly so it doesn't fall down",
    (at(), at(turn=-0.25), at(turn=-0.25), at()), CARGO,
    times=(0.0, 0.4, 0.6, 1.0), line=ACROSS, pivot=FOOT, touch=(1.0, 0.0, 0.0),
    leaves=False, side=FROM_END, things=("book",), partners=_SOLID,
    size=(1.2, 0.75)),
  Act("Tilting something with something on it until it falls off",
    (at(), at(turn=-0.5), at(turn=-0.65), at(turn=-0.65)), CARGO,
    (at(), at(), at(gap=-1.4, turn=-1), at(gap=-1.4, turn=-1)),
    times=(0.0, 0.55, 0.75, 1.0), manners=(SMOOTH, FALL, SMOOTH), line=ACROSS,
    pivot=FOOT, touch=(1.0, 0.0, 0.0), leaves=False, side=FROM_END, slips=1,
    things=("book",), partners=_SOLID, size=(1.2, 0.75)),
  Act("Putting something on the edge of something so it is not supported and"
    " falls down",
    (at(gap=0.6, arm=1.5, lift=1, top=1), at(gap=0.6, top=1),
      at(gap=1.2, turn=1), at(gap=1.2, turn=1)), THING,
    times=(0.0, 0.45, 0.65, 1.0), manners=(SMOOTH, FALL, SMOOTH), line=ACROSS,
    until=0.45, comes=False, things=_SOLID, partners=("box",),
    size=(0.75, 1.6)),
)
# fmt: on

TEMPLATES = tuple(row.text for row in ROWS)
OPPOSITES = tuple(
  (row.text, following.text)
  for row, following in itertools.pairwise(ROWS)
  if row.undone_by_next
)

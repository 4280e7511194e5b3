"""One deliberate motion of the hand per task, for `a2r.sim.behavior.policies`.

A stroke depends on the arrangement alone: the hand approaches the right side
of the object, wherever it stands. Lengths are in meters.
"""

import dataclasses

import numpy as np

from a2r.sim.tabletop import scene

OPEN, CLOSED = -1.0, 1.0
_HALF_WIDTH = {OPEN: 0.062, CLOSED: 0.022}  # Hand center to finger's side.
_TIP = scene.FINGER_REACH + scene.FINGER_RADIUS  # Hand center to fingertip.
_BAR_RADIUS = 0.009
_FAUCET_RADIUS = 0.017


@dataclasses.dataclass
class Stroke:
  """One deliberate motion of the hand; points are `[3]` in meters.

  Attributes:
    via: points passed on the way.
    ready: where the act begins, clear of the object.
    touch: where the fingers meet the object.
    end: where the act ends.
    leave: displacement with which the hand clears the object afterwards.
    gripper: -1 open or 1 closed.
    aside: displacement that makes the stroke miss sideways.
  """

  via: list
  ready: np.ndarray
  touch: np.ndarray
  end: np.ndarray
  leave: np.ndarray
  gripper: float
  aside: np.ndarray


def _point(x, y, z):
  return np.array([x, y, z])


def _push_cup(rng, layout, side):
  """Sideways with the flank of a finger; `side` is the sign of the motion."""
  gripper = rng.choice([OPEN, CLOSED])
  x, y = layout.mug
  reach = _HALF_WIDTH[gripper] + scene.MUG_RADIUS
  y += rng.uniform(-0.02, 0.01)
  z = rng.uniform(0.025, 0.045)
  far = 0.15 if side < 0 else 0.105
  touch = _point(x - side * reach, y, z)
  ready = touch - _point(side * rng.uniform(0.015, 0.04), 0, 0)
  end = touch + _point(side * rng.uniform(0.08, far), 0, 0)
  via = [_point(ready[0], rng.uniform(0.47, 0.51), rng.uniform(0.03, 0.06))]
  leave = rng.choice([0, 1]) * _point(
    -side * rng.uniform(0.03, 0.08), 0, rng.uniform(0, 0.05)
  )
  aside = _point(0, -rng.uniform(0.1, 0.13), 0)
  return Stroke(via, ready, touch, end, leave, gripper, aside)


def _push_cup_left_to_right(rng, layout):
  return _push_cup(rng, layout, -1)


def _push_cup_right_to_left(rng, layout):
  return _push_cup(rng, layout, 1)


def _move_cup_away(rng, layout):
  """Forward, with closed fingertips or with the rail between open fingers."""
  gripper = rng.choice([OPEN, CLOSED])
  x, y = layout.mug
  # Closed fingers meet a little left of the hand's center.
  x += rng.uniform(-0.004, 0.004) + (0.007 if gripper == CLOSED else 0.0)
  back = scene.MUG_RADIUS + (_TIP if gripper == CLOSED else -0.04)
  far = 0.11 if gripper == CLOSED else 0.08
  z = rng.uniform(0.025, 0.045)
  touch = _point(x, y - back, z)
  ready = _point(x, touch[1] - rng.uniform(0.02, 0.05), z)
  if gripper == CLOSED:
    ready[1] = rng.uniform(0.44, 0.5)
  end = touch + _point(0, rng.uniform(0.065, far), 0)
  via = [_point(x + rng.uniform(-0.04, 0.04), rng.uniform(0.42, 0.47), z)]
  leave = rng.choice([0, 1]) * _point(
    0, -rng.uniform(0.04, 0.1), rng.uniform(0, 0.03)
  )
  aside = _point(rng.choice([-1, 1]) * rng.uniform(0.13, 0.16), 0, 0)
  return Stroke(via, ready, touch, end, leave, gripper, aside)


def _poke_cup(rng, layout):
  """From behind or from either side with closed fingers, then away."""
  x, y = layout.mug
  z = rng.uniform(0.025, 0.045)
  depth = rng.uniform(0.002, 0.006)
  side = rng.choice([-1, 0, 0, 1])
  if side == 0:
    touch = _point(
      x + rng.uniform(-0.006, 0.006), y - scene.MUG_RADIUS - _TIP, z
    )
    inward = _point(0, 1.0, 0)
    via = [_point(x + rng.uniform(-0.08, 0.08), rng.uniform(0.42, 0.46), z)]
    aside = _point(rng.choice([-1, 1]) * rng.uniform(0.09, 0.12), 0, 0)
  else:
    reach = _HALF_WIDTH[CLOSED] + scene.MUG_RADIUS
    touch = _point(x - side * reach, y - rng.uniform(0.0, 0.02), z)
    inward = _point(side, 0, 0)
    via = [_point(touch[0] - side * 0.04, rng.uniform(0.47, 0.5), z)]
    aside = _point(0, -rng.uniform(0.09, 0.12), 0)
  ready = touch - inward * rng.uniform(0.03, 0.06)
  end = touch + inward * depth
  leave = -inward * rng.uniform(0.04, 0.08)
  return Stroke(via, ready, touch, end, leave, CLOSED, aside)


def _handle(layout):
  """Center of the drawer's handle at the start."""
  return _point(layout.drawer[0], layout.drawer[1] - 0.23, 0.09)


def _close_drawer(rng, layout):
  """Pushes the handle home with the fingertips."""
  gripper = rng.choice([OPEN, CLOSED])
  touch = _handle(layout) - _point(0, _TIP + _BAR_RADIUS, 0)
  touch += rng.uniform([-0.025, 0, -0.009], [0.025, 0, -0.001])
  ready = touch - _point(0, rng.uniform(0.02, 0.05), 0)
  end = touch + _point(0, rng.uniform(0.055, 0.07), 0)
  via = [_point(ready[0] * rng.uniform(0.4, 0.7), rng.uniform(0.43, 0.48), 0.1)]
  leave = rng.choice([0, 1]) * _point(0, -rng.uniform(0.03, 0.08), 0.05)
  aside = _point(-rng.uniform(0.16, 0.19), 0, 0)
  return Stroke(via, ready, touch, end, leave, gripper, aside)


def _open_drawer(rng, layout):
  """Presses the fingers on the handle from above and drags it back."""
  gripper = rng.choice([OPEN, CLOSED])
  over = _handle(layout) + rng.uniform([-0.01, -0.014, 0], [0.03, -0.007, 0])
  if gripper == OPEN:
    over[0] += 0.04
  ready = over + _point(0, 0, rng.uniform(0.04, 0.06))
  touch = over + _point(0, 0, _BAR_RADIUS + scene.FINGER_RADIUS)
  press = over - _point(0, 0, rng.uniform(0.01, 0.018))
  end = press - _point(0, rng.uniform(0.075, 0.1), 0)
  # From close by, so that a hand on its way does not push the drawer closed.
  near = over[1] - rng.uniform(0.06, 0.09)
  via = [_point(ready[0] * 0.7, near, rng.uniform(0.15, 0.18)), ready]
  leave = _point(0, 0, rng.uniform(0.05, 0.09))
  aside = _point(-rng.uniform(0.16, 0.19), 0, 0)
  return Stroke(via, press, touch, end, leave, gripper, aside)


def _move_faucet(rng, layout):
  """Turns the handle with the flank of a finger, mostly from the near side."""
  gripper = rng.choice([OPEN, CLOSED])
  x, y = layout.faucet
  side = rng.choice([-1, 1], p=[0.75, 0.25])
  reach = _HALF_WIDTH[gripper] + _FAUCET_RADIUS
  touch = _point(
    x - side * reach, y - rng.uniform(0.155, 0.18), rng.uniform(0.115, 0.13)
  )
  ready = touch - _point(side * rng.uniform(0.02, 0.04), 0, 0)
  end = touch + _point(side * rng.uniform(0.08, 0.14), 0, 0)
  via = [_point(ready[0], max(0.41, y - 0.3), touch[2])]
  leave = rng.choice([0, 1]) * _point(-side * rng.uniform(0.03, 0.08), 0, 0)
  aside = _point(0, -rng.uniform(0.09, 0.12), -0.02)
  return Stroke(via, ready, touch, end, leave, gripper, aside)


STROKES = {
  "close_drawer": _close_drawer,
  "move_cup_away": _move_cup_away,
  "move_faucet": _move_faucet,
  "push_cup_left_to_right": _push_cup_left_to_right,
  "open_drawer": _open_drawer,
  "push_cup_right_to_left": _push_cup_right_to_left,
  "poke_cup": _poke_cup,
}

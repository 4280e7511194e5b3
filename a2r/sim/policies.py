"""Scripted behavior: an expert, near-misses and random exploration per task.

Every episode starts alike, so a policy is open loop: a path of the mocap body
drawn from a random generator, differentiated to actions `[60, 5]`. Success is
never assumed, it is read off the state afterwards. All sources share the
distribution of pauses, speeds and gripper commands, so that timing tells
nothing about success.

An expert makes a `Stroke`: approach, touch, act, leave. A near-miss is the
same stroke spoiled: stopped short, passed beside or above, or a good stroke of
another task (the wrong direction, or the wrong object). Random exploration is
half smooth random waypoints; a quarter DVD's scripted noise (three random
goals of 20 constant actions); a quarter DVD's uniform random actions.
"""

import dataclasses

import numpy as np

from a2r.sim import physics, scene, tasks, variants

SOURCES = ("expert", "near_miss", "random")
_START = np.array([0.0, 0.5, 0.02])
_LOW, _HIGH = np.array(scene.HAND_LOW), np.array(scene.HAND_HIGH)
_OPEN, _CLOSED = -1.0, 1.0
_HALF_WIDTH = {_OPEN: 0.062, _CLOSED: 0.022}  # Hand center to finger's side.
_TIP = scene.FINGER_REACH + scene.FINGER_RADIUS  # Hand center to fingertip.
_BAR_RADIUS = 0.009
_FAUCET_RADIUS = 0.017
_MISSES = ("short", "beside", "above", "other")
# Whose good stroke is a near-miss: the other direction first.
_OTHERS = {
  "close_drawer": ("open_drawer", "move_cup_away", "move_faucet"),
  "move_cup_away": (
    "push_cup_left_to_right",
    "push_cup_right_to_left",
    "close_drawer",
    "poke_cup",
  ),
  "move_faucet": ("push_cup_left_to_right", "move_cup_away", "close_drawer"),
  "push_cup_left_to_right": (
    "push_cup_right_to_left",
    "move_cup_away",
    "poke_cup",
    "move_faucet",
  ),
  "open_drawer": ("close_drawer", "move_cup_away", "poke_cup"),
  "push_cup_right_to_left": (
    "push_cup_left_to_right",
    "move_cup_away",
    "poke_cup",
    "close_drawer",
  ),
  "poke_cup": (
    "move_cup_away",
    "push_cup_left_to_right",
    "push_cup_right_to_left",
    "move_faucet",
  ),
}


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


def expert(
  rng: np.random.Generator, task: str, variant: variants.Variant
) -> np.ndarray:
  """Actions `[60, 5]` that do the task; `rng` is consumed."""
  return _play(rng, _STROKES[task](rng, variant.layout))


def near_miss(
  rng: np.random.Generator, task: str, variant: variants.Variant
) -> np.ndarray:
  """Actions `[60, 5]` that almost do the task; `rng` is consumed."""
  kind = rng.choice(_MISSES)
  if kind == "other":
    other = rng.choice(_OTHERS[task])
    return _play(rng, _STROKES[other](rng, variant.layout))
  stroke = _STROKES[task](rng, variant.layout)
  if kind == "short":
    back = stroke.ready - stroke.touch
    back /= np.linalg.norm(back)
    stroke.end = stroke.touch + rng.uniform(0.015, 0.04) * back
    stroke.ready = stroke.ready + rng.uniform(0.02, 0.05) * back
  else:
    shift = stroke.aside if kind == "beside" else np.array([0.0, 0.0, 0.1])
    shift = shift * rng.uniform(1.0, 1.3)
    stroke.ready, stroke.end = stroke.ready + shift, stroke.end + shift
  return _play(rng, stroke)


def random(
  rng: np.random.Generator, task: str, variant: variants.Variant
) -> np.ndarray:
  """Actions `[60, 5]` of a hand that explores; `rng` is consumed."""
  del task, variant
  kind = rng.choice(4)
  if kind == 0:
    return rng.uniform(
      physics.ACTION_LOW, physics.ACTION_HIGH, (physics.NUM_STEPS, 5)
    ).astype(np.float32)
  gripper = rng.choice([_OPEN, _CLOSED])
  num_points = 3 if kind == 1 else rng.integers(2, 6)
  points = rng.uniform(_LOW, _HIGH, (num_points, 3))
  if kind == 1:
    path = np.concatenate([[_START], np.repeat(points, 20, axis=0)])
    steps = np.arange(20)[:, None] / 20
    corners = np.concatenate([[_START], points])
    path[1:] = np.concatenate(
      [
        a + (steps + 0.05) * (b - a)
        for a, b in zip(corners, points, strict=False)
      ]
    )
    return _actions(path, gripper)
  durations = rng.uniform(0.5, 1.5, num_points)
  durations *= rng.uniform(45, 60) / durations.sum()
  return _actions(_path(rng, points, durations), gripper)


def sample(
  rng: np.random.Generator, source: str, task: str, variant: variants.Variant
) -> np.ndarray:
  """Actions `[60, 5]` of the named source; `rng` is consumed.

  Raises:
    KeyError: if the source or the task is unknown; the known are listed.
  """
  tasks.get(task)
  policy = (expert, near_miss, random)[source_index(source)]
  return policy(rng, task, variant)


def _play(rng, stroke):
  """Actions of a stroke with a drawn tempo."""
  points = [*stroke.via, stroke.ready, stroke.end, stroke.end + stroke.leave]
  reach = rng.uniform(12, 20)
  durations = [reach / len(stroke.via + [0])] * len(stroke.via + [0])
  durations += [rng.uniform(12, 22), rng.uniform(6, 12)]
  return _actions(_path(rng, points, durations), stroke.gripper)


def _path(rng, points, durations):
  """Mocap positions `[61, 3]` through `points`, slow at each, with a pause."""
  times = [float(rng.integers(0, 6))]
  corners = [_START]
  hold = rng.integers(0, len(points))
  for index, (point, duration) in enumerate(
    zip(points, durations, strict=True)
  ):
    corners.append(np.asarray(point))
    times.append(times[-1] + duration)
    if index == hold:
      corners.append(np.asarray(point))
      times.append(times[-1] + rng.uniform(0, 4))
  scale = min(1.0, physics.NUM_STEPS / times[-1])
  times = np.array(times) * scale
  corners = np.array(corners)
  clock = np.arange(physics.NUM_STEPS + 1.0)
  segment = np.clip(
    np.searchsorted(times, clock, side="right") - 1, 0, len(times) - 2
  )
  share = (clock - times[segment]) / np.maximum(
    times[segment + 1] - times[segment], 1e-6
  )
  share = np.clip(share, 0.0, 1.0)[:, None]
  ease = share * share * (3 - 2 * share)
  return corners[segment] * (1 - ease) + corners[segment + 1] * ease


def _actions(path, gripper):
  """Actions `[60, 5]` with which the mocap follows `path` `[61, 3]`."""
  path = np.clip(path, _LOW, _HIGH)
  actions = np.zeros((len(path) - 1, 5), np.float32)
  actions[:, 4] = gripper
  mocap = path[0]
  for action, goal in zip(actions, path[1:], strict=True):
    action[:3] = np.clip((goal - mocap) / physics.ACTION_SCALE, -1, 1)
    mocap = physics.move_mocap(mocap, action)
  return actions


def _point(x, y, z):
  return np.array([x, y, z])


def _push_cup(rng, layout, side):
  """Sideways with the flank of a finger; `side` is the sign of the motion."""
  gripper = rng.choice([_OPEN, _CLOSED])
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
  gripper = rng.choice([_OPEN, _CLOSED])
  x, y = layout.mug
  # Closed fingers meet a little left of the hand's center.
  x += rng.uniform(-0.004, 0.004) + (0.007 if gripper == _CLOSED else 0.0)
  back = scene.MUG_RADIUS + (_TIP if gripper == _CLOSED else -0.04)
  far = 0.11 if gripper == _CLOSED else 0.08
  z = rng.uniform(0.025, 0.045)
  touch = _point(x, y - back, z)
  ready = _point(x, touch[1] - rng.uniform(0.02, 0.05), z)
  if gripper == _CLOSED:
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
    reach = _HALF_WIDTH[_CLOSED] + scene.MUG_RADIUS
    touch = _point(x - side * reach, y - rng.uniform(0.0, 0.02), z)
    inward = _point(side, 0, 0)
    via = [_point(touch[0] - side * 0.04, rng.uniform(0.47, 0.5), z)]
    aside = _point(0, -rng.uniform(0.09, 0.12), 0)
  ready = touch - inward * rng.uniform(0.03, 0.06)
  end = touch + inward * depth
  leave = -inward * rng.uniform(0.04, 0.08)
  return Stroke(via, ready, touch, end, leave, _CLOSED, aside)


def _handle(layout):
  """Center of the drawer's handle at the start."""
  return _point(layout.drawer[0], layout.drawer[1] - 0.23, 0.09)


def _close_drawer(rng, layout):
  """Pushes the handle home with the fingertips."""
  gripper = rng.choice([_OPEN, _CLOSED])
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
  gripper = rng.choice([_OPEN, _CLOSED])
  over = _handle(layout) + rng.uniform([-0.01, -0.022, 0], [0.03, -0.012, 0])
  if gripper == _OPEN:
    over[0] += 0.04
  ready = over + _point(0, 0, rng.uniform(0.04, 0.06))
  touch = over + _point(0, 0, _BAR_RADIUS + scene.FINGER_RADIUS)
  press = over - _point(0, 0, rng.uniform(0.012, 0.022))
  end = press - _point(0, rng.uniform(0.06, 0.095), 0)
  via = [
    _point(ready[0] * 0.7, rng.uniform(0.42, 0.45), rng.uniform(0.15, 0.18)),
    ready,
  ]
  leave = _point(0, 0, rng.uniform(0.05, 0.09))
  aside = _point(-rng.uniform(0.16, 0.19), 0, 0)
  return Stroke(via, press, touch, end, leave, gripper, aside)


def _move_faucet(rng, layout):
  """Turns the handle with the flank of a finger, mostly from the near side."""
  gripper = rng.choice([_OPEN, _CLOSED])
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


_STROKES = {
  "close_drawer": _close_drawer,
  "move_cup_away": _move_cup_away,
  "move_faucet": _move_faucet,
  "push_cup_left_to_right": _push_cup_left_to_right,
  "open_drawer": _open_drawer,
  "push_cup_right_to_left": _push_cup_right_to_left,
  "poke_cup": _poke_cup,
}


def source_index(source: str) -> int:
  """The number of a source, for seeding.

  Raises:
    KeyError: if it is unknown; the known are listed.
  """
  if source not in SOURCES:
    raise KeyError(f"unknown source {source!r}; known: {', '.join(SOURCES)}")
  return SOURCES.index(source)

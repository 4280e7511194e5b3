"""The tabletop's tasks: each is one row of `TASKS`, and the row is all of it.

A row says what the task is called, when it succeeded, what earns a dense reward
on the way (`a2r.sim.tabletop.rewards` has the formula), how a hand does it and
what looks nearly like it (`a2r.sim.behavior.policies` plays both). To add a
task, add a row; the functions it needs stand above, task by task.

A trajectory is DVD's 13-D state over time, `[T+1, 13]`, row 0 the start: hand
xyz, mug xyz, mug quaternion, drawer, coffee button, faucet. Thresholds are
those of DVD's released analysis where it has the task (3 cm for the cup, 5 cm
for the drawer, 0.01 rad for the faucet); pictures are mirrored, so left to
right in the picture is the world's -x. Lengths are in meters.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import checks
from a2r.sim.tabletop import scene, variants

HAND, MUG = slice(0, 3), slice(3, 6)
DRAWER, BUTTON, FAUCET = 10, 11, 12
OPEN, CLOSED = -1.0, 1.0  # The gripper.

CUP_TARGET_REACHED = 0.075
_CUP_MOVED = 0.03
_HALF_WIDTH = {OPEN: 0.062, CLOSED: 0.022}  # Hand center to finger's side.
_TIP = scene.FINGER_REACH + scene.FINGER_RADIUS  # Hand center to fingertip.
_BAR_RADIUS = 0.009  # Of the drawer's handle.
_EPS = 1e-12  # Square meters: the gradient of a length is finite at zero.


@dataclasses.dataclass
class Stroke:
  """One deliberate motion of the hand; points are `[3]` in meters."""

  via: list  # Points passed on the way.
  ready: np.ndarray  # Where the act begins, clear of the object.
  touch: np.ndarray  # Where the fingers meet the object.
  end: np.ndarray  # Where the act ends.
  leave: np.ndarray  # Displacement that clears the object afterwards.
  gripper: float  # -1 open or 1 closed.
  aside: np.ndarray  # Displacement that makes the stroke miss sideways.


@dataclasses.dataclass(frozen=True)
class Shaping:
  """What earns in one task.

  Attributes:
    landmark: what is touched: 'handle' of the drawer, 'mug', or 'tip' of the
      faucet's handle.
    touch: hand minus landmark where the hand would touch it, meters.
    slack: half of the box around `touch` that is as good, meters.
    progress: (now `[13]`, at the start `[13]`) to meters or radians.
    goal: the progress that earns all, in its unit.
    mirrored: the other side of the landmark in x is as good.
  """

  landmark: str
  touch: tuple[float, float, float]
  slack: tuple[float, float, float]
  progress: Callable[[jax.Array, jax.Array], jax.Array]
  goal: float
  mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Task:
  """One task.

  Attributes:
    name: its key in `TASKS`.
    template: the Something-Something-V2 label.
    noun: the object.
    success: `[T+1, 13]` to a boolean scalar; pure, works under jit and vmap.
    shaping: what earns a dense reward.
    stroke: (numpy generator, layout) to the motion that does it, wherever the
      object stands; the generator is consumed.
    others: whose good stroke nearly looks like it, the other direction first.
    tolerance: deviation of the hand's path in meters at which a third to a half
      of the episodes fail.
  """

  name: str
  template: str
  noun: str
  success: Callable[[jax.Array], jax.Array]
  shaping: Shaping
  stroke: Callable[[np.random.Generator, variants.Layout], Stroke]
  others: tuple[str, ...]
  tolerance: float

  @property
  def instruction(self) -> str:
    """The template filled with the object, lower case."""
    return self.template.lower().replace("something", self.noun)


def _moved(trajectory, column):
  """Returns the change of one column since the start, `[T+1]`."""
  return trajectory[:, column] - trajectory[0, column]


def length(vector):
  """Returns the length of a vector; its gradient is finite at zero."""
  return jnp.sqrt(jnp.sum(vector**2) + _EPS)


def _point(x, y, z):
  return np.array([x, y, z])


def _handle(layout):
  """Returns the center of the drawer's handle at the start."""
  return _point(layout.drawer[0], layout.drawer[1] - 0.23, 0.09)


_DRAWER_START = 0.07
_DRAWER_CLOSED = 0.05
_DRAWER_OPENED = 2 * _DRAWER_START - _DRAWER_CLOSED


def _is_drawer_closed(trajectory):
  return jnp.abs(trajectory[-1, DRAWER]) < _DRAWER_CLOSED


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


def _is_drawer_opened(trajectory):
  """Asks for as much at the end as closing does in the other direction."""
  return trajectory[-1, DRAWER] < -_DRAWER_OPENED


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


_CUP_STRAYED = 0.05
_STRAY = 0.02  # Meters a cup pushed straight may stray for nothing.


def _is_cup_moved_away(trajectory):
  """Applies DVD's forward criterion, which bounds drift towards +x only."""
  drift = jnp.max(_moved(trajectory, MUG.start))
  forward = jnp.max(_moved(trajectory, MUG.start + 1))
  return (forward > _CUP_MOVED) & (jnp.abs(drift) < _CUP_STRAYED)


def _mug_away(state, start):
  """Counts +y, less what it strayed sideways."""
  x, y, _ = (state - start)[MUG]
  return y - jnp.maximum(jnp.abs(x) - _STRAY, 0.0)


def _move_cup_away(rng, layout):
  """Pushes with closed fingertips or with the rail between open fingers."""
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


def _is_cup_pushed(trajectory, side):
  return jnp.max(side * _moved(trajectory, MUG.start)) > _CUP_MOVED


def _push_cup(rng, layout, side):
  """Pushes with the flank of a finger; `side` is the sign of the motion."""
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


def _push_task(start, end, *, side, other):
  """The row of one direction, which is `side` along the world's x."""
  return Task(
    name=f"push_cup_{start}_to_{end}",
    template=f"Pushing something from {start} to {end}",
    noun="cup",
    success=functools.partial(_is_cup_pushed, side=side),
    # With the flank of a finger, open or closed.
    shaping=Shaping(
      landmark="mug",
      touch=(-0.07 * side, -0.01, 0.035),
      slack=(0.02, 0.02, 0.01),
      progress=lambda state, start: side * (state - start)[MUG.start],
      goal=0.06,
    ),
    stroke=functools.partial(_push_cup, side=side),
    others=(f"push_cup_{end}_to_{start}", "move_cup_away", "poke_cup", other),
    tolerance=0.07,
  )


_CUP_UNMOVED = 0.01
_POKE_GAP = 0.005
_POKE_HEIGHT = 0.08
_STIR = 0.004  # Meters a poked cup may move for nothing.


def _is_cup_poked(trajectory):
  """Asks that closed fingers came within 5 mm, and the cup moved under 1 cm."""
  moved = jnp.linalg.norm(trajectory[:, MUG] - trajectory[0, MUG], axis=-1)
  low = trajectory[:, HAND.start + 2] < _POKE_HEIGHT
  near = low & (gripper_gap(trajectory) < _POKE_GAP)
  return jnp.any(near) & (jnp.max(moved) < _CUP_UNMOVED)


def gripper_gap(trajectory: jax.Array) -> jax.Array:
  """Returns how far, `[T+1]`, closed fingers are from the cup, from above."""
  offset = trajectory[:, MUG] - trajectory[:, HAND]
  half = jnp.array([scene.FINGER_CLOSED, scene.FINGER_REACH])
  outside = jnp.maximum(jnp.abs(offset[:, :2]) - half, 0.0)
  distance = jnp.linalg.norm(outside, axis=-1)
  return distance - scene.FINGER_RADIUS - scene.MUG_RADIUS


def _mug_still(state, start):
  return -jnp.maximum(length((state - start)[MUG]) - _STIR, 0.0)


def _poke_cup(rng, layout):
  """Pokes from behind or either side with closed fingers, then leaves."""
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


_FAUCET_MOVED = 0.01
_FAUCET_RADIUS = 0.017


def _is_faucet_moved(trajectory):
  """Asks for a turn to either side at any moment."""
  return jnp.max(jnp.abs(_moved(trajectory, FAUCET))) > _FAUCET_MOVED


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


_BEHIND_MUG = -(_TIP + scene.MUG_RADIUS)
TASKS = {
  task.name: task
  for task in (
    Task(
      name="close_drawer",
      template="Closing something",
      noun="drawer",
      success=_is_drawer_closed,
      # With the fingertips against the bar.
      shaping=Shaping(
        landmark="handle",
        touch=(0.0, -(_TIP + _BAR_RADIUS), 0.0),
        slack=(0.03, 0.005, 0.008),
        progress=lambda state, start: (state - start)[DRAWER],
        goal=0.04,
      ),
      stroke=_close_drawer,
      others=("open_drawer", "move_cup_away", "move_faucet"),
      tolerance=0.06,
    ),
    Task(
      name="move_cup_away",
      template="Moving something away from the camera",
      noun="cup",
      success=_is_cup_moved_away,
      # With the fingertips behind the mug.
      shaping=Shaping(
        landmark="mug",
        touch=(0.0, _BEHIND_MUG, 0.035),
        slack=(0.01, 0.005, 0.01),
        progress=_mug_away,
        goal=0.06,
      ),
      stroke=_move_cup_away,
      others=(
        "push_cup_left_to_right",
        "push_cup_right_to_left",
        "close_drawer",
        "poke_cup",
      ),
      tolerance=0.05,
    ),
    Task(
      name="move_faucet",
      template="Moving part of something",
      noun="faucet",
      success=_is_faucet_moved,
      # With the flank of a finger, open or closed, on either side of the bar.
      shaping=Shaping(
        landmark="tip",
        touch=(0.06, -0.01, 0.0),
        slack=(0.02, 0.03, 0.012),
        progress=lambda state, start: jnp.abs(state - start)[FAUCET],
        goal=0.2,
        mirrored=True,
      ),
      stroke=_move_faucet,
      others=("push_cup_left_to_right", "move_cup_away", "close_drawer"),
      tolerance=0.075,
    ),
    _push_task("left", "right", side=-1, other="move_faucet"),
    Task(
      name="open_drawer",
      template="Opening something",
      noun="drawer",
      success=_is_drawer_opened,
      # With the fingers pressed on the bar from above.
      shaping=Shaping(
        landmark="handle",
        touch=(0.01, -0.012, _BAR_RADIUS + scene.FINGER_RADIUS),
        slack=(0.03, 0.005, 0.003),
        progress=lambda state, start: (start - state)[DRAWER],
        goal=0.04,
      ),
      stroke=_open_drawer,
      others=("close_drawer", "move_cup_away", "poke_cup"),
      tolerance=0.03,
    ),
    _push_task("right", "left", side=1, other="close_drawer"),
    Task(
      name="poke_cup",
      template="Poking something so lightly that it doesn't or almost doesn't"
      " move",
      noun="cup",
      success=_is_cup_poked,
      # With the fingertips at the mug, which must not move: p is never
      # positive.
      shaping=Shaping(
        landmark="mug",
        touch=(0.0, _BEHIND_MUG, 0.035),
        slack=(0.01, 0.003, 0.02),
        progress=_mug_still,
        goal=0.02,
      ),
      stroke=_poke_cup,
      others=(
        "move_cup_away",
        "push_cup_left_to_right",
        "push_cup_right_to_left",
        "move_faucet",
      ),
      tolerance=0.012,
    ),
  )
}
TARGETS = tuple(TASKS)[:4]


def outcomes(trajectory: jax.Array) -> jax.Array:
  """Returns success in every task, `[7]` bool in the order of `TASKS`.

  With this a task is an index, data to a compiled program.

  Args:
    trajectory: `[T+1, 13]`.
  """
  return jnp.stack([task.success(trajectory) for task in TASKS.values()])


outcomes_many = jax.jit(jax.vmap(outcomes))  # `[N, T+1, 13]` to `[N, 7]`.


def cup_target_distance(trajectory: jax.Array, target) -> jax.Array:
  """Returns DVD's second measure of moving the cup, meters from a target.

  The trial is a success below `CUP_TARGET_REACHED`. `move_cup_away` is judged
  by DVD's other measure, the forward criterion.

  Args:
    trajectory: `[T+1, 13]`.
    target: `[3]`, `variants.CUP_TARGETS` has each environment's.
  """
  offset = trajectory[:, MUG] - jnp.asarray(target)
  return jnp.min(jnp.linalg.norm(offset, axis=-1))


def get(name: str) -> Task:
  """Returns the task of that name.

  Raises:
    KeyError: if there is none; the message lists the known.
  """
  checks.one_of("task", name, TASKS, KeyError)
  return TASKS[name]

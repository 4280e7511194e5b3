"""The tabletop's tasks: an instruction, and success as a function of the state.

A trajectory is DVD's 13-D state over time, `[T+1, 13]`, row 0 the start: hand
xyz, mug xyz, mug quaternion, drawer, coffee button, faucet. Thresholds are
those of DVD's released analysis where it has the task (3 cm for the cup, 5 cm
for the drawer, 0.01 rad for the faucet); pictures are mirrored, so left to
right in the picture is the world's -x.

To add a task, add one row to `TASKS`, a stroke to `a2r.sim.behavior.strokes`,
what spoils it to `a2r.sim.behavior.policies` and a dense reward to
`a2r.sim.tabletop.rewards`.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from a2r.sim.tabletop import scene

HAND, MUG = slice(0, 3), slice(3, 6)
DRAWER, BUTTON, FAUCET = 10, 11, 12

_CUP_MOVED = 0.03
_CUP_STRAYED = 0.05
_CUP_UNMOVED = 0.01
_DRAWER_START = 0.07
_DRAWER_CLOSED = 0.05
_DRAWER_OPENED = 2 * _DRAWER_START - _DRAWER_CLOSED
_FAUCET_MOVED = 0.01
_POKE_GAP = 0.005
_POKE_HEIGHT = 0.08
CUP_TARGET_REACHED = 0.075


@dataclasses.dataclass(frozen=True)
class Task:
  """One task.

  Attributes:
    name: its key in `TASKS`.
    instruction: the template filled with the object, lower case.
    template: the Something-Something-V2 label.
    success: `[T+1, 13]` to a boolean scalar; pure, works under jit and vmap.
  """

  name: str
  instruction: str
  template: str
  success: Callable[[jax.Array], jax.Array]


def _moved(trajectory, column):
  """Change of one column since the start, `[T+1]`."""
  return trajectory[:, column] - trajectory[0, column]


def _close_drawer(trajectory):
  return jnp.abs(trajectory[-1, DRAWER]) < _DRAWER_CLOSED


def _open_drawer(trajectory):
  """As far open at the end as closing asks for in the other direction."""
  return trajectory[-1, DRAWER] < -_DRAWER_OPENED


def _move_cup_away(trajectory):
  """DVD's forward criterion, which bounds drift towards +x only."""
  drift = jnp.max(_moved(trajectory, MUG.start))
  forward = jnp.max(_moved(trajectory, MUG.start + 1))
  return (forward > _CUP_MOVED) & (jnp.abs(drift) < _CUP_STRAYED)


def _push_cup_left_to_right(trajectory):
  return jnp.max(-_moved(trajectory, MUG.start)) > _CUP_MOVED


def _push_cup_right_to_left(trajectory):
  return jnp.max(_moved(trajectory, MUG.start)) > _CUP_MOVED


def _move_faucet(trajectory):
  """Turned to either side at any moment."""
  return jnp.max(jnp.abs(_moved(trajectory, FAUCET))) > _FAUCET_MOVED


def _poke_cup(trajectory):
  """The closed gripper came within 5 mm of the cup, which moved under 1 cm."""
  moved = jnp.linalg.norm(trajectory[:, MUG] - trajectory[0, MUG], axis=-1)
  low = trajectory[:, HAND.start + 2] < _POKE_HEIGHT
  near = low & (gripper_gap(trajectory) < _POKE_GAP)
  return jnp.any(near) & (jnp.max(moved) < _CUP_UNMOVED)


def gripper_gap(trajectory: jax.Array) -> jax.Array:
  """Distance `[T+1]` seen from above from the closed fingers to the cup."""
  offset = trajectory[:, MUG] - trajectory[:, HAND]
  half = jnp.array([scene.FINGER_CLOSED, scene.FINGER_REACH])
  outside = jnp.maximum(jnp.abs(offset[:, :2]) - half, 0.0)
  distance = jnp.linalg.norm(outside, axis=-1)
  return distance - scene.FINGER_RADIUS - scene.MUG_RADIUS


TASKS = {
  task.name: task
  for task in (
    Task("close_drawer", "closing drawer", "Closing something", _close_drawer),
    Task(
      "move_cup_away",
      "moving cup away from the camera",
      "Moving something away from the camera",
      _move_cup_away,
    ),
    Task(
      "move_faucet",
      "moving part of faucet",
      "Moving part of something",
      _move_faucet,
    ),
    Task(
      "push_cup_left_to_right",
      "pushing cup from left to right",
      "Pushing something from left to right",
      _push_cup_left_to_right,
    ),
    Task("open_drawer", "opening drawer", "Opening something", _open_drawer),
    Task(
      "push_cup_right_to_left",
      "pushing cup from right to left",
      "Pushing something from right to left",
      _push_cup_right_to_left,
    ),
    Task(
      "poke_cup",
      "poking cup so lightly that it doesn't or almost doesn't move",
      "Poking something so lightly that it doesn't or almost doesn't move",
      _poke_cup,
    ),
  )
}
TARGETS = tuple(TASKS)[:4]


def outcomes(trajectory: jax.Array) -> jax.Array:
  """Success in every task, `[7]` bool in the order of `TASKS`.

  With this a task is an index, data to a compiled program.

  Args:
    trajectory: `[T+1, 13]`.
  """
  return jnp.stack([task.success(trajectory) for task in TASKS.values()])


def cup_target_distance(trajectory: jax.Array, target) -> jax.Array:
  """DVD's second measure of moving the cup: its nearest to a target, meters.

  DVD calls the trial a success below `CUP_TARGET_REACHED`; its analysis prints
  this beside the forward criterion, which `move_cup_away` is judged by.

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
  if name not in TASKS:
    raise KeyError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
  return TASKS[name]

"""Dense rewards of the tabletop's tasks, as functions of the state.

  reward = near(d) + 2 clip(p / goal, -1, 1)
  near(d) = 1 - (tanh(d / 0.2 m) + tanh(d / 0.02 m)) / 2

d is how far the hand is from where it would touch the task's object (meters,
0 inside a small box beside it), p how far the task has come since the start
(meters or radians, less what spoils it), goal the amount that earns all.
Rewards lie in [-2, 3]. They guide learning; success is judged by
`a2r.sim.tabletop.tasks` alone.

States are DVD's 13-D ones, see `a2r.sim.tabletop.tasks`. All functions are pure
and unbatched and work under jit and vmap. To reward a new task, add one row to
`SHAPINGS`.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from a2r.sim.tabletop import scene, tasks

_REACHES = (0.2, 0.02)  # Meters: to find the object, and to touch it.
_PROGRESS_WEIGHT = 2.0
_TIP = scene.FINGER_REACH + scene.FINGER_RADIUS  # Hand center to fingertip.
_BAR_RADIUS = 0.009
_EPS = 1e-12  # Square meters: the gradient of a length is finite at zero.
_STRAY = 0.02  # Meters a cup pushed straight may stray for nothing.
_STIR = 0.004  # Meters a poked cup may move for nothing.


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


def _drawer_closed(state, start):
  return state[tasks.DRAWER] - start[tasks.DRAWER]


def _drawer_opened(state, start):
  return -_drawer_closed(state, start)


def _mug_moved(state, start):
  return (state - start)[tasks.MUG]


def _mug_away(state, start):
  """Along +y, less what it strayed sideways."""
  x, y, _ = _mug_moved(state, start)
  return y - jnp.maximum(jnp.abs(x) - _STRAY, 0.0)


def _mug_right(state, start):
  return -_mug_moved(state, start)[0]


def _mug_left(state, start):
  return _mug_moved(state, start)[0]


def _mug_still(state, start):
  return -jnp.maximum(_length(_mug_moved(state, start)) - _STIR, 0.0)


def _faucet_turned(state, start):
  return jnp.abs(state - start)[tasks.FAUCET]


_BEHIND_MUG = -(_TIP + scene.MUG_RADIUS)
SHAPINGS = {
  # With the fingertips against the bar.
  "close_drawer": Shaping(
    landmark="handle",
    touch=(0.0, -(_TIP + _BAR_RADIUS), 0.0),
    slack=(0.03, 0.005, 0.008),
    progress=_drawer_closed,
    goal=0.04,
  ),
  # With the fingertips behind the mug.
  "move_cup_away": Shaping(
    landmark="mug",
    touch=(0.0, _BEHIND_MUG, 0.035),
    slack=(0.01, 0.005, 0.01),
    progress=_mug_away,
    goal=0.06,
  ),
  # With the flank of a finger, open or closed, on either side of the bar.
  "move_faucet": Shaping(
    landmark="tip",
    touch=(0.06, -0.01, 0.0),
    slack=(0.02, 0.03, 0.012),
    progress=_faucet_turned,
    goal=0.2,
    mirrored=True,
  ),
  # With the flank of a finger, open or closed.
  "push_cup_left_to_right": Shaping(
    landmark="mug",
    touch=(0.07, -0.01, 0.035),
    slack=(0.02, 0.02, 0.01),
    progress=_mug_right,
    goal=0.06,
  ),
  # With the fingers pressed on the bar from above.
  "open_drawer": Shaping(
    landmark="handle",
    touch=(0.01, -0.012, _BAR_RADIUS + scene.FINGER_RADIUS),
    slack=(0.03, 0.005, 0.003),
    progress=_drawer_opened,
    goal=0.04,
  ),
  "push_cup_right_to_left": Shaping(
    landmark="mug",
    touch=(-0.07, -0.01, 0.035),
    slack=(0.02, 0.02, 0.01),
    progress=_mug_left,
    goal=0.06,
  ),
  # With the fingertips at the mug, which must not move: p is never positive.
  "poke_cup": Shaping(
    landmark="mug",
    touch=(0.0, _BEHIND_MUG, 0.035),
    slack=(0.01, 0.003, 0.02),
    progress=_mug_still,
    goal=0.02,
  ),
}


def shaped(
  task: str,
) -> Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]:
  """Returns the dense reward of a task.

  Args:
    task: one of `sim.TASKS`.

  Returns:
    (state, start, handle, tip) to a scalar: DVD's state now and at the start,
    `[13]`, and the positions now of the drawer's handle and of the tip of the
    faucet's handle, `[3]`, world, meters.

  Raises:
    KeyError: if the task is unknown; the known are listed.
  """
  shaping, distance_fn = _get(task), approach(task)

  def reward_fn(state, start, handle, tip):
    far = jnp.tanh(distance_fn(state, handle, tip) / jnp.array(_REACHES))
    progress = shaping.progress(state, start) / shaping.goal
    return 1.0 - far.mean() + _PROGRESS_WEIGHT * jnp.clip(progress, -1.0, 1.0)

  return reward_fn


def shaped_all(state, start, handle, tip) -> jax.Array:
  """The dense rewards of all tasks `[7]`, in the order of `sim.TASKS`.

  Arguments as those of what `shaped` returns.
  """
  args = (state, start, handle, tip)
  return jnp.stack([shaped(task)(*args) for task in tasks.TASKS])


def approach(
  task: str,
) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
  """Returns the distance from where the hand would touch the task's object.

  Args:
    task: one of `sim.TASKS`.

  Returns:
    (state, handle, tip), as in `shaped`, to meters, 0 or more.

  Raises:
    KeyError: if the task is unknown; the known are listed.
  """
  shaping = _get(task)
  touch, slack = jnp.array(shaping.touch), jnp.array(shaping.slack)

  def distance_fn(state, handle, tip):
    landmarks = {"handle": handle, "mug": state[tasks.MUG], "tip": tip}
    offset = state[tasks.HAND] - landmarks[shaping.landmark]
    if shaping.mirrored:
      offset = jnp.where(jnp.arange(3) == 0, jnp.abs(offset), offset)
    return _length(jnp.maximum(jnp.abs(offset - touch) - slack, 0.0))

  return distance_fn


def _get(task: str) -> Shaping:
  return SHAPINGS[tasks.get(task).name]


def _length(vector):
  return jnp.sqrt(jnp.sum(vector**2) + _EPS)

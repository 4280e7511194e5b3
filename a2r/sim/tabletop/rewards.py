"""Dense rewards of the tabletop's tasks, as functions of the state.

  reward = near(d) + 2 clip(p / goal, -1, 1)
  near(d) = 1 - (tanh(d / 0.2 m) + tanh(d / 0.02 m)) / 2

d is how far the hand is from where it would touch the task's object (meters,
0 inside a small box beside it), p how far the task has come since the start
(meters or radians, less what spoils it), goal the amount that earns all: see
`tasks.Shaping`. Rewards lie in [-2, 3]. They guide learning; success is judged
by `tasks.Task.success` alone.

States are DVD's 13-D ones, see `a2r.sim.tabletop.tasks`. All functions are pure
and unbatched and work under jit and vmap.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from a2r.sim.tabletop import tasks

_REACHES = (0.2, 0.02)  # Meters: to find the object, and to touch it.
_PROGRESS_WEIGHT = 2.0


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
  shaping, distance_fn = tasks.get(task).shaping, approach(task)

  def reward_fn(state, start, handle, tip):
    far = jnp.tanh(distance_fn(state, handle, tip) / jnp.array(_REACHES))
    progress = shaping.progress(state, start) / shaping.goal
    return 1.0 - far.mean() + _PROGRESS_WEIGHT * jnp.clip(progress, -1.0, 1.0)

  return reward_fn


def shaped_all(state, start, handle, tip) -> jax.Array:
  """Returns the dense rewards of all tasks `[7]`, in the order of `sim.TASKS`.

  Arguments as those of what `shaped` returns.
  """
  args = (state, start, handle, tip)
  return jnp.stack([shaped(task)(*args) for task in tasks.TASKS])


def approach(
  task: str,
) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
  """Returns the distance from where the hand would touch the task's object.

  As `shaped`, but a function of (state, handle, tip) to meters, 0 or more.
  """
  shaping = tasks.get(task).shaping
  touch, slack = jnp.array(shaping.touch), jnp.array(shaping.slack)

  def distance_fn(state, handle, tip):
    landmarks = {"handle": handle, "mug": state[tasks.MUG], "tip": tip}
    offset = state[tasks.HAND] - landmarks[shaping.landmark]
    if shaping.mirrored:
      offset = jnp.where(jnp.arange(3) == 0, jnp.abs(offset), offset)
    return tasks.length(jnp.maximum(jnp.abs(offset - touch) - slack, 0.0))

  return distance_fn

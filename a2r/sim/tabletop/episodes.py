"""Episodes: the state that a step changes, the record, the one loop.

Letters: N episodes side by side, T control steps, F pictures, H W image.
"""

from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.tabletop import scene

LOW_DIM_SIZE = 13


@flax.struct.dataclass
class SimState:
  """All that a control step reads and changes."""

  qpos: jax.Array  # `[nq]` joint positions.
  qvel: jax.Array  # `[nv]` joint velocities.
  mocap: jax.Array  # `[3]` position of the mocap body.
  hand: jax.Array  # `[3]` position of the hand, a function of `qpos`.


@flax.struct.dataclass
class Episodes:
  """What N episodes leave behind; what nobody asked for is None.

  Attributes:
    states: `[N, T+1, 13]` float32, DVD's low-dimensional state: hand xyz, mug
      xyz, mug quaternion, drawer, coffee button, faucet. Row 0 is the start.
    qpos: `[N, T+1, nq]` float32 joint positions.
    actions: `[N, T, 5]` as the policy gave them.
    obs: `[N, T+1, O]` what the policy saw.
    reward: `[N, T]`.
    success: `[N]` bool, the task's judgment of the whole episode.
    frames: uint8 `[N, F, H, W, 3]`.
    source: str `[N]`, who acted.
    seeds: int `[N]`, the number of the draw; with the seed it names the clip.
  """

  states: jax.Array | np.ndarray
  qpos: jax.Array | np.ndarray | None = None
  actions: jax.Array | np.ndarray | None = None
  obs: jax.Array | None = None
  reward: jax.Array | None = None
  success: jax.Array | np.ndarray | None = None
  frames: jax.Array | np.ndarray | None = None
  source: np.ndarray | None = None
  seeds: np.ndarray | None = None


Clips = Episodes  # What `sim.collect` returns.


def low_dim_state(state: SimState):
  """Returns DVD's state `[..., 13]` of `state`, numpy's or JAX's."""
  xp = jnp if isinstance(state.qpos, jax.Array) else np
  parts = (state.hand, state.qpos[..., scene.MUG.start :])
  return xp.concatenate(parts, axis=-1)


def tile(state: SimState, num_episodes: int) -> SimState:
  """Returns an unbatched state `num_episodes` times, numpy."""
  return jax.tree.map(
    lambda x: np.tile(np.asarray(x), (num_episodes, 1)), state
  )


def unroll(
  step_fn: Callable[[Any, Any], Any],
  state: Any,
  policy_fn: Callable[[Any, Any], Any],
  length: int,
  *,
  record_fn: Callable[[Any], Any],
  on_host: bool = False,
) -> tuple[Any, Any, Any]:
  """Plays N episodes side by side.

  Args:
    step_fn: (state, actions `[N, 5]`) to the next state.
    state: to start from, arrays `[N, ...]`.
    policy_fn: (state, timestep) to actions `[N, 5]`.
    length: T, at least 1.
    record_fn: a state to arrays `[N, ...]`, what is kept of it.
    on_host: a loop in Python, for functions that JAX cannot trace; else a scan.

  Returns:
    The last state, the records `[N, T+1, ...]` with row 0 of the start, and the
    actions `[N, T, 5]`.
  """

  if on_host:
    rows, taken = [record_fn(state)], []
    for index in range(length):
      taken.append(policy_fn(state, index))
      state = step_fn(state, taken[-1])
      rows.append(record_fn(state))
    records = jax.tree.map(lambda *x: np.stack(x, axis=1), *rows)
    return state, records, np.stack(taken, axis=1)

  def body(state, index):
    actions = policy_fn(state, index)
    state = step_fn(state, actions)
    return state, (record_fn(state), actions)

  last, (later, actions) = jax.lax.scan(body, state, jnp.arange(length))
  records = jax.tree.map(
    lambda x, xs: jnp.moveaxis(jnp.concatenate([x[None], xs]), 0, 1),
    record_fn(state),
    later,
  )
  return last, records, jnp.moveaxis(actions, 0, 1)

"""What a policy sees of a state; numpy or JAX, of any batch.

Observation `[62]`: joint positions, joint velocities, hand and mocap position,
how far the mug, the drawer and the faucet are from where they started, and
where the drawer's handle, the mug and the tip of the faucet's handle are from
the hand.
"""

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.tabletop import episodes, scene, tasks

SIZE = scene.NQ + scene.NV + 3 + 3 + episodes.LOW_DIM_SIZE - 3 + 9


def observe(
  fixtures: jax.Array | np.ndarray,
  sim: episodes.SimState,
  start: jax.Array | np.ndarray,
):
  """Returns observations `[..., 62]`.

  Args:
    fixtures: `[3, 3]`, `physics.Model.fixtures`.
    sim: states.
    start: `[..., 13]` DVD's states at the start of the episodes.
  """
  states = episodes.low_dim_state(sim)
  xp = jnp if isinstance(states, jax.Array) else np
  handle, tip = landmarks(fixtures, states)
  moved = (states - start)[..., tasks.MUG.start :]
  hand, mug = states[..., tasks.HAND], states[..., tasks.MUG]
  parts = [sim.qpos, sim.qvel, hand, sim.mocap, moved]
  parts += [point - hand for point in (handle, mug, tip)]
  return xp.concatenate(parts, axis=-1)


def landmarks(fixtures: jax.Array | np.ndarray, states: jax.Array | np.ndarray):
  """Returns where the drawer's handle and the faucet's tip are, `[..., 3]`.

  Args:
    fixtures: `[3, 3]`, `physics.Model.fixtures`.
    states: `[..., 13]`, DVD's.
  """
  xp = jnp if isinstance(states, jax.Array) else np
  drawer, _, faucet = xp.asarray(fixtures)
  slide, angle = states[..., tasks.DRAWER], states[..., tasks.FAUCET]
  zero = xp.zeros_like(slide)
  handle = drawer + xp.asarray(scene.HANDLE, drawer.dtype)
  handle = handle + xp.stack([zero, slide, zero], axis=-1)
  across = scene.FAUCET_REACH
  arm = [across * xp.sin(angle), -across * xp.cos(angle)]
  arm += [zero + scene.FAUCET_HEIGHT]
  return handle, faucet + xp.stack(arm, axis=-1)

"""Random keys that depend on the seed and the place alone.

No key is carried from step to step or stored: a resumed run repeats the
stream, and the number of devices does not change it.
"""

import jax
import jax.numpy as jnp

from a2r.core import parallel


def step_key(seed: int, step: jax.Array | int) -> jax.Array:
  """Returns the key of a step, the same on every device."""
  return jax.random.fold_in(jax.random.key(seed), step)


def row_keys(rng: jax.Array, num_rows: int, axis_name: str | None) -> jax.Array:
  """Returns one key per row of this device's part of a batch.

  Row i of the global batch has the same key on any number of devices.

  Args:
    rng: key of the step, the same on every device; consumed.
    num_rows: rows on this device.
    axis_name: the devices' axis, or None for one device.

  Returns:
    `[num_rows]` keys.
  """
  rows = parallel.axis_index(axis_name) * num_rows + jnp.arange(num_rows)
  return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(rng, rows)

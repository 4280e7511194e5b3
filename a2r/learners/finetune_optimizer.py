"""AdamW as Singularity was trained with it.

Lei et al. (https://arxiv.org/abs/2206.03428), the released code.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

# The least and the greatest temperature of the contrast.
TEMPERATURES = (0.001, 0.5)


def make_schedule(
  *, learning_rate: float, warmup_steps: int, num_steps: int, floor: float
) -> optax.Schedule:
  """Returns step -> learning rate.

  A straight line from `floor` over `warmup_steps`, then half a cosine towards
  zero that stays at `floor` once it is there: unlike `core.optim`'s, which
  reaches the floor with the last step.

  Args:
    learning_rate: the peak.
    warmup_steps: length of the line; 0 starts at the peak.
    num_steps: length of the run.
    floor: the lowest learning rate as a share of the peak.

  Raises:
    ValueError: the warm-up is as long as the run.
  """
  if warmup_steps >= num_steps:
    raise ValueError(
      f"warmup_steps={warmup_steps} must be below num_steps={num_steps}"
    )

  def schedule(step):
    rising = step / max(warmup_steps, 1)
    progress = (step - warmup_steps) / (num_steps - warmup_steps)
    falling = 0.5 * (1 + jnp.cos(math.pi * progress))
    share = jnp.where(step < warmup_steps, rising, falling)
    return learning_rate * jnp.maximum(share, floor)

  return schedule


def decay_mask(params: Any) -> Any:
  """True for the parameters that are decayed: all that have not one axis.

  So are the temperature, the tables and the class token.

  Args:
    params: tree of arrays.
  """
  return jax.tree.map(lambda x: jnp.ndim(x) != 1, params)


def make_optimizer(
  *,
  learning_rate: float,
  warmup_steps: int,
  num_steps: int,
  weight_decay: float,
  floor: float,
  b1: float,
  b2: float,
) -> optax.GradientTransformation:
  """Returns AdamW without clipping; arguments as in `make_schedule`.

  No update leads a parameter 'temp' out of `TEMPERATURES`.
  """
  schedule = make_schedule(
    learning_rate=learning_rate,
    warmup_steps=warmup_steps,
    num_steps=num_steps,
    floor=floor,
  )
  return optax.chain(
    optax.adamw(
      schedule, b1=b1, b2=b2, weight_decay=weight_decay, mask=decay_mask
    ),
    optax.stateless(_bound_temperature),
  )


def _bound_temperature(updates: Any, params: Any) -> Any:
  """The updates, that of the temperature cut where its range ends."""

  def bound(path, update, param):
    if getattr(path[-1], "key", None) != "temp":
      return update
    return jnp.clip(param + update, *TEMPERATURES) - param

  return jax.tree_util.tree_map_with_path(bound, updates, params)

"""What Gymnasium's users hand over: actions and seeds, checked."""

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces


def check_action(action, space: spaces.Box) -> np.ndarray:
  """Returns `action` as float32, clipped to `space`.

  Raises:
    ValueError: if it is not numbers of that shape or has a NaN.
  """
  try:
    numbers = np.asarray(action)
    if numbers.dtype.kind in "OSUcmM":
      raise TypeError(f"dtype {numbers.dtype}")
    numbers = numbers.astype(np.float64)
  except (TypeError, ValueError, RuntimeError) as error:
    raise ValueError(
      f"action must be numbers of shape {space.shape}: {error}"
    ) from error
  if numbers.shape != space.shape:
    raise ValueError(
      f"action must have shape {space.shape}, got {numbers.shape}"
    )
  if np.isnan(numbers).any():
    where = np.argwhere(np.isnan(numbers))[0].tolist()
    raise ValueError(f"action has a NaN, the first at {where}")
  return np.clip(numbers, space.low, space.high).astype(np.float32)


def row_seeds(
  seed: int | Sequence[int | None] | None, num_envs: int
) -> Sequence[int | None]:
  """Returns a seed for each row of a vector environment, None to go on.

  Args:
    seed: of row 0, the others follow; or one for each row; or None.
    num_envs: the number of rows.

  Raises:
    ValueError: if there is not a seed for each row.
  """
  if seed is None:
    return [None] * num_envs
  if isinstance(seed, (int, np.integer)):
    return [int(seed) + row for row in range(num_envs)]
  if len(seed) != num_envs:
    raise ValueError(f"expected {num_envs} seeds, got {len(seed)}")
  return seed

"""Weights of the bicubic resize that the published models were trained with.

torchvision on uint8 tensors: half-pixel centers, edges clamped, a = -0.75 and
no antialiasing, in float32. (R. Keys, Cubic convolution interpolation for
digital image processing, 1981, eq. 15 with free a.) `jax.image.resize` has
a = -0.5, and is off by grey levels.

Letters: H pixels there are along an axis, S pixels wanted.
"""

import functools

import numpy as np

_A = -0.75


@functools.lru_cache(maxsize=1024)
def taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
  """The four pixels that each new pixel mixes, and their weights.

  Args:
    old: H.
    new: S.

  Returns:
    `[S, 4]` int32 indices in [0, H) and `[S, 4]` float32 weights, whose rows
    sum to one. Shared: they cannot be written to.
  """
  # In float32 as torch has it: in float64 one level in 1000 comes out another.
  centers = np.float32(old / new) * (np.arange(new, dtype=np.float32) + 0.5)
  centers = centers - np.float32(0.5)
  base = np.floor(centers)
  offsets = np.arange(-1, 3, dtype=np.float32)
  weights = _cubic(np.abs((centers - base)[:, None] - offsets))
  index = (base[:, None] + offsets).astype(np.int32).clip(0, old - 1)
  weights = weights.astype(np.float32)
  for array in (index, weights):
    array.setflags(write=False)
  return index, weights


@functools.lru_cache(maxsize=64)
def matrix(old: int, new: int) -> np.ndarray:
  """`taps` as a `[S, H]` float32 matrix; it cannot be written to."""
  index, weights = taps(old, new)
  weights_of = np.zeros((new, old), np.float32)
  np.add.at(weights_of, (np.arange(new)[:, None], index), weights)
  weights_of.setflags(write=False)
  return weights_of


def _cubic(distance: np.ndarray) -> np.ndarray:
  """Keys' kernel at distances from 0 to 2 pixels."""
  near = ((_A + 2) * distance - (_A + 3)) * distance * distance + 1
  far = ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
  return np.where(distance <= 1, near, far)

"""Pictures to another size, in numpy.

Letters: H W stored picture size, S new size.
"""

import functools

import numpy as np

_A = -0.75  # The cubic's free parameter, as torchvision and OpenCV have it.


@functools.lru_cache(maxsize=64)
def bicubic_matrix(size: int, new_size: int) -> np.ndarray:
  """Weights of a bicubic resize along one axis, without antialiasing.

  Half-pixel centers, edges clamped, a = -0.75: torchvision 0.11 on uint8
  tensors, which is what the published video-language models were trained with.
  (R. Keys, Cubic convolution interpolation for digital image processing, 1981,
  eq. 15 with free a.)

  Args:
    size: H, pixels there are.
    new_size: S, pixels wanted.

  Returns:
    `[S, H]` float32; rows sum to one. Shared: do not write to it.
  """
  centers = (np.arange(new_size) + 0.5) * size / new_size - 0.5
  first = np.floor(centers).astype(int) - 1
  taps = first[:, None] + np.arange(4)
  weights = _cubic(np.abs(centers[:, None] - taps))
  matrix = np.zeros([new_size, size])
  rows = np.repeat(np.arange(new_size), 4)
  np.add.at(matrix, (rows, taps.clip(0, size - 1).ravel()), weights.ravel())
  matrix.setflags(write=False)
  return matrix.astype(np.float32)


def resize(frames: np.ndarray, new_size: int) -> np.ndarray:
  """Square pictures; the aspect is not kept, as the published models have it.

  Args:
    frames: `[..., H, W, 3]` uint8.
    new_size: S.

  Returns:
    `[..., S, S, 3]` uint8.
  """
  height, width = frames.shape[-3:-1]
  if (height, width) == (new_size, new_size):
    return frames
  rows = bicubic_matrix(height, new_size)
  columns = bicubic_matrix(width, new_size)
  resized = np.einsum(
    "sh,...hwc,uw->...suc",
    rows,
    frames.astype(np.float32),
    columns,
    optimize=True,
  )
  return resized.clip(0, 255).round().astype(np.uint8)


def _cubic(distance: np.ndarray) -> np.ndarray:
  """Keys' kernel at distances from 0 to 2 pixels."""
  near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
  far = ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
  return np.where(distance <= 1, near, np.where(distance < 2, far, 0))

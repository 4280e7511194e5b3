"""Pictures to another size, in numpy.

Letters: H W stored picture size, S new size.
"""

import numpy as np

from a2r.core import bicubic


def resize(frames: np.ndarray, new_size: int) -> np.ndarray:
  """Square pictures; the aspect is not kept, as the published models have it.

  Args:
    frames: `[..., H, W, 3]` uint8.
    new_size: S.

  Returns:
    `[..., S, S, 3]` uint8, equal to torchvision's bicubic resize (see
    `core/bicubic.py`).
  """
  height, width = frames.shape[-3:-1]
  if (height, width) == (new_size, new_size):
    return frames
  columns = bicubic.matrix(width, new_size)
  rows = bicubic.matrix(height, new_size)
  x = frames.astype(np.float32)
  x = np.einsum("uw,...hwc->...huc", columns, x, optimize=True)
  x = np.einsum("sh,...huc->...suc", rows, x, optimize=True)
  return x.clip(0, 255).round().astype(np.uint8)

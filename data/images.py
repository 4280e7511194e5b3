"""Pictures from files, to another size and to JPEG, in numpy.

Letters: H W stored picture size, S new size. Nothing here imports TensorFlow.
"""

import functools
import io
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import sparse

from a2r.core import images

MAX_PIXELS = 1 << 26  # Of one picture; more are refused before they are read.
_JPEG_QUALITY = 95
_DEEP = ("I", "F")  # Pillow's modes of more than 8 bits begin so.


def resize(frames: np.ndarray, new_size: int) -> np.ndarray:
  """Resizes to squares; the aspect is not kept, as the published models do.

  Args:
    frames: `[..., H, W, 3]` uint8.
    new_size: S.

  Returns:
    `[..., S, S, 3]` uint8, equal to torchvision's bicubic resize (see
    `core/images.py`).
  """
  height, width = frames.shape[-3:-1]
  if (height, width) == (new_size, new_size):
    return frames
  columns = _sparse_matrix(width, new_size)
  rows = _sparse_matrix(height, new_size)
  resized = np.empty((*frames.shape[:-3], new_size, new_size, 3), np.uint8)
  for index in np.ndindex(frames.shape[:-3]):
    x = np.ascontiguousarray(frames[index].transpose(1, 2, 0))
    x = columns @ x.reshape(width, -1).astype(np.float32)
    x = rows @ np.ascontiguousarray(x.reshape(-1, height).T)
    resized[index] = x.clip(0, 255).round().reshape(new_size, new_size, 3)
  return resized


def load_rgb(
  file: bytes | str | os.PathLike, formats: Sequence[str] | None = None
) -> np.ndarray:
  """Reads a picture file as `[H, W, 3]` uint8.

  Args:
    file: its bytes, or its path.
    formats: those of Pillow's formats that may come; all if None.

  Raises:
    OSError, ValueError, SyntaxError: it is not a whole picture, it has over
      `MAX_PIXELS`, or more than 8 bits a channel.
  """
  if isinstance(file, bytes):
    file = io.BytesIO(file)
  try:
    with Image.open(file, formats=formats) as image:
      if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too many")
      if image.mode.startswith(_DEEP):
        raise ValueError(f"not of 8 bits a channel (mode {image.mode!r})")
      return np.asarray(image.convert("RGB"))
  except Image.DecompressionBombError as error:
    raise ValueError(str(error)) from error
  except Image.UnidentifiedImageError as error:
    # Without the stream's address, which is another in each picture's reason.
    raise ValueError(str(error).partition(" <")[0]) from error


def encode_jpeg(frame: np.ndarray) -> bytes:
  """Returns a `[H, W, 3]` uint8 picture as JPEG, colors at full resolution."""
  stream = io.BytesIO()
  Image.fromarray(frame).save(
    stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True
  )
  return stream.getvalue()


@functools.lru_cache(maxsize=64)
def _sparse_matrix(old: int, new: int) -> sparse.csr_matrix:
  """`images.bicubic_matrix`, whose rows have four weights and zeros."""
  return sparse.csr_matrix(images.bicubic_matrix(old, new))

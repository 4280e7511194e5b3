"""Encodes short endless animations as WebP and GIF.

Letters: T frames, H W image.
"""

import io
import pathlib

import numpy as np
from PIL import Image

FORMATS = ("webp", "gif")
_FRAME_MS, _LAST_MS = 100, 800  # The outcome stays for a while.


def encode(frames: np.ndarray, format_name: str) -> bytes:
  """Returns an endless animation of uint8 frames `[T, H, W, 3]` as bytes."""
  images = [Image.fromarray(frame) for frame in frames]
  options = {"quality": 88, "method": 4}
  if format_name == "gif":
    # One palette for all frames and no dithering: nothing flickers.
    strip = Image.fromarray(np.concatenate(frames))
    palette = strip.quantize(256, dither=Image.Dither.NONE)
    images = [
      image.quantize(palette=palette, dither=Image.Dither.NONE)
      for image in images
    ]
    options = {"optimize": False}
  stream = io.BytesIO()
  images[0].save(
    stream,
    format_name.upper(),
    save_all=True,
    append_images=images[1:],
    duration=[_FRAME_MS] * (len(images) - 1) + [_LAST_MS],
    loop=0,
    **options,
  )
  return stream.getvalue()


def size(path: pathlib.Path) -> tuple[int, int] | None:
  """Returns width and height that a file states, None of what is no picture."""
  try:
    with Image.open(path) as image:
      return image.size
  except (OSError, Image.DecompressionBombError):
    return None


def read_frame(path: pathlib.Path, index: int) -> Image.Image:
  """Returns a frame of an animation; equal neighbors may be stored as one."""
  with Image.open(path) as image:
    left = index * _FRAME_MS
    for number in range(image.n_frames):
      image.seek(number)
      image.load()
      left -= image.info["duration"]
      if left < 0:
        break
    return image.convert("RGB")

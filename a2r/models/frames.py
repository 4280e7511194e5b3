"""Pictures into what the networks take: resize, augment, normalize.

Letters: B clips, T frames, H W C picture (C = 3, RGB), S side wanted.
"""

import jax
import jax.numpy as jnp
import numpy as np

# torchvision's bicubic; jax.image.resize has -0.5, and is off by grey levels.
_CUBIC = -0.75
_GRAY = (0.299, 0.587, 0.114)
_PERMUTATIONS = np.eye(3, dtype=np.float32)[
  np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
]


def normalize(frames: jax.Array) -> jax.Array:
  """Levels 0..255, uint8 or float -> float32 in [-1, 1]."""
  return jnp.asarray(frames).astype(jnp.float32) / 127.5 - 1


def resize(frames: jax.Array, size: int) -> jax.Array:
  """Squeezes pictures to a square, as torchvision does for uint8 tensors.

  Bicubic with a = -0.75 in float32, half-pixel centers, clamped edges, no
  antialiasing, rounded to uint8: what the published models were trained on.
  The aspect ratio is not kept.

  Args:
    frames: `[..., H, W, C]` uint8, any H and W.
    size: S.

  Returns:
    `[..., S, S, C]` uint8.
  """
  frames = jnp.asarray(frames)
  height, width = frames.shape[-3:-1]
  if (height, width) == (size, size):
    return frames
  x = frames.astype(jnp.float32)
  precision = jax.lax.Precision.HIGHEST
  x = jnp.einsum(
    "wj,...ijc->...iwc", _cubic_matrix(width, size), x, precision=precision
  )
  x = jnp.einsum(
    "hi,...iwc->...hwc", _cubic_matrix(height, size), x, precision=precision
  )
  return jnp.round(jnp.clip(x, 0, 255)).astype(jnp.uint8)


def augment(
  rng: jax.Array, frames: jax.Array, *, crop: float, color: float
) -> jax.Array:
  """Random crops and colors, one draw per clip and the same for its frames.

  Args:
    rng: key; consumed.
    frames: `[B, T, H, W, C]` uint8.
    crop: the most of either side that a crop leaves out, in [0, 1); the crop,
      its two sides drawn apart, is stretched back to H x W. 0 is none.
    color: strength in [0, 1): brightness, contrast and saturation are scaled
      by factors in 1 +- color, and a share `color` of the clips has its
      channels permuted. 0 is none.

  Returns:
    `[B, T, H, W, C]` float32 levels in [0, 255], for `normalize`.

  Raises:
    ValueError: a strength outside [0, 1).
  """
  for name, value in (("crop", crop), ("color", color)):
    if not 0 <= value < 1:
      raise ValueError(f"{name} must be in [0, 1), got {value}")
  rng_crop, rng_color = jax.random.split(rng)
  x = frames.astype(jnp.float32)
  if crop:
    x = _random_crop(rng_crop, x, crop)
  if color:
    x = _random_color(rng_color, x, color)
  return x


def _random_crop(rng: jax.Array, x: jax.Array, crop: float) -> jax.Array:
  """Bilinear crop and stretch of `[B, T, H, W, C]` by two matrices a clip."""
  batch, num_frames, height, width, channels = x.shape
  rng_side, rng_place = jax.random.split(rng)
  side = jax.random.uniform(rng_side, (2, batch), minval=1 - crop)
  start = jax.random.uniform(rng_place, (2, batch)) * (1 - side)
  rows = _linear_matrix(start[0], side[0], height)
  cols = _linear_matrix(start[1], side[1], width)
  x = x.reshape(batch, num_frames, height, width * channels)
  x = jnp.einsum("bhi,btik->bthk", rows, x)
  x = x.reshape(batch, num_frames * height, width, channels)
  x = jnp.einsum("bwj,bnjc->bnwc", cols, x)
  return x.reshape(batch, num_frames, height, width, channels)


def _random_color(rng: jax.Array, x: jax.Array, color: float) -> jax.Array:
  """One 3x3 color matrix and one offset per clip of `[B, T, H, W, C]`."""
  batch = x.shape[0]
  rng_factor, rng_share, rng_order = jax.random.split(rng, 3)
  brightness, contrast, saturation = jax.random.uniform(
    rng_factor, (3, batch, 1, 1), minval=1 - color, maxval=1 + color
  )
  order = jax.random.randint(rng_order, (batch,), 0, len(_PERMUTATIONS))
  permuted = jax.random.uniform(rng_share, (batch,)) < color
  order = jnp.where(permuted, order, 0)
  gray = jnp.broadcast_to(jnp.asarray(_GRAY), (3, 3))
  matrix = saturation * jnp.eye(3) + (1 - saturation) * gray
  matrix = matrix @ jnp.asarray(_PERMUTATIONS)[order]
  mean = jnp.einsum("bdc,bc,d->b", matrix, x.mean((1, 2, 3)), jnp.array(_GRAY))
  offset = brightness[:, 0, 0] * (1 - contrast[:, 0, 0]) * mean
  x = jnp.einsum("bthwc,bdc->bthwd", x, brightness * contrast * matrix)
  return jnp.clip(x + offset[:, None, None, None, None], 0, 255)


def _linear_matrix(start: jax.Array, side: jax.Array, size: int) -> jax.Array:
  """Bilinear weights of a stretched interval.

  Args:
    start: `[B]` where the interval begins, as a share of the axis.
    side: `[B]` its length, likewise.
    size: pixels of the axis, before and after.

  Returns:
    `[B, size, size]`, rows summing to one.
  """
  centers = (jnp.arange(size) + 0.5) / size
  places = (start[:, None] + side[:, None] * centers) * size - 0.5
  places = jnp.clip(places, 0, size - 1)
  distance = jnp.abs(places[:, :, None] - jnp.arange(size))
  return jnp.maximum(1 - distance, 0)


def _cubic_matrix(old: int, new: int) -> np.ndarray:
  """`[new, old]` float32 weights of the bicubic resize of one axis."""
  places = np.float32(old / new) * (np.arange(new, dtype=np.float32) + 0.5)
  places = places - np.float32(0.5)
  base = np.floor(places).astype(int)
  fraction = places - base
  matrix = np.zeros((new, old), np.float32)
  for tap in range(-1, 3):
    column = np.clip(base + tap, 0, old - 1)
    weight = _cubic(np.abs(fraction - tap)).astype(np.float32)
    np.add.at(matrix, (np.arange(new), column), weight)
  return matrix


def _cubic(x: np.ndarray) -> np.ndarray:
  """Keys' cubic kernel at distance `x` in [0, 2]."""
  a = _CUBIC
  near = ((a + 2) * x - (a + 3)) * x * x + 1
  far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  return np.where(x <= 1, near, far)

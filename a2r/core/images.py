"""Pictures on their way into a network: which frames, what size, what levels.

The resize is the one that the published models were trained with: torchvision
on uint8 tensors. It is bicubic with half-pixel centers, clamped edges,
a = -0.75 and no antialiasing, in float32 (R. Keys, Cubic convolution
interpolation for digital image processing, 1981, eq. 15 with free a).
`jax.image.resize` has a = -0.5, and is off by grey levels.

Letters: H W C picture (C = 3, RGB), S side wanted, P side of a patch.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import checks

MODES = ("ends", "middle", "rand")
_A = -0.75


def frame_indices(
  num_available: int,
  num_frames: int,
  mode: str = "ends",
  rng: np.random.Generator | None = None,
) -> np.ndarray:
  """Returns the indices of the frames to take, in order.

  'middle' and 'rand' are those of Singularity (Lei et al.,
  https://arxiv.org/abs/2206.03428, released code): the video is cut into
  `num_frames` segments, and the middle frame of each is taken, or a random one
  (never the last of its segment; where a segment has no other, random distinct
  frames of the whole video). 'ends' is evenly spaced and always has the first
  and the last frame, which show whether the task was done.

  Args:
    num_available: frames of the video.
    num_frames: frames wanted; a shorter video repeats its last frame.
    mode: 'ends', 'middle' or 'rand'.
    rng: for 'rand'.

  Returns:
    `[num_frames]` int32.

  Raises:
    ValueError: an empty video, no frames wanted, an unknown mode, or 'rand'
      without an rng.
  """
  if num_available < 1 or num_frames < 1:
    raise ValueError(
      f"cannot take {num_frames} frames of a video of {num_available}"
    )
  checks.one_of("mode", mode, MODES)
  taken = min(num_frames, num_available)
  if mode == "ends":
    indices = np.linspace(0, num_available - 1, taken).round()
  elif mode == "middle":
    edges = np.linspace(0, num_available, taken + 1).astype(int)
    indices = (edges[:-1] + edges[1:] - 1) // 2
  else:
    if rng is None:
      raise ValueError("mode 'rand' needs an rng")
    edges = np.linspace(0, num_available, taken + 1).astype(int)
    if (np.diff(edges) < 2).any():
      indices = np.sort(rng.choice(num_available, taken, replace=False))
    else:
      indices = rng.integers(edges[:-1], edges[1:] - 1)
  pad = (0, num_frames - taken)
  return np.pad(indices.astype(np.int32), pad, mode="edge")


def normalize(frames: jax.Array) -> jax.Array:
  """Returns levels 0..255, uint8 or float, as float32 in [-1, 1]."""
  return jnp.asarray(frames).astype(jnp.float32) / 127.5 - 1


def resize(frames: jax.Array, size: int) -> jax.Array:
  """Squeezes pictures to a square, as torchvision does for uint8 tensors.

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
  rows, columns = bicubic_matrix(height, size), bicubic_matrix(width, size)
  return resize_by(frames, rows, columns)


def pick(
  frames: Sequence[np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the pixels that `resize` looks at, and the matrices for them.

  `resize_by` of the three is `resize` of the frames. However large a picture
  is, at most 4 S rows and columns of it are looked at, and copied; and there
  are nine shapes in all, so few programs are compiled for any sizes.

  Args:
    frames: T pictures `[H, W, C]` uint8 of one size, read one by one.
    size: S.

  Returns:
    `[T, P, Q, C]` uint8 with P and Q of S, 2 S and 4 S, black where nothing
    is looked at, and float32 `[S, P]` and `[S, Q]`.
  """
  height, width, channels = frames[0].shape
  y, rows = _bicubic_pixels(height, size)
  x, columns = _bicubic_pixels(width, size)
  shape = (len(frames), rows.shape[1], columns.shape[1], channels)
  picked = np.zeros(shape, np.uint8)
  for target, frame in zip(picked, frames, strict=True):
    target[: len(y), : len(x)] = frame[y].take(x, axis=1)
  return picked, rows, columns


def resize_by(
  frames: jax.Array, rows: jax.Array, columns: jax.Array
) -> jax.Array:
  """Resizes by a matrix per axis, columns first as torchvision; to uint8.

  Args:
    frames: `[..., H, W, C]` uint8.
    rows: `[S, H]`, or `[B, S, H]` for one of its own for each of `[B, ...]`.
    columns: `[S, W]`, or `[B, S, W]`.

  Returns:
    `[..., S, S, C]` uint8.
  """
  mix = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
  b, x = "b" * (rows.ndim - 2), frames.astype(jnp.float32)
  x = mix(f"{b}wj,{b}...ijc->{b}...iwc", columns, x)
  x = mix(f"{b}hi,{b}...iwc->{b}...hwc", rows, x)
  return jnp.round(jnp.clip(x, 0, 255)).astype(jnp.uint8)


def fold_patches(frames: jax.Array, patch: int) -> jax.Array:
  """Returns `[..., H, W, C]` as `[..., H / P, W / P, P * P * C]`."""
  *rows, height, width, channels = frames.shape
  x = frames.reshape(
    *rows, height // patch, patch, width // patch, patch, channels
  )
  x = jnp.swapaxes(x, -4, -3)
  return x.reshape(*rows, height // patch, width // patch, -1)


def unfold_patches(frames: jax.Array, patch: int) -> jax.Array:
  """Returns the inverse of `fold_patches`."""
  *rows, height, width, channels = frames.shape
  x = frames.reshape(*rows, height, width, patch, patch, -1)
  x = jnp.swapaxes(x, -4, -3)
  return x.reshape(*rows, height * patch, width * patch, channels // patch**2)


@functools.lru_cache(maxsize=1024)
def bicubic_taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns the four of H pixels that each of S mixes, and their weights.

  Returns:
    `[S, 4]` int32 indices in [0, H) and `[S, 4]` float32 weights, whose rows
    sum to one. Shared: they cannot be written to.
  """
  # In float32 as torch has it: in float64 one level in 1000 comes out another.
  centers = np.float32(old / new) * (np.arange(new, dtype=np.float32) + 0.5)
  centers = centers - np.float32(0.5)
  base = np.floor(centers)
  offsets = np.arange(-1, 3, dtype=np.float32)
  # Keys' kernel, at distances from 0 to 2 pixels.
  distance = np.abs((centers - base)[:, None] - offsets)
  near = ((_A + 2) * distance - (_A + 3)) * distance * distance + 1
  far = ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
  weights = np.where(distance <= 1, near, far)
  index = (base[:, None] + offsets).astype(np.int32).clip(0, old - 1)
  weights = weights.astype(np.float32)
  for array in (index, weights):
    array.setflags(write=False)
  return index, weights


@functools.lru_cache(maxsize=64)
def bicubic_matrix(old: int, new: int) -> np.ndarray:
  """Returns `bicubic_taps` as a `[S, H]` float32 matrix, read-only."""
  index, weights = bicubic_taps(old, new)
  return _to_matrix(index, weights, old)


@functools.lru_cache(maxsize=64)
def _bicubic_pixels(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
  """The `[P]` pixels of H that are mixed at all, and the matrix for them.

  The matrix is filled up with zeros to S, 2 S or 4 S columns.
  """
  index, weights = bicubic_taps(old, new)
  pixels, place = np.unique(index, return_inverse=True)
  num = next(n * new for n in (1, 2, 4) if n * new >= len(pixels))
  return pixels, _to_matrix(place.reshape(index.shape), weights, num)


def _to_matrix(index, weights, num: int) -> np.ndarray:
  """Taps as a matrix of `num` columns, read-only."""
  matrix = np.zeros((len(index), num), np.float32)
  np.add.at(matrix, (np.arange(len(index))[:, None], index), weights)
  matrix.setflags(write=False)
  return matrix

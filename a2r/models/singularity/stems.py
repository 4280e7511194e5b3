"""From normalized frames to patch embeddings.

`PatchStem` is BEiT's; `ConvStem` is for training a small model from little:
convolutions over the first frame and the differences of all, which show motion
directly.

Letters: B clips, T frames, H W picture, g side of the grid, D width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers


class PatchStem(nn.Module):
  """A linear map of every `patch_size` x `patch_size` square of a frame."""

  width: int
  patch_size: int
  dtype: str

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    """`[B, T, H, W, 3]` -> `[B * T, g * g, D]`, patches row by row."""
    size = self.patch_size
    x = frames.reshape(-1, *frames.shape[2:])
    x = nn.Conv(
      self.width,
      (size, size),
      (size, size),
      padding="VALID",
      dtype=self.dtype,
      kernel_init=layers.bert_init(self.width),
      name="projection",
    )(x)
    return x.reshape(x.shape[0], -1, self.width)


def as_motion(frames: jax.Array) -> jax.Array:
  """A whole clip as one picture: where it starts and how it changes.

  Args:
    frames: `[B, T, H, W, 3]`.

  Returns:
    `[B, H, W, 3 (T + 1)]`: x_0, every x_t - x_{t-1}, and x_{T-1} - x_0. All
    further differences are sums of these, and would only cost time.
  """
  steps = frames[:, 1:] - frames[:, :-1]
  whole = frames[:, -1:] - frames[:, :1]
  x = jnp.concatenate([frames[:, :1], steps, whole], axis=1)
  x = jnp.moveaxis(x, 1, 3)
  return x.reshape(*x.shape[:3], -1)


class ConvStem(nn.Module):
  """Convolutions of stride two over a whole clip at once (`as_motion`).

  One trunk per clip, whose last layer makes the tokens of every frame: about T
  times cheaper than one per frame, for a fixed T. The first layer is a linear
  map of squares as in ConvNeXt (https://arxiv.org/abs/2201.03545), whose
  gradient is one matrix product; then a 3x3 convolution of stride 2 for every
  further entry of `features`, each with LayerNorm over channels and gelu after
  it, then a 1x1 to D: g = H / patch / 2**(len(features) - 1).

  Attributes:
    width: D.
    features: channels of the layers.
    patch: side of the first layer's squares.
    dtype: compute type.
  """

  width: int
  features: tuple[int, ...]
  patch: int
  dtype: str

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    """`[B, T, H, W, 3]` -> `[B * T, g * g, D]`, patches row by row."""
    batch, num_frames = frames.shape[:2]
    x = _squares(as_motion(frames).astype(self.dtype), self.patch)
    for i, features in enumerate(self.features):
      if i == 0:
        layer = nn.Dense(features, dtype=self.dtype, name="conv_0")
      else:
        layer = nn.Conv(
          features,
          (3, 3),
          (2, 2),
          padding=1,
          dtype=self.dtype,
          name=f"conv_{i}",
        )
      # A flat picture has channels without variance: not BERT's epsilon here.
      norm = layers.LayerNorm(
        epsilon=1e-6, dtype=self.dtype, name=f"layernorm_{i}"
      )
      x = layers.gelu(norm(layer(x)))
    dense = nn.Dense(
      self.width * num_frames, dtype=self.dtype, name="projection"
    )
    x = dense(x).reshape(batch, -1, num_frames, self.width)
    return jnp.moveaxis(x, 2, 1).reshape(batch * num_frames, -1, self.width)


def _squares(x: jax.Array, side: int) -> jax.Array:
  """`[B, H, W, C]` -> `[B, H / side, W / side, side * side * C]`."""
  batch, height, width, channels = x.shape
  grid = height // side, width // side
  x = x.reshape(batch, grid[0], side, grid[1], side, channels)
  x = jnp.swapaxes(x, 2, 3)
  return x.reshape(batch, *grid, side * side * channels)

"""From normalized frames to patch embeddings.

`PatchStem` is BEiT's; `ConvStem` is for training a small model from little:
convolutions over the first frame and the differences of all, which show motion
directly.

Letters: B clips, T frames, H W picture, g side of the grid, D width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.core import images
from a2r.models.singularity import layers
from a2r.models.singularity.config import Config


class PatchStem(nn.Module):
  """A linear map of every `patch_size` x `patch_size` square of a frame."""

  config: Config

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    """`[B, T, H, W, 3]` -> `[B * T, g * g, D]`, patches row by row."""
    size, width = self.config.patch_size, self.config.width
    projection = nn.Conv(
      width, (size, size), (size, size), padding="VALID",
      dtype=self.config.dtype, kernel_init=layers.bert_init(width),
      name="projection",
    )  # fmt: skip
    x = projection(frames.reshape(-1, *frames.shape[2:]))
    return x.reshape(x.shape[0], -1, width)


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
  further entry of `stem_features`, each with LayerNorm over channels and gelu
  after it, then a 1x1 to D.
  """

  config: Config

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    """`[B, T, H, W, 3]` -> `[B * T, g * g, D]`, patches row by row."""
    config, (batch, num_frames) = self.config, frames.shape[:2]
    x = as_motion(frames).astype(config.dtype)
    x = images.fold_patches(x, config.stem_patch)
    for i, features in enumerate(config.stem_features):
      options = {"dtype": config.dtype, "name": f"conv_{i}"}
      if i == 0:
        layer = nn.Dense(features, **options)
      else:
        layer = nn.Conv(features, (3, 3), (2, 2), padding=1, **options)
      # A flat picture has channels without variance: not BERT's epsilon here.
      norm = layers.LayerNorm(
        epsilon=1e-6, dtype=config.dtype, name=f"layernorm_{i}"
      )
      x = layers.gelu(norm(layer(x)))
    dense = nn.Dense(
      config.width * num_frames, dtype=config.dtype, name="projection"
    )
    x = dense(x).reshape(batch, -1, num_frames, config.width)
    return jnp.moveaxis(x, 2, 1).reshape(batch * num_frames, -1, config.width)

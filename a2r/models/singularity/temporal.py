"""Temporal encoder: every place of the picture attends over its own frames.

Lei et al. (Singularity), https://arxiv.org/abs/2206.03428, section 3.3 and the
released code.

Letters: B clips, T frames, S tokens of a frame, D width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import bert, layers
from a2r.models.singularity.config import Config


def resample_embeddings(embeddings: jax.Array, num_frames: int) -> jax.Array:
  """Temporal embeddings `[1, T, 1, D]` for a clip of T' frames.

  They are the first T' rows when T' <= T, else interpolated linearly with
  half-pixel centers and clamped ends.
  """
  if num_frames <= embeddings.shape[1]:
    return embeddings[:, :num_frames]
  shape = (1, num_frames, *embeddings.shape[2:])
  return jax.image.resize(embeddings, shape, "linear")


class TemporalEncoder(nn.Module):
  """Frame embeddings if the config has any, then BERT layers along time."""

  config: Config

  @nn.compact
  def __call__(self, x: jax.Array, deterministic: bool = True) -> jax.Array:
    """`[B, T, S, D]` -> `[B, T, S, D]`; one frame passes by the layers."""
    config, (batch, num_frames, num_tokens, width) = self.config, x.shape
    if config.temporal_embeddings:
      shape = (1, config.num_frames, 1, width)
      embeddings = self.param("embeddings", nn.initializers.zeros, shape)
      x = x + resample_embeddings(embeddings, num_frames).astype(x.dtype)
    one_frame = num_frames == 1 and not self.is_initializing()
    if config.temporal_layers == 0 or one_frame:
      return x
    x = jnp.swapaxes(x, 1, 2).reshape(-1, num_frames, width)
    layer = layers.maybe_remat(bert.Layer, config.remat, 4)
    for i in range(config.temporal_layers):
      # The released code leaves this encoder at PyTorch's first values.
      init = layers.torch_linear_init
      x = layer(config, kernel_init=init, name=f"layer_{i}")(
        x, None, None, deterministic
      )
    x = x.reshape(batch, num_tokens, num_frames, width)
    return jnp.swapaxes(x, 1, 2)

"""Temporal encoder: every place of the picture attends over its own frames.

Lei et al. (Singularity), https://arxiv.org/abs/2206.03428, section 3.3 and the
released code.

Letters: B clips, T frames, S tokens of a frame, D width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import bert, layers


def resample_embeddings(embeddings: jax.Array, num_frames: int) -> jax.Array:
  """Temporal embeddings for a clip of another length.

  Args:
    embeddings: `[1, T, 1, D]`.
    num_frames: T'; the first T' rows when T' <= T, else linear interpolation
      with half-pixel centers and clamped ends.

  Returns:
    `[1, T', 1, D]`.
  """
  if num_frames <= embeddings.shape[1]:
    return embeddings[:, :num_frames]
  shape = (1, num_frames, *embeddings.shape[2:])
  return jax.image.resize(embeddings, shape, "linear")


class TemporalEncoder(nn.Module):
  """Frame embeddings, then BERT layers along time.

  Attributes:
    num_layers: 0 leaves the tokens as they are but for the embeddings.
    num_frames: rows of the embeddings.
    num_heads: heads of every layer.
    mlp_width: hidden size of the MLPs.
    dropout: rate.
    embeddings: whether the frame embeddings are added.
    dtype: compute type.
    remat: see `singularity.Config`.
  """

  num_layers: int
  num_frames: int
  num_heads: int
  mlp_width: int
  dropout: float
  embeddings: bool
  dtype: str
  remat: bool = False

  @nn.compact
  def __call__(self, x: jax.Array, deterministic: bool = True) -> jax.Array:
    """`[B, T, S, D]` -> `[B, T, S, D]`; one frame passes by the layers."""
    batch, num_frames, num_tokens, width = x.shape
    if self.embeddings:
      shape = (1, self.num_frames, 1, width)
      embeddings = self.param("embeddings", nn.initializers.zeros, shape)
      x = x + resample_embeddings(embeddings, num_frames).astype(x.dtype)
    if self.num_layers == 0 or (num_frames == 1 and not self.is_initializing()):
      return x
    x = jnp.swapaxes(x, 1, 2).reshape(-1, num_frames, width)
    layer = layers.maybe_remat(bert.Layer, self.remat, 4)
    for i in range(self.num_layers):
      x = layer(
        self.num_heads,
        self.mlp_width,
        self.dropout,
        # The released code leaves this encoder at PyTorch's first values.
        kernel_init=layers.torch_linear_init,
        dtype=self.dtype,
        name=f"layer_{i}",
      )(x, None, None, deterministic)
    x = x.reshape(batch, num_tokens, num_frames, width)
    return jnp.swapaxes(x, 1, 2)

"""BEiT vision encoder, the per-frame tower of Singularity.

Bao et al., BEiT: BERT Pre-Training of Image Transformers,
https://arxiv.org/abs/2106.08254. Pre-LN transformer blocks with layer scale
and one relative position table per block; no absolute positions.

Letters: N frames, S tokens of a frame (CLS first, then patches row by row),
g the side of the patch grid, D width, H heads.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from a2r.models.singularity import layers
from a2r.models.singularity.config import Config


def relative_position_index(grid: int) -> np.ndarray:
  """Row of the relative position table for every query and key.

  Patch query i and patch key j share the row of their offset,
  `(r_i - r_j + g-1) * (2g-1) + (c_i - c_j + g-1)`; the last three rows are for
  CLS to any, any to CLS, and CLS to CLS.

  Args:
    grid: g.

  Returns:
    `[S, S]` int32, S = g * g + 1, values below (2g-1)**2 + 3.
  """
  rows, cols = np.divmod(np.arange(grid * grid), grid)
  side = 2 * grid - 1
  patches = (rows[:, None] - rows + grid - 1) * side
  patches += cols[:, None] - cols + grid - 1
  index = np.empty((grid * grid + 1,) * 2, np.int32)
  index[1:, 1:] = patches
  index[0, :] = side * side
  index[:, 0] = side * side + 1
  index[0, 0] = side * side + 2
  return index


class DropPath(nn.Module):
  """Drops the whole residual branch of a row (stochastic depth)."""

  rate: float

  @nn.compact
  def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
    rest = range(1, x.ndim)
    return nn.Dropout(self.rate, broadcast_dims=rest)(x, deterministic)


class Layer(nn.Module):
  """One pre-LN block: attention then MLP, each scaled and added."""

  config: Config
  drop_path: float

  @nn.compact
  def __call__(self, x: jax.Array, deterministic: bool = True) -> jax.Array:
    """`[N, S, D]` -> `[N, S, D]`."""
    config, width = self.config, x.shape[-1]
    init = layers.bert_init(width)
    table = self.param(
      "relative_position_table",
      nn.initializers.zeros,
      ((2 * config.grid - 1) ** 2 + 3, config.num_heads),
    )
    bias = table.T[:, relative_position_index(config.grid)]
    scale_init = nn.initializers.constant(config.layer_scale_init)
    lambda_1 = self.param("lambda_1", scale_init, (width,))
    lambda_2 = self.param("lambda_2", scale_init, (width,))
    drop_path = DropPath(self.drop_path)

    dense = functools.partial(nn.Dense, dtype=config.dtype, kernel_init=init)
    y = layers.LayerNorm(dtype=config.dtype, name="layernorm_before")(x)
    attention = layers.Attention(
      config.num_heads, key_bias=False, kernel_init=init, dtype=config.dtype,
      name="attention",
    )  # fmt: skip
    y = attention(y, bias=bias, deterministic=deterministic)
    x = x + drop_path(lambda_1.astype(y.dtype) * y, deterministic)
    y = layers.LayerNorm(dtype=config.dtype, name="layernorm_after")(x)
    y = dense(config.mlp_width, name="intermediate")(y)
    y = dense(width, name="output")(layers.gelu(y))
    return x + drop_path(lambda_2.astype(y.dtype) * y, deterministic)


class Beit(nn.Module):
  """CLS token, blocks, and the pooled feature of every frame.

  The drop-path rate grows linearly to that of the last block.
  """

  config: Config

  @nn.compact
  def __call__(
    self, patches: jax.Array, deterministic: bool = True
  ) -> tuple[jax.Array, jax.Array]:
    """Encodes the patch embeddings of frames.

    Args:
      patches: `[N, g * g, D]`.
      deterministic: no drop-path.

    Returns:
      `[N, S, D]` the last hidden state, not normalized, and `[N, D]` the
      LayerNorm of the mean over patches (CLS left out).
    """
    config, (num_frames, _, width) = self.config, patches.shape
    cls = self.param("cls_token", layers.bert_init(width), (1, 1, width))
    cls = jnp.broadcast_to(cls.astype(patches.dtype), (num_frames, 1, width))
    x = jnp.concatenate([cls, patches], axis=1)
    layer = layers.maybe_remat(Layer, config.remat, 2)
    for i in range(config.vision_layers):
      rate = config.drop_path * i / max(config.vision_layers - 1, 1)
      x = layer(config, rate, name=f"layer_{i}")(x, deterministic)
    pooled = x[:, 1:].mean(axis=1)
    return x, layers.LayerNorm(dtype=config.dtype, name="pooler")(pooled)

"""BERT layers and the text encoder of Singularity.

Devlin et al., BERT, https://arxiv.org/abs/1810.04805; cross-attention layers
as in Lei et al., Revealing Single Frame Bias for Video-and-Language Learning
(Singularity), https://arxiv.org/abs/2206.03428.

Letters: N texts, L tokens, M image tokens, D width, H heads.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers
from a2r.models.singularity.config import Config

# Added to the scores of padded keys.
_MASKED = -10000.0


def mask_bias(attention_mask: jax.Array) -> jax.Array:
  """`[N, L]` of ones and zeros -> `[N, 1, 1, L]` to add to the scores."""
  mask = attention_mask[:, None, None, :].astype(jnp.float32)
  return (1 - mask) * _MASKED


class Layer(nn.Module):
  """One post-LN layer: self-attention, cross-attention if asked, MLP.

  Attributes:
    config: of the backbone; its dropout is that of attention probabilities and
      of all outputs.
    cross_attention: whether the layer also attends to image tokens.
    kernel_init: of every projection; BERT's when None.
  """

  config: Config
  cross_attention: bool = False
  kernel_init: nn.initializers.Initializer | None = None

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    image_embeds: jax.Array | None = None,
    bias: jax.Array | None = None,
    deterministic: bool = True,
  ) -> jax.Array:
    """Encodes tokens, `[N, L, D]` -> `[N, L, D]`.

    Args:
      x: the tokens.
      image_embeds: `[N, M, D]`, for layers with cross-attention.
      bias: `[N, 1, 1, L]`, added to the self-attention scores.
      deterministic: no dropout.
    """
    config, width = self.config, x.shape[-1]
    init = self.kernel_init or layers.bert_init(width)
    attention = functools.partial(
      layers.Attention, config.num_heads,
      dropout=config.dropout, kernel_init=init, dtype=config.dtype,
    )  # fmt: skip
    dense = functools.partial(nn.Dense, dtype=config.dtype, kernel_init=init)

    def add_and_norm(y, name):
      y = nn.Dropout(config.dropout)(y, deterministic)
      return layers.LayerNorm(dtype=config.dtype, name=name)(y + x)

    y = attention(name="attention")(x, None, bias, deterministic)
    x = add_and_norm(y, "attention_layernorm")
    if self.cross_attention:
      cross = attention(name="crossattention")
      y = cross(x, image_embeds, None, deterministic)
      x = add_and_norm(y, "crossattention_layernorm")
    y = layers.gelu(dense(config.mlp_width, name="intermediate")(x))
    return add_and_norm(dense(width, name="output")(y), "output_layernorm")


class Embeddings(nn.Module):
  """Word + position + type embeddings, LayerNorm, dropout."""

  config: Config

  def setup(self):
    c, init = self.config, nn.initializers.normal(0.02)
    self.word = self.param("word", init, (c.vocab_size, c.width))
    self.position = self.param("position", init, (c.max_positions, c.width))
    self.type = self.param("type", init, (2, c.width))
    self.layernorm = layers.LayerNorm(dtype=c.dtype)
    self.drop = nn.Dropout(c.dropout)

  def __call__(
    self,
    input_ids: jax.Array,
    prompt: jax.Array | None = None,
    deterministic: bool = True,
  ) -> jax.Array:
    """Embeds texts as `[N, L + P, D]`, a prompt between [CLS] and the words.

    Args:
      input_ids: `[N, L]` int, [CLS] first.
      prompt: `[N, P, D]` token embeddings, or None.
      deterministic: no dropout.

    Raises:
      ValueError: more tokens than positions.
    """
    x = self.word[input_ids]
    if prompt is not None:
      x = jnp.concatenate([x[:, :1], prompt, x[:, 1:]], axis=1)
    length, most = x.shape[1], self.config.max_positions
    if length > most:
      raise ValueError(
        f"{length} tokens (prompts included) do not fit max_positions={most}"
      )
    x = x + self.position[:length] + self.type[0]
    return self.drop(self.layernorm(x), deterministic)


class MaskedLanguageHead(nn.Module):
  """Which word a token stands for: dense, gelu, LayerNorm, the word table."""

  dtype: str

  @nn.compact
  def __call__(self, x: jax.Array, table: jax.Array) -> jax.Array:
    """`[N, L, D]` tokens, `[V, D]` words -> `[N, L, V]` float32 logits."""
    num_words, width = table.shape
    init = layers.bert_init(width)
    dense = nn.Dense(width, dtype=self.dtype, kernel_init=init, name="dense")
    x = layers.gelu(dense(x))
    x = layers.LayerNorm(dtype=self.dtype, name="layernorm")(x)
    bias = self.param("bias", nn.initializers.zeros, (num_words,))
    table = table.astype(x.dtype)
    logits = jnp.einsum(
      "nld,vd->nlv", x, table, preferred_element_type=jnp.float32
    )
    return logits + bias

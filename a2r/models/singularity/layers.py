"""Pieces that the vision, temporal and text encoders share.

Letters: B rows, Q queries, K keys, D width, H heads.
All arithmetic that loses digits (softmax, LayerNorm statistics) is done in
float32 whatever `dtype` the rest computes in.
"""

import functools
import math

import jax
import jax.numpy as jnp
from flax import linen as nn

# BERT and BEiT were trained with this epsilon; flax's default (1e-6) changes
# the published features by 1e-5.
EPSILON = 1e-12

# What PyTorch gives a new Linear layer: uniform in +-1/sqrt(fan_in).
torch_linear_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
torch_dense = functools.partial(nn.Dense, kernel_init=torch_linear_init)

# Without the two-pass variance a row whose mean is far from zero loses digits.
LayerNorm = functools.partial(
  nn.LayerNorm, epsilon=EPSILON, use_fast_variance=False
)


def maybe_remat(layer, remat: bool, num_args: int):
  """The layer class, its activations computed again for gradients if asked.

  Args:
    layer: a module class whose last argument, `deterministic`, is static.
    remat: whether.
    num_args: arguments of its call, all to be passed by position.
  """
  return nn.remat(layer, static_argnums=(num_args,)) if remat else layer


def bert_init(width: int):
  """N(0, 0.02), BERT's and BEiT's, with its gain at width 768 kept."""
  return nn.initializers.normal(0.02 * math.sqrt(768 / width))


def gelu(x: jax.Array) -> jax.Array:
  """The exact gelu, x * Phi(x); the tanh form is off by 1e-3 in features."""
  return 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5)))


def l2_normalize(x: jax.Array, eps: float = 1e-12) -> jax.Array:
  """`x` over its Euclidean norm along the last axis, in float32.

  The norm is floored at `eps`, as PyTorch's `normalize` does, with a gradient
  of zero (not NaN) at the origin.
  """
  x = x.astype(jnp.float32)
  square = jnp.sum(x * x, axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(square, eps**2))


class Attention(nn.Module):
  """Multi-head attention with its output projection.

  Attributes:
    num_heads: H; divides the width.
    key_bias: BEiT's key has none.
    dropout: rate on the attention probabilities.
    kernel_init: of the four projections.
    dtype: compute type.
  """

  num_heads: int
  key_bias: bool = True
  dropout: float = 0.0
  kernel_init: nn.initializers.Initializer = torch_linear_init
  dtype: str = "float32"

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    context: jax.Array | None = None,
    bias: jax.Array | None = None,
    deterministic: bool = True,
  ) -> jax.Array:
    """Attends from `x` to `context`; returns `[B, Q, D]`.

    Args:
      x: `[B, Q, D]` queries.
      context: `[B, K, D]` keys and values; `x` itself when None.
      bias: added to the scores; broadcasts to `[B, H, Q, K]`.
      deterministic: no dropout.
    """
    context = x if context is None else context
    width = x.shape[-1]
    dense = functools.partial(
      nn.Dense, width, dtype=self.dtype, kernel_init=self.kernel_init
    )

    def heads(y):
      return y.reshape(*y.shape[:-1], self.num_heads, width // self.num_heads)

    query = heads(dense(name="query")(x))
    key = heads(dense(name="key", use_bias=self.key_bias)(context))
    value = heads(dense(name="value")(context))
    scores = jnp.einsum(
      "bqhd,bkhd->bhqk", query, key, preferred_element_type=jnp.float32
    )
    scores = scores / math.sqrt(query.shape[-1])
    if bias is not None:
      scores = scores + bias
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    weights = nn.Dropout(self.dropout)(weights, deterministic)
    out = jnp.einsum("bhqk,bkhd->bqhd", weights, value)
    return dense(name="out")(out.reshape(x.shape))

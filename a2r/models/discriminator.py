"""DVD's head: do two clips show the same task?

Chen et al., "Learning Generalizable Robotic Reward Functions from
'In-The-Wild' Human Videos" (https://arxiv.org/abs/2103.16817, released code).

Letters: E feature width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers

_WIDTHS = (512, 256, 128, 64, 32)


class Discriminator(nn.Module):
  """A perceptron on the features of two clips, one after the other."""

  @nn.compact
  def __call__(self, left: jax.Array, right: jax.Array) -> jax.Array:
    """`[..., E]` and `[..., E]` -> `[..., 2]` logits of different and same."""
    x = jnp.concatenate([left, right], axis=-1)
    for i, width in enumerate(_WIDTHS):
      x = nn.relu(_dense(width, f"dense_{i}")(x))
    return _dense(2, "logits")(x)


def _dense(width: int, name: str) -> nn.Dense:
  """A linear layer with PyTorch's first values."""
  init = layers.torch_linear_init
  return nn.Dense(width, kernel_init=init, name=name)

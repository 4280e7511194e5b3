"""The loss of a discriminator that tells whether two clips show one task.

Letters: B triplets.
"""

import chex
import jax
import jax.numpy as jnp

from a2r.losses import classification

# Columns of the logits.
DIFFERENT, SAME = 0, 1


def same_task_discrimination(
  positive: jax.Array, negative: jax.Array
) -> jax.Array:
  """Returns the mean two-way cross-entropy of 2 B pairs of clips.

  Chen et al., "Learning Generalizable Robotic Reward Functions from
  'In-The-Wild' Human Videos" (DVD, https://arxiv.org/abs/2103.16817): pairs
  (positive, anchor) are of the class SAME, pairs (anchor, negative) DIFFERENT.

  Args:
    positive: `[B, 2]` logits of the pairs of one task.
    negative: `[B, 2]` logits of the pairs of two tasks.
  """
  chex.assert_shape([positive, negative], (None, 2))
  chex.assert_equal_shape([positive, negative])
  num = positive.shape[0]
  labels = jnp.concatenate([jnp.full(num, SAME), jnp.full(num, DIFFERENT)])
  logits = jnp.concatenate([positive, negative])
  return classification.softmax_cross_entropy(logits, labels)

"""A classifier of activities: its loss, and the reward that is made of it.

Letters: B clips, C classes.
"""

import chex
import jax
import jax.numpy as jnp

# What Concept2Robot subtracts before the sigmoid.
_OFFSET = 2.0


def softmax_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns the mean over clips of `-log p_i[label_i]`, p the softmax.

  Args:
    logits: `[B, C]`.
    labels: `[B]` int, the class of each clip.
  """
  chex.assert_rank([logits, labels], [2, 1])
  chex.assert_equal_shape_prefix([logits, labels], 1)
  log_prob = jax.nn.log_softmax(logits.astype(jnp.float32), axis=1)
  return -jnp.mean(jnp.take_along_axis(log_prob, labels[:, None], axis=1))


def concept2robot_reward(logits: jax.Array) -> jax.Array:
  """Returns the reward of every class, `sigmoid(C p_c - 2)`.

  Shao et al., "Concept2Robot: Learning Manipulation Concepts from Instructions
  and Human Demonstrations" (RSS 2020, released code), where C is 174: a clip
  that could be anything (p = 1 / C) gets sigmoid(-1) = 0.27.

  Args:
    logits: `[..., C]`.

  Returns:
    `[..., C]` in (0.11, 1). In float32 it is 1 for all C p above 19; use
    `class_log_odds` to rank.
  """
  num_classes = logits.shape[-1]
  prob = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
  return jax.nn.sigmoid(num_classes * prob - _OFFSET)


def class_log_odds(logits: jax.Array) -> jax.Array:
  """Returns `log(p_c / (1 - p_c))` of every class, p the softmax.

  It ranks clips as `concept2robot_reward` does, and tells apart those that both
  are surely of a class.

  Args:
    logits: `[..., C]` with C at least 2.

  Returns:
    `[..., C]`.
  """
  chex.assert_axis_dimension_gt(logits, -1, 1)
  logits = logits.astype(jnp.float32)
  num_classes = logits.shape[-1]
  itself = jnp.eye(num_classes, dtype=bool)
  others = jnp.where(itself, -jnp.inf, logits[..., None, :])
  return logits - jax.nn.logsumexp(others, axis=-1)

"""Losses of classifiers of activities, of success, and of pairs of clips.

Letters: B clips, triplets, C classes, D feature width.
"""

import chex
import jax
import jax.numpy as jnp
import optax

from a2r.losses import contrastive

# Columns of the logits of `same_task_discrimination`.
DIFFERENT, SAME = 0, 1
# What Concept2Robot subtracts before the sigmoid.
_OFFSET = 2.0


def binary_cross_entropy(
  video: jax.Array, text: jax.Array, success: jax.Array
) -> jax.Array:
  """Returns the cross-entropy of success given clip and instruction, summed.

    -sum_i [r_i log p_i + (1 - r_i) log(1 - p_i)],  p_i = sigmoid(v_i.t_i)

  Adapt2Reward (https://arxiv.org/abs/2407.14872), eq. 5, which prints
  `1 - log p_i` for the second logarithm; that is a slip and not followed.

  Args:
    video: `[B, D]` unit features of successful and failed robot clips.
    text: `[B, D]` unit features of the instruction each clip tried.
    success: `[B]` 1 or True where the clip succeeded, 0 where it failed.

  Returns:
    The scalar sum over the clips.
  """
  chex.assert_rank([video, text, success], [2, 2, 1])
  chex.assert_equal_shape([video, text])
  chex.assert_equal_shape_prefix([video, success], 1)

  cosine = contrastive.cosines("id,id->i", video, text)
  success = success.astype(jnp.float32)
  return optax.sigmoid_binary_cross_entropy(cosine, success).sum()


def softmax_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns the mean over clips of `-log p_i[label_i]`, p the softmax.

  Args:
    logits: `[B, C]`.
    labels: `[B]` int, the class of each clip.
  """
  chex.assert_rank([logits, labels], [2, 1])
  chex.assert_equal_shape_prefix([logits, labels], 1)
  logits = logits.astype(jnp.float32)
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


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
  return softmax_cross_entropy(logits, labels)


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

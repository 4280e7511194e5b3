"""Contrastive losses between clips, and between clips and instructions.

Letters: B clips (B_r robot, B_h human), K failure prompts, D feature width.
All features are l2-normalized, so an inner product is a cosine. Every loss is
a sum over its anchors in float32, whatever the features' type. With several
devices the caller gathers the features first, so that a loss sees the global
batch.
"""

import chex
import jax
import jax.numpy as jnp

# Stands for minus infinity in a softmax: finite, so that a row with nothing
# left in it still has a finite gradient.
_MASKED = -1e9


def cross_domain_contrastive(
  robot: jax.Array,
  human: jax.Array,
  robot_task: jax.Array,
  human_task: jax.Array,
  *,
  temperature: float,
  exclude_self: bool = False,
) -> jax.Array:
  """Returns how far clips of one instruction are from each other, summed.

  For each of the B = B_r + B_h clips i, with P(i) all clips of its task:

    L_i = -1/|P(i)| sum_{p in P(i)} log(exp(v_i.v_p / temperature)
                                        / sum_j exp(v_i.v_j / temperature))

  Yang et al., "Adapt2Reward: Adapting Video-Language Models to Generalizable
  Robotic Rewards via Failure Prompts" (https://arxiv.org/abs/2407.14872),
  eq. 1 and 2. As printed there, i itself is in P(i) and in the denominator.

  Args:
    robot: `[B_r, D]` unit features of successful robot clips.
    human: `[B_h, D]` unit features of human clips.
    robot_task: `[B_r]` index of each robot clip's instruction.
    human_task: `[B_h]` the same for the human clips, in the same numbering.
    temperature: positive divisor of the cosines.
    exclude_self: leave i out of P(i) and of the denominator, as in Khosla et
      al., "Supervised Contrastive Learning" (https://arxiv.org/abs/2004.11362).
      A clip that is alone with its task then adds nothing.

  Returns:
    The scalar sum over robot and human anchors.
  """
  chex.assert_rank([robot, human, robot_task, human_task], [2, 2, 1, 1])
  chex.assert_equal_shape_suffix([robot, human], 1)
  chex.assert_equal_shape_prefix([robot, robot_task], 1)
  chex.assert_equal_shape_prefix([human, human_task], 1)

  video = jnp.concatenate([robot, human]).astype(jnp.float32)
  task = jnp.concatenate([robot_task, human_task])
  logits = _cosines(video, video) / temperature
  positive = task[:, None] == task[None, :]
  if exclude_self:
    itself = jnp.eye(task.shape[0], dtype=bool)
    positive &= ~itself
    logits = jnp.where(itself, _MASKED, logits)

  log_prob = jnp.where(positive, jax.nn.log_softmax(logits, axis=1), 0.0)
  num_positives = jnp.maximum(positive.sum(axis=1), 1)
  return -jnp.sum(log_prob.sum(axis=1) / num_positives)


def video_language_contrastive(
  video: jax.Array,
  text: jax.Array,
  *,
  temperature: float,
  failure_text: jax.Array | None = None,
  has_failure: jax.Array | None = None,
) -> jax.Array:
  """Returns how badly clips and instructions find each other, summed.

  Over the B pairs, both directions:

    video to text: -log(exp(v_i.t_i / temperature)
                        / (sum_j exp(v_i.t_j / temperature)
                           + sum_k exp(v_i.f_ik / temperature)))
    text to video: -log(exp(t_i.v_i / temperature)
                        / sum_j exp(t_i.v_j / temperature))

  where f_ik are the failure texts of pair i's own task. Adapt2Reward
  (https://arxiv.org/abs/2407.14872), eq. 3, 4 and 7; without failure texts it
  is the loss of eq. 3 and 4.

  Args:
    video: `[B, D]` unit features of clips.
    text: `[B, D]` unit features of their instructions.
    temperature: positive divisor of the cosines.
    failure_text: `[B, K, D]` unit features of each pair's own failure texts.
    has_failure: `[B]` whether pair i's failure texts count; all by default.

  Returns:
    The scalar sum over pairs and directions.
  """
  chex.assert_rank([video, text], 2)
  chex.assert_equal_shape([video, text])
  video, text = video.astype(jnp.float32), text.astype(jnp.float32)

  logits = _cosines(video, text) / temperature
  video_to_text, text_to_video = logits, logits.T
  if failure_text is not None:
    failures = _failure_cosines(video, failure_text, has_failure, temperature)
    video_to_text = jnp.concatenate([video_to_text, failures], axis=1)
  elif has_failure is not None:
    raise ValueError("has_failure was given without failure_text")

  to_text = jnp.diagonal(jax.nn.log_softmax(video_to_text, axis=1))
  to_video = jnp.diagonal(jax.nn.log_softmax(text_to_video, axis=1))
  return -jnp.sum(to_text) - jnp.sum(to_video)


def _failure_cosines(video, failure_text, has_failure, temperature):
  """`[B, K]` logits of each clip against its own failure texts."""
  chex.assert_shape(failure_text, (video.shape[0], None, video.shape[1]))
  failures = jnp.einsum(
    "bd,bkd->bk",
    video,
    failure_text.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  failures /= temperature
  if has_failure is None:
    return failures
  chex.assert_shape(has_failure, (video.shape[0],))
  return jnp.where(has_failure.astype(bool)[:, None], failures, _MASKED)


def _cosines(left, right):
  """`[N, M]` inner products of `[N, D]` and `[M, D]`, at full precision."""
  return jnp.einsum(
    "nd,md->nm", left, right, precision=jax.lax.Precision.HIGHEST
  )

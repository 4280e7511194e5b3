"""Contrastive losses between clips, and between clips and instructions.

Letters: B clips (B_r robot, B_h human, B_f failed), K failure prompts, D
feature width. All features are l2-normalized, so an inner product is a cosine.
Losses are computed in float32, whatever the features' type. With several
devices the caller gathers the features first, so that a loss sees the global
batch.
"""

import chex
import jax
import jax.numpy as jnp
import optax

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

  video = jnp.concatenate([robot, human])
  task = jnp.concatenate([robot_task, human_task])
  logits = cosines("id,jd->ij", video, video) / temperature
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
  logits = cosines("id,jd->ij", video, text) / temperature
  video_to_text, text_to_video = logits, logits.T
  if failure_text is not None:
    chex.assert_shape(failure_text, (video.shape[0], None, video.shape[1]))
    failures = cosines("id,ikd->ik", video, failure_text) / temperature
    if has_failure is not None:
      chex.assert_shape(has_failure, (video.shape[0],))
      failures = jnp.where(has_failure.astype(bool)[:, None], failures, _MASKED)
    video_to_text = jnp.concatenate([video_to_text, failures], axis=1)
  elif has_failure is not None:
    raise ValueError("has_failure was given without failure_text")

  to_text = jnp.diagonal(jax.nn.log_softmax(video_to_text, axis=1))
  to_video = jnp.diagonal(jax.nn.log_softmax(text_to_video, axis=1))
  return -jnp.sum(to_text) - jnp.sum(to_video)


def failure_video_language_contrastive(
  video: jax.Array,
  text: jax.Array,
  failure_text: jax.Array,
  cluster: jax.Array,
  *,
  temperature: float,
) -> jax.Array:
  """Returns how badly failed clips find their own failure prompt, summed.

  For each failed clip of cluster k*, over its own task's texts:

    -log(exp(v.f_k* / temperature)
         / (exp(v.t / temperature) + sum_k exp(v.f_k / temperature)))

  Adapt2Reward (https://arxiv.org/abs/2407.14872), eq. 8.

  Args:
    video: `[B_f, D]` unit features of failed robot clips.
    text: `[B_f, D]` unit features of the instruction each clip failed at.
    failure_text: `[B_f, K, D]` unit features of that task's failure texts.
    cluster: `[B_f]` int, the failure cluster of each clip, in [0, K). A clip
      without a cluster (-1) adds nothing.
    temperature: positive divisor of the cosines.

  Returns:
    The scalar sum over the failed clips.
  """
  chex.assert_rank([video, text, failure_text, cluster], [2, 2, 3, 1])
  chex.assert_equal_shape([video, text])
  chex.assert_equal_shape_prefix([video, cluster], 1)

  texts = jnp.concatenate([text[:, None], failure_text], axis=1)
  chex.assert_equal_shape_prefix([video, texts], 1)
  logits = cosines("id,ikd->ik", video, texts) / temperature
  log_prob = jax.nn.log_softmax(logits, axis=1)
  own = jnp.take_along_axis(log_prob, 1 + cluster[:, None], axis=1)[:, 0]
  return -jnp.sum(jnp.where(cluster >= 0, own, 0.0))


def soft_targets(index: jax.Array) -> jax.Array:
  """Returns which caption belongs to which clip, every row summing to one.

  Args:
    index: `[B]` or `[B, N]` int, the number or numbers of each pair's caption.

  Returns:
    `[B, B]` float32, equal shares where all numbers are equal.
  """
  index = index.reshape(index.shape[0], -1)
  same = (index[:, None] == index).all(axis=-1).astype(jnp.float32)
  return same / same.sum(axis=1, keepdims=True)


def soft_target_contrastive(sim: jax.Array, index: jax.Array) -> jax.Array:
  """Returns how badly clips and captions find each other, the mean over B.

    1/2 mean_i CE(sim_i, Y_i) + 1/2 mean_i CE(sim^T_i, Y_i)

  with Y the `soft_targets`: equal captions are mutual positives, as in Lei et
  al., "Revealing Single Frame Bias for Video-and-Language Learning"
  (https://arxiv.org/abs/2206.03428), its released code. With B different
  captions this is the loss of CLIP.

  Args:
    sim: `[B, B]` cosines over the temperature, clips in rows.
    index: see `soft_targets`.
  """
  chex.assert_rank([sim, index], [2, {1, 2}])
  chex.assert_shape(sim, (index.shape[0],) * 2)
  sim, targets = sim.astype(jnp.float32), soft_targets(index)
  to_text = optax.softmax_cross_entropy(sim, targets).mean()
  to_video = optax.softmax_cross_entropy(sim.T, targets).mean()
  return 0.5 * (to_text + to_video)


def triplet_margin(
  anchor: jax.Array,
  positive: jax.Array,
  negative: jax.Array,
  *,
  margin: float,
  mask: jax.Array | None = None,
) -> jax.Array:
  """Returns the mean over triplets of `max(0, margin + d(a, p) - d(a, n))`.

  Schroff et al., "FaceNet" (https://arxiv.org/abs/1503.03832), eq. 2 and 3,
  with the cosine distance d = 1 - cos for the squared Euclidean one, which is
  twice that for unit features.

  Args:
    anchor: `[B, D]` unit features.
    positive: `[B, D]` unit features of what belongs to the anchors.
    negative: `[B, D]` unit features of what does not.
    margin: by how much the negative shall be farther.
    mask: `[B]` which triplets count; all by default, 0 where none does.
  """
  chex.assert_rank([anchor, positive, negative], 2)
  chex.assert_equal_shape([anchor, positive, negative])
  if margin < 0:
    raise ValueError(f"margin must be >= 0, got {margin}")
  gap = cosines("id,id->i", anchor, negative)
  gap -= cosines("id,id->i", anchor, positive)
  loss = jnp.maximum(0.0, margin + gap)
  if mask is None:
    return jnp.mean(loss)
  chex.assert_equal_shape_prefix([anchor, mask], 1)
  mask = mask.astype(jnp.float32)
  return jnp.sum(mask * loss) / jnp.maximum(mask.sum(), 1.0)


def cosines(subscripts: str, left: jax.Array, right: jax.Array) -> jax.Array:
  """Returns inner products in float32, subscripts as in `jnp.einsum`."""
  left, right = left.astype(jnp.float32), right.astype(jnp.float32)
  precision = jax.lax.Precision.HIGHEST
  return jnp.einsum(subscripts, left, right, precision=precision)

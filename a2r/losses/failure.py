"""The loss that ties failed clips to their task's failure prompts.

Letters: B_f failed clips, K failure prompts per task, D feature width.
"""

import chex
import jax
import jax.numpy as jnp


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
  chex.assert_shape(failure_text, (video.shape[0], None, video.shape[1]))
  chex.assert_equal_shape_prefix([video, cluster], 1)

  texts = jnp.concatenate([text[:, None], failure_text], axis=1)
  logits = jnp.einsum(
    "bd,bkd->bk",
    video.astype(jnp.float32),
    texts.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  log_prob = jax.nn.log_softmax(logits / temperature, axis=1)
  own = jnp.take_along_axis(log_prob, 1 + cluster[:, None], axis=1)[:, 0]
  return -jnp.sum(jnp.where(cluster >= 0, own, 0.0))

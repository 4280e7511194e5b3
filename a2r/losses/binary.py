"""The loss that only tells success from failure: the prompts' baseline.

Letters: N robot clips, D feature width.
"""

import chex
import jax
import jax.numpy as jnp


def binary_cross_entropy(
  video: jax.Array, text: jax.Array, success: jax.Array
) -> jax.Array:
  """Returns the cross-entropy of success given clip and instruction, summed.

    -sum_i [r_i log p_i + (1 - r_i) log(1 - p_i)],  p_i = sigmoid(v_i.t_i)

  Adapt2Reward (https://arxiv.org/abs/2407.14872), eq. 5, which prints
  `1 - log p_i` for the second logarithm; that is a slip and not followed.

  Args:
    video: `[N, D]` unit features of successful and failed robot clips.
    text: `[N, D]` unit features of the instruction each clip tried.
    success: `[N]` 1 or True where the clip succeeded, 0 where it failed.

  Returns:
    The scalar sum over the clips.
  """
  chex.assert_rank([video, text, success], [2, 2, 1])
  chex.assert_equal_shape([video, text])
  chex.assert_equal_shape_prefix([video, success], 1)

  cosine = jnp.einsum(
    "nd,nd->n",
    video.astype(jnp.float32),
    text.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  success = success.astype(jnp.float32)
  return -jnp.sum(
    success * jax.nn.log_sigmoid(cosine)
    + (1.0 - success) * jax.nn.log_sigmoid(-cosine)
  )

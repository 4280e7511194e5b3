"""The contrastive loss of Singularity: equal captions are mutual positives.

Lei et al., "Revealing Single Frame Bias for Video-and-Language Learning"
(https://arxiv.org/abs/2206.03428), its released code.

Letters: B pairs of a clip and its caption.
"""

import chex
import jax
import jax.numpy as jnp
import optax


def soft_targets(index: jax.Array) -> jax.Array:
  """Which caption belongs to which clip, every row summing to one.

  Args:
    index: `[B]` int, the number of each pair's caption.

  Returns:
    `[B, B]` float32, equal shares where the numbers are equal.
  """
  same = (index[:, None] == index).astype(jnp.float32)
  return same / same.sum(axis=1, keepdims=True)


def soft_target_contrastive(sim: jax.Array, index: jax.Array) -> jax.Array:
  """Returns how badly clips and captions find each other, the mean over B.

    1/2 mean_i CE(sim_i, Y_i) + 1/2 mean_i CE(sim^T_i, Y_i)

  with Y the `soft_targets`. With B different captions this is the loss of CLIP.

  Args:
    sim: `[B, B]` cosines over the temperature, clips in rows.
    index: `[B]` int, the number of each pair's caption.
  """
  chex.assert_rank([sim, index], [2, 1])
  chex.assert_shape(sim, (index.shape[0],) * 2)
  sim, targets = sim.astype(jnp.float32), soft_targets(index)
  to_text = optax.softmax_cross_entropy(sim, targets).mean()
  to_video = optax.softmax_cross_entropy(sim.T, targets).mean()
  return 0.5 * (to_text + to_video)

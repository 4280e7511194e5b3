"""LIV: values of frames for goals, learned from the order of frames alone.

Ma et al., "LIV: Language-Image Representations and Rewards for Robotic Control"
(https://arxiv.org/abs/2306.00958, released code), which contains VIP (Ma et
al., https://arxiv.org/abs/2210.00030). S is the cosine, V = S / (1 - gamma) the
value, and every step before the goal is rewarded with -1.

Letters: B clips, R shuffles, D feature width. All features are l2-normalized,
so an inner product is a cosine. With several devices the caller gathers the
features first, so that a loss sees the global batch.
"""

import math

import chex
import jax
import jax.numpy as jnp

from a2r.losses import contrastive

_REWARD = -1.0


def value_implicit(
  start: jax.Array,
  current: jax.Array,
  following: jax.Array,
  goal: jax.Array,
  *,
  gamma: float = 0.98,
  eps: float = 1e-8,
  shuffles: jax.Array | None = None,
) -> jax.Array:
  """Returns VIP's loss for one kind of goal, a frame or a text.

    -(1 - gamma) mean V(o_0; g)
      + log(eps + mean exp(-(r + gamma V(o_{t+1}; g) - V(o_t; g)))),  r = -1

  and, with shuffles, the same logarithm again for frames of other clips, the
  goals staying where they are. Exponents reach 1 + (1 + gamma) / (1 - gamma),
  which is 100 for 0.98 and too much for float32; the logarithm is taken of sums
  scaled by their largest term, which is the same number without the overflow.

  Args:
    start: `[B, D]` unit features of the clips' first frames.
    current: `[B, D]` of frames between start and goal.
    following: `[B, D]` of the frames after these.
    goal: `[B, D]` of the goals.
    gamma: discount, below 1.
    eps: what keeps the logarithm finite.
    shuffles: `[R, B]` int, permutations that bring other clips' `current` and
      `following` to the goals.

  Returns:
    The scalar.
  """
  chex.assert_rank([start, current, following, goal], 2)
  chex.assert_equal_shape([start, current, following, goal])
  if not 0 <= gamma < 1:
    raise ValueError(f"gamma must be in [0, 1), got {gamma}")

  def value(frames):
    return contrastive.cosines("...id,id->...i", frames, goal) / (1 - gamma)

  def log_mean_exp(current, following):
    error = _REWARD + gamma * value(following) - value(current)
    mean = jax.nn.logsumexp(-error) - math.log(error.size)
    return jnp.logaddexp(math.log(eps), mean)

  loss = -(1 - gamma) * jnp.mean(value(start))
  loss += log_mean_exp(current, following)
  if shuffles is not None:
    chex.assert_shape(shuffles, (None, start.shape[0]))
    loss += log_mean_exp(current[shuffles], following[shuffles])
  return loss


def language_image_contrastive(last: jax.Array, text: jax.Array) -> jax.Array:
  """Returns LIV's form of CLIP's loss: plain cosines, a temperature of 1.

    1/2 (CE(A, i) + CE(A^T, i)),  A_ij = S(last_i, text_j)

  Args:
    last: `[B, D]` unit features of the clips' last frames.
    text: `[B, D]` unit features of their texts.
  """
  chex.assert_rank([last, text], 2)
  chex.assert_equal_shape([last, text])
  logits = contrastive.cosines("id,jd->ij", last, text)
  return contrastive.soft_target_contrastive(logits, jnp.arange(len(logits)))

"""Triplets: what belongs together is nearer than what does not.

Letters: B triplets, D feature width. All features are l2-normalized, so an
inner product is a cosine.
"""

import chex
import jax
import jax.numpy as jnp


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
  anchor = anchor.astype(jnp.float32)
  gap = _cosine(anchor, negative) - _cosine(anchor, positive)
  loss = jnp.maximum(0.0, margin + gap)
  if mask is None:
    return jnp.mean(loss)
  chex.assert_equal_shape_prefix([anchor, mask], 1)
  mask = mask.astype(jnp.float32)
  return jnp.sum(mask * loss) / jnp.maximum(mask.sum(), 1.0)


def _cosine(left, right):
  precision = jax.lax.Precision.HIGHEST
  right = right.astype(jnp.float32)
  return jnp.einsum("bd,bd->b", left, right, precision=precision)

"""Image-text matching with hard negatives.

Li et al., "Align before Fuse" (https://arxiv.org/abs/2107.07651), section 3.2,
as Singularity (https://arxiv.org/abs/2206.03428) does it.

Letters: R rows that each want a negative, C candidates, N pairs.
"""

import chex
import jax
import jax.numpy as jnp


def sample_negatives(
  rngs: jax.Array,
  sim: jax.Array,
  row_index: jax.Array,
  column_index: jax.Array,
  *,
  hard: bool = True,
) -> tuple[jax.Array, jax.Array]:
  """Draws one negative for each row.

  A hard negative is drawn in proportion to the softmax of the row's
  similarities, the candidates of its own caption left out. The released code
  adds 1e-4 to all similarities before, which a softmax does not see. A row
  whose caption all candidates share has no negative, where the released code
  fails: it is marked, for its pair to be left out of the loss.

  Args:
    rngs: `[R]` keys, one for each row; consumed.
    sim: `[R, C]` cosines over the temperature; no gradient goes through.
    row_index: `[R]` int, the number of each row's caption.
    column_index: `[C]` int, likewise of the candidates.
    hard: whether to draw hard ones; else all candidates of other captions are
      alike.

  Returns:
    `[R]` int32, a column for each row, and `[R]` bool, whether it is a negative
    (where not, the column is the first and means nothing).
  """
  chex.assert_rank([rngs, sim, row_index, column_index], [1, 2, 1, 1])
  chex.assert_shape(sim, (row_index.shape[0], column_index.shape[0]))
  other = row_index[:, None] != column_index
  # Logarithms: a weight too small for a float can still be the only one.
  logits = jax.lax.stop_gradient(sim.astype(jnp.float32)) if hard else 0.0
  logits = jnp.where(other, logits, -jnp.inf)
  column = jax.vmap(jax.random.categorical)(rngs, logits)
  return column.astype(jnp.int32), other.any(axis=1)


def image_text_matching(
  positive: jax.Array, negative: jax.Array, valid: jax.Array
) -> jax.Array:
  """Returns the cross-entropy of telling matches, the mean over all pairs.

  Of the 3B pairs of a batch B are matches; 2B are a clip with another's text
  and a text with another's clip.

  Args:
    positive: `[B, 2]` logits of (no match, match) of pairs that match.
    negative: `[N, 2]` the same of pairs that do not.
    valid: `[N]` whether a negative counts, see `sample_negatives`.
  """
  chex.assert_rank([positive, negative, valid], [2, 2, 1])
  chex.assert_shape([positive, negative], (None, 2))
  match = jax.nn.log_softmax(positive.astype(jnp.float32))[:, 1]
  other = jax.nn.log_softmax(negative.astype(jnp.float32))[:, 0]
  total = match.sum() + jnp.where(valid, other, 0.0).sum()
  return -total / (match.shape[0] + valid.sum())

"""Masked language modeling, as Singularity's pre-training has it.

Devlin et al., BERT (https://arxiv.org/abs/1810.04805); half of the words are
masked, as in Singularity (https://arxiv.org/abs/2206.03428), its released code.

Letters: N texts, L tokens, V words.
"""

import chex
import jax
import jax.numpy as jnp
import optax

IGNORED = -100  # The label of a place that is not predicted.
_SHARES = (0.8, 0.1)  # Of the places predicted: [MASK], any word; else kept.


def mask_words(
  rngs: jax.Array,
  input_ids: jax.Array,
  attention_mask: jax.Array,
  *,
  mask_id: int,
  vocab_size: int,
  probability: float = 0.5,
) -> tuple[jax.Array, jax.Array]:
  """Hides words of texts.

  Each word is to be predicted with `probability`; [CLS] (the first token) and
  padding never are. Of these places 80 % show [MASK], 10 % a random word, 10 %
  the word itself.

  Args:
    rngs: `[N]` keys, one for each text; consumed.
    input_ids: `[N, L]` int, [CLS] first.
    attention_mask: `[N, L]`, one for tokens, zero for padding.
    mask_id: of [MASK].
    vocab_size: V; random words are below it.
    probability: share of the words to predict.

  Returns:
    `[N, L]` int ids to show, and `[N, L]` labels: the words to predict, and
    `IGNORED`.
  """
  chex.assert_rank([rngs, input_ids], [1, 2])
  chex.assert_equal_shape([input_ids, attention_mask])
  is_word = (attention_mask > 0) & (jnp.arange(input_ids.shape[1]) > 0)

  def draw(rng):
    rng_predict, rng_kind, rng_word = jax.random.split(rng, 3)
    shape = input_ids.shape[1:]
    return (
      jax.random.bernoulli(rng_predict, probability, shape),
      jax.random.uniform(rng_kind, shape),
      jax.random.randint(rng_word, shape, 0, vocab_size),
    )

  predicted, kind, random_word = jax.vmap(draw)(rngs)
  predicted &= is_word
  shown = jnp.where(kind < sum(_SHARES), random_word, input_ids)
  shown = jnp.where(kind < _SHARES[0], mask_id, shown)
  return (
    jnp.where(predicted, shown, input_ids),
    jnp.where(predicted, input_ids, IGNORED),
  )


def word_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """`[N, L, V]` logits, `[N, L]` labels -> `[N, L]`, zero where ignored."""
  chex.assert_equal_shape_prefix([logits, labels], 2)
  known = labels != IGNORED
  losses = optax.softmax_cross_entropy_with_integer_labels(
    logits.astype(jnp.float32), jnp.where(known, labels, 0)
  )
  return jnp.where(known, losses, 0.0)


def masked_language_modeling(losses: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns the mean over the places to predict; zero if there are none.

  Args:
    losses: `[N, L]` of `word_cross_entropy`. It is apart from the mean because
      several devices gather these, not the logits.
    labels: `[N, L]`.
  """
  chex.assert_equal_shape([losses, labels])
  count = (labels != IGNORED).sum()
  return losses.sum() / jnp.maximum(count, 1)

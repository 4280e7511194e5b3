"""What is masked, how often, and the loss by hand."""

import functools

import jax
import numpy as np

from a2r import losses
from a2r.losses import masked_language

MASK_ID, VOCAB = 4, 50


def test_shares_of_masked_random_and_kept_words():
  length = 2000
  input_ids = np.full((2, length), 30)
  mask = np.ones((2, length), int)
  mask[1, 1500:] = 0
  draw = functools.partial(
    masked_language.mask_words, mask_id=MASK_ID, vocab_size=VOCAB
  )
  rngs = jax.random.split(jax.random.key(0), 2)
  shown, labels = jax.device_get(jax.jit(draw)(rngs, input_ids, mask))
  predicted = labels != masked_language.IGNORED
  assert not predicted[:, 0].any() and not predicted[1, 1500:].any()
  np.testing.assert_array_equal(labels[predicted], 30)
  np.testing.assert_array_equal(shown[~predicted], 30)
  np.testing.assert_allclose(predicted[:, 1:1500].mean(), 0.5, atol=0.03)
  shown = shown[predicted]
  np.testing.assert_allclose((shown == MASK_ID).mean(), 0.8, atol=0.03)
  # A random word is [MASK] or the word itself now and then.
  other = (shown != MASK_ID) & (shown != 30)
  np.testing.assert_allclose(other.mean(), 0.1 * 48 / 50, atol=0.02)
  assert len(np.unique(shown[other])) > 35 and shown.max() < VOCAB
  assert (predicted[0, :1500] != predicted[1, :1500]).any()


def test_loss_by_hand():
  logits = np.log([[[1.0, 3.0], [1.0, 1.0]], [[4.0, 1.0], [9.0, 1.0]]])
  labels = np.array([[1, -100], [1, -100]])
  terms = masked_language.word_cross_entropy(logits, labels)
  expected = [[np.log(4 / 3), 0], [np.log(5), 0]]
  np.testing.assert_allclose(terms, expected, rtol=1e-6)
  loss = losses.masked_language_modeling(terms, labels)
  np.testing.assert_allclose(loss, np.log(20 / 3) / 2, rtol=1e-6)


def test_nothing_to_predict_is_no_loss():
  labels = np.full((1, 2), masked_language.IGNORED)

  @jax.jit
  @jax.value_and_grad
  def loss_fn(logits):
    terms = masked_language.word_cross_entropy(logits, labels)
    return losses.masked_language_modeling(terms, labels)

  loss, gradient = loss_fn(np.zeros((1, 2, 3)))
  assert loss == 0
  np.testing.assert_array_equal(gradient, 0)

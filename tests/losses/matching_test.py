"""Negatives are of other captions, hard ones oftener; the loss by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.losses import matching

SIM = np.log([[6.0, 3.0, 1.0], [1.0, 1.0, 2.0], [9.0, 1.0, 9.0]])
INDEX = np.array([0, 1, 0])
DRAWS = 2000


@functools.partial(jax.jit, static_argnames="hard")
def _draw(sim, row_index, column_index, hard=True):
  rngs = jax.random.split(jax.random.key(0), (DRAWS, len(row_index)))
  sample = functools.partial(matching.sample_negatives, hard=hard)
  return jax.vmap(sample, in_axes=(0, None, None, None))(
    rngs, sim, row_index, column_index
  )


def _shares(columns, num):
  return (np.asarray(columns)[..., None] == np.arange(num)).mean(axis=0)


def test_draws_follow_the_weights():
  columns, valid = _draw(SIM, INDEX, INDEX)
  assert np.asarray(valid).all()
  expected = [[0, 1, 0], [1 / 3, 0, 2 / 3], [0, 1, 0]]
  np.testing.assert_allclose(_shares(columns, 3), expected, atol=0.04)


def test_easy_draws_are_even():
  columns, _ = _draw(SIM[:2], np.array([1, 3]), INDEX, hard=False)
  expected = [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
  np.testing.assert_allclose(_shares(columns, 3), expected, atol=0.04)


def test_the_only_negative_is_found_however_unlikely():
  sim = np.array([[500.0, -500.0], [500.0, -500.0]])
  columns, valid = _draw(sim, np.array([0, 1]), np.array([0, 1]))
  assert np.asarray(valid).all()
  np.testing.assert_array_equal(columns, np.tile([1, 0], (DRAWS, 1)))


def test_a_row_without_negatives_is_told_and_left_out():
  columns, valid = _draw(SIM, np.array([0, 0, 0]), np.array([0, 0, 0]))
  assert not np.asarray(valid).any()
  assert np.isin(columns, [0]).all()
  positive = jnp.array([[0.0, 1.0], [2.0, 0.0]])

  def loss_fn(negative, valid):
    return losses.image_text_matching(positive, negative, valid)

  negative = np.array([[0.0, np.log(3.0)], [5.0, 5.0]])
  none = np.zeros(2, bool)
  grad_fn = jax.jit(jax.value_and_grad(loss_fn))
  loss, gradient = grad_fn(negative, none)
  expected = (np.log1p(np.exp(-1)) + np.log1p(np.exp(2))) / 2
  np.testing.assert_allclose(loss, expected, rtol=1e-6)
  np.testing.assert_array_equal(gradient, 0)
  # With the first: log 4 more, over three pairs.
  loss, gradient = grad_fn(negative, np.array([True, False]))
  np.testing.assert_allclose(loss, (2 * expected + np.log(4)) / 3, rtol=1e-6)
  np.testing.assert_array_equal(gradient[1], 0)
  assert np.abs(gradient[0]).min() > 0.1


def test_no_gradient_goes_through_the_similarities():
  def chosen(sim):
    rngs = jax.random.split(jax.random.key(1), 3)
    column, _ = matching.sample_negatives(rngs, sim, INDEX, INDEX)
    return jnp.sum(column.astype(jnp.float32))

  np.testing.assert_array_equal(jax.jit(jax.grad(chosen))(SIM), 0)


def test_rows_draw_by_their_own_keys():
  """Two devices with a half each draw what one draws."""
  rngs = jax.random.split(jax.random.key(2), 3)
  whole, _ = matching.sample_negatives(rngs, SIM, INDEX, INDEX)
  part, _ = matching.sample_negatives(rngs[1:], SIM[1:], INDEX[1:], INDEX)
  np.testing.assert_array_equal(whole[1:], part)

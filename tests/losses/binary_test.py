"""Binary cross-entropy against small sums done by hand."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

VIDEO = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
TEXT = jnp.array([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]])  # Cosines 1, .6, 0.


def sigmoid(x):
  return 1 / (1 + math.exp(-x))


def test_by_hand():
  expected = -(
    math.log(sigmoid(1.0))
    + math.log(1 - sigmoid(0.6))
    + math.log(1 - sigmoid(0.0))
  )
  value = losses.binary_cross_entropy(VIDEO, TEXT, jnp.array([1, 0, 0]))
  np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_labels_of_any_type():
  values = [
    losses.binary_cross_entropy(VIDEO, TEXT, jnp.array([1, 0, 1], dtype))
    for dtype in (bool, jnp.int32, jnp.float32)
  ]
  np.testing.assert_allclose(values, values[0])


def test_orthogonal_clips_are_log_two_each():
  video = jnp.array([[1.0, 0.0]] * 4)
  text = jnp.array([[0.0, 1.0]] * 4)
  value = losses.binary_cross_entropy(video, text, jnp.array([0, 1, 1, 0]))
  np.testing.assert_allclose(value, 4 * math.log(2), rtol=1e-6)


def test_best_and_no_clip():
  # A cosine is at most 1, so the best success still costs -log sigmoid(1).
  best = losses.binary_cross_entropy(VIDEO[:1], TEXT[:1], jnp.array([1]))
  np.testing.assert_allclose(best, -math.log(sigmoid(1.0)), rtol=1e-6)
  none = losses.binary_cross_entropy(VIDEO[:0], TEXT[:0], jnp.zeros(0))
  np.testing.assert_allclose(none, 0.0)


def test_order_does_not_matter_and_signs_mirror():
  success = jnp.array([1, 0, 1])
  value = losses.binary_cross_entropy(VIDEO, TEXT, success)
  order = jnp.array([2, 0, 1])
  again = losses.binary_cross_entropy(VIDEO[order], TEXT[order], success[order])
  mirrored = losses.binary_cross_entropy(VIDEO, -TEXT, 1 - success)
  np.testing.assert_allclose([again, mirrored], value, rtol=1e-6)


def test_gradient_by_hand_finite_and_same_under_jit():
  success = jnp.array([1, 0, 0])
  grad_fn = jax.grad(losses.binary_cross_entropy)
  grad = grad_fn(VIDEO, TEXT, success)
  slope = np.array([sigmoid(1.0) - 1, sigmoid(0.6), sigmoid(0.0)])
  np.testing.assert_allclose(grad, slope[:, None] * TEXT, rtol=1e-5)
  chex.assert_tree_all_finite(grad_fn(100 * VIDEO, TEXT, success))
  chex.assert_trees_all_close(
    jax.jit(grad_fn)(VIDEO, TEXT, success), grad, rtol=1e-6
  )


def test_shapes_are_checked():
  with pytest.raises(AssertionError):
    losses.binary_cross_entropy(VIDEO, TEXT[:2], jnp.zeros(3))
  with pytest.raises(AssertionError):
    losses.binary_cross_entropy(VIDEO, TEXT, jnp.zeros(2))

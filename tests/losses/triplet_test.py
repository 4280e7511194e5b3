"""The triplet loss against numbers done by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

X, Y = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
NEAR = jnp.array([0.6, 0.8])
ANCHOR = jnp.stack([X, X, X])
# Cosines with the anchor: 1, .6, 0 and 0, .6, .6.
POSITIVE, NEGATIVE = jnp.stack([X, NEAR, Y]), jnp.stack([Y, NEAR, NEAR])


def test_by_hand():
  # max(0, .2 - 1 + 0), max(0, .2 - .6 + .6), max(0, .2 - 0 + .6).
  value = losses.triplet_margin(ANCHOR, POSITIVE, NEGATIVE, margin=0.2)
  np.testing.assert_allclose(value, (0 + 0.2 + 0.8) / 3, rtol=1e-6)


def test_mask_leaves_triplets_out():
  mask = jnp.array([1, 1, 0])
  value = losses.triplet_margin(
    ANCHOR, POSITIVE, NEGATIVE, margin=0.2, mask=mask
  )
  np.testing.assert_allclose(value, 0.1, rtol=1e-6)
  none = losses.triplet_margin(
    ANCHOR, POSITIVE, NEGATIVE, margin=0.2, mask=jnp.zeros(3)
  )
  assert none == 0


def test_limits_and_order():
  far = losses.triplet_margin(ANCHOR, ANCHOR, -ANCHOR, margin=0.2)
  assert far == 0
  wrong = losses.triplet_margin(ANCHOR, -ANCHOR, ANCHOR, margin=0.2)
  np.testing.assert_allclose(wrong, 2.2, rtol=1e-6)
  order = jnp.array([2, 0, 1])
  value = losses.triplet_margin(ANCHOR, POSITIVE, NEGATIVE, margin=0.2)
  again = losses.triplet_margin(
    ANCHOR, POSITIVE[order], NEGATIVE[order], margin=0.2
  )
  np.testing.assert_allclose(again, value, rtol=1e-6)


def test_gradient_by_hand_finite_and_the_same_under_jit():
  def loss_fn(*args):
    return losses.triplet_margin(*args, margin=0.2)

  grad_fn = jax.grad(loss_fn, argnums=(0, 1, 2))
  grads = grad_fn(ANCHOR, POSITIVE, NEGATIVE)
  active = jnp.array([[0.0], [1.0], [1.0]]) / 3
  np.testing.assert_allclose(grads[1], -active * ANCHOR, atol=1e-6)
  np.testing.assert_allclose(grads[2], active * ANCHOR, atol=1e-6)
  chex.assert_tree_all_finite(grad_fn(ANCHOR, ANCHOR, ANCHOR))
  chex.assert_trees_all_close(
    jax.jit(grad_fn)(ANCHOR, POSITIVE, NEGATIVE), grads, atol=1e-6
  )


def test_mistakes_are_named():
  with pytest.raises(ValueError, match="margin must be >= 0"):
    losses.triplet_margin(ANCHOR, ANCHOR, ANCHOR, margin=-0.1)
  with pytest.raises(AssertionError):
    losses.triplet_margin(ANCHOR, ANCHOR[:2], ANCHOR, margin=0.1)

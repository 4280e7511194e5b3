"""The classifier's loss and rewards against numbers done by hand."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

# Softmax [1/2, 1/4, 1/4] and [1/6, 2/6, 3/6].
LOGITS = jnp.log(jnp.array([[2.0, 1.0, 1.0], [1.0, 2.0, 3.0]]))


def sigmoid(x):
  return 1 / (1 + math.exp(-x))


def test_cross_entropy_by_hand():
  value = losses.softmax_cross_entropy(LOGITS, jnp.array([0, 1]))
  np.testing.assert_allclose(value, math.log(6) / 2, rtol=1e-6)


def test_cross_entropy_limits_and_properties():
  labels = jnp.array([0, 2])
  value = losses.softmax_cross_entropy(LOGITS, labels)
  shifted = losses.softmax_cross_entropy(LOGITS + 7.0, labels)
  swapped = losses.softmax_cross_entropy(LOGITS[::-1], labels[::-1])
  np.testing.assert_allclose([shifted, swapped], value, rtol=1e-5)
  sure = losses.softmax_cross_entropy(1e4 * jnp.eye(3), jnp.arange(3))
  np.testing.assert_allclose(sure, 0.0)
  none = losses.softmax_cross_entropy(jnp.zeros((4, 5)), jnp.arange(4))
  np.testing.assert_allclose(none, math.log(5), rtol=1e-6)


def test_cross_entropy_gradient():
  labels = jnp.array([0, 1])
  grad_fn = jax.grad(losses.softmax_cross_entropy)
  grad = grad_fn(LOGITS, labels)
  prob = np.array([[1 / 2, 1 / 4, 1 / 4], [1 / 6, 1 / 3, 1 / 2]])
  np.testing.assert_allclose(grad, (prob - np.eye(3)[:2]) / 2, atol=1e-6)
  chex.assert_trees_all_close(jax.jit(grad_fn)(LOGITS, labels), grad)
  chex.assert_tree_all_finite(grad_fn(1e30 * LOGITS, labels))
  with pytest.raises(AssertionError):
    losses.softmax_cross_entropy(LOGITS, labels[:1])


def test_concept2robot_by_hand():
  reward = losses.concept2robot_reward(LOGITS[0])
  expected = [sigmoid(1.5 - 2), sigmoid(0.75 - 2), sigmoid(0.75 - 2)]
  np.testing.assert_allclose(reward, expected, rtol=1e-6)


def test_concept2robot_figures_of_the_paper():
  # 174 classes: p = 1/174, p = 0 and p = .03.
  even = losses.concept2robot_reward(jnp.zeros(174))
  np.testing.assert_allclose(even, sigmoid(-1), rtol=1e-5)
  other = losses.concept2robot_reward(jnp.zeros(174).at[0].set(100))[1]
  np.testing.assert_allclose(other, 0.12, atol=0.001)
  logit = math.log(0.03 / 0.97 * 173)
  some = losses.concept2robot_reward(jnp.zeros(174).at[0].set(logit))[0]
  np.testing.assert_allclose(some, 0.96, atol=0.002)


def test_log_odds_by_hand_and_in_the_order_of_the_reward():
  odds = losses.class_log_odds(LOGITS)
  expected = np.log([[1, 1 / 3, 1 / 3], [1 / 5, 1 / 2, 1]])
  np.testing.assert_allclose(odds, expected, atol=1e-6)
  logits = jax.random.normal(jax.random.key(0), (50, 4))
  odds, reward = (
    np.asarray(f(logits)).ravel()
    for f in (losses.class_log_odds, losses.concept2robot_reward)
  )
  np.testing.assert_array_equal(np.argsort(odds), np.argsort(reward))


def test_log_odds_resolve_what_is_sure():
  logits = jnp.array([[50.0, 0, 0], [60.0, 0, 0]])
  reward = losses.concept2robot_reward(logits)[:, 0]
  assert reward[0] == reward[1]
  odds = losses.class_log_odds(logits)[:, 0]
  np.testing.assert_allclose(odds[1] - odds[0], 10, rtol=1e-5)
  grad = jax.grad(lambda x: losses.class_log_odds(x).sum())(logits)
  chex.assert_tree_all_finite(grad)
  with pytest.raises(AssertionError):
    losses.class_log_odds(jnp.zeros((2, 1)))

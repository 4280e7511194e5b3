"""Classifiers' losses and rewards against numbers done by hand."""

import math

import chex
import jax
import numpy as np

from a2r import losses

binary_cross_entropy = jax.jit(losses.binary_cross_entropy)
softmax_cross_entropy = jax.jit(losses.softmax_cross_entropy)
same_task_discrimination = jax.jit(losses.same_task_discrimination)
concept2robot_reward = jax.jit(losses.concept2robot_reward)
class_log_odds = jax.jit(losses.class_log_odds)

VIDEO = np.float32([[1, 0], [1, 0], [0, 1]])
TEXT = np.float32([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]])  # Cosines 1, .6, 0.
# Softmax [1/2, 1/4, 1/4] and [1/6, 2/6, 3/6].
LOGITS = np.log(np.float32([[2.0, 1.0, 1.0], [1.0, 2.0, 3.0]]))
# P(same) of the first pair is 3/4, of the second 1/5, of the third 1/2.
PAIRS = np.log(np.float32([[1.0, 3.0], [4.0, 1.0], [1.0, 1.0]]))


def sigmoid(x):
  return 1 / (1 + math.exp(-x))


def test_binary_by_hand():
  expected = -(
    math.log(sigmoid(1.0))
    + math.log(1 - sigmoid(0.6))
    + math.log(1 - sigmoid(0.0))
  )
  value = binary_cross_entropy(VIDEO, TEXT, np.array([1, 0, 0]))
  np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_binary_limits():
  video, text = np.array([[1.0, 0.0]] * 4), np.array([[0.0, 1.0]] * 4)
  value = binary_cross_entropy(video, text, np.array([0, 1, 1, 0]))
  np.testing.assert_allclose(value, 4 * math.log(2), rtol=1e-6)
  # A cosine is at most 1, so the best success still costs -log sigmoid(1).
  best = binary_cross_entropy(VIDEO[:1], TEXT[:1], np.array([1]))
  np.testing.assert_allclose(best, -math.log(sigmoid(1.0)), rtol=1e-6)
  none = binary_cross_entropy(VIDEO[:0], TEXT[:0], np.zeros(0))
  np.testing.assert_allclose(none, 0.0)


def test_binary_types_order_and_signs():
  success, order = np.array([1, 0, 1]), np.array([2, 0, 1])
  values = [
    binary_cross_entropy(VIDEO, TEXT, success.astype(dtype))
    for dtype in (bool, np.int32, np.float32)
  ]
  again = binary_cross_entropy(VIDEO[order], TEXT[order], success[order])
  mirrored = binary_cross_entropy(VIDEO, -TEXT, 1 - success)
  np.testing.assert_allclose([*values, again, mirrored], values[0], rtol=1e-6)


def test_binary_gradient_by_hand(check_gradient):
  def loss_fn(video, text):
    return losses.binary_cross_entropy(video, text, np.array([1, 0, 0]))

  _, grads = check_gradient(loss_fn, VIDEO, TEXT)
  slope = np.array([sigmoid(1.0) - 1, sigmoid(0.6), sigmoid(0.0)])
  np.testing.assert_allclose(grads[0], slope[:, None] * TEXT, rtol=1e-5)
  check_gradient(loss_fn, 100 * VIDEO, TEXT)


def test_cross_entropy_by_hand():
  value = softmax_cross_entropy(LOGITS, np.array([0, 1]))
  np.testing.assert_allclose(value, math.log(6) / 2, rtol=1e-6)


def test_cross_entropy_limits_and_properties():
  labels = np.array([0, 2])
  value = softmax_cross_entropy(LOGITS, labels)
  shifted = softmax_cross_entropy(LOGITS + 7.0, labels)
  swapped = softmax_cross_entropy(LOGITS[::-1], labels[::-1])
  np.testing.assert_allclose([shifted, swapped], value, rtol=1e-5)
  sure = softmax_cross_entropy(1e4 * np.eye(3), np.arange(3))
  np.testing.assert_allclose(sure, 0.0)
  none = softmax_cross_entropy(np.zeros((4, 5)), np.arange(4))
  np.testing.assert_allclose(none, math.log(5), rtol=1e-6)


def test_cross_entropy_gradient(check_gradient):
  def loss_fn(logits):
    return losses.softmax_cross_entropy(logits, np.array([0, 1]))

  _, (grad,) = check_gradient(loss_fn, LOGITS)
  prob = np.array([[1 / 2, 1 / 4, 1 / 4], [1 / 6, 1 / 3, 1 / 2]])
  np.testing.assert_allclose(grad, (prob - np.eye(3)[:2]) / 2, atol=1e-6)
  check_gradient(loss_fn, 1e30 * LOGITS)


def test_concept2robot_by_hand_and_figures_of_the_paper():
  reward = concept2robot_reward(LOGITS[0])
  expected = [sigmoid(1.5 - 2), sigmoid(0.75 - 2), sigmoid(0.75 - 2)]
  np.testing.assert_allclose(reward, expected, rtol=1e-6)
  # 174 classes: p = 1/174, p = 0 and p = .03.
  first = np.eye(174)[0]
  even = concept2robot_reward(np.zeros(174))
  np.testing.assert_allclose(even, sigmoid(-1), rtol=1e-5)
  other = concept2robot_reward(100.0 * first)[1]
  np.testing.assert_allclose(other, 0.12, atol=0.001)
  logit = math.log(0.03 / 0.97 * 173)
  some = concept2robot_reward(logit * first)[0]
  np.testing.assert_allclose(some, 0.96, atol=0.002)


def test_log_odds_by_hand_and_in_the_order_of_the_reward():
  odds = class_log_odds(LOGITS)
  expected = np.log([[1, 1 / 3, 1 / 3], [1 / 5, 1 / 2, 1]])
  np.testing.assert_allclose(odds, expected, atol=1e-6)
  logits = np.random.default_rng(0).normal(size=(50, 4))
  odds, reward = (
    np.asarray(f(logits)).ravel()
    for f in (class_log_odds, concept2robot_reward)
  )
  np.testing.assert_array_equal(np.argsort(odds), np.argsort(reward))


def test_log_odds_resolve_what_is_sure():
  logits = np.array([[50.0, 0, 0], [60.0, 0, 0]])
  reward = concept2robot_reward(logits)[:, 0]
  assert reward[0] == reward[1]
  odds = class_log_odds(logits)[:, 0]
  np.testing.assert_allclose(odds[1] - odds[0], 10, rtol=1e-5)
  grad = jax.jit(jax.grad(lambda x: losses.class_log_odds(x).sum()))(logits)
  chex.assert_tree_all_finite(grad)


def test_same_task_by_hand():
  value = same_task_discrimination(PAIRS[:2], PAIRS[1:])
  probabilities = [3 / 4, 1 / 5, 1 - 1 / 5, 1 - 1 / 2]
  expected = -np.mean(np.log(probabilities))
  np.testing.assert_allclose(value, expected, rtol=1e-6)
  mirrored = same_task_discrimination(PAIRS[1:, ::-1], PAIRS[:2, ::-1])
  shifted = same_task_discrimination(PAIRS[:2] + 3, PAIRS[1:] - 5)
  np.testing.assert_allclose([mirrored, shifted], value, rtol=1e-6)
  zeros = np.zeros((3, 2))
  know_nothing = same_task_discrimination(zeros, zeros)
  np.testing.assert_allclose(know_nothing, math.log(2), rtol=1e-6)
  sure = np.array([[-100.0, 100.0]])
  np.testing.assert_allclose(same_task_discrimination(sure, -sure), 0)


def test_same_task_gradient(check_gradient):
  loss_fn = losses.same_task_discrimination
  _, grads = check_gradient(loss_fn, PAIRS[:2], PAIRS[1:])
  # (P(same) - 1) / 4 of the first pair's column `SAME`.
  np.testing.assert_allclose(grads[0][0, 1], -1 / 16, rtol=1e-5)
  check_gradient(loss_fn, 1e20 * PAIRS[:2], PAIRS[1:])

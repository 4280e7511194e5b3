"""LIV's losses against numbers done by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses

value_implicit = jax.jit(losses.value_implicit, static_argnames="gamma")
language_image_contrastive = jax.jit(losses.language_image_contrastive)

X, Y = np.float32([1, 0]), np.float32([0, 1])
# Cosines with the goal X: 1, 0.6, 0, -1.
NEAR = np.float32([0.6, 0.8])


def rows(*vectors):
  return np.stack(vectors)


def unit(seed, num, width=5):
  x = np.random.default_rng(seed).normal(size=(num, width))
  return np.float32(x / np.linalg.norm(x, axis=1, keepdims=True))


def test_value_implicit_by_hand():
  # gamma 1/2, V = 2 S. Two clips with the goals X and X:
  #   S(o_0) = 0, -1; S(o_t) = 0.6, 0; S(o_t+1) = 1, 0.6.
  #   -(r + V' / 2 - V) = 1 - 1 + 1.2 = 1.2 and 1 - 0.6 + 0 = 0.4.
  value = value_implicit(
    rows(Y, -X), rows(NEAR, Y), rows(X, NEAR), rows(X, X), gamma=0.5
  )
  expected = 0.5 + math.log(1e-8 + (math.exp(1.2) + math.exp(0.4)) / 2)
  np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_shuffled_negatives_by_hand():
  # The first clip's frames for the second goal, and the reverse:
  #   S(o_t) = 0 for X, 0.8 for Y; S(o_t+1) = 0.6 and 0.
  #   -(r + V' / 2 - V) = 1 - 0.6 + 0 = 0.4 and 1 - 0 + 1.6 = 2.6.
  args = rows(Y, X), rows(NEAR, Y), rows(X, NEAR), rows(X, Y)
  alone = value_implicit(*args, gamma=0.5)
  value = value_implicit(*args, gamma=0.5, shuffles=np.array([[1, 0]]))
  np.testing.assert_allclose(
    value - alone,
    math.log(1e-8 + (math.exp(0.4) + math.exp(2.6)) / 2),
    rtol=1e-6,
  )
  twice = np.array([[1, 0], [1, 0]])
  again = value_implicit(*args, gamma=0.5, shuffles=twice)
  np.testing.assert_allclose(again, value, rtol=1e-6)


def test_the_worst_and_the_best_frames_do_not_overflow(check_gradient):
  # V falls from 50 to -50: exp(1 + 49 + 50) is no float32.
  worst = value_implicit(rows(-X), rows(X), rows(-X), rows(X))
  np.testing.assert_allclose(worst, 1 + 100, rtol=1e-6)
  # The reverse: exp(-98) is nothing beside eps.
  best = value_implicit(rows(X), rows(-X), rows(X), rows(X))
  np.testing.assert_allclose(best, -1 + math.log(1e-8), rtol=1e-6)
  # Frames that stand still cost their step, log(eps + e).
  value = value_implicit(rows(Y), rows(Y), rows(Y), rows(X))
  np.testing.assert_allclose(value, 1.0, rtol=1e-6)
  for sign in (1, -1):
    args = rows(-X), rows(sign * X), rows(-sign * X), rows(X)
    check_gradient(losses.value_implicit, *args)


def test_order_of_clips_does_not_matter(check_gradient):
  args = [unit(seed, 6) for seed in range(4)]
  value, _ = check_gradient(losses.value_implicit, *args)
  order = np.array([3, 1, 5, 0, 2, 4])
  again = value_implicit(*(x[order] for x in args))
  np.testing.assert_allclose(again, value, rtol=1e-5)


def test_descent_orders_the_frames():
  start, current, following = (unit(seed, 4) for seed in range(3))
  goal = unit(3, 4)

  def loss_fn(raw):
    frames = raw / jnp.linalg.norm(raw, axis=-1, keepdims=True)
    return losses.value_implicit(*frames, goal)

  raw = np.stack([start, current, following])
  grad_fn = jax.jit(jax.grad(loss_fn))
  for _ in range(200):
    raw = raw - 0.01 * np.asarray(grad_fn(raw))
  raw /= np.linalg.norm(raw, axis=-1, keepdims=True)
  now, then = (np.sum(x * goal, axis=1) for x in raw[1:])
  assert (then > now).all()


def test_contrastive_by_hand():
  # Cosines [[1, 0], [.6, .8]].
  value = language_image_contrastive(rows(X, NEAR), rows(X, Y))
  e = math.exp
  to_text = math.log(e(1) / (e(1) + 1)) + math.log(e(0.8) / (e(0.6) + e(0.8)))
  to_image = math.log(e(1) / (e(1) + e(0.6))) + math.log(e(0.8) / (1 + e(0.8)))
  np.testing.assert_allclose(value, -(to_text + to_image) / 4, rtol=1e-6)
  alone = language_image_contrastive(rows(X), rows(Y))
  np.testing.assert_allclose(alone, 0.0)


def test_contrastive_is_symmetric(check_gradient):
  left, right = unit(0, 5), unit(1, 5)
  value, _ = check_gradient(losses.language_image_contrastive, left, right)
  swapped = language_image_contrastive(right, left)
  np.testing.assert_allclose(swapped, value, rtol=1e-6)
  check_gradient(losses.language_image_contrastive, 1e4 * left, right)

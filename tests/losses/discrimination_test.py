"""DVD's pair loss against numbers done by hand."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

# P(same) of the first pair is 3/4, of the second 1/5, of the third 1/2.
PAIRS = jnp.log(jnp.array([[1.0, 3.0], [4.0, 1.0], [1.0, 1.0]]))


def test_by_hand():
  value = losses.same_task_discrimination(PAIRS[:2], PAIRS[1:])
  probabilities = [3 / 4, 1 / 5, 1 - 1 / 5, 1 - 1 / 2]
  expected = -np.mean(np.log(probabilities))
  np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_limits():
  know_nothing = losses.same_task_discrimination(
    jnp.zeros((3, 2)), jnp.zeros((3, 2))
  )
  np.testing.assert_allclose(know_nothing, math.log(2), rtol=1e-6)
  sure = jnp.array([[-100.0, 100.0]])
  np.testing.assert_allclose(losses.same_task_discrimination(sure, -sure), 0)


def test_swapping_the_roles_mirrors_the_columns():
  value = losses.same_task_discrimination(PAIRS[:2], PAIRS[1:])
  mirrored = losses.same_task_discrimination(PAIRS[1:, ::-1], PAIRS[:2, ::-1])
  shifted = losses.same_task_discrimination(PAIRS[:2] + 3, PAIRS[1:] - 5)
  np.testing.assert_allclose([mirrored, shifted], value, rtol=1e-6)


def test_gradient_is_finite_and_the_same_under_jit():
  grad_fn = jax.grad(losses.same_task_discrimination, argnums=(0, 1))
  grad = grad_fn(PAIRS[:2], PAIRS[1:])
  # (P(same) - 1) / 4 of the first pair's column `SAME`.
  np.testing.assert_allclose(grad[0][0, 1], -1 / 16, rtol=1e-5)
  chex.assert_trees_all_close(
    jax.jit(grad_fn)(PAIRS[:2], PAIRS[1:]), grad, rtol=1e-6
  )
  chex.assert_tree_all_finite(grad_fn(1e20 * PAIRS[:2], PAIRS[1:]))


def test_shapes_are_checked():
  with pytest.raises(AssertionError):
    losses.same_task_discrimination(PAIRS, PAIRS[:2])
  with pytest.raises(AssertionError):
    losses.same_task_discrimination(jnp.zeros((2, 3)), jnp.zeros((2, 3)))

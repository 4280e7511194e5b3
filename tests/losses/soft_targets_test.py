"""The contrastive loss with equal captions, by hand."""

import jax
import numpy as np
import pytest

from a2r import losses
from a2r.losses import soft_targets


def test_targets_are_shared_by_equal_captions():
  actual = soft_targets.soft_targets(np.array([4, 7, 4]))
  expected = [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]]
  np.testing.assert_allclose(actual, expected)


def test_value_by_hand():
  # Rows: softmax(0, log 3) = (1/4, 3/4) and (1/2, 1/2); columns: of (0, 0) and
  # of (log 3, 0).
  sim = np.array([[0.0, np.log(3.0)], [0.0, 0.0]])
  rows = (np.log(4) + np.log(2)) / 2
  columns = (np.log(2) + np.log(4)) / 2
  loss = losses.soft_target_contrastive(sim, np.array([0, 1]))
  np.testing.assert_allclose(loss, (rows + columns) / 2, rtol=1e-6)
  # One caption for both: each row's cross-entropy to (1/2, 1/2).
  rows = ((np.log(4) + np.log(4 / 3)) / 2 + np.log(2)) / 2
  loss = losses.soft_target_contrastive(sim, np.array([5, 5]))
  np.testing.assert_allclose(loss, rows, rtol=1e-6)


def test_equal_captions_do_not_repel():
  def loss_fn(sim):
    return losses.soft_target_contrastive(sim, np.array([0, 0, 1]))

  sim = 4 * np.eye(3, dtype=np.float32)
  sim[0, 1] = sim[1, 0] = 4
  gradient = np.asarray(jax.grad(loss_fn)(sim))
  np.testing.assert_allclose(gradient[:2, :2], gradient[0, 0], rtol=1e-4)
  assert (gradient[:2, 2] > 0).all() and gradient[0, 0] < 0


def test_order_of_pairs_does_not_matter():
  sim = np.random.default_rng(0).normal(size=(5, 5)) * 10
  index = np.array([0, 1, 1, 2, 0])
  order = np.array([3, 0, 4, 1, 2])
  loss = losses.soft_target_contrastive(sim, index)
  same = losses.soft_target_contrastive(sim[order][:, order], index[order])
  np.testing.assert_allclose(loss, same, rtol=1e-6)


def test_wrong_shapes_fail():
  with pytest.raises(AssertionError):
    losses.soft_target_contrastive(np.zeros((2, 3)), np.array([0, 1]))

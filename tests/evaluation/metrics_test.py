"""Evaluation numbers against counts done by hand."""

import itertools
import re

import numpy as np
import pytest

from a2r.evaluation import metrics


@pytest.mark.parametrize(
  "scores, labels, auroc",
  [
    # Success and failure: .9 > .8, .9 > .1, .8 = .8, .8 > .1: 3.5 of 4.
    ([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0], 3.5 / 4),
    ([3, 2, 1], [1, 0, 0], 1.0),
    ([1, 2, 3], [1, 0, 0], 0.0),
    ([5, 5, 5, 5], [1, 0, 0, 1], 0.5),
  ],
)
def test_auroc_by_hand(scores, labels, auroc):
  assert metrics.auroc(scores, labels) == auroc


def test_auroc_is_the_share_of_pairs_won():
  draw = np.random.default_rng(0)
  scores = draw.integers(0, 6, 40).astype(float)
  labels = draw.random(40) < 0.4
  pairs = itertools.product(scores[labels], scores[~labels])
  won = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
  for values, share in (
    (scores, won),
    (np.exp(scores), won),
    (-scores, 1 - won),
  ):
    np.testing.assert_allclose(metrics.auroc(values, labels), share)


def test_retrieval_accuracy_by_hand():
  similarity = [[0.9, 0.1, 0.0], [0.3, 0.2, 0.1], [0.0, 0.5, 0.5]]
  # Right, wrong, and one of two equal: (1 + 0 + 1/2) / 3.
  np.testing.assert_allclose(
    metrics.retrieval_accuracy(similarity, [0, 1, 2]), 0.5
  )
  constant = metrics.retrieval_accuracy(np.zeros((5, 4)), np.zeros(5, int))
  assert constant == 0.25


@pytest.mark.parametrize(
  "curve, spearman, pearson",
  [
    # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 (1 + 1) / (4 15) = 0.8. Pearson of
    # (0, 2, 1, 9) with (0, 1, 2, 3): 13 / sqrt(5 50).
    ([0, 2, 1, 9], 0.8, 13 / np.sqrt(250)),
    (np.arange(8), 1, 1),
    (-np.arange(8), -1, -1),
    (np.full(8, 0.3), 0, 0),
    # Ranks do not see the shape of the rise.
    ([0, 1, 10], 1, 10 / np.sqrt(364 / 3)),
  ],
)
def test_value_order_by_hand(curve, spearman, pearson):
  found = metrics.value_order(curve)
  np.testing.assert_allclose(found, [spearman, pearson], atol=1e-12)


def test_somers_d_by_hand():
  # Levels 2 2 1 0, scores 5 3 4 3. Of the five pairs of different levels:
  # 5>4, 5>3, 4>3 right, 3<4 wrong, 3=3 neither: (3 - 1) / 5.
  value = metrics.somers_d([5, 3, 4, 3], [2, 2, 1, 0])
  np.testing.assert_allclose(value, 0.4)


def test_somers_d_limits_and_relatives():
  levels = np.repeat([2, 1, 0], 4)
  assert metrics.somers_d(levels, levels) == 1
  assert metrics.somers_d(-levels, levels) == -1
  assert metrics.somers_d(np.zeros(12), levels) == 0
  draw = np.random.default_rng(0)
  scores = draw.integers(0, 5, 60).astype(float)
  levels = draw.integers(0, 3, 60)
  order = np.sign(levels[:, None] - levels)
  right = order * np.sign(scores[:, None] - scores)
  np.testing.assert_allclose(
    metrics.somers_d(scores, levels), right.sum() / np.abs(order).sum()
  )
  two = levels > 1
  np.testing.assert_allclose(
    metrics.somers_d(scores, two), 2 * metrics.auroc(scores, two) - 1
  )


@pytest.mark.parametrize(
  "function, arguments, name",
  [
    (metrics.auroc, ([1, 2], [1, 1]), "2 successes and 0 failures"),
    (metrics.auroc, ([], []), "0 successes and 0 failures"),
    (metrics.auroc, ([1, np.nan], [1, 0]), "1 scores"),
    (metrics.auroc, ([1, 2, 3], [1, 0]), "labels"),
    (metrics.retrieval_accuracy, (np.zeros((3, 3)), [0, 1]), "(3, 3)"),
    (metrics.somers_d, ([1, 2], [1, 1]), "one level"),
    (metrics.somers_d, ([1, np.inf], [1, 0]), "1 scores"),
    (metrics.somers_d, ([1, 2, 3], [1, 0]), "levels"),
    (metrics.value_order, ([1.0],), "[1.]"),
    (metrics.value_order, ([],), "[]"),
    (metrics.value_order, ([1, np.nan],), "nan"),
    (metrics.value_order, ([[1, 2]],), "[[1. 2.]]"),
  ],
)
def test_errors_name_what_came(function, arguments, name):
  with pytest.raises(ValueError, match=re.escape(name)):
    function(*arguments)

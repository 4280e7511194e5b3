"""Evaluation numbers against counts done by hand."""

import itertools

import numpy as np
import pytest

from a2r.evaluation import metrics


def test_auroc_by_hand_with_a_tie():
  # Pairs (success, failure): .9 > .8, .9 > .1, .8 = .8, .8 > .1: 3.5 of 4.
  assert metrics.auroc([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0]) == 3.5 / 4


def test_auroc_limits():
  assert metrics.auroc([3, 2, 1], [1, 0, 0]) == 1.0
  assert metrics.auroc([1, 2, 3], [1, 0, 0]) == 0.0
  assert metrics.auroc([5, 5, 5, 5], [1, 0, 0, 1]) == 0.5


def test_auroc_is_the_share_of_pairs_won():
  draw = np.random.default_rng(0)
  scores = draw.integers(0, 6, 40).astype(float)
  labels = draw.random(40) < 0.4
  pairs = itertools.product(scores[labels], scores[~labels])
  won = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
  np.testing.assert_allclose(metrics.auroc(scores, labels), won)
  np.testing.assert_allclose(metrics.auroc(np.exp(scores), labels), won)
  np.testing.assert_allclose(metrics.auroc(-scores, labels), 1 - won)


@pytest.mark.parametrize(
  "scores, labels, message",
  [
    ([1, 2], [1, 1], "2 successes and 0 failures"),
    ([], [], "0 successes and 0 failures"),
    ([1, float("nan")], [1, 0], "1 scores are not finite"),
    ([1, 2, 3], [1, 0], "two .N. arrays"),
  ],
)
def test_auroc_errors(scores, labels, message):
  with pytest.raises(ValueError, match=message):
    metrics.auroc(scores, labels)


def test_retrieval_accuracy_by_hand():
  similarity = [[0.9, 0.1, 0.0], [0.3, 0.2, 0.1], [0.0, 0.5, 0.5]]
  # Right, wrong, and one of two equal: (1 + 0 + 1/2) / 3.
  np.testing.assert_allclose(
    metrics.retrieval_accuracy(similarity, [0, 1, 2]), 0.5
  )
  constant = metrics.retrieval_accuracy(np.zeros((5, 4)), np.zeros(5, int))
  assert constant == 0.25
  with pytest.raises(ValueError, match="expected"):
    metrics.retrieval_accuracy(similarity, [0, 1])


def test_mean_by_group():
  means = metrics.mean_by_group([1.0, 2.0, 6.0], ["near", "far", "near"])
  assert means == {"far": 2.0, "near": 3.5}
  with pytest.raises(ValueError, match="one group per value"):
    metrics.mean_by_group([1.0], ["a", "b"])

"""Evaluation numbers against counts done by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

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


def test_best_of_by_hand_with_a_tie():
  # Two of four clips, six pairs. The success at 3 wins its three; of the other
  # three a tie at 1 wins two, half of them a success, and both of it the third.
  scores, labels = [3.0, 1.0, 1.0, 0.0], [1, 1, 0, 0]
  assert metrics.best_of(scores, labels, 2) == pytest.approx((3 + 3 / 2) / 6)


def test_best_of_limits():
  scores, labels = np.arange(10.0), np.arange(10) % 5 == 4
  assert metrics.best_of(scores, labels, 1) == pytest.approx(0.2)
  assert metrics.best_of(scores, labels, 10) == pytest.approx(1.0)
  assert metrics.best_of(-scores, labels, 10) == pytest.approx(0.0)
  assert metrics.best_of(0 * scores, labels, 7) == pytest.approx(0.2)


def test_best_of_is_the_share_of_draws_won():
  rng = np.random.default_rng(0)
  scores, labels = rng.integers(0, 20, 60).astype(float), rng.random(60) < 0.3
  wins = []
  for _ in range(4000):
    drawn = rng.permutation(60)[:5]
    wins.append(labels[drawn[scores[drawn].argmax()]])
  assert metrics.best_of(scores, labels, 5) == pytest.approx(
    np.mean(wins), abs=0.03
  )


@pytest.mark.parametrize("count", [0, 4])
def test_best_of_more_than_there_are(count):
  with pytest.raises(ValueError, match=f"best of {count} clips .* got 3"):
    metrics.best_of(np.zeros(3), np.ones(3), count)


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


def test_value_order_by_hand():
  # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 (1 + 1) / (4 15) = 0.8. Pearson of
  # (0, 2, 1, 9) with (0, 1, 2, 3): 13 / sqrt(5 50).
  spearman, pearson = metrics.value_order([0, 2, 1, 9])
  np.testing.assert_allclose(spearman, 0.8)
  np.testing.assert_allclose(pearson, 13 / np.sqrt(250))


def test_value_order_of_a_clock_is_one_and_of_a_constant_zero():
  np.testing.assert_allclose(metrics.value_order(np.arange(8)), 1)
  np.testing.assert_allclose(metrics.value_order(-np.arange(8)), -1)
  assert metrics.value_order(np.full(8, 0.3)) == (0, 0)
  # Ranks do not see the shape of the rise.
  spearman, pearson = metrics.value_order(np.exp(np.arange(8)))
  np.testing.assert_allclose(spearman, 1)
  assert pearson < 0.9


@pytest.mark.parametrize("curve", [[1.0], [], [1, float("nan")], [[1, 2]]])
def test_value_order_of_no_curve(curve):
  with pytest.raises(ValueError, match="two or more finite rewards"):
    metrics.value_order(curve)


def test_kendall_tau_a_by_hand():
  # Levels 2 2 1 0, scores 5 3 4 3. Of the five pairs of different levels:
  # 5>4, 5>3, 4>3 right, 3<4 wrong, 3=3 neither: (3 - 1) / 5.
  tau = metrics.kendall_tau_a([5, 3, 4, 3], [2, 2, 1, 0])
  np.testing.assert_allclose(tau, 0.4)


def test_kendall_tau_a_limits_and_relatives():
  levels = np.repeat([2, 1, 0], 4)
  assert metrics.kendall_tau_a(levels, levels) == 1
  assert metrics.kendall_tau_a(-levels, levels) == -1
  assert metrics.kendall_tau_a(np.zeros(12), levels) == 0
  draw = np.random.default_rng(0)
  scores = draw.integers(0, 5, 60).astype(float)
  levels = draw.integers(0, 3, 60)
  tau = metrics.kendall_tau_a(scores, levels)
  # Pairs that differ in level alone: Somers' D of the scores.
  np.testing.assert_allclose(tau, stats.somersd(levels, scores).statistic)
  two = levels > 1
  np.testing.assert_allclose(
    metrics.kendall_tau_a(scores, two), 2 * metrics.auroc(scores, two) - 1
  )


@pytest.mark.parametrize(
  "scores, levels, message",
  [
    ([1, 2], [1, 1], "all clips are of one level"),
    ([1, float("inf")], [1, 0], "1 scores are not finite"),
    ([1, 2, 3], [1, 0], "two .N. arrays"),
  ],
)
def test_kendall_tau_a_of_nothing_to_order(scores, levels, message):
  with pytest.raises(ValueError, match=message):
    metrics.kendall_tau_a(scores, levels)

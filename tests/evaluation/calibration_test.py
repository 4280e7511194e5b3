"""Probabilities and thresholds, on scores whose answer is known."""

import numpy as np
import pytest

from a2r.evaluation import calibration
from a2r.models import scorer


@pytest.mark.parametrize("form", ["cosine", "softmax"])
def test_the_scale_and_offset_of_drawn_outcomes_are_found(form):
  rng = np.random.default_rng(0)
  logit = rng.normal(size=20_000)
  success = rng.random(20_000) < 1 / (1 + np.exp(-(2 * logit - 1)))
  scores = logit if form == "cosine" else 1 / (1 + np.exp(-logit))
  found = calibration.fit(scores, success, form)
  np.testing.assert_allclose(found, [2, -1], atol=0.1)
  probability = scorer.probability(scores, form, *found)
  assert calibration.expected_error(probability, success) < 0.02
  assert calibration.expected_error(np.sqrt(probability), success) > 0.1


def test_scores_without_meaning_and_scores_that_are_exact():
  success = np.array([True, False] * 10)
  scale, offset = calibration.fit(1.0 - success, success, "cosine")
  assert scale == pytest.approx(0, abs=1e-6)  # It never turns a reward around.
  assert offset == pytest.approx(0, abs=1e-3)
  scale, offset = calibration.fit(success.astype(float), success, "softmax")
  assert np.isfinite([scale, offset]).all() and scale > 0


def test_expected_error_by_hand():
  probability = np.repeat([0.25, 0.75], 50)
  success = np.r_[np.zeros(50), np.ones(50)].astype(bool)
  assert calibration.expected_error(probability, success) == 0.25
  assert calibration.expected_error(np.array([1.0]), np.array([True])) == 0


def test_threshold_by_hand():
  scores = np.array([0.1, 0.2, 0.6, 0.4, 0.8, 0.9])
  success = np.array([False, False, False, True, True, True])
  found = calibration.threshold(scores, success)
  # Below .4 and above .6 one clip each is wrong; the middle of the two is taken
  # from above.
  assert found.value == pytest.approx(0.7)
  assert found.misses == pytest.approx(1 / 3) and found.false_alarms == 0
  apart = calibration.threshold(np.array([0.2, 0.6]), np.array([False, True]))
  assert apart == (pytest.approx(0.4), 0, 0)

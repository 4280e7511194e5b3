"""Intervals against counts and published examples done by hand."""

import numpy as np
import pytest

from a2r.evaluation import intervals


def test_wilson_by_hand():
  # z = 1.959964, z^2 = 3.841459. For 8 of 10: center (.8 + .192073) / 1.384146
  # = .716741; half width 1.959964 sqrt(.016 + .0096036) / 1.384146 = .226578.
  low, high = intervals.wilson(8, 10)
  np.testing.assert_allclose([low, high], [0.490163, 0.943319], atol=1e-5)
  # For 0 of 10: 0 and z^2 / (10 + z^2).
  low, high = intervals.wilson(0, 10)
  np.testing.assert_allclose([low, high], [0, 3.841459 / 13.841459], atol=1e-6)
  mirrored = intervals.wilson(10, 10)
  np.testing.assert_allclose(mirrored, [1 - high, 1 - low], atol=1e-12)


def test_difference_is_newcombes():
  # The example of his table II: 56 of 70 and 48 of 80.
  low, high = intervals.difference((56, 70), (48, 80))
  np.testing.assert_allclose([low, high], [0.0524, 0.3339], atol=5e-5)
  turned = intervals.difference((48, 80), (56, 70))
  np.testing.assert_allclose(turned, [-high, -low])
  assert intervals.difference((9, 10), (9, 10))[0] < 0


@pytest.mark.parametrize("counts", [(0, 0), (3, 2), (-1, 4)])
def test_wilson_of_impossible_counts(counts):
  with pytest.raises(ValueError, match=f"got {counts[0]} successes of"):
    intervals.wilson(*counts)


def test_interval_of_an_auroc_narrows_with_clips():
  rng = np.random.default_rng(0)
  widths = []
  for num in (20, 500):
    success = np.arange(2 * num) < num
    scores = rng.normal(size=2 * num) + success
    low, high = intervals.mean_auroc(scores, success, np.zeros(2 * num))
    assert low < 0.76 < high  # The true value, Phi(1 / sqrt 2).
    widths.append(high - low)
  # The square root of 25 times as many clips.
  assert 3.5 < widths[0] / widths[1] < 7

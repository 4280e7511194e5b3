"""The probe of a reward's features."""

import numpy as np

from benchmarks import linear_probe


def test_a_probe_tells_what_is_linear_and_rare():
  rng = np.random.default_rng(0)
  features = rng.normal(size=(400, 6)) * [1, 10, 1, 1, 1, 1e-3] + 5
  labels = features[:, 1] > 18  # One in ten.
  scores = linear_probe.fit(features[:200], labels[:200])(features[200:])
  success, failure = scores[labels[200:]], scores[~labels[200:]]
  assert success.mean() - failure.mean() > 1
  # Both outcomes weigh alike: their means lie around zero.
  assert failure.mean() < 0 < success.mean()


def test_a_feature_that_never_changes_is_no_fault():
  features = np.stack([np.arange(10.0), np.ones(10)], axis=1)
  scores = linear_probe.fit(features, features[:, 0] > 4)(features)
  assert np.isfinite(scores).all() and (np.diff(scores) > 0).all()

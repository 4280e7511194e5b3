"""Rewards as probabilities of success, and thresholds for them.

Letters: N clips.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from a2r.models import scorer

_BINS = 10


def fit(scores: np.ndarray, success: np.ndarray, form: str) -> list[float]:
  """Returns `[scale, offset]` that make rewards probabilities of success.

  `P(success) = sigmoid(scale * x + offset)`, x being the log-odds of a form
  that is a probability and the reward itself of others: Platt scaling (1999),
  which is temperature scaling with an offset (Guo et al.,
  https://arxiv.org/abs/1706.04599). As Platt has it, the targets are a little
  off 0 and 1, so that clips which are told apart give finite numbers; the scale
  is not negative.

  Args:
    scores: `[N]` rewards in that form.
    success: `[N]` bool, both kinds among them.
    form: of `adapt2reward.FORMS`.
  """
  x = scorer.log_odds(scores, form)
  done, failed = success.sum(), (~success).sum()
  target = np.where(success, (done + 1) / (done + 2), 1 / (failed + 2))
  spread = x.std() + 1e-9

  def loss(weights):
    logit = weights[0] / spread * x + weights[1]
    slope = 1 / (1 + np.exp(-logit)) - target
    cost = np.logaddexp(0, logit) - target * logit
    return cost.mean(), np.array([(slope * x / spread).mean(), slope.mean()])

  found = optimize.minimize(
    loss, (1.0, 0.0), jac=True, bounds=[(0, None), (None, None)]
  )
  return [float(found.x[0] / spread), float(found.x[1])]


def expected_error(probability: np.ndarray, success: np.ndarray) -> float:
  """Returns the expected calibration error, of ten bins of as many clips.

  The mean over clips of |mean probability - share of successes| of their bin.

  Args:
    probability: `[N]` of success.
    success: `[N]` bool.
  """
  order = np.argsort(probability, kind="stable")
  bins = [part for part in np.array_split(order, _BINS) if len(part)]
  gaps = [
    len(part) * abs(probability[part].mean() - success[part].mean())
    for part in bins
  ]
  return float(sum(gaps) / len(order))


class Threshold(NamedTuple):
  """Where a reward says success, and what that gets wrong.

  Attributes:
    value: the least reward of what is called a success.
    misses: share of the successes below it.
    false_alarms: share of the failures at or above it.
  """

  value: float
  misses: float
  false_alarms: float


def threshold(scores: np.ndarray, success: np.ndarray) -> Threshold:
  """Returns the threshold of the least errors, both kinds weighed alike.

  Half-way between two rewards; of several as good ones the middle one.

  Args:
    scores: `[N]` rewards.
    success: `[N]` bool, both kinds among them.
  """
  values = np.unique(scores)
  cuts = np.r_[values[0], (values[1:] + values[:-1]) / 2]
  called = scores[:, None] >= cuts
  misses = (~called[success]).mean(axis=0)
  alarms = called[~success].mean(axis=0)
  errors = misses + alarms
  best = np.flatnonzero(errors <= errors.min() + 1e-12)
  at = best[len(best) // 2]
  return Threshold(float(cuts[at]), float(misses[at]), float(alarms[at]))

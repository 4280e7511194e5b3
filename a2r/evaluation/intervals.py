"""How far figures can be trusted: 95 % confidence intervals.

Letters: N clips.
"""

import math
import statistics
from collections.abc import Sequence

import numpy as np

_Z = statistics.NormalDist().inv_cdf(0.975)
_NUM_RESAMPLES = 1000


def wilson(successes: float, trials: float) -> tuple[float, float]:
  """Returns Wilson's interval of a success rate, as shares of 1.

  With p the observed rate, n the trials and z the normal quantile (1.96),

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

  Unlike p -+ z sqrt(p (1 - p) / n) it stays within [0, 1] and does not shrink
  to a point at 0 or n successes. E. B. Wilson, Probable inference, 1927
  (https://doi.org/10.1080/01621459.1927.10502953).

  Args:
    successes: how many trials succeeded; p n for a mean p of several rates.
    trials: how many there were; n of `effective_trials` for such a mean.

  Raises:
    ValueError: no trials, or not 0 <= successes <= trials.
  """
  if trials < 1 or not 0 <= successes <= trials:
    raise ValueError(
      f"got {successes} successes of {trials} trials; expected at least one "
      "trial and no more successes than trials"
    )
  rate = successes / trials
  center = rate + _Z**2 / (2 * trials)
  half = _Z * math.sqrt(rate * (1 - rate) / trials + _Z**2 / (4 * trials**2))
  scale = 1 + _Z**2 / trials
  return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def effective_trials(trials: Sequence[float]) -> float:
  """Returns how many trials of one rate tell as much as a mean of k rates.

  The mean of rates p over n_t trials each has the variance p (1 - p) / n with

    n = k^2 / sum_t 1 / n_t,

  which is the sum of the n_t where they are equal, and less where they are not.

  Args:
    trials: k numbers n_t.
  """
  return len(trials) ** 2 / sum(1 / count for count in trials)


def difference(
  first: tuple[float, float], second: tuple[float, float]
) -> tuple[float, float]:
  """Returns Newcombe's interval of the difference of two success rates.

  With rates p, q and Wilson's intervals [l, u], [m, v] of them,

    p - q - sqrt((p - l)^2 + (v - q)^2), p - q + sqrt((u - p)^2 + (q - m)^2).

  It takes the trials as independent: for methods that met the same draws it is
  wider than it need be. R. G. Newcombe, Interval estimation for the difference
  between independent proportions, 1998, method 10.

  Args:
    first: successes and trials, as `wilson` takes them.
    second: the same of the other.
  """
  (low, high), (low2, high2) = wilson(*first), wilson(*second)
  rate, rate2 = first[0] / first[1], second[0] / second[1]
  return (
    rate - rate2 - math.hypot(rate - low, high2 - rate2),
    rate - rate2 + math.hypot(high - rate, rate2 - low2),
  )


def mean_auroc(
  scores: np.ndarray, success: np.ndarray, task: np.ndarray
) -> list[float] | None:
  """Returns the bootstrap interval of the mean AUROC over tasks.

  Successes and failures are drawn anew within each task: the uncertainty that
  comes from the clips, not from the training run. None if no task has both.

  Args:
    scores: `[N]` of each clip for its own instruction.
    success: `[N]` bool.
    task: `[N]` of each clip.
  """
  rng = np.random.default_rng(0)
  draws = []
  for name in dict.fromkeys(task):
    good = scores[success & (task == name)].astype(np.float64)
    bad = scores[~success & (task == name)].astype(np.float64)
    if not len(good) or not len(bad):
      continue
    wins = 0.5 * (np.sign(good[:, None] - bad[None]) + 1.0)
    weights = [
      rng.multinomial(n, np.full(n, 1 / n), size=_NUM_RESAMPLES) / n
      for n in wins.shape
    ]
    draws.append(np.einsum("rg,gb,rb->r", weights[0], wins, weights[1]))
  if not draws:
    return None
  return [float(x) for x in np.quantile(np.mean(draws, 0), (0.025, 0.975))]

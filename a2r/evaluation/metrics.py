"""Measures how good a reward is, by numpy and SciPy.

Letters: N clips, I instructions, T points in time.
"""

import numpy as np
from scipy import stats


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
  """Returns the chance that a success outscores a failure.

  The area under the ROC curve, which is Mann and Whitney's U over all pairs;
  equal scores count half.

  Args:
    scores: `[N]` floats.
    labels: `[N]` True or 1 for success.

  Returns:
    A number in [0, 1]; 0.5 is chance.

  Raises:
    ValueError: a score is not finite, or only one class is there.
  """
  scores = np.asarray(scores, np.float64)
  labels = np.asarray(labels).astype(bool)
  _check(scores, labels, "labels")
  num_successes = int(labels.sum())
  num_failures = labels.size - num_successes
  if not num_successes or not num_failures:
    raise ValueError(
      f"AUROC needs both classes, got {num_successes} successes and "
      f"{num_failures} failures"
    )
  won = stats.mannwhitneyu(
    scores[labels], scores[~labels], method="asymptotic"
  ).statistic
  return float(won / (num_successes * num_failures))


def retrieval_accuracy(similarity: np.ndarray, labels: np.ndarray) -> float:
  """Returns the share of clips whose own instruction scores highest.

  A clip whose n highest instructions are equal, its own among them, counts
  1/n: a constant score is at chance.

  Args:
    similarity: `[N, I]` score of each clip under each instruction.
    labels: `[N]` index of each clip's own instruction.
  """
  similarity = np.asarray(similarity)
  labels = np.asarray(labels)
  if similarity.ndim != 2 or labels.shape != similarity.shape[:1]:
    raise ValueError(
      f"expected [N, I] and [N], got {similarity.shape} and {labels.shape}"
    )
  best = similarity == similarity.max(axis=1, keepdims=True)
  own = np.take_along_axis(best, labels[:, None], axis=1)[:, 0]
  return float(np.mean(own / best.sum(axis=1)))


def value_order(curve: np.ndarray) -> tuple[float, float]:
  """Returns Spearman's and Pearson's correlation of a reward with time.

  Spearman's is the value-order correlation (VOC) of Generative Value Learning
  (Ma et al., https://arxiv.org/abs/2411.04549), of ranks; others print
  Pearson's under the same name. 1 for a reward that rises with every step, so
  for a clock too. A reward that never changes has no order: 0.

  Args:
    curve: `[T]` the reward of a clip up to each of T points in time, in order.

  Raises:
    ValueError: fewer than two points, or one that is not finite.
  """
  curve = np.asarray(curve, np.float64)
  if curve.ndim != 1 or len(curve) < 2 or not np.isfinite(curve).all():
    raise ValueError(
      f"expected two or more finite rewards over time, got {curve}"
    )
  if np.ptp(curve) == 0:
    return 0.0, 0.0
  time = np.arange(len(curve))
  return (
    float(stats.spearmanr(time, curve).statistic),
    float(stats.pearsonr(time, curve).statistic),
  )


def somers_d(scores: np.ndarray, levels: np.ndarray) -> float:
  """Returns how well scores order clips of different levels, in [-1, 1].

  Somers' D of the scores given the levels: over all pairs of clips of different
  levels, the share that is ordered right less the share that is ordered
  wrongly; equal scores are neither. Pairs of one level have no order and are
  not asked for, so that 1 can be reached; with two levels this is 2 AUROC - 1.

  Args:
    scores: `[N]` floats.
    levels: `[N]` numbers, higher for clips that should score higher.

  Raises:
    ValueError: the arrays do not fit, a score is not finite, or all clips are
      of one level.
  """
  scores = np.asarray(scores, np.float64)
  levels = np.asarray(levels, np.float64)
  _check(scores, levels, "levels")
  if np.ptp(levels) == 0:
    raise ValueError("all clips are of one level; no pair has an order")
  if np.ptp(scores) == 0:
    return 0.0  # SciPy says NaN.
  return float(stats.somersd(levels, scores).statistic)


def _check(scores, values, name):
  """Fails unless the scores are finite and as many as the named values."""
  if scores.ndim != 1 or scores.shape != values.shape:
    raise ValueError(
      f"scores and {name} must be two [N] arrays, got {scores.shape} and "
      f"{values.shape}"
    )
  if not np.isfinite(scores).all():
    raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite")

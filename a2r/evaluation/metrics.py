"""Numbers that say how good a reward is, in numpy.

Letters: N clips, I instructions, T points in time.
"""

import numpy as np
from scipy import stats


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
  """Returns the chance that a success outscores a failure.

  The area under the ROC curve, from ranks (Mann-Whitney); equal scores count
  half.

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
  _, index, count = np.unique(scores, return_inverse=True, return_counts=True)
  rank = (np.cumsum(count) - (count - 1) / 2)[index]
  wins = rank[labels].sum() - num_successes * (num_successes + 1) / 2
  return float(wins / (num_successes * num_failures))


def best_of(scores: np.ndarray, labels: np.ndarray, count: int) -> float:
  """Returns the chance that the best scored of `count` clips is a success.

  What a planner asks of a reward: of `count` different clips, drawn at random
  from all, the one with the highest score is taken; among equals, any. Exact,
  by counting: nothing is drawn.

  Args:
    scores: `[N]` finite floats.
    labels: `[N]` True or 1 for success.
    count: 1 to N.

  Returns:
    A number in [0, 1]; a constant score gets the share of successes.

  Raises:
    ValueError: a score is not finite, or there are fewer clips.
  """
  scores = np.asarray(scores, np.float64)
  labels = np.asarray(labels, np.float64)
  _check(scores, labels, "labels")
  if not 1 <= count <= scores.size:
    raise ValueError(f"the best of {count} clips was asked, got {scores.size}")
  _, index, size = np.unique(scores, return_inverse=True, return_counts=True)
  success = np.bincount(index, labels) / size
  # All drawn clips score at most this: C(M, count) of C(N, count) ways.
  left = np.cumsum(size)[:, None] - np.arange(count)
  below = np.prod(left.clip(0) / (scores.size - np.arange(count)), axis=1)
  return float(success @ np.diff(below, prepend=0.0))


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


def kendall_tau_a(scores: np.ndarray, levels: np.ndarray) -> float:
  """Returns how well scores order clips of different levels, in [-1, 1].

  Over all pairs of clips of different levels, the share that is ordered right
  less the share that is ordered wrongly. Equal scores are neither, and stay in
  the denominator: tau-a, where tau-b (`scipy.stats.kendalltau`) would leave
  them out. Pairs of one level have no order and are not asked for, so that 1
  can be reached; with two levels this is 2 AUROC - 1.

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
  order = np.sign(levels[:, None] - levels)
  if not order.any():
    raise ValueError("all clips are of one level; no pair has an order")
  agreement = order * np.sign(scores[:, None] - scores)
  return float(agreement.sum() / np.abs(order).sum())


def mean_by_group(values: np.ndarray, groups: np.ndarray) -> dict:
  """Returns the mean value of each group, keyed by group in sorted order.

  Args:
    values: `[N]` rewards.
    groups: `[N]` names or numbers, for example a clip's source.
  """
  values, groups = np.asarray(values), np.asarray(groups)
  if values.shape != groups.shape:
    raise ValueError(
      f"expected one group per value, got {values.shape} and {groups.shape}"
    )
  return {
    name.item(): float(values[groups == name].mean())
    for name in np.unique(groups)
  }


def _check(scores, values, name):
  """Fails unless the scores are finite and as many as the named values."""
  if scores.ndim != 1 or scores.shape != values.shape:
    raise ValueError(
      f"scores and {name} must be two [N] arrays, got {scores.shape} and "
      f"{values.shape}"
    )
  if not np.isfinite(scores).all():
    raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite")

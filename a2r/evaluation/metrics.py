"""Numbers that say how good a reward is, in numpy.

Letters: N clips, I instructions.
"""

import numpy as np


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
  if scores.ndim != 1 or scores.shape != labels.shape:
    raise ValueError(
      f"scores and labels must be two [N] arrays, got {scores.shape} and "
      f"{labels.shape}"
    )
  if not np.isfinite(scores).all():
    raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite")
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

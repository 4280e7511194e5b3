"""Whether frozen features hold an answer: a linear classifier on them.

Letters: N, M rows, E feature width.
"""

from collections.abc import Callable

import numpy as np

_RIDGE, _EPS = 0.01, 1e-6


def fit(
  features: np.ndarray, labels: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
  """A linear classifier by ridge regression, both outcomes weighing alike.

  Args:
    features: `[N, E]`.
    labels: `[N]` bool.

  Returns:
    probe: `[M, E]` features to `[M]` scores.
  """
  mean, std = features.mean(0), features.std(0) + _EPS

  def inputs(x):
    return np.concatenate([(x - mean) / std, np.ones((len(x), 1))], axis=1)

  share = labels.mean()
  weights = np.where(labels, 0.5 / share, 0.5 / (1 - share)) / len(labels)
  x = inputs(features)
  gram = (x * weights[:, None]).T @ x + _RIDGE * np.eye(x.shape[1])
  solution = np.linalg.solve(gram, x.T @ (weights * np.where(labels, 1, -1)))
  return lambda features: inputs(features) @ solution

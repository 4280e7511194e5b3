"""How familiar a clip is: how near it is to the robot clips of training.

By its nearest neighbors, as Sun et al., "Out-of-Distribution Detection with
Deep Nearest Neighbors" (https://arxiv.org/abs/2204.06507), in two spaces that
the encoder of clips goes through anyway:

  frames:  one minus the cosine of all frames' unit features, in order
  tokens:  Euclidean distance of all frames' mean tokens, each value divided by
           its standard deviation over the training clips

Features tell the robot and the deed; tokens, which are nearer to the picture,
tell what shows nothing at all, such as a black clip, from a robot at rest. Each
distance, the mean to `NEIGHBORS` clips, is divided by that which 95 % of the
clips held out of training stay below (of too few, of the training clips, each
to the others). The larger of both ratios, r, makes the familiarity,
`2 ** -(r / LIMIT) ** 2`: one half where r is `LIMIT`.

Letters: N clips, R training clips, T frames, E feature width, D token width.
"""

from collections.abc import Mapping

import numpy as np

NEIGHBORS = 3
LIMIT = 1.5
TRUSTED = 0.5  # The familiarity there.
MAX_REFERENCE = 512  # Training clips that are kept.
_SHARE = 0.95
_ENOUGH = 20  # Held-out clips.
_EPS = 1e-2  # Of the tokens' mean deviation: values that never change.

Features = Mapping[str, np.ndarray]


def fit(training: Features, held_out: Features | None = None) -> Features:
  """Returns what tells how familiar a clip is.

  Args:
    training: `frames` `[R, T, E]` and `tokens` `[R, T, D]` of training clips,
      R of at least 2.
    held_out: the same of clips that were not trained on.

  Returns:
    These of the training clips, float16, and `limits` `[2]` float32, the
    distance in either space that 95 % stay below.
  """
  reference = {k: np.asarray(training[k], np.float16) for k in _DISTANCES}
  few = held_out is None or len(held_out["frames"]) < _ENOUGH
  distances = [
    distance(reference, training if few else held_out, skip=int(few))
    for distance in _DISTANCES.values()
  ]
  limits = np.quantile(distances, _SHARE, axis=1)
  return reference | {"limits": limits.astype(np.float32)}


def measure(reference: Features, clips: Features) -> np.ndarray:
  """Returns the familiarity `[N]` float32 of clips, in [0, 1].

  Args:
    reference: what `fit` returned.
    clips: `frames` `[N, T, E]` and `tokens` `[N, T, D]`.
  """
  ratios = [
    distance(reference, clips) / max(limit, 1e-6)
    for distance, limit in zip(
      _DISTANCES.values(), reference["limits"], strict=True
    )
  ]
  return np.exp2(-((np.max(ratios, axis=0) / LIMIT) ** 2)).astype(np.float32)


def _frames(reference, clips, skip=0):
  """`[N]` distances of the frames' features."""
  known, asked = (_flat(x["frames"]) for x in (reference, clips))
  known, asked = (
    x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, asked)
  )
  return _nearest(1 - asked @ known.T, skip)


def _tokens(reference, clips, skip=0):
  """`[N]` distances of the frames' mean tokens."""
  known, asked = (_flat(x["tokens"]) for x in (reference, clips))
  mean, std = known.mean(axis=0), known.std(axis=0)
  std = std + _EPS * std.mean() + 1e-6
  known, asked = (known - mean) / std, (asked - mean) / std
  squares = (asked**2).sum(1)[:, None] + (known**2).sum(1) - 2 * asked @ known.T
  return _nearest(np.sqrt(np.maximum(squares, 0)), skip)


_DISTANCES = {"frames": _frames, "tokens": _tokens}


def _flat(x):
  return np.asarray(x, np.float32).reshape(len(x), -1)


def _nearest(distances, skip):
  """`[N]` means over the nearest of `[N, R]`, without as many first ones."""
  num = min(skip + NEIGHBORS, distances.shape[1])
  nearest = np.partition(distances, num - 1, axis=1)[:, :num]
  return np.sort(nearest, axis=1)[:, skip:].mean(axis=1)

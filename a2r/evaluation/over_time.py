"""Rewards over time: of clips up to several points in time.

Letters: N clips, T frames, L instructions, P points in time, M clips with a
curve.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from a2r.core import images
from a2r.evaluation import examples
from a2r.evaluation.labeled import LabeledClips
from a2r.models import scorer as scorer_lib

# Prefixes in memory at once, a multiple of what is scored at once.
_CHUNK = 240
_CLOCK = "clock"


class Curves(NamedTuple):
  """Rewards of some clips up to several points in time.

  Attributes:
    index: `[M]` int, which clips.
    frames: `[P]` int, the last frame of each prefix.
    values: `[M, P]` rewards for the clip's own instruction.
  """

  index: np.ndarray
  frames: np.ndarray
  values: np.ndarray


def rewards(
  scorer: Any,
  clips: LabeledClips,
  texts: Sequence[str],
  num_times: int,
  max_prefix_clips: int,
  seed: int,
) -> Curves:
  """Rewards over time of drawn successes and failures of every task.

  The reward of a clip up to a frame is that of `examples.prefixes`: the rest of
  the clip is filled with that frame, so that all prefixes are as long as the
  clip. The curve of the scorer named 'clock' is the time.

  Args:
    scorer: see `quality.quality`.
    clips: N clips.
    texts: L texts.
    num_times: P, at most one per frame.
    max_prefix_clips: per environment.
    seed: of the draw.
  """
  num_frames = clips.frames.shape[1]
  num_times = min(num_times, num_frames)
  times = images.frame_indices(num_frames, num_times, "ends")
  rng = np.random.default_rng(seed)
  index = _draw(clips, max_prefix_clips // num_times, rng)
  if getattr(scorer, "name", None) == _CLOCK:
    return clock(Curves(index, times, np.zeros((len(index), num_times))))
  size = max(1, min(_CHUNK // num_times, len(index)))
  # Whole chunks: every program is compiled for one number of clips.
  padded = np.resize(index, -(-len(index) // size) * size)
  values = [np.zeros((0, num_times))]
  for rows in padded.reshape(-1, size):
    parts = np.concatenate(
      [examples.prefixes(clips.frames[row])[times] for row in rows]
    )
    own = [texts.index(clips.instruction[row]) for row in rows]
    found = scores(scorer, parts, texts).reshape(size, num_times, len(texts))
    values.append(found[np.arange(size), :, own])
  return Curves(index, times, np.concatenate(values)[: len(index)])


def clock(curves: Curves) -> Curves:
  """The same curves of a reward that is the time."""
  time = np.broadcast_to(curves.frames.astype(float), curves.values.shape)
  return curves._replace(values=time)


def scores(scorer: Any, frames: np.ndarray, texts: Sequence[str]) -> np.ndarray:
  """`[N, L]` rewards by a `Scorer`, or by what has `scores(clips, texts)`."""
  if isinstance(scorer, scorer_lib.Scorer):
    return scorer_lib.scores(scorer, frames, texts)
  return np.asarray(scorer.scores(frames, texts))


def missed(clips: LabeledClips) -> np.ndarray:
  """`[N]` bool: near-misses, or all failures where none are told apart."""
  return clips.near_miss if clips.near_miss.any() else ~clips.success


def means(curves: Curves, clips: LabeledClips) -> dict[str, dict]:
  """Mean rewards over time, per environment and task.

  Returns:
    environment -> task -> `times`, the shares of the clip that were seen;
    `success` and `failure`, mean rewards, and `success_std` and `failure_std`,
    their standard deviations over clips, each `[P]` and left out where there
    are no such clips.
  """
  last = max(clips.frames.shape[1] - 1, 1)
  kinds = {"success": clips.success, "failure": ~clips.success}
  result = {}
  environments = clips.environment[curves.index]
  tasks = clips.task[curves.index]
  for environment, task in dict.fromkeys(
    zip(environments.tolist(), tasks.tolist(), strict=True)
  ):
    mine = (environments == environment) & (tasks == task)
    entry = {"times": (curves.frames / last).tolist()}
    for kind, mask in kinds.items():
      values = curves.values[mine & mask[curves.index]]
      if len(values):
        entry[kind] = values.mean(0).tolist()
        entry[f"{kind}_std"] = values.std(0).tolist()
    result.setdefault(environment, {})[task] = entry
  return result


def _draw(clips: LabeledClips, num_clips: int, rng) -> np.ndarray:
  """`[M]` clips, at most `num_clips` per environment, evenly over tasks.

  At least one success and one failure of each task.
  """
  index = []
  for environment in dict.fromkeys(clips.environment):
    here = clips.environment == environment
    groups = [
      np.flatnonzero(here & (clips.task == task) & kind)
      for task in dict.fromkeys(clips.task[here])
      for kind in (clips.success, missed(clips))
    ]
    size = max(1, num_clips // len(groups))
    for group in groups:
      drawn = rng.choice(group, min(size, len(group)), replace=False)
      index += sorted(drawn.tolist())
  return np.array(index, int)

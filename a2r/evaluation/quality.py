"""Measures how good a reward is apart from a planner that uses it.

  result = quality.quality(scorer, clips, texts)
  result["summary"]    # One dict per environment, means over its tasks.
  result["clock"]      # The same of a reward that only tells the time.

The same figures for every method, each asked of its scores alone:

  auroc*: can it tell success from failure (`by_task.task_rows`)? With a wrong
    instruction, `auroc_wrong_text`, it should not: 0.5 is chance, and less is
    right where failures are good strokes of another task.
  somers_d: does it order success > near-miss > random exploration?
  voc_*: does it rise while a success goes on? The clock's does too, so that
    says little alone; `voc_*_failure` is that of tries that come to nothing.
  wrong_text_*: does the wrong instruction score lower?
  confusion: which instruction scores highest for the successes of each task?

Letters: N clips, T frames, L instructions, P points in time.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from a2r.evaluation import by_task, metrics, over_time
from a2r.evaluation.labeled import LabeledClips
from a2r.models import scorer as scorer_lib

PREFIX_NOTE = (
  "Reward over time: of a clip's frames up to a point in time, the rest of the "
  "clip filled with the last of them, so that its length stays the same."
)


def quality(scorer: Any, clips: LabeledClips, texts: Sequence[str]) -> dict:
  """Returns all figures of one reward, plain values for JSON.

  Args:
    scorer: an `a2r.models.scorer.Scorer`, or anything with `scores(clips,
      texts) -> [N, L]`, such as an `a2r.reward.Reward`.
    clips: N clips of all tasks and environments.
    texts: L instructions, those of the clips among them. The others of them are
      the wrong ones of a clip, so no two should mean the same.

  Returns:
    `rows`, one dict per environment and task; `summary`, their means per
    environment; `confusion`, per environment the tasks and, for each, the share
    of its successes that each text scores highest for; `curves`, per
    environment and task the mean reward over time; `clock`, the summary of a
    reward that is the time; `num_prefix_clips` per environment, how many clips
    up to a point in time were scored; `notes`. A figure is None where the clips
    that it needs are not there.

  Raises:
    ValueError: no clips, or a clip's instruction is not among the texts.
  """
  texts = list(texts)
  unknown = sorted(set(clips.instruction) - set(texts))
  if not len(clips) or unknown:
    what = f"instructions {unknown}" if unknown else "no clips"
    raise ValueError(f"got {what}; expected clips of the texts {texts}")
  if isinstance(scorer, scorer_lib.Scorer):
    score_fn = functools.partial(scorer_lib.scores, scorer)
  else:
    score_fn = scorer.scores
  scores = np.asarray(score_fn(clips.frames, texts))
  curves = over_time.sample_curves(score_fn, clips, texts)
  rows = _task_rows(scores, curves, clips, texts)
  # All clips are of one length, so that a clock scores them alike.
  time = np.broadcast_to(curves.frames.astype(float), curves.values.shape)
  clock = _task_rows(
    np.zeros_like(scores), curves._replace(values=time), clips, texts
  )
  counted = clips.environment[curves.index].tolist()
  return {
    "texts": texts,
    "rows": rows,
    "summary": by_task.mean_rows(rows),
    "clock": by_task.mean_rows(clock),
    "confusion": _confusion(scores, clips),
    "curves": over_time.mean_curves(curves, clips),
    "num_prefix_clips": {
      name: counted.count(name) * len(curves.frames)
      for name in dict.fromkeys(counted)
    },
    "notes": [PREFIX_NOTE],
  }


def from_json(result: Mapping) -> dict:
  """Returns a stored result of `quality`, figures under the names of today."""
  names = {"kendall_tau_a": "somers_d"}
  return dict(result) | {
    key: [{names.get(k, k): v for k, v in row.items()} for row in result[key]]
    for key in ("rows", "summary", "clock")
  }


def _task_rows(
  scores: np.ndarray,
  curves: over_time.Curves,
  clips: LabeledClips,
  texts: Sequence[str],
) -> list[dict]:
  """`by_task.task_rows` with the figures of the module's docstring.

  `wrong_text_margin` is the mean, over successes, of the own instruction's
  reward less the best wrong one's; `wrong_text_higher` the share of them where
  the latter is higher, a tie counting half; `auroc_wrong_text` the mean AUROC
  over the wrong instructions.
  """
  rows = by_task.task_rows(scores, clips, texts)
  own_text = clips.text_index(texts)
  levels = np.select(
    [clips.success, clips.near_miss, clips.explored], [2, 1, 0], -1
  )
  kinds = {"": clips.success, "_failure": clips.near_misses_or_failures}
  for row, (_, _, at) in zip(rows, clips.groups(), strict=True):
    own = own_text[at[0]]
    row |= _text_figures(scores[at], own, clips.success[at])
    ordered = at[levels[at] >= 0]
    row["somers_d"] = None
    if len(np.unique(levels[ordered])) > 1:
      row["somers_d"] = metrics.somers_d(scores[ordered, own], levels[ordered])
    for kind, mask in kinds.items():
      orders = [
        metrics.value_order(values)
        for index, values in zip(curves.index, curves.values, strict=True)
        if index in at and mask[index] and len(values) > 1
      ]
      means = np.mean(orders, axis=0).tolist() if orders else (None, None)
      row[f"voc_spearman{kind}"], row[f"voc_pearson{kind}"] = means
      row[f"num_curves{kind}"] = len(orders)
  return rows


def _text_figures(scores, own: int, success) -> dict:
  """Figures of the wrong instructions for one task's clips (`_task_rows`)."""
  wrong = np.delete(scores, own, axis=1)
  margin = higher = auroc = None
  if wrong.shape[1] and success.any():
    margins = scores[success, own] - wrong[success].max(1)
    margin = float(margins.mean())
    higher = float(np.mean(0.5 * (1 - np.sign(margins))))
    if not success.all():
      values = [metrics.auroc(column, success) for column in wrong.T]
      auroc = float(np.mean(values))
  return {
    "wrong_text_margin": margin,
    "wrong_text_higher": higher,
    "auroc_wrong_text": auroc,
  }


def _confusion(scores: np.ndarray, clips: LabeledClips) -> dict[str, dict]:
  """Which text scores highest for the successes of each task.

  Per environment: `tasks`, `instructions` (one per task) and `share`, a list of
  L shares per task. Texts that tie share a clip.
  """
  best = scores == scores.max(axis=1, keepdims=True)
  best = best / best.sum(axis=1, keepdims=True)
  result = {}
  for environment, task, at in clips.groups():
    empty = {"tasks": [], "instructions": [], "share": []}
    found = result.setdefault(environment, empty)
    at = at[clips.success[at]]
    if len(at):
      found["tasks"].append(task)
      found["instructions"].append(str(clips.instruction[at[0]]))
      found["share"].append(best[at].mean(0).tolist())
  return result

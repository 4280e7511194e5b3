"""Measures how good a reward is apart from a planner that uses it.

  result = quality.quality(scorer, clips, texts)
  result["summary"]    # One dict per environment, means over its tasks.
  result["clock"]      # The same of a reward that only tells the time.

The same figures for every method, each asked of its scores alone:

  auroc*: can it tell success from failure (`evaluate.task_rows`)? With a wrong
    instruction, `auroc_wrong_text`, it should not: 0.5 is chance, and less is
    right where failures are good strokes of another task.
  somers_d: does it order success > near-miss > random exploration?
  voc_*: does it rise while a success goes on? The clock's does too, so that
    says little alone; `voc_*_failure` is that of tries that come to nothing.
  wrong_text_*: does the wrong instruction score lower?
  confusion: which instruction scores highest for the successes of each task?

Letters: N clips, T frames, L instructions, P points in time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from a2r.evaluation import evaluate, metrics, over_time
from a2r.evaluation.labeled import LabeledClips

PREFIX_NOTE = (
  "Reward over time: of a clip's frames up to a point in time, the rest of the "
  "clip filled with the last of them, so that its length stays the same."
)


def quality(
  scorer: Any,
  clips: LabeledClips,
  texts: Sequence[str],
  *,
  num_times: int = 8,
  max_prefix_clips: int = 1000,
  seed: int = 0,
) -> dict:
  """Returns all figures of one reward, plain values for JSON.

  Args:
    scorer: an `a2r.models.scorer.Scorer`, or anything with `scores(clips,
      texts) -> [N, L]`, such as an `a2r.reward.Reward`.
    clips: N clips of all tasks and environments.
    texts: L instructions, those of the clips among them. The others of them are
      the wrong ones of a clip, so no two should mean the same.
    num_times: P, points in time, at most one per frame.
    max_prefix_clips: prefixes scored per environment; half of them of
      successes, half of near-misses (of all failures where none is a
      near-miss), drawn evenly over tasks.
    seed: of this draw.

  Returns:
    `rows`, one dict per environment and task; `summary`, their means per
    environment; `confusion`, per environment the tasks and, for each, the share
    of its successes that each text scores highest for; `curves`, per
    environment and task the mean reward over time; `clock`, the summary of a
    reward that is the time; `num_prefix_clips` per environment; `notes`. A
    figure is None where the clips that it needs are not there.

  Raises:
    ValueError: no clips, or a clip's instruction is not among the texts.
  """
  texts = list(texts)
  unknown = sorted(set(clips.instruction) - set(texts))
  if not len(clips) or unknown:
    what = f"instructions {unknown}" if unknown else "no clips"
    raise ValueError(f"got {what}; expected clips of the texts {texts}")
  scores = over_time.scores(scorer, clips.frames, texts)
  curves = over_time.sample_curves(
    scorer, clips, texts, num_times, max_prefix_clips, seed
  )
  rows = task_rows(scores, curves, clips, texts)
  # All clips are of one length, so that a clock scores them alike.
  alike, time = np.zeros_like(scores), over_time.clock(curves)
  clock = task_rows(alike, time, clips, texts)
  counted = clips.environment[curves.index].tolist()
  return {
    "texts": texts,
    "rows": rows,
    "summary": evaluate.mean_rows(rows),
    "clock": evaluate.mean_rows(clock),
    "confusion": confusion(scores, clips, texts),
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


def task_rows(
  scores: np.ndarray,
  curves: over_time.Curves,
  clips: LabeledClips,
  texts: Sequence[str],
) -> list[dict]:
  """Returns `evaluate.task_rows` with the figures of the module's docstring.

  `wrong_text_margin` is the mean, over successes, of the own instruction's
  reward less the best wrong one's; `wrong_text_higher` the share of them where
  the latter is higher, a tie counting half; `auroc_wrong_text` the mean AUROC
  over the wrong instructions.

  Args:
    scores: `[N, L]`.
    curves: see `over_time.Curves`.
    clips: N clips.
    texts: L texts.
  """
  rows = evaluate.task_rows(scores, clips, texts)
  own_text = clips.text_index(texts)
  for row, (_, _, at) in zip(rows, clips.groups(), strict=True):
    own = own_text[at[0]]
    row |= _text_figures(scores[at], own, clips.success[at])
    row["somers_d"] = _somers_d(scores[at, own], clips, at)
    row |= _order_figures(curves, at, clips)
  return rows


def confusion(
  scores: np.ndarray, clips: LabeledClips, texts: Sequence[str]
) -> dict[str, dict]:
  """Returns which text scores highest for the successes of each task.

  Args:
    scores: `[N, L]`.
    clips: N clips.
    texts: L texts.

  Returns:
    Per environment: `tasks`, `instructions` (one per task) and `share`, a list
    of L shares per task. Texts that tie share a clip.
  """
  best = scores == scores.max(axis=1, keepdims=True)
  best = best / best.sum(axis=1, keepdims=True)
  result = {
    environment: {"tasks": [], "instructions": [], "share": []}
    for environment in dict.fromkeys(clips.environment)
  }
  for environment, task, at in clips.groups():
    at = at[clips.success[at]]
    if len(at):
      result[environment]["tasks"].append(task)
      result[environment]["instructions"].append(str(clips.instruction[at[0]]))
      result[environment]["share"].append(best[at].mean(0).tolist())
  return result


def _text_figures(scores, own: int, success) -> dict:
  """Figures of the wrong instructions for one task's clips (`task_rows`)."""
  wrong = np.delete(scores, own, axis=1)
  figures = dict.fromkeys(
    ("wrong_text_margin", "wrong_text_higher", "auroc_wrong_text")
  )
  if not wrong.shape[1] or not success.any():
    return figures
  margin = scores[success, own] - wrong[success].max(1)
  figures["wrong_text_margin"] = float(margin.mean())
  figures["wrong_text_higher"] = float(np.mean(0.5 * (1 - np.sign(margin))))
  if not success.all():
    values = [metrics.auroc(column, success) for column in wrong.T]
    figures["auroc_wrong_text"] = float(np.mean(values))
  return figures


def _somers_d(own: np.ndarray, clips: LabeledClips, at) -> float | None:
  """Somers' D over success > near-miss > random, None without pairs."""
  levels = np.select(
    [clips.success, clips.near_miss, clips.explored], [2, 1, 0], -1
  )[at]
  known = levels >= 0
  if len(np.unique(levels[known])) < 2:
    return None
  return metrics.somers_d(own[known], levels[known])


def _order_figures(curves: over_time.Curves, at, clips: LabeledClips) -> dict:
  """Value-order correlations of the clips `at`, means over clips."""
  kinds = {"": clips.success, "_failure": clips.near_misses_or_failures}
  figures = {}
  for kind, mask in kinds.items():
    orders = [
      metrics.value_order(values)
      for row, values in zip(curves.index, curves.values, strict=True)
      if row in at and mask[row] and len(values) > 1
    ]
    means = np.mean(orders, axis=0).tolist() if orders else (None, None)
    figures[f"voc_spearman{kind}"], figures[f"voc_pearson{kind}"] = means
    figures[f"num_curves{kind}"] = len(orders)
  return figures

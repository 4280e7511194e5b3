"""What to film next, in sentences, made of a report's figures alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from a2r.evaluation import metrics

NUM_SENTENCES = 3
_SHOWN = 4  # Names in a sentence.
# A label is doubted where the task's other clips have at least this AUROC, and
# there are so many of either outcome.
_KNOWN, _ENOUGH = 0.9, 4
_GAP = 0.1  # Of the AUROC between two cameras or environments.
_GOOD = 0.95  # An AUROC that asks for nothing.
_MISTAKEN = 0.5  # Share of successes that another task's text fits better.
_FEW = 6  # Successes or failures of a task to learn from.


def film_next(result: Any) -> list[str]:
  """Returns at most three sentences, the most pressing first.

  They name which outcome of which task from where, and clips whose label looks
  wrong.

  Args:
    result: an `evaluate.Report`.
  """
  rows = [row for row in result.rows if row["form"] == result.form]
  found = [
    *_doubted_labels(result.clips),
    *_lacking(result.training),
    *_weak_places(rows),
    *_mistaken(rows),
    *_weak_tasks(rows),
  ]
  return found[:NUM_SENTENCES]


def _doubted_labels(clips: Sequence[Mapping]) -> list[str]:
  """Clips that score like the other outcome of a task that is told well.

  Beyond all others of their own outcome, and twice as near to the median of the
  other one, in a task whose other clips have a high AUROC.
  """
  groups: dict[tuple, list] = {}
  for clip in clips:
    place = clip.get("environment"), clip["instruction"]
    groups.setdefault(place, []).append(clip)
  doubted = []
  for group in groups.values():
    scores = np.array([clip["score"] for clip in group])
    success = np.array([clip["success"] for clip in group])
    for row, clip in enumerate(group):
      rest = np.arange(len(group)) != row
      own, other = (
        scores[rest & (success == outcome)]
        for outcome in (success[row], not success[row])
      )
      if min(len(own), len(other)) < _ENOUGH:
        continue
      if metrics.auroc(scores[rest], success[rest]) < _KNOWN:
        continue
      near, far = (abs(scores[row] - np.median(x)) for x in (other, own))
      last = (own < scores[row]) == (np.median(own) < np.median(other))
      if near < far / 2 and last.all():
        doubted.append((near / far, clip))
  doubted.sort(key=lambda pair: pair[0])
  if not doubted:
    return []
  names = ", ".join(
    f"{clip['name']} ({'success' if clip['success'] else 'failure'} of "
    f"{clip['instruction']!r})"
    for _, clip in doubted[:_SHOWN]
  )
  return [
    f"Look at the labels of {names}{_more(doubted)}: they score like the other "
    "outcome of a task that is told well."
  ]


def _more(found: Sequence) -> str:
  return f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""


def _lacking(training: Sequence[Mapping]) -> list[str]:
  """Outcomes that the clips to learn from have none or few of."""
  found = []
  for kind, key in (("failures", "num_failure"), ("successes", "num_success")):
    few = [row for row in training if row[key] < _FEW]
    if few:
      shown = ", ".join(
        f"{row['instruction']!r} ({row[key]})" for row in few[:_SHOWN]
      )
      found.append(f"Film more {kind} of {shown}{_more(few)}.")
  without = [row["instruction"] for row in training if not row["num_near_miss"]]
  if training and without:
    shown = ", ".join(map(repr, without[:_SHOWN]))
    found.insert(
      1,
      f"Film tries that nearly succeed at {shown}{_more(without)}, and say so "
      "(source near_miss): no clip to learn from is known as one.",
    )
  return found


def _weak_places(rows) -> list[str]:
  """The camera or environment that is told worst, if others are not."""
  places: dict[str, list] = {}
  for row in rows:
    if row["auroc"] is not None:
      places.setdefault(row["environment"], []).append(row)
  means = {
    place: sum(row["auroc"] for row in here) / len(here)
    for place, here in places.items()
  }
  if len(means) < 2:
    return []
  worst, best = min(means, key=means.get), max(means, key=means.get)
  if means[best] - means[worst] < _GAP:
    return []
  task = min(places[worst], key=lambda row: row["auroc"])
  return [
    f"Film successes and failures from {worst}: the AUROC is "
    f"{means[worst]:.2f} there and {means[best]:.2f} from {best}, least for "
    f"{task['task']!r} ({task['auroc']:.2f})."
  ]


def _mistaken(rows) -> list[str]:
  """A task whose successes fit other tasks' texts better."""
  asked = [row for row in rows if row["retrieval_tasks"] is not None]
  worst = min(asked, key=lambda row: row["retrieval_tasks"], default=None)
  if worst is None or worst["retrieval_tasks"] >= _MISTAKEN:
    return []
  return [
    f"Film successes of {worst['task']!r} beside the other tasks' in "
    f"{worst['environment']}: {1 - worst['retrieval_tasks']:.0%} of them fit "
    "another task's instruction better."
  ]


def _weak_tasks(rows) -> list[str]:
  """The task that is told worst, and which of its outcomes is the reason."""
  known = [row for row in rows if row["auroc"] is not None]
  worst = min(known, key=lambda row: row["auroc"], default=None)
  if worst is None or worst["auroc"] >= _GOOD:
    return []
  near = worst["auroc_near_miss"]
  what = "successes and failures"
  if near is not None and near < worst["auroc"]:
    what = "tries that nearly succeed"
  return [
    f"Film more {what} of {worst['task']!r} in {worst['environment']}: the "
    f"AUROC is {worst['auroc']:.2f} there."
  ]

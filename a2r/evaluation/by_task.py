"""Figures of scored clips, by environment and task.

Letters: N clips, L instructions.
"""

from collections.abc import Sequence

import numpy as np

from a2r.evaluation import metrics
from a2r.evaluation.labeled import LabeledClips


def task_rows(
  scores: np.ndarray, clips: LabeledClips, instructions: Sequence[str]
) -> list[dict]:
  """Returns the figures of one reward by environment and task, in order.

  A figure is None where the clips it needs are not there. `auroc` sets the
  successes against all failures, `auroc_near_miss` against those of the sources
  that nearly succeed (spoiled strokes, noise on successes, policies stopped
  early), `auroc_random` against those of random exploration. `retrieval` is the
  share of successes whose own instruction scores highest of all L,
  `retrieval_tasks` of those of the evaluated tasks. `reward_<kind>` is a mean
  reward for the own instruction, `reward_other_text` that of the successes for
  the other tasks' instructions.

  Args:
    scores: `[N, L]` the reward of each clip for each instruction.
    clips: N clips.
    instructions: L texts.
  """
  own_text = clips.text_index(instructions)
  evaluated = np.unique(own_text)
  kinds = {
    "": ~clips.success,
    "_near_miss": clips.near_miss,
    "_random": clips.explored,
  }
  rows = []
  for environment, task, at in clips.groups():
    text, success = own_text[at[0]], clips.success[at]
    own, good = scores[at, text], scores[at][success]
    failures = {kind: mask[at] for kind, mask in kinds.items()}
    row = {
      "environment": str(environment),
      "task": str(task),
      "num_success": int(success.sum()),
    }
    for kind, mask in failures.items():
      row[f"num_failure{kind}"] = int(mask.sum())
    for kind, mask in failures.items():
      row[f"auroc{kind}"] = _auroc(own, success, mask)
    others = evaluated != text
    row |= {
      "retrieval": _retrieval(good, text),
      "retrieval_tasks": _retrieval(good[:, evaluated], np.argmin(others)),
      "reward_success": mean(own[success]),
      "reward_other_text": mean(good[:, evaluated[others]]),
      "reward_failure": mean(own[~success]),
      "reward_near_miss": mean(own[failures["_near_miss"]]),
      "reward_random": mean(own[failures["_random"]]),
    }
    rows.append(row)
  return rows


def _auroc(own, success, failure) -> float | None:
  """AUROC of successes against some failures, None if either is empty."""
  if not success.any() or not failure.any():
    return None
  used = success | failure
  return metrics.auroc(own[used], success[used])


def _retrieval(scores, own_text: int) -> float | None:
  """Share of clips whose own text scores highest, None without clips."""
  labels = np.full(len(scores), own_text)
  return metrics.retrieval_accuracy(scores, labels) if len(scores) else None


def mean_rows(rows: Sequence[dict]) -> list[dict]:
  """Returns means over the tasks of each environment; `num_*` are sums.

  Args:
    rows: one dict per environment and task, all with the same figures.
  """
  result = []
  for environment in dict.fromkeys(row["environment"] for row in rows):
    tasks = [row for row in rows if row["environment"] == environment]
    means = {"environment": environment, "num_tasks": len(tasks)}
    for key in (k for k in tasks[0] if k not in ("environment", "task")):
      values = [row[key] for row in tasks]
      means[key] = sum(values) if key.startswith("num_") else mean(values)
    result.append(means)
  return result


def mean(values) -> float | None:
  """Returns the mean of the values that are not None, or None without any."""
  known = [value for value in np.ravel(values) if value is not None]
  return float(np.mean(np.asarray(known, float))) if known else None

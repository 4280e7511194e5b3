"""Chooses the form of a reward: the one that is best on validation clips.

Letters: N clips, L instructions.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from a2r.evaluation import by_task
from a2r.evaluation.labeled import LabeledClips
from a2r.models import adapt2reward as net


def best_form(figures: Mapping[str, float]) -> str:
  """Returns the form with the highest figure, the first among equals."""
  return max(figures, key=figures.get)


def choose_form(
  scores: Mapping[str, np.ndarray],
  clips: LabeledClips,
  instructions: Sequence[str],
  judged: Collection[str],
) -> tuple[str, dict[str, float]]:
  """Returns the form of the highest AUROC, the mean over all tasks.

  Where no clip shows an instruction that is judged, its form is `net.UNSEEN`.

  Args:
    scores: per form `[N, L]`, the reward of each clip for each instruction.
    clips: N validation clips.
    instructions: L texts.
    judged: those that the reward is judged for later.

  Returns:
    The form's name and each form's AUROC.

  Raises:
    ValueError: no task has both successes and failures.
  """
  figures = {}
  for form, values in scores.items():
    rows = by_task.task_rows(values, clips, instructions)
    figures[form] = by_task.mean([row["auroc"] for row in rows])
  if None in figures.values():
    raise ValueError(
      "the form of the reward cannot be chosen: no task of the validation "
      "clips has both successes and failures"
    )
  if net.UNSEEN in figures and not set(clips.instruction) & set(judged):
    return net.UNSEEN, figures
  return best_form(figures), figures


def explain(result: Any) -> str:
  """Returns which form the reward of an `evaluate.Report` has, and why."""
  form, figures = result.form, result.validation
  why = "the first one; there were no clips, or too few, to choose on"
  if figures and form != best_form(figures):
    why = "no validation clip shows the instructions judged"
  elif figures:
    why = f"chosen on the validation clips, AUROC {figures[form]:.2f}"
    if result.num_validation:
      why += " of {} successes and {} failures".format(*result.num_validation)
  return f"Form of the reward: {form} ({why})"

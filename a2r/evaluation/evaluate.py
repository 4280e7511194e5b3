"""Measures a reward on labeled clips: can it tell success from failure?

What a program calls at the end of a training run:

  result = evaluate.evaluate_run(model, {'validation': clips, 'test': clips})
  report.write(result, workdir, config=config.to_dict(), card=card)
  print(report.summary(result))

`model` is an `a2r.reward.Reward`, or anything with `.instructions`, `.form`
and `.form_scores(frames, instructions) -> {form: [N, L]}`; the two values are
`labeled.LabeledClips`. The form of the reward is chosen on the validation clips
alone (`forms.choose_form`); every figure of every form is in the result.

Letters: N clips, L instructions. Pure numpy.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from a2r.evaluation import by_task, forms, intervals, over_time
from a2r.evaluation.labeled import LabeledClips


@dataclasses.dataclass(frozen=True)
class Report:
  """All figures of one evaluation.

  Attributes:
    form: the reward's form.
    validation: mean AUROC per form on the validation clips; {} without them.
    rows: one dict per (form, environment, task), see `by_task.task_rows`.
    summary: one dict per (form, environment): means over tasks, and
      `auroc_interval`, the 95 % bootstrap interval of the mean AUROC.
    examples: one per environment that has both kinds of clip.
    instructions: what retrieval picks from.
    clips: one dict per clip that has a name: `name`, `instruction`, `success`
      and `score`, its reward in the chosen form, highest first.
    notes: what a reader of the figures must know, one line each.
    num_validation: successes and failures among the validation clips.
  """

  form: str
  validation: dict[str, float]
  rows: list[dict]
  summary: list[dict]
  examples: list[over_time.Example]
  instructions: list[str]
  clips: list[dict] = dataclasses.field(default_factory=list)
  notes: list[str] = dataclasses.field(default_factory=list)
  num_validation: list[int] = dataclasses.field(default_factory=list)


def evaluate_run(
  model, datasets: Mapping[str, LabeledClips], *, notes: Sequence[str] = ()
) -> Report:
  """Returns all figures of the clips, scored in every form.

  Args:
    model: an `a2r.reward.Reward` (see the module's docstring for less).
    datasets: {'test': clips, 'validation': clips}; without 'validation' the
      form stays `model.form`, and without a clip in 'test' nothing is measured.
    notes: go into the report.

  Raises:
    ValueError: a set is missing or not known, or 'validation' is empty.
  """
  if "test" not in datasets or set(datasets) - {"test", "validation"}:
    raise ValueError(
      f"got the sets {sorted(datasets)}; expected 'test' and, to choose the "
      "reward's form, 'validation'"
    )
  test, validation = datasets["test"], datasets.get("validation")
  instructions = list(model.instructions)
  result = Report(model.form, {}, [], [], [], instructions, notes=list(notes))
  if not len(test):
    return result
  for clips in datasets.values():
    new = dict.fromkeys(clips.instruction)
    instructions += [text for text in new if text not in instructions]

  form, aurocs, counts = model.form, {}, []
  if validation is not None:
    if not len(validation):
      raise ValueError("the set 'validation' has no clips")
    success = validation.success
    counts = [int(success.sum()), int((~success).sum())]
    scores = model.form_scores(validation.frames, instructions)
    form, aurocs = forms.choose_form(
      scores, validation, instructions, test.instruction
    )
  scores = model.form_scores(test.frames, instructions)
  for name, values in scores.items():
    own = test.own_scores(values, instructions)
    rows = by_task.task_rows(values, test, instructions)
    result.rows.extend({"form": name, **row} for row in rows)
    for row in by_task.mean_rows(rows):
      here = test.environment == row["environment"]
      row["auroc_interval"] = intervals.mean_auroc(
        own[here], test.success[here], test.task[here]
      )
      result.summary.append({"form": name, **row})
  return dataclasses.replace(
    result,
    form=form,
    validation=aurocs,
    examples=over_time.typical_clips(
      model, form, scores[form], test, instructions
    ),
    clips=_clip_rows(scores[form], test, instructions),
    num_validation=counts,
  )


def _clip_rows(scores, clips: LabeledClips, instructions) -> list[dict]:
  """The reward of each clip with a name, highest first per instruction."""
  own = clips.own_scores(scores, instructions)
  return [
    {
      "name": str(clips.name[row]),
      "instruction": str(clips.instruction[row]),
      "success": bool(clips.success[row]),
      "score": float(own[row]),
    }
    for row in np.lexsort((-own, clips.text_index(instructions)))
    if clips.name[row]
  ]

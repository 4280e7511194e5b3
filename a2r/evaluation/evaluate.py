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
from typing import Any

import numpy as np

from a2r.evaluation import by_task, calibration, forms, intervals, over_time
from a2r.evaluation.labeled import NEAR_SOURCES, LabeledClips
from a2r.models import adapt2reward as net
from a2r.models import scorer

_MOST, _FEW = 8, 2  # Worst clips that are shown, of all and of a task.


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
    clips: one dict per clip that has a name: `name`, `instruction`, `task`,
      `environment`, `success`, `score`, its reward in the chosen form, highest
      first, and `outranked`, the share of its task's clips of the other outcome
      that are on the wrong side of it (None without any).
    notes: what a reader of the figures must know, one line each.
    num_validation: successes and failures among the validation clips.
    calibration: `scale` and `offset` of the probability of success, found on
      the validation clips (see `calibration.fit`), and the expected calibration
      errors of the test clips, `error` with and `error_before` without them;
      {} where there are no validation clips.
    thresholds: one dict per instruction of the validation clips: `instruction`,
      `threshold`, and the shares `misses` and `false_alarms` on these clips and
      `test_misses` and `test_false_alarms` on the test clips.
    training: one dict per instruction of the clips to learn from (see
      `count_training`).
    worst: the clips that the other outcome's outrank most, at most two of an
      environment and task.
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
  calibration: dict[str, float] = dataclasses.field(default_factory=dict)
  thresholds: list[dict] = dataclasses.field(default_factory=list)
  training: list[dict] = dataclasses.field(default_factory=list)
  worst: list[over_time.Example] = dataclasses.field(default_factory=list)


def evaluate_run(
  model,
  datasets: Mapping[str, LabeledClips],
  *,
  notes: Sequence[str] = (),
  before: Any = None,
  training: Sequence[dict] = (),
) -> Report:
  """Returns all figures of the clips, scored in every form.

  Args:
    model: an `a2r.reward.Reward` (see the module's docstring for less).
    datasets: {'test': clips, 'validation': clips}; without 'validation' the
      form stays `model.form`, and without a clip in 'test' nothing is measured.
    notes: go into the report.
    before: the reward that the run started from, a model like the other: its
      AUROC, in its own form, is `auroc_before` of all rows.
    training: what `count_training` says of the clips it learned from.

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
  result.training.extend(training)
  if not len(test):
    return result
  for clips in datasets.values():
    new = dict.fromkeys(clips.instruction)
    instructions += [text for text in new if text not in instructions]

  form, aurocs, counts, figures = model.form, {}, [], {}
  if validation is not None:
    if not len(validation):
      raise ValueError("the set 'validation' has no clips")
    success = validation.success
    counts = [int(success.sum()), int((~success).sum())]
    scores = model.form_scores(validation.frames, instructions)
    form, aurocs = forms.choose_form(
      scores, validation, instructions, test.instruction
    )
    chosen = validation, validation.own_scores(scores[form], instructions)
  scores = model.form_scores(test.frames, instructions)
  if validation is not None:
    own = test.own_scores(scores[form], instructions)
    figures = _decide(form, *chosen, test, own)
  aurocs_before = _aurocs_before(before, test)
  for name, values in scores.items():
    own = test.own_scores(values, instructions)
    rows = by_task.task_rows(values, test, instructions)
    for row, auroc in zip(rows, aurocs_before, strict=True):
      row["auroc_before"] = auroc
    result.rows.extend({"form": name, **row} for row in rows)
    for row in by_task.mean_rows(rows):
      here = test.environment == row["environment"]
      row["auroc_interval"] = intervals.mean_auroc(
        own[here], test.success[here], test.task[here]
      )
      result.summary.append({"form": name, **row})
  own = test.own_scores(scores[form], instructions)
  outranked = _outranked(own, test)
  worst = over_time.show_clips(model, form, test, _worst(outranked, test))
  return dataclasses.replace(
    result,
    form=form,
    validation=aurocs,
    examples=over_time.typical_clips(
      model, form, scores[form], test, instructions
    ),
    clips=_clip_rows(own, outranked, test, instructions),
    worst=worst,
    num_validation=counts,
    **figures,
  )


def _aurocs_before(before, clips: LabeledClips) -> list[float | None]:
  """The AUROC of each environment and task by another reward, if any."""
  if before is None:
    return [None for _ in clips.groups()]
  texts = list(dict.fromkeys(clips.instruction))
  scores = before.form_scores(clips.frames, texts)[before.form]
  return [row["auroc"] for row in by_task.task_rows(scores, clips, texts)]


def _decide(form, validation, scores, test, test_scores) -> dict:
  """Fields of a report that make decisions of rewards for their own texts."""
  success, thresholds = validation.success, []
  if success.all() or not success.any():
    return {}
  for text in dict.fromkeys(validation.instruction):
    here = validation.instruction == text
    if len(set(success[here].tolist())) < 2:
      continue
    found = calibration.threshold(scores[here], success[here])
    row = {"instruction": str(text), "threshold": found.value}
    row |= {"misses": found.misses, "false_alarms": found.false_alarms}
    judged = test.instruction == text
    for kind, wanted in (("test_misses", True), ("test_false_alarms", False)):
      values = test_scores[judged & (test.success == wanted)]
      wrong = (values >= found.value) != wanted
      row[kind] = float(wrong.mean()) if len(values) else None
    thresholds.append(row)
  if form not in net.FORMS:
    return {"thresholds": thresholds}
  scale, offset = calibration.fit(scores, success, form)
  calibrated = scorer.probability(test_scores, form, scale, offset)
  plain = (1 + test_scores) / 2 if form == "cosine" else test_scores
  errors = [
    calibration.expected_error(values, test.success)
    for values in (calibrated, plain)
  ]
  figures = dict(zip(("error", "error_before"), errors, strict=True))
  figures |= {"scale": scale, "offset": offset}
  return {"calibration": figures, "thresholds": thresholds}


def count_training(clips: Any) -> list[dict]:
  """Returns what there is to learn each instruction from.

  Args:
    clips: with columns `instruction`, `success` and `source`, as
      `LabeledClips` and `data.dataset.Dataset` have them.

  Returns:
    Dicts with `instruction`, `num_success`, `num_failure` and `num_near_miss`,
    the failures of the sources that nearly succeed.
  """
  near = ~clips.success & np.isin(clips.source.astype(str), NEAR_SOURCES)
  rows = []
  for text in dict.fromkeys(clips.instruction.tolist()):
    here = clips.instruction == text
    done = int(clips.success[here].sum())
    counts = {"num_success": done, "num_failure": int(here.sum()) - done}
    counts["num_near_miss"] = int(near[here].sum())
    rows.append({"instruction": str(text), **counts})
  return rows


def _outranked(own, clips: LabeledClips) -> np.ndarray:
  """`[N]`, the share of the other outcome's clips on the wrong side of each.

  Of those of its environment and task; NaN where there are none.
  """
  outranked = np.full(len(clips), np.nan)
  for _, _, at in clips.groups():
    done, failed = at[clips.success[at]], at[~clips.success[at]]
    if len(done) and len(failed):
      wrong = own[done][:, None] <= own[failed]
      outranked[done], outranked[failed] = wrong.mean(1), wrong.mean(0)
  return outranked


def _worst(outranked, clips: LabeledClips) -> list[int]:
  """The clips that are outranked most, few of an environment and task."""
  rows = []
  for _, _, at in clips.groups():
    wrong = at[np.nan_to_num(outranked[at]) > 0]
    rows += wrong[np.argsort(-outranked[wrong], kind="stable")][:_FEW].tolist()
  return sorted(rows, key=lambda row: -outranked[row])[:_MOST]


def _clip_rows(own, outranked, clips: LabeledClips, instructions) -> list[dict]:
  """What is known of each clip with a name, highest first per instruction."""
  return [
    {
      "name": str(clips.name[row]),
      "instruction": str(clips.instruction[row]),
      "task": str(clips.task[row]),
      "environment": str(clips.environment[row]),
      "success": bool(clips.success[row]),
      "score": float(own[row]),
      "outranked": None if np.isnan(outranked[row]) else outranked[row].item(),
    }
    for row in np.lexsort((-own, clips.text_index(instructions)))
    if clips.name[row]
  ]

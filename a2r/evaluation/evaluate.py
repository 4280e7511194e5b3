"""Measures a reward on labeled clips: can it tell success from failure?

What a program calls at the end of a training run:

  result = evaluate.evaluate_run(model, {'validation': clips, 'test': clips})
  report.write(result, workdir, config=config.to_dict(), card=card)
  print(report.summary(result))

`model` is an `a2r.reward.Reward`, or anything with `.instructions`, `.form`
and `.form_scores(frames, instructions) -> {form: [N, L]}`; the two values are
`labeled.LabeledClips`. The form of the reward is chosen on the validation clips
alone (`choose_form`) and is `result.form`, or `net.UNSEEN` where these show
none of the instructions judged; every figure of every form is in the result.

Letters: N clips, T frames, L instructions. Pure numpy.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from a2r.evaluation import metrics, over_time
from a2r.evaluation.labeled import LabeledClips
from a2r.models import adapt2reward as net


@dataclasses.dataclass(frozen=True)
class Report:
  """All figures of one evaluation.

  Attributes:
    form: the reward's form.
    validation: mean AUROC per form on the validation clips; {} without them.
    rows: one dict per (form, environment, task).
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
  model,
  datasets: Mapping[str, LabeledClips],
  *,
  notes: Sequence[str] = (),
  num_resamples: int = 1000,
  seed: int = 0,
) -> Report:
  """Returns all figures of the clips, scored in every form.

  Args:
    model: an `a2r.reward.Reward` (see the module's docstring for less).
    datasets: {'test': clips, 'validation': clips}; without 'validation' the
      form stays `model.form`.
    notes: go into the report.
    num_resamples: bootstrap resamples behind each interval.
    seed: of the bootstrap.

  Raises:
    ValueError: a set is missing, empty or not known.
  """
  if "test" not in datasets or set(datasets) - {"test", "validation"}:
    raise ValueError(
      f"got the sets {sorted(datasets)}; expected 'test' and, to choose the "
      "reward's form, 'validation'"
    )
  for name, clips in datasets.items():
    if not len(clips):
      raise ValueError(f"the set {name!r} has no clips")
  test = datasets["test"]
  instructions = list(model.instructions)
  for clips in datasets.values():
    new = dict.fromkeys(clips.instruction)
    instructions += [text for text in new if text not in instructions]

  form, validation, num_validation = model.form, {}, []
  if "validation" in datasets:
    clips = datasets["validation"]
    num_validation = [int(clips.success.sum()), int((~clips.success).sum())]
    scores = model.form_scores(clips.frames, instructions)
    form, validation = choose_form(scores, clips, instructions)
    common = set(clips.instruction) & set(test.instruction)
    if not common and net.UNSEEN in scores:
      form = net.UNSEEN
  scores = model.form_scores(test.frames, instructions)
  rows, summary = [], []
  for name, values in scores.items():
    rows += [{"form": name, **r} for r in task_rows(values, test, instructions)]
    summary += [
      {"form": name, **row}
      for row in environment_rows(
        values, test, instructions, num_resamples=num_resamples, seed=seed
      )
    ]
  examples = over_time.typical_clips(
    model, form, scores[form], test, instructions
  )
  return Report(
    form,
    validation,
    rows,
    summary,
    examples,
    instructions,
    clips=clip_rows(scores[form], test, instructions),
    notes=list(notes),
    num_validation=num_validation,
  )


def empty_report(model, notes: Sequence[str]) -> Report:
  """Returns the report of a run without clips to evaluate it on."""
  known = list(model.instructions)
  return Report(model.form, {}, [], [], [], known, notes=list(notes))


def choose_form(
  scores: Mapping[str, np.ndarray],
  clips: LabeledClips,
  instructions: Sequence[str],
) -> tuple[str, dict[str, float]]:
  """Returns the form of the highest AUROC, the mean over all tasks.

  Args:
    scores: per form `[N, L]`, the reward of each clip for each instruction.
    clips: N validation clips.
    instructions: L texts.

  Returns:
    The form's name (the first of `scores` among equals) and each form's AUROC.

  Raises:
    ValueError: no task has both successes and failures.
  """
  figures = {
    form: mean([r["auroc"] for r in task_rows(values, clips, instructions)])
    for form, values in scores.items()
  }
  if None in figures.values():
    raise ValueError(
      "the form of the reward cannot be chosen: no task of the validation "
      "clips has both successes and failures"
    )
  return best_form(figures), figures


def best_form(figures: Mapping[str, float]) -> str:
  """Returns the form with the highest figure, the first among equals."""
  return max(figures, key=figures.get)


def task_rows(
  scores: np.ndarray, clips: LabeledClips, instructions: Sequence[str]
) -> list[dict]:
  """Returns the figures of one form by environment and task, in order.

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
    success, row = clips.success[at], own_text[at[0]]
    failures = {kind: mask[at] for kind, mask in kinds.items()}
    figures = _task_figures(scores[at], row, evaluated, success, failures)
    rows.append({"environment": environment, "task": task} | figures)
  return rows


def _task_figures(scores, own_text, evaluated, success, failures) -> dict:
  """The figures of one task in one environment (see `task_rows`)."""
  own, good = scores[:, own_text], scores[success]
  others = np.setdiff1d(evaluated, own_text)
  in_evaluated = np.searchsorted(evaluated, own_text)
  return {
    "num_success": int(success.sum()),
    **{f"num_failure{k}": int(mask.sum()) for k, mask in failures.items()},
    **{
      f"auroc{kind}": _auroc(own[success], own[mask])
      for kind, mask in failures.items()
    },
    "retrieval": _retrieval(good, own_text),
    "retrieval_tasks": _retrieval(good[:, evaluated], in_evaluated),
    "reward_success": mean(own[success]),
    "reward_other_text": mean(good[:, others]),
    "reward_failure": mean(own[~success]),
    "reward_near_miss": mean(own[failures["_near_miss"]]),
    "reward_random": mean(own[failures["_random"]]),
  }


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


def environment_rows(
  scores: np.ndarray,
  clips: LabeledClips,
  instructions: Sequence[str],
  *,
  num_resamples: int = 1000,
  seed: int = 0,
) -> list[dict]:
  """Returns `mean_rows` of `task_rows`, with `auroc_interval`.

  That is the 2.5 % and 97.5 % points of the mean AUROC when successes and
  failures are resampled within each task: the uncertainty that comes from the
  clips, not from the training run.
  """
  own = scores[np.arange(len(clips)), clips.text_index(instructions)]
  rows = mean_rows(task_rows(scores, clips, instructions))
  for row in rows:
    here = clips.environment == row["environment"]
    row["auroc_interval"] = _auroc_interval(
      own[here], clips.success[here], clips.task[here], num_resamples, seed
    )
  return rows


def clip_rows(
  scores: np.ndarray, clips: LabeledClips, instructions: Sequence[str]
) -> list[dict]:
  """Returns the reward of each clip with a name, highest first per instruction.

  Args:
    scores: `[N, L]` the reward of each clip for each instruction.
    clips: N clips.
    instructions: L texts.
  """
  own_text = clips.text_index(instructions)
  own = scores[np.arange(len(clips)), own_text]
  return [
    {
      "name": str(clips.name[row]),
      "instruction": str(clips.instruction[row]),
      "success": bool(clips.success[row]),
      "score": float(own[row]),
    }
    for row in np.lexsort((-own, own_text))
    if clips.name[row]
  ]


def _auroc_interval(scores, success, task, num_resamples, seed):
  """95 % bootstrap interval of the mean AUROC over tasks, or None."""
  rng = np.random.default_rng(seed)
  draws = []
  for name in dict.fromkeys(task):
    good = scores[success & (task == name)].astype(np.float64)
    bad = scores[~success & (task == name)].astype(np.float64)
    if not len(good) or not len(bad):
      continue
    wins = 0.5 * (np.sign(good[:, None] - bad[None]) + 1.0)
    weights = [
      rng.multinomial(n, np.full(n, 1 / n), size=num_resamples) / n
      for n in wins.shape
    ]
    draws.append(np.einsum("rg,gb,rb->r", weights[0], wins, weights[1]))
  if not draws:
    return None
  return [float(x) for x in np.quantile(np.mean(draws, 0), (0.025, 0.975))]


def _auroc(good: np.ndarray, bad: np.ndarray) -> float | None:
  """AUROC of two groups of scores, None if one is empty."""
  if not len(good) or not len(bad):
    return None
  labels = np.repeat([True, False], [len(good), len(bad)])
  return float(metrics.auroc(np.concatenate([good, bad]), labels))


def _retrieval(scores: np.ndarray, own_text: int) -> float | None:
  """Share of clips whose own text scores highest, None without clips."""
  if not len(scores):
    return None
  return metrics.retrieval_accuracy(scores, np.full(len(scores), own_text))


def mean(values) -> float | None:
  """Returns the mean of the values that are not None, or None without any."""
  values = [
    v for v in np.asarray(values, dtype=object).ravel() if v is not None
  ]
  return float(np.mean(np.asarray(values, float))) if values else None

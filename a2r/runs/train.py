"""One run of launch.train, from the settings to the table at its end."""

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from a2r import reward
from a2r.core import files, hosts, tensors
from a2r.evaluation import evaluate, labeled, metrics, report, scoring
from a2r.learners import base, loop
from a2r.models import familiarity, pretrained, saved, scorer
from a2r.runs import clips as clips_lib
from a2r.runs import datasets, run_folder, weights
from a2r.runs import settings as settings_lib
from a2r.runs.sources import user
from data import pipeline


def run(config: Any, workdir: pathlib.Path):
  """Trains, evaluates and prints the summary.

  Args:
    config: the settings, as configs/envgen.py gives them; `method` says what
      is trained.
    workdir: the run folder; a run that was stopped there goes on.

  Raises:
    ValueError: settings or clips that make no sense.
    signals.StopRequested: the process was asked to stop; all is saved.
  """
  # Start.
  settings = settings_lib.read(config)
  datasets.check(settings.data, settings.eval)
  data = datasets.open_data(
    settings.data, seed=settings.seed, use_failures=settings.uses_failures
  )
  hosts.check_same(
    "the set of clips",
    [
      len(data.robot),
      len(data.human or ()),
      *data.digests.values(),
      data.texts,
    ],
  )
  data = data._replace(notes=(*data.notes, *settings.notes))
  for note in data.notes:
    print(f"NOTE: {note}", file=sys.stderr, flush=True)
  run_folder.store_digests(workdir, data.digests)
  if data.disabled_losses:
    settings = settings_lib.read(config, without=data.disabled_losses)
  start = weights.make_start(settings.model, data.texts, data.num_trained)
  start.tokenizer.save(workdir / "tokenizer.json")

  if not loop.is_finished(workdir, settings.clocks.num_steps):
    # Method.
    clips = clips_lib.Clips(settings, data, start)
    setup = base.Setup(
      model=start.model,
      tokenizer=start.tokenizer,
      max_length=start.max_length,
      init_fn=start.init_fn,
      labels=data.labels,
      texts=data.texts,
      num_trained=data.num_trained,
      clips=clips,
      temperature=config.loss.temperature,
      augmentation=settings.augmentation,
      micro_batch=config.train.micro_batch,
      seed=settings.seed,
      num_steps=settings.clocks.num_steps,
      workdir=workdir,
    )
    training = settings.method.make(setup, settings.options)
    spec = _write_spec(workdir, data, training.spec)
    as_saved = saved.Run(
      workdir, start.model.config, config.to_dict(), spec, start.tokenizer
    )

    # Loop.
    loop.train(
      training.learner,
      training.optimizer or settings.optimizer,
      training.batches_fn or clips.batches,
      settings.clocks,
      workdir=str(workdir),
      seed=settings.seed,
      validate_fn=make_validate_fn(
        settings.method, as_saved, data.validation, frozen=training.frozen
      ),
      best_metric=settings.eval.best_metric if data.use_for_selection else None,
      items=run_folder.read_items(workdir),
    )
  if hosts.is_writer():
    _evaluate(config, settings, workdir, data, start)


def _write_spec(workdir, data, spec):
  """Writes, and returns, what loading needs besides settings and weights."""
  common = {
    "instructions": data.texts,
    "labels": data.labels,
    "num_trained": data.num_trained,
    "form": scoring.FORM,
    "failure_prompts": False,
  }
  spec = common | dict(spec)
  files.write_json(workdir / reward.SPEC_FILE, spec, recorded=True)
  return spec


def make_validate_fn(
  method: base.Method,
  run: saved.Run,
  clips: labeled.LabeledClips,
  *,
  frozen: bool = False,
) -> Callable[[Any, Any], dict[str, float]] | None:
  """Returns `validate(params, extra) -> metrics`, None if there are no clips.

  The metrics: `auroc/<task>`, of the scores for the task's instruction, and
  `auroc`, their mean. A task with one outcome only has none; without any other
  task there are no metrics.

  Args:
    method: what is trained.
    run: it, but for parameters and extra.
    clips: N robot clips, successes and failures.
    frozen: whether the features of clips are the same for all parameters.
  """
  if not len(clips):
    return None
  texts = list(dict.fromkeys(clips.instruction.tolist()))
  kept = []

  def validate(params, extra):
    model = method.make_scorer(run._replace(params=params, extra=extra))
    model = model._replace(params=jax.device_put(model.params))
    features = kept[0] if kept else scorer.encode(model, clips.frames)
    if frozen and not kept:
      kept.append(features)
    scores = scorer.score_features(model, features, texts)
    scores, values = clips.own_scores(scores, texts), {}
    for task in dict.fromkeys(clips.task.tolist()):
      rows = clips.task == task
      if len(set(clips.success[rows].tolist())) == 2:
        values[f"auroc/{task}"] = metrics.auroc(
          scores[rows], clips.success[rows]
        )
    mean = {"auroc": float(np.mean(list(values.values())))} if values else {}
    return mean | values

  return validate


def _store_familiarity(model: scorer.Scorer, data, workdir):
  """Keeps, and returns, what tells clips like those trained on from others."""
  num = min(len(data.robot), familiarity.MAX_REFERENCE)
  rows = np.linspace(0, len(data.robot) - 1, num).astype(int)
  frames = pipeline.load_frames(
    data.robot.select(rows),
    num_frames=model.num_frames,
    image_size=model.image_size,
  )
  held_out = None
  if len(data.validation):
    held_out = scorer.encode_parts(model, data.validation.frames)
  training = scorer.encode_parts(model, frames)
  reference = familiarity.fit(training, held_out)
  tensors.save(workdir / saved.FAMILIARITY_FILE, reference)
  return reference


def _evaluate(config, settings, workdir, data, start):
  """Scores the test clips with the best checkpoint; writes and prints."""
  test = datasets.open_test(settings.data, settings.eval)
  opened = {"test": data.validation if test is None else test}
  if data.use_for_selection:
    opened["validation"] = data.validation
  is_users = settings.data.robot.is_users
  notes, judged = list(data.notes), opened["test"]
  model = scoring.load(workdir)
  reference = None
  if isinstance(model, reward.Reward):
    reference = _store_familiarity(model.scorer, data, workdir)
  if is_users:
    notes += user.judging_notes(
      judged, is_held_out=test is None, selected=data.use_for_selection
    )
    if reference is not None and len(judged):
      parts = scorer.encode_parts(model.scorer, judged.frames)
      near = familiarity.measure(reference, parts)
      notes += user.familiarity_notes(judged, near)
  before, init = None, settings.model.init
  if settings.clocks.num_steps and pretrained.has_sizes(init):
    before = reward.load(init)
  training = evaluate.count_training(data.robot)
  result = evaluate.evaluate_run(
    model, opened, notes=notes, before=before, training=training
  )
  has_forms = result.form != scoring.FORM
  if has_forms:  # A run in training is in the first one.
    spec = files.read_json(workdir / reward.SPEC_FILE) or {}
    found = {"form": result.form}
    if result.calibration:
      keys = ("scale", "offset")
      found["calibration"] = [result.calibration[key] for key in keys]
    _write_spec(workdir, data, spec | found)
  report.write(
    result,
    workdir,
    config=config.to_dict(),
    card=start.card,
    command=run_folder.command_line(),
  )
  print(report.summary(result, data.notes))
  print(f"\nReport: {workdir / report.JSON_FILE}. Use the reward:")
  if has_forms:
    print(f"  python -m launch.score --run={workdir} --help")
    print(f"  python -m launch.export --run={workdir} --to=my_reward")
  if not is_users:
    print(f"  python -m launch.plan --run={workdir}")

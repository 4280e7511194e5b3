"""One training run, from the settings to the table at its end."""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from a2r import reward
from a2r.core import files, optim, signals, text
from a2r.evaluation import evaluate, report, scoring
from a2r.learners import adapt2reward, loop
from a2r.runs import (
  baselines,
  batches,
  demonstrations,
  initial,
  methods,
  run_folder,
  validation,
)
from a2r.runs import datasets as prepare
from a2r.runs.data_settings import USER_SOURCES
from a2r.runs.sources import user
from data import pipeline

AUGMENTS = ("crop_color", "published")


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
  check(config)
  is_baseline = config.method in methods.PARTS
  settings = methods.adjust(config) if is_baseline else config
  data = prepare.open_data(
    settings.data,
    seed=config.seed,
    use_failures="failure" in groups(config) and not is_baseline,
  )
  data = data._replace(notes=(*data.notes, *demonstrations.notes(config)))
  for note in data.notes:
    print(f"NOTE: {note}", file=sys.stderr, flush=True)
  run_folder.store_digests(workdir, data.digests)
  if data.disabled_losses:
    config = settings = without_losses(config, data.disabled_losses)
  start = initial.make_start(settings.model, data)
  start.tokenizer.save(workdir / "tokenizer.json")
  if not loop.is_finished(str(workdir), settings.train.num_steps):
    _train(settings, workdir, data, start)
  _evaluate(config, workdir, data, start)


def _train(config, workdir, data, start):
  is_baseline = config.method in methods.PARTS
  make = baselines.make if is_baseline else _make_method
  method = make(config, workdir, data, start)
  # A run in training is in the first form; `_evaluate` writes the chosen one.
  form = "score" if is_baseline else "cosine"
  _write_spec(workdir, config, data, form=form, **method.spec)
  result = loop.train(
    method.learner,
    method.optimizer,
    method.batches_fn,
    workdir=str(workdir),
    seed=config.seed,
    num_steps=config.train.num_steps,
    epoch_steps=config.train.epoch_steps,
    log_every=config.train.log_every,
    checkpoint_every=config.train.checkpoint_every,
    validate_fn=method.validate_fn if len(data.validation) else None,
    best_metric=config.eval.best_metric if data.use_for_selection else None,
    items={
      "config": json.loads(json.dumps(config.to_dict())),
      "tokenizer": json.loads((workdir / "tokenizer.json").read_text()),
    },
  )
  if not result.finished:
    step = int(result.state.step)
    raise signals.StopRequested(
      f"after step {step} of {config.train.num_steps}"
    )


def _make_method(config, workdir, data, start):
  """Adapt2Reward, as the loop takes it."""
  del workdir
  tokens = start.tokenizer(data.texts, start.max_length)
  return methods.Method(
    _make_learner(config, data, start, tokens),
    optim.make_optimizer(num_steps=config.train.num_steps, **config.optim),
    lambda step: batches.make_batches(
      config, data, start, groups=groups(config), step=step
    ),
    validation.make_validate_fn(
      start.model,
      data.validation,
      data.texts[: data.num_trained],
      tuple(part[: data.num_trained] for part in tokens),
    )
    if len(data.validation)
    else None,
    {},
  )


def check(config: Any):
  """Finds what is wrong with the settings before anything is made.

  Raises:
    ValueError: says which key, and what it should be.
  """
  if config.method not in methods.KNOWN:
    raise ValueError(
      f"unknown method {config.method!r}; known: {', '.join(methods.KNOWN)}"
    )
  prepare.check_names(config)
  initial.check(config.model)
  if config.method in methods.PARTS:
    config = methods.adjust(config)
  num_devices = jax.device_count()
  for name, size in config.train.batch.items():
    if size % num_devices:
      raise ValueError(
        f"train.batch.{name}={size} does not split over {num_devices} "
        f"devices: make it a multiple of {num_devices}"
      )
  clips = sum(config.train.batch[name] for name in groups(config))
  micro_batch = config.train.micro_batch
  if micro_batch < 0 or (micro_batch and clips // num_devices % micro_batch):
    raise ValueError(
      f"train.micro_batch={micro_batch} does not divide the "
      f"{clips // num_devices} clips of a device; 0 takes them all at once"
    )
  for name in ("num_steps", "epoch_steps", "log_every", "checkpoint_every"):
    if config.train[name] < 1:
      raise ValueError(
        f"train.{name} must be at least 1, got {config.train[name]}"
      )
  if config.train.augment not in AUGMENTS:
    raise ValueError(
      f"unknown train.augment {config.train.augment!r}; known: "
      + ", ".join(AUGMENTS)
    )
  if config.train.batch.robot < 1 and config.method != "concept2robot":
    raise ValueError("train.batch.robot must be at least 1")
  source, number = config.data.human.source, config.train.batch.human
  if (source == "none") != (number < 1):
    raise ValueError(
      f"data.human.source={source!r} with train.batch.human={number}: robot "
      "clips alone are source 'none' and 0; sources of human clips: "
      "procedural, ssv2, records, folder"
    )
  _check_failures(config)


def _check_failures(config):
  """Fails where losses on failures have none to look at."""
  weights = config.loss.weights
  if weights.fvlc or weights.bce:
    made = config.data.robot.source == "tabletop"
    for key, count in (
      ("train.batch.failure", config.train.batch.failure),
      ("data.robot.failures", config.data.robot.failures if made else 1),
    ):
      if not count:
        raise ValueError(
          f"{key}=0 needs loss.weights.fvlc=0 and loss.weights.bce=0, got "
          f"{weights.fvlc} and {weights.bce}"
        )


def without_losses(config: Any, names: Sequence[str]) -> Any:
  """The settings with some losses left out, by weights of 0."""
  if not names:
    return config
  config = config.copy_and_resolve_references()
  for name in names:
    config.loss.weights[name] = 0.0
  check(config)
  return config


def groups(config: Any) -> tuple[str, ...]:
  """The parts of a batch that the losses look at."""
  if config.method in methods.PARTS:
    return methods.groups(methods.adjust(config))
  human = ("human",) * bool(config.train.batch.human)
  uses_failures = config.loss.weights.fvlc or config.loss.weights.bce
  return (*human, "robot") + ("failure",) * bool(uses_failures)


def _make_learner(config, data, start, tokens):
  _, failures = data.robot.split()
  clips = None
  if config.loss.weights.fvlc:
    clips = pipeline.load_clips(
      failures,
      num_frames=start.model.config.num_frames,
      image_size=start.model.config.image_size,
    )
  return make_learner(
    config,
    start,
    tokens,
    texts=data.texts,
    failure_frames=None if clips is None else clips.frames,
    failure_task=pipeline.label_rows(failures, data.labels, data.label_by),
  )


def make_learner(config, start, tokens, *, texts, failure_frames, failure_task):
  """The learner of the settings.

  Args:
    config: the settings.
    start: the network and its first weights.
    tokens: ids and mask `[I, L]` of the run's instructions.
    texts: these I instructions.
    failure_frames: see `adapt2reward.make_learner`.
    failure_task: the same.
  """
  may_mirror = None
  if config.train.augment == "published":
    may_mirror = np.array([not text.has_direction(one) for one in texts])
  return adapt2reward.make_learner(
    start.model,
    instruction_ids=tokens[0],
    instruction_mask=tokens[1],
    weights=config.loss.weights.to_dict(),
    temperature=config.loss.temperature,
    crop=config.train.crop,
    color=config.train.color,
    may_mirror=may_mirror,
    micro_batch=config.train.micro_batch,
    initial_params=start.init_fn,
    failure_frames=failure_frames,
    failure_task=failure_task,
  )


def _write_spec(workdir, config, data, form, **more):
  """What loading the run needs besides settings, texts and weights."""
  spec = {
    "instructions": data.texts,
    "labels": data.labels,
    "num_trained": data.num_trained,
    "form": form,
    "failure_prompts": config.loss.weights.fvlc > 0,
  }
  files.write_json(workdir / reward.SPEC_FILE, spec | more)


def _evaluate(config, workdir, data, start):
  """Scores the test clips with the best checkpoint; writes and prints."""
  test = prepare.open_test(config)
  datasets = {"test": data.validation if test is None else test}
  if data.use_for_selection:
    datasets["validation"] = data.validation
  notes = list(data.notes)
  if config.data.robot.source in USER_SOURCES:
    notes += user.judging_notes(
      datasets["test"],
      is_held_out=test is None,
      selected=data.use_for_selection,
    )
  model = scoring.load(workdir)
  if len(datasets["test"]):
    result = evaluate.evaluate_run(model, datasets, notes=notes)
  else:
    result = evaluate.empty_report(model, notes)
  if config.method not in methods.PARTS:
    _write_spec(workdir, config, data, form=result.form)
  report.write(
    result,
    workdir,
    config=config.to_dict(),
    card=start.card,
    command=run_folder.command_line(),
  )
  print(report.summary(result))
  print(f"\nReport: {workdir / report.JSON_FILE}. Use the reward:")
  if config.method not in methods.PARTS:
    print(f"  python -m launch.score --run={workdir} --help")
    print(f"  python -m launch.export --run={workdir} --to=my_reward")
  if config.data.robot.source not in USER_SOURCES:
    print(f"  python -m launch.plan --run={workdir}")

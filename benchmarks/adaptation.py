"""Training runs of `launch.train`, many in one process, with nothing on disk.

The clips, batches, random keys, updates, clusters and the choice of the best
step are those of `launch.train`, so its figures are, up to rounding. Clips are
decoded once, and runs whose programs are equal share them.

Letters: N clips, T frames, S picture size.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r import reward
from a2r.core import optim
from a2r.core import rng as rng_lib
from a2r.evaluation import evaluate, labeled
from a2r.learners import base, loop
from a2r.learners import state as state_lib
from a2r.models import encoders
from a2r.runs import datasets as prepare
from a2r.runs import initial, train, validation
from data import pipeline, samplers

FIGURES = ("auroc", "auroc_near_miss", "auroc_random", "retrieval_tasks")


class Result(NamedTuple):
  """What a run reached.

  Attributes:
    best_step: the step that was judged, best on the validation clips.
    form: form of the reward chosen on the validation clips.
    validation: AUROC of each form on the validation clips.
    figures: form -> environment -> `FIGURES`, means over the tasks.
    seconds: training and evaluation, without making and opening clips; a
      process compiles in the first run of a method.
    cpu_seconds: the same as processor time of all threads.
  """

  best_step: int
  form: str
  validation: dict[str, float]
  figures: dict[str, dict[str, dict[str, float]]]
  seconds: float
  cpu_seconds: float


class Part(NamedTuple):
  """Clips of one part of the batches, in memory.

  Attributes:
    frames: `[N, T, S, S, 3]` uint8.
    task: `[N]` int32, row of the run's instructions.
  """

  frames: np.ndarray
  task: np.ndarray


class Runner:
  """Runs that share clips and programs."""

  def __init__(self, test_config: Any):
    """Opens the test clips, those of the settings `test_config`."""
    self._test = prepare.open_test(test_config)
    self._clips = {}
    self._programs = {}

  def __call__(self, config: Any) -> Result:
    """Trains and judges.

    Args:
      config: the settings, as configs/envgen.py gives them; with
        `train.num_steps` 0 the start is judged.
    """
    if config.train.num_steps:
      train.check(config)
    data, parts = self._open(config)
    clocks = time.monotonic, time.process_time
    begin = [clock() for clock in clocks]
    start = initial.make_start(config.model, data)
    best_step, params = self._train(config, data, parts, start)
    model = reward.Reward(
      encoders.make_encoders(start.model, params, start.tokenizer),
      instructions=data.texts,
      num_trained=data.num_trained,
      form="cosine",
      temperature=config.loss.temperature,
      failure_prompts=config.train.num_steps > 0
      and config.loss.weights.fvlc > 0,
    )
    form, scores, figures = judge(model, data.validation, self._test)
    spent = (c() - b for c, b in zip(clocks, begin, strict=True))
    return Result(best_step, form, scores, figures, *spent)

  def _open(self, config) -> tuple[prepare.Data, dict[str, Part]]:
    """The clips of the settings, kept until others are asked for."""
    key = config.data.to_json(), config.seed
    if key not in self._clips:
      data = prepare.open_data(config.data, seed=config.seed, use_failures=True)
      successes, failures = data.robot.split()
      datasets = {"human": data.human, "robot": successes, "failure": failures}
      sizes = {
        "num_frames": config.model.backbone.num_frames,
        "image_size": config.model.backbone.image_size,
      }
      parts = {
        name: Part(
          pipeline.load_clips(dataset, **sizes).frames,
          pipeline.label_rows(dataset, data.labels, data.label_by),
        )
        for name, dataset in datasets.items()
      }
      self._clips = {key: (data, parts)}
    return self._clips[key]

  def _train(self, config, data, parts, start) -> tuple[int, Any]:
    """The best step and its parameters."""
    tokens = start.tokenizer(data.texts, start.max_length)
    learner = train.make_learner(
      config,
      start,
      tokens,
      texts=data.texts,
      failure_frames=parts["failure"].frames,
      failure_task=parts["failure"].task,
    )
    rng = rng_lib.step_key(config.seed, loop.INIT)
    steps = config.train.num_steps
    if not steps:
      return 0, jax.device_put(learner.init(rng)[0])
    optimizer = optim.make_optimizer(num_steps=steps, **config.optim)
    step_fn, validate_fn = self._find_programs(
      config, data, start.model, tokens, learner, optimizer
    )
    state = jax.device_put(state_lib.create(*learner.init(rng), optimizer))
    best = -np.inf, 0, None
    batches = make_batches(
      {name: parts[name] for name in train.groups(config)},
      config.train.batch,
      seed=config.seed,
      num_steps=steps,
    )
    for step, batch in enumerate(batches, 1):
      state, metrics = step_fn(state, batch, config.seed)
      if step % config.train.epoch_steps == 0:
        _check(step, metrics)
        if learner.on_epoch is not None and step < steps:
          host = jax.device_get((state.params, state.extra))
          extra, _ = learner.on_epoch(*host, step // config.train.epoch_steps)
          state = state.replace(extra=jax.device_put(extra))
      elif step < steps:
        continue
      score = validate_fn(state.params, None)[config.eval.best_metric]
      # The newest of equals, as checkpoints are chosen.
      best = max(best, (score, step, state.params), key=lambda b: b[:2])
    return best[1:]

  def _find_programs(self, config, data, model, tokens, learner, optimizer):
    """The compiled step and the validation of equal settings."""
    settings = (config[key].to_json() for key in ("loss", "optim", "train"))
    texts = *data.texts, *(part.tobytes() for part in tokens)
    key = (model, data.num_trained, *settings, *texts)
    if key not in self._programs:

      def step_fn(state, batch, seed):
        step_fn = base.make_step_fn(learner.loss_fn, optimizer, seed, None)
        return step_fn(state, batch)

      validate_fn = validation.make_validate_fn(
        model,
        data.validation,
        data.texts[: data.num_trained],
        tuple(part[: data.num_trained] for part in tokens),
      )
      self._programs[key] = jax.jit(step_fn), validate_fn
    return self._programs[key]


def make_batches(
  parts: dict[str, Part], sizes: Any, *, seed: int, num_steps: int
) -> Iterator[dict[str, dict[str, np.ndarray]]]:
  """Yields what `data.pipeline.make_batches` does of clips in memory.

  Args:
    parts: the clips.
    sizes: clips of a batch, by the names of `parts`.
    seed: of the run.
    num_steps: number of batches.

  Yields:
    `frames`, `task` and `record` of each part.
  """
  samples = {
    name: samplers.make_sampler(
      np.zeros_like(part.task) if name == "human" else part.task,
      seed=seed,
      stream=pipeline.PARTS.index(name),
    )
    for name, part in parts.items()
  }
  for step in range(num_steps):
    batch = {}
    for name, part in parts.items():
      rows = samples[name](samplers.batch_places(step, sizes[name]))
      batch[name] = {
        "frames": part.frames[rows],
        "task": part.task[rows],
        "record": rows,
      }
    yield batch


def judge(
  model: Any,
  validation_clips: labeled.LabeledClips,
  test_clips: labeled.LabeledClips,
) -> tuple[str, dict[str, float], dict[str, dict[str, dict[str, float]]]]:
  """Form, validation and figures of a `Result`; see there.

  Args:
    model: an `a2r.reward.Reward`.
    validation_clips: choose the form.
    test_clips: are judged. Forms without a meaning for the run are left out.
  """
  texts = list(
    dict.fromkeys(
      [
        *model.instructions,
        *validation_clips.instruction,
        *test_clips.instruction,
      ]
    )
  )
  form, scores = evaluate.choose_form(
    model.form_scores(validation_clips.frames, texts), validation_clips, texts
  )
  if not model.prompted_instructions:
    scores.pop("own_failures")
  tests = model.form_scores(test_clips.frames, texts)
  figures = {}
  for name in scores:
    rows = evaluate.environment_rows(
      tests[name], test_clips, texts, num_resamples=1
    )
    figures[name] = {
      row["environment"]: {key: row[key] for key in FIGURES} for row in rows
    }
  return form, scores, figures


def _check(step: int, metrics: dict[str, jax.Array]):
  """Fails where a metric is not finite."""
  faults = {k: float(v) for k, v in metrics.items() if not np.isfinite(v)}
  if faults:
    raise FloatingPointError(f"step {step}: {faults}")

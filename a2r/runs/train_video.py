"""One training run of a video model, to the table at its end."""

import json
import pathlib
from typing import Any

import jax
import numpy as np

from a2r.core import checkpoint as checkpoint_lib
from a2r.core import compilation, files, optim, signals
from a2r.evaluation import figures, report, video_prediction
from a2r.learners import fitvid as method
from a2r.learners import loop
from a2r.models.fitvid import fitvid
from a2r.runs import run_folder
from a2r.runs.sources import play
from data import windows

_SHOWN = 5  # Windows in the picture.


def run(config: Any, workdir: pathlib.Path):
  """Trains, evaluates and prints the table.

  Args:
    config: the settings, as configs/fitvid.py gives them.
    workdir: the run folder; a run that was stopped there goes on.

  Raises:
    ValueError: settings that make no sense.
    signals.StopRequested: the process was asked to stop; all is saved.
  """
  # A CPU's cores: before JAX touches a device.
  compilation.use_cores(config.train.batch_size)
  sizes = fitvid.Config(**config.model)
  check(config)
  specs = {name: make_spec(config, name) for name in ("train", "validation")}
  opened = {
    name: play.open_episodes(spec, config.data.dir)
    for name, spec in specs.items()
  }
  digests = {f"data.{name}": digest for name, (_, digest) in opened.items()}
  run_folder.store_digests(workdir, digests)
  predict_fn = video_prediction.make_predict_fn(sizes, config.eval.latent)
  if not loop.is_finished(str(workdir), config.train.num_steps):
    episodes = {name: found for name, (found, _) in opened.items()}
    _train(config, workdir, sizes, episodes, predict_fn)
  _evaluate(config, workdir, sizes, predict_fn)


def check(config: Any):
  """Finds what is wrong with the settings before anything is made.

  Raises:
    ValueError: says which key, and what it should be.
  """
  devices = jax.device_count()
  if config.train.batch_size < 1 or config.train.batch_size % devices:
    raise ValueError(
      f"train.batch_size={config.train.batch_size} does not split over "
      f"{devices} devices: make it a multiple of {devices}"
    )
  for name in ("num_steps", "epoch_steps", "log_every", "checkpoint_every"):
    if config.train[name] < 1:
      raise ValueError(
        f"train.{name} must be at least 1, got {config.train[name]}"
      )
  if config.model.num_past != 2:
    raise ValueError(f"model.num_past must be 2, got {config.model.num_past}")
  last = 60 // config.model.stride - 1
  for key, value in (
    ("train.num_future", config.train.num_future),
    ("eval.num_future", config.eval.num_future),
  ):
    if not 1 <= value <= last:
      raise ValueError(
        f"{key} must be from 1 to {last}, so that an episode's pictures, one "
        f"every {config.model.stride} of 60 steps, have windows of it; got "
        f"{value}"
      )
  if not 0 <= config.train.start_fraction <= 1:
    raise ValueError(
      "train.start_fraction must be in [0, 1], got "
      f"{config.train.start_fraction}"
    )


def make_spec(config, purpose) -> play.Spec:
  """The data set of a purpose."""
  key = "episodes" if purpose == "train" else f"{purpose}_episodes"
  return play.Spec(
    environments=tuple(config.data.environment.split(",")),
    sources=config.data.sources.to_dict(),
    episodes=config.data[key],
    purpose=purpose,
    seed=config.seed,
    stride=config.model.stride,
    image_size=config.model.image_size,
  )


def _train(config, workdir, sizes, episodes, predict_fn):
  held_out = windows.in_turn(
    episodes["validation"], sizes.num_past, config.eval.num_future
  )

  def validate(params, extra):
    variables = {"params": params, **extra}
    found = video_prediction.evaluate(sizes, predict_fn, variables, held_out)
    return {
      name: float(np.mean(values)) for name, values in found.model.items()
    }

  result = loop.train(
    method.make_learner(sizes, **config.loss),
    optim.make_optimizer(num_steps=config.train.num_steps, **config.optim),
    lambda step: _batches(config, sizes, episodes["train"], step),
    workdir=str(workdir),
    seed=config.seed,
    num_steps=config.train.num_steps,
    epoch_steps=config.train.epoch_steps,
    log_every=config.train.log_every,
    checkpoint_every=config.train.checkpoint_every,
    validate_fn=validate,
    best_metric=config.eval.best_metric,
    items={"config": json.loads(json.dumps(config.to_dict()))},
  )
  if not result.finished:
    step = int(result.state.step)
    raise signals.StopRequested(
      f"after step {step} of {config.train.num_steps}"
    )


def _batches(config, sizes, episodes, step):
  """This host's batches from `step` on, each a function of its step."""
  mine = slice(jax.process_index(), None, jax.process_count())
  while True:
    batch = windows.sample(
      episodes,
      np.random.default_rng([config.seed, step]),
      config.train.batch_size,
      sizes.num_past + config.train.num_future,
      start_fraction=config.train.start_fraction,
    )
    yield {name: values[mine] for name, values in batch.items()}
    step += 1


def _evaluate(config, workdir, sizes, predict_fn):
  """Foresees the test episodes with the best checkpoint; writes and prints."""
  saved = checkpoint_lib.load(workdir, parts=("params", "extra"))
  variables = {"params": saved.parts["params"], **saved.parts["extra"]}
  episodes, _ = play.open_episodes(make_spec(config, "test"), config.data.dir)
  batch = windows.in_turn(episodes, sizes.num_past, config.eval.num_future)
  result = video_prediction.evaluate(sizes, predict_fn, variables, batch)
  record = {
    "video_prediction": {
      "environment": config.data.environment,
      "windows": len(batch["frames"]),
      "best_step": saved.step,
      "horizons": result.horizons.tolist(),
      "moved": result.moved.tolist(),
      "model": {k: v.tolist() for k, v in result.model.items()},
      "copy_last": {k: v.tolist() for k, v in result.copy_last.items()},
    },
    "command": run_folder.command_line(),
    "seed": config.seed,
    **report.provenance(),
    "config": config.to_dict(),
  }
  files.write_json(workdir / report.JSON_FILE, record)
  rows = video_prediction.typical(result, min(_SHOWN, len(batch["frames"])))
  shown = {name: values[rows] for name, values in batch.items()}
  picture = figures.foresight(
    shown["frames"],
    predict_fn(variables, shown["frames"], shown["actions"]),
    result,
    labels=[f"{result.window_psnr[row]:.1f} dB" for row in rows],
    title=f"{config.data.environment}: held-out windows, worst to best",
  )
  files.write_bytes(workdir / report.PNG_FILE, picture)
  print(
    f"{len(batch['frames'])} held-out windows of {config.data.environment}, "
    f"checkpoint of step {saved.step}. PSNR in dB (of all pixels, and of those "
    "that change) and SSIM, beside those of copying the picture of now:"
  )
  print(video_prediction.table(result).text())
  print(f"\nReport: {workdir / report.JSON_FILE}, {workdir / report.PNG_FILE}")

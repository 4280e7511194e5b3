"""One training run of a video model, to the table at its end."""

import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from a2r.core import checkpoint as checkpoint_lib
from a2r.core import checks, compilation, files, hosts, optim
from a2r.evaluation import figures, report, video_prediction
from a2r.learners import fitvid as method
from a2r.learners import loop
from a2r.models.fitvid import fitvid
from a2r.planning import video_model
from a2r.runs import run_folder, settings
from a2r.runs.sources import play
from a2r.sim.tabletop import physics
from configs import ranges
from data import windows

_EPISODES = {
  "train": "episodes",
  "validation": "validation_episodes",
  "test": "test_episodes",
}
_METRICS = ("psnr", "ssim", "psnr_moved")  # Of `video_prediction`.
_SHOWN = 5  # Windows in the picture.


def read(
  config: Any,
) -> tuple[fitvid.Config, dict[str, play.Spec], loop.Clocks]:
  """Returns the model, its episodes by purpose and the clocks of a config.

  Args:
    config: as configs/fitvid.py gives it.

  Raises:
    ValueError: settings that make no sense; says which, and what they may be.
  """
  ranges.check(config)
  model, data, train = fitvid.Config(**config.model), config.data, config.train
  checks.at_least("train.num_steps", train.num_steps, 1)
  settings.check_batch({"train.batch_size": train.batch_size})
  if model.num_past != 2:
    raise ValueError(f"model.num_past must be 2, got {model.num_past}")
  last = physics.NUM_STEPS // model.stride - 1
  for name in ("train", "eval"):
    num_future = config[name].num_future
    if not 1 <= num_future <= last:
      raise ValueError(
        f"{name}.num_future must be from 1 to {last}, so that an episode's "
        f"pictures, one every {model.stride} of {physics.NUM_STEPS} steps, "
        f"have windows of it; got {num_future}"
      )
  specs = {
    purpose: play.Spec(
      environments=tuple(data.environment.split(",")),
      sources=data.sources.to_dict(),
      episodes=data[key],
      purpose=purpose,
      seed=config.seed,
      stride=model.stride,
      image_size=model.image_size,
    )
    for purpose, key in _EPISODES.items()
  }
  checks.one_of("eval.best_metric", config.eval.best_metric, _METRICS)
  checks.one_of("eval.latent", config.eval.latent, video_model.LATENTS)
  clocks = loop.read_clocks(train)
  _make_optimizer(config)
  return model, specs, clocks


def run(config: Any, workdir: pathlib.Path):
  """Trains, evaluates and prints the table.

  Arguments and errors are those of `train.run`, the config configs/fitvid.py's.
  """
  # A CPU's cores: before JAX touches a device.
  compilation.use_cores(config.train.batch_size)
  model, specs, clocks = read(config)
  episodes, digests = {}, {}
  for name in ("train", "validation"):
    episodes[name], digests[f"data.{name}"] = play.open_episodes(
      specs[name], config.data.dir
    )
  run_folder.store_digests(workdir, digests)
  predict_fn = video_prediction.make_predict_fn(model, config.eval.latent)
  if not loop.is_finished(workdir, clocks.num_steps):
    held_out = windows.tiled_windows(
      episodes["validation"], model.num_past, config.eval.num_future
    )

    def validate(params, extra):
      variables = {"params": params, **extra}
      result = video_prediction.evaluate(model, predict_fn, variables, held_out)
      return {k: float(np.mean(values)) for k, values in result.model.items()}

    loop.train(
      method.make_learner(model, **config.loss),
      _make_optimizer(config),
      lambda step: make_batches(config, episodes["train"], step),
      clocks,
      workdir=str(workdir),
      seed=config.seed,
      validate_fn=validate,
      best_metric=config.eval.best_metric,
      items=run_folder.read_items(workdir),
    )
  if not hosts.is_writer():
    return
  test, _ = play.open_episodes(specs["test"], config.data.dir)
  batch = windows.tiled_windows(test, model.num_past, config.eval.num_future)
  _evaluate(config, workdir, model, predict_fn, batch)


def _make_optimizer(config):
  return optim.make_optimizer(num_steps=config.train.num_steps, **config.optim)


def make_batches(
  config: Any, episodes: windows.Episodes, step: int
) -> Iterator[dict[str, np.ndarray]]:
  """Yields this host's batches from `step` on, each a function of its step."""
  train = config.train
  mine = slice(jax.process_index(), None, jax.process_count())
  while True:
    batch = windows.sample(
      episodes,
      np.random.default_rng([config.seed, step]),
      train.batch_size,
      config.model.num_past + train.num_future,
      start_fraction=train.start_fraction,
    )
    yield {name: values[mine] for name, values in batch.items()}
    step += 1


def _evaluate(config, workdir, model, predict_fn, batch):
  """Foresees the test windows with the best checkpoint; writes and prints."""
  saved = checkpoint_lib.load(workdir, parts=("params", "extra"))
  variables = {"params": saved.parts["params"], **saved.parts["extra"]}
  result = video_prediction.evaluate(model, predict_fn, variables, batch)
  environment, num_windows = config.data.environment, len(batch["frames"])
  record = {
    "video_prediction": {
      "environment": environment,
      "windows": num_windows,
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
  rows = video_prediction.typical(result, min(_SHOWN, num_windows))
  shown = {name: values[rows] for name, values in batch.items()}
  picture = figures.foresight(
    shown["frames"],
    predict_fn(variables, shown["frames"], shown["actions"]),
    result,
    labels=[f"{result.window_psnr[row]:.1f} dB" for row in rows],
    title=f"{environment}: held-out windows, worst to best",
  )
  files.write_bytes(workdir / report.PNG_FILE, picture)
  print(
    f"{num_windows} held-out windows of {environment}, checkpoint of step "
    f"{saved.step}. PSNR in dB (of all pixels, and of those that change) and "
    "SSIM, beside those of copying the picture of now:"
  )
  print(video_prediction.table(result).text())
  print(f"\nReport: {workdir / report.JSON_FILE}, {workdir / report.PNG_FILE}")

"""One training run of a video model, to the table at its end."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from a2r.core import checkpoint as checkpoint_lib
from a2r.core import checks, compilation, files, optim
from a2r.evaluation import figures, report, video_prediction
from a2r.learners import fitvid as method
from a2r.learners import loop
from a2r.models.fitvid import fitvid
from a2r.runs import run_folder, settings
from a2r.runs.sources import play
from data import windows

_SHOWN = 5  # Windows in the picture.


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of a run; those in `loss` and `optim` are arguments.

  Attributes:
    specs: purpose (train, validation, test) -> its episodes.
    num_future: pictures after the known ones of a window, in training.
    num_future_test: the same when it is judged.
    start_fraction: windows that begin before the episode does.
  """

  seed: int
  data_dir: str
  environment: str
  specs: Mapping[str, play.Spec]
  model: fitvid.Config
  loss: Mapping[str, Any]
  optim: Mapping[str, Any]
  clocks: loop.Clocks
  batch_size: int
  num_future: int
  num_future_test: int
  start_fraction: float
  latent: str
  best_metric: str

  def __post_init__(self):
    checks.at_least("train.batch_size", self.batch_size, 1)
    settings.check_batch({"train.batch_size": self.batch_size})
    if self.model.num_past != 2:
      raise ValueError(f"model.num_past must be 2, got {self.model.num_past}")
    stride = self.model.stride
    last = 60 // stride - 1
    for key, value in (
      ("train.num_future", self.num_future),
      ("eval.num_future", self.num_future_test),
    ):
      if not 1 <= value <= last:
        raise ValueError(
          f"{key} must be from 1 to {last}, so that an episode's pictures, one "
          f"every {stride} of 60 steps, have windows of it; got {value}"
        )
    if not 0 <= self.start_fraction <= 1:
      raise ValueError(
        f"train.start_fraction must be in [0, 1], got {self.start_fraction}"
      )


def read(config: Any) -> Settings:
  """Returns the settings of a config, as configs/fitvid.py gives them.

  Raises:
    ValueError: they make no sense; says which key, and what it should be.
  """
  model, data, train = fitvid.Config(**config.model), config.data, config.train
  keys = {
    "train": "episodes",
    "validation": "validation_episodes",
    "test": "test_episodes",
  }
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
    for purpose, key in keys.items()
  }
  return Settings(
    seed=config.seed,
    data_dir=data.dir,
    environment=data.environment,
    specs=specs,
    model=model,
    loss=config.loss.to_dict(),
    optim=config.optim.to_dict(),
    clocks=loop.read_clocks(train),
    batch_size=train.batch_size,
    num_future=train.num_future,
    num_future_test=config.eval.num_future,
    start_fraction=train.start_fraction,
    latent=config.eval.latent,
    best_metric=config.eval.best_metric,
  )


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
  asked = read(config)
  opened = {
    name: play.open_episodes(asked.specs[name], asked.data_dir)
    for name in ("train", "validation")
  }
  digests = {f"data.{name}": digest for name, (_, digest) in opened.items()}
  run_folder.store_digests(workdir, digests)
  predict_fn = video_prediction.make_predict_fn(asked.model, asked.latent)
  if not loop.is_finished(str(workdir), asked.clocks.num_steps):
    held_out = windows.tiled_windows(
      opened["validation"][0], asked.model.num_past, asked.num_future_test
    )

    def validate(params, extra):
      variables = {"params": params, **extra}
      result = video_prediction.evaluate(
        asked.model, predict_fn, variables, held_out
      )
      return {k: float(np.mean(values)) for k, values in result.model.items()}

    loop.train(
      method.make_learner(asked.model, **asked.loss),
      optim.make_optimizer(num_steps=asked.clocks.num_steps, **asked.optim),
      functools.partial(make_batches, asked, opened["train"][0]),
      asked.clocks,
      workdir=str(workdir),
      seed=asked.seed,
      validate_fn=validate,
      best_metric=asked.best_metric,
      items={"config": json.loads(json.dumps(config.to_dict()))},
    )
  _evaluate(config, asked, workdir, predict_fn)


def make_batches(
  asked: Settings, episodes: windows.Episodes, step: int
) -> Iterator[dict[str, np.ndarray]]:
  """Yields this host's batches from `step` on, each a function of its step."""
  mine = slice(jax.process_index(), None, jax.process_count())
  while True:
    batch = windows.sample(
      episodes,
      np.random.default_rng([asked.seed, step]),
      asked.batch_size,
      asked.model.num_past + asked.num_future,
      start_fraction=asked.start_fraction,
    )
    yield {name: values[mine] for name, values in batch.items()}
    step += 1


def _evaluate(config, asked, workdir, predict_fn):
  """Foresees the test episodes with the best checkpoint; writes and prints."""
  saved = checkpoint_lib.load(workdir, parts=("params", "extra"))
  variables = {"params": saved.parts["params"], **saved.parts["extra"]}
  episodes, _ = play.open_episodes(asked.specs["test"], asked.data_dir)
  batch = windows.tiled_windows(
    episodes, asked.model.num_past, asked.num_future_test
  )
  result = video_prediction.evaluate(asked.model, predict_fn, variables, batch)
  record = {
    "video_prediction": {
      "environment": asked.environment,
      "windows": len(batch["frames"]),
      "best_step": saved.step,
      "horizons": result.horizons.tolist(),
      "moved": result.moved.tolist(),
      "model": {k: v.tolist() for k, v in result.model.items()},
      "copy_last": {k: v.tolist() for k, v in result.copy_last.items()},
    },
    "command": run_folder.command_line(),
    "seed": asked.seed,
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
    title=f"{asked.environment}: held-out windows, worst to best",
  )
  files.write_bytes(workdir / report.PNG_FILE, picture)
  print(
    f"{len(batch['frames'])} held-out windows of {asked.environment}, "
    f"checkpoint of step {saved.step}. PSNR in dB (of all pixels, and of those "
    "that change) and SSIM, beside those of copying the picture of now:"
  )
  print(video_prediction.table(result).text())
  print(f"\nReport: {workdir / report.JSON_FILE}, {workdir / report.PNG_FILE}")

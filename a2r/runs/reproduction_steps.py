"""The steps of a reproduction: each is kept, and says whether it is done."""

import contextlib
import datetime
import functools
import gc
import pathlib
import time
from typing import Any

import jax

from a2r import sim
from a2r.core import files, progress
from a2r.evaluation import quality, success
from a2r.learners import registry
from a2r.runs import (
  datasets,
  players,
  reproduction,
  run_folder,
  trials,
)
from a2r.runs.data_settings import DataSettings
from a2r.sim.tabletop import physics

_ALL_RUNS = 2  # Players in memory.


class Steps:
  """What `reproduction.make_parts` puts in order."""

  def __init__(self, experiment: "reproduction.Experiment"):
    """Looks at nothing yet."""
    self._asked = experiment
    self._folder = experiment.folder
    self._player = functools.lru_cache(_ALL_RUNS)(self._make_player)

  def has_clips(self, run) -> bool:
    """Whether the clips that a run needs were made."""
    return files.read_json(self._clips_file(run)) == self._clips_spec(run)

  def make_clips(self, run):
    """Makes the clips of a run, and those that all are judged on."""
    config = self._asked.config(run)
    settings = DataSettings.from_config(config.data)
    datasets.open_data(settings, seed=run.seed, use_failures=True)
    datasets.open_test(settings, config.eval)
    _write(self._clips_file(run), self._clips_spec(run))

  def is_trained(self, run) -> bool:
    """Whether a run has ended."""
    return self._trained(run.name) is not None

  def train(self, run):
    """Trains, or goes on with it."""
    from a2r.runs import train as training

    self._train(run.name, training.run, self._asked.config(run))

  def is_video_model(self, environment: str) -> bool:
    """Whether the video model of an environment is trained."""
    return self._trained(reproduction.video_model_name(environment)) is not None

  def train_video_model(self, environment: str):
    """Trains what predicts the futures in an environment."""
    from a2r.runs import video
    from configs import fitvid

    size = {"paper": "full"}.get(self._asked.size, self._asked.size)
    config = fitvid.get_config(size)
    config.data.environment = environment
    if self._asked.data_dir:
      config.data.dir = self._asked.data_dir
    name = reproduction.video_model_name(environment)
    self._train(name, video.run, config)

  def is_judged(self, run) -> bool:
    """Whether a run's figures on test clips are there."""
    found = files.read_json(self._quality_file(run))
    return bool(found) and found["trained"] == self._trained(run.name)

  def judge(self, run):
    """Writes a run's figures on test clips."""
    config = self._asked.config(run)
    scorer = registry.load_scorer(self._asked.run_folder(run.name))
    texts = [sim.TASKS[task].instruction for task in config.eval.tasks]
    _write(
      self._quality_file(run),
      {
        "trained": self._trained(run.name),
        "quality": quality.quality(scorer, self._test, texts),
      },
    )

  def is_played(self, run, environment: str) -> bool:
    """Whether a run has all of its trials in an environment."""
    found = self._played(run, environment)
    return bool(found) and found["num_trials"] >= self._asked.num_trials

  def play(self, run, environment: str):
    """Plays the trials of a run in an environment that are missing."""
    spec = trials.TrialSpec(
      player=self._player(run),
      environments=(environment,),
      tasks=self._asked.tasks,
      seeds=(run.seed,),
      num_trials=self._asked.num_trials,
      dynamics=self._world(environment),
      **self._asked.batch,
    )
    store = trials.open_store(self._folder / "plan" / run.name, spec)
    total = spec.num_trials * len(spec.tasks)
    name = reproduction.part_name(run, environment)
    start = store.num_played(spec)
    with progress.Progress(total, start=start, name=name) as bar:
      trials.play(store, spec, bar)
    _write(
      self._played_file(run, environment),
      {
        "store": str(store.folder.relative_to(self._folder)),
        "num_trials": spec.num_trials,
        **self._plan_spec(run, environment),
      },
    )

  def cells(self) -> list[success.TrialSet]:
    """The cells of all finished parts, as `success` takes them."""
    asked, result = self._asked, []
    for run in asked.runs():
      for environment in asked.environments():
        played = self._played(run, environment)
        if not played:
          continue
        found = self._cells(run, environment, played)
        for task, cell in zip(asked.tasks, found, strict=True):
          result.append(
            success.TrialSet(
              experiment=asked.name,
              method=run.method,
              column=run.column or environment,
              environment=environment,
              task=task,
              seed=run.seed,
              dynamics=asked.world.dynamics,
              num_trials=cell["num_trials"],
              num_successes=cell["num_successes"],
            )
          )
    return result

  def qualities(self) -> dict[str, list[dict]]:
    """Method, or method/column, to its figures on test clips per seed."""
    result = {}
    for run in self._asked.runs():
      if run.method in reproduction.TRAINED and self.is_judged(run):
        key = f"{run.method}/{run.column}" if run.column else run.method
        stored = files.read_json(self._quality_file(run))["quality"]
        result.setdefault(key, []).append(quality.from_json(stored))
    return result

  def _train(self, name, run_fn, config):
    folder = self._asked.run_folder(name)
    began = time.monotonic()
    with files.locked(folder):
      run_folder.store_config(folder, config.to_dict())
      with (
        open(folder / "summary.txt", "w", encoding="utf-8") as stream,
        contextlib.redirect_stdout(stream),
      ):
        run_fn(config, folder)
    _write(
      folder / "finished.json",
      {
        "date": datetime.datetime.now(datetime.UTC).isoformat(),
        "seconds": round(time.monotonic() - began, 1),
      },
    )
    # A run's programs are its own: many runs would fill the memory.
    jax.clear_caches()
    gc.collect()

  def _make_player(self, run) -> players.Player:
    source = run.method
    if source in reproduction.TRAINED:
      source = str(self._asked.run_folder(run.name))
    return players.make_player(
      source, self._asked.settings, self._asked.tasks, name=run.method
    )

  @functools.cached_property
  def _test(self):
    """The clips that all are judged on."""
    config = self._asked.config(self._asked.runs()[0])
    settings = DataSettings.from_config(config.data)
    return datasets.open_test(settings, config.eval)

  def _trained(self, name: str) -> str | None:
    """When a run ended, which tells it from one trained anew."""
    found = files.read_json(self._asked.run_folder(name) / "finished.json")
    return found and found["date"]

  def _played(self, run, environment: str) -> dict | None:
    """What is known of trials that were played as is asked for.

    None too where a cell lost trials since then.
    """
    found = files.read_json(self._played_file(run, environment))
    spec = self._plan_spec(run, environment)
    if not found or any(found.get(key) != spec[key] for key in spec):
      return None
    there = self._cells(run, environment, found)
    whole = all(c and c["num_trials"] >= found["num_trials"] for c in there)
    return found if whole else None

  def _cells(self, run, environment: str, played: dict) -> list[dict | None]:
    """The cells of a part, one per task, None where there is none."""
    folder = self._folder / played["store"]
    return [
      trials.read_counts(folder, environment, task, run.seed)
      for task in self._asked.tasks
    ]

  def _world(self, environment: str) -> players.DynamicsSpec:
    """What predicts in an environment."""
    world = self._asked.world
    if self._asked.trains_video_model:
      name = reproduction.video_model_name(environment)
      world = world._replace(fitvid=(str(self._asked.run_folder(name)),))
    return world

  def _plan_spec(self, run, environment: str) -> dict[str, Any]:
    """What decides trials besides their number."""
    world = self._asked.world
    engine = physics.resolve(world.physics)
    settings = trials.plain_settings(self._asked.settings)
    dynamics = world.dynamics if run.predicts else None
    spec = [settings, dynamics, engine, self._asked.tasks]
    if run.predicts and self._asked.trains_video_model:
      spec.append(self._trained(reproduction.video_model_name(environment)))
    elif run.predicts and world.fitvid:
      spec.append(world.identity())
    return {
      "trained": self._trained(run.name),
      "planner": players.digest(spec),
    }

  def _clips_spec(self, run) -> dict:
    return {"data": players.digest(self._asked.config(run).data.to_dict())}

  def _quality_file(self, run) -> pathlib.Path:
    return self._folder / "quality" / f"{run.name}.json"

  def _clips_file(self, run) -> pathlib.Path:
    name = run._replace(method="clips").name
    return self._folder / "played" / f"{name}.json"

  def _played_file(self, run, environment: str) -> pathlib.Path:
    name = reproduction.part_name(run, environment)
    return self._folder / "played" / f"{name}.json"


def _write(path: pathlib.Path, value: dict):
  path.parent.mkdir(parents=True, exist_ok=True)
  files.write_json(path, value)

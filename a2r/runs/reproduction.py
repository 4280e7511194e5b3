"""A figure or a table of the paper as jobs that can be done one by one.

First the trainings of seed 0 with what follows of each (its figures on test
clips, its trials), then those of seed 1: an early end leaves fewer seeds of
everything. Under the folder:

  runs/<run>/        a run folder of launch.train, and finished.json
  quality/<run>.json its figures on test clips
  plan/<run>/        its trials, see a2r/runs/trials.py
  played/<job>.json  that the clips are made, or which trials a job has played
  results.*          the table so far

A run is <method>-seed<n>, with the column between in table 1.
"""

import contextlib
import dataclasses
import datetime
import functools
import gc
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from a2r import sim
from a2r.core import files, progress
from a2r.evaluation import paper, quality
from a2r.learners import registry
from a2r.planning import config as config_lib
from a2r.runs import datasets, jobs, players, run_folder, trials, video, weights
from a2r.runs import train as training
from a2r.runs.data_settings import DataSettings
from a2r.runs.sources import user
from a2r.sim.tabletop import physics
from configs import envgen, fitvid, taskgen

# Variants of Adapt2Reward by the weights of its losses.
_WEIGHTS = {
  "no_failures": {"fvlc": 0.0, "bce": 0.0},
  "bce": {"fvlc": 0.0},
}
METHODS = tuple(name for name in paper.ROWS if name != "ground_truth")
TRAINED = tuple(
  name for name in METHODS if name in registry.METHODS or name in _WEIGHTS
)
# The column of table 1 that has the methods with one figure for all columns,
# and those that the paper does not have.
_COMMON_COLUMN = "plus6"
# May differ between a run that is there and the settings.
_FREE_KEYS = ("data.dir", "train.log_every", "train.checkpoint_every")
_MAX_PLAYERS = 2  # In memory.


class Run(NamedTuple):
  """One row's part of a table with one seed.

  Attributes:
    method: as it is reported.
    column: of table 1; '' in figure 3, whose columns are the environments.
    seed: of training and of planning.
  """

  method: str
  column: str
  seed: int

  @property
  def name(self) -> str:
    column = f"-{self.column}" * bool(self.column)
    return f"{self.method}{column}-seed{self.seed}"

  @property
  def clips_name(self) -> str:
    """What its clips are called, which other methods have too."""
    return self._replace(method="clips").name

  @property
  def predicts(self) -> bool:
    """Whether futures are predicted for it."""
    return self.method != "random"

  def plan_name(self, environment: str) -> str:
    """Returns what its trials in an environment are called."""
    return f"{self.name}-plan-{environment.rpartition('/')[2]}"


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Which figure or table, of what size, and the jobs that make it.

  Each job is kept, and says from what is on disk if it is done.

  Attributes:
    name: 'figure3' or 'table1'.
    folder: of everything.
    size: 'small', 'paper' or 'smoke'.
    num_seeds: trainings of each.
    num_trials: of each task, environment and training.
    methods: of `paper.ROWS`.
    columns: environments in figure 3, human tasks in table 1.
    settings: how to plan.
    dynamics: what trials happen in and are predicted by.
    batch: further fields of `trials.TrialSpec`.
    data_dir: of the clips; None: as the settings have it.
    human_path: folder of Something-Something V2, where human clips are its.
    init: first weights of every training; None: as the settings have it.
  """

  name: str
  folder: pathlib.Path
  size: str
  num_seeds: int
  num_trials: int
  methods: tuple[str, ...]
  columns: tuple[str, ...]
  settings: config_lib.PlannerConfig
  dynamics: players.DynamicsSpec
  batch: Mapping[str, Any]
  data_dir: str | None = None
  human_path: str | None = None
  init: str | None = None

  def __post_init__(self):
    if not self._rows(self.columns):
      known = dict.fromkeys(column for column, _ in self._rows(taskgen.COLUMNS))
      raise ValueError(
        f"{', '.join(self.methods)}: not in the columns "
        f"{', '.join(self.columns)}; known: {', '.join(known)}"
      )

  def config(self, run: Run) -> Any:
    """Returns the settings of a run's training."""
    if self.name == "figure3":
      config = envgen.get_config(self.size)
    else:
      config = taskgen.get_config(f"{run.column or _COMMON_COLUMN},{self.size}")
    config.seed = run.seed
    if run.method in _WEIGHTS:
      config.loss.weights.update(_WEIGHTS[run.method])
    elif run.method in TRAINED:
      config.method = run.method
    if self.data_dir:
      config.data.dir = self.data_dir
    if self.human_path and config.data.human.source == "ssv2":
      config.data.human.path = self.human_path
    if self.init:
      config.model.init = self.init
    return config

  def video_config(self, environment: str) -> Any:
    """Returns the settings of what predicts the futures in an environment."""
    config = fitvid.get_config("full" if self.size == "paper" else self.size)
    config.data.environment = environment
    if self.data_dir:
      config.data.dir = self.data_dir
    return config

  @functools.cached_property
  def tasks(self) -> tuple[str, ...]:
    """What is planned for."""
    return tuple(self.config(Run("random", "", 0)).eval.tasks)

  @property
  def trains_video_model(self) -> bool:
    return self.dynamics.dynamics == "fitvid" and not self.dynamics.fitvid

  def run_folder(self, name: str) -> pathlib.Path:
    """Returns where a training writes."""
    return self.folder / "runs" / name

  def environments(self) -> tuple[str, ...]:
    """Returns where trials happen."""
    if self.name == "figure3":
      return self.columns
    return (taskgen.ENVIRONMENT,)

  def runs(self) -> list[Run]:
    """Returns everything that has trials, one seed after the other."""
    return [
      Run(method, column, seed)
      for seed in range(self.num_seeds)
      for column, method in self._rows(self.columns)
    ]

  def _rows(self, columns: Sequence[str]) -> list[tuple[str, str]]:
    """Returns `(column, method)` of what each seed has."""
    if self.name == "figure3":
      return [("", method) for method in self.methods]

    def is_in(method, column):
      row, is_common = paper.ROWS[method], column == _COMMON_COLUMN
      if row.one_figure:
        return is_common
      return column in columns and (is_common or row.table1 is not None)

    every = dict.fromkeys([_COMMON_COLUMN, *columns])
    return [
      (c, method) for c in every for method in self.methods if is_in(method, c)
    ]

  def check(self):
    """Fails where runs cannot start, or those that are there are others.

    Raises:
      ValueError: no human clips are named, the first weights do not fit, no
        given video model was trained in an environment, or a run has other
        settings; says which.
      FileNotFoundError: human clips or first weights that are not there.
    """
    if self.dynamics.fitvid:
      for environment in self.environments():
        self.dynamics.find_video_model(environment)
    for run in self.runs():
      if run.method not in TRAINED:
        continue
      config = self.config(run)
      human = config.data.human
      if human.source == "ssv2":
        if not human.path:
          raise ValueError(
            "--size=paper needs --human_path=..., SS-V2's folder"
          )
        user.find_path(human, "human")
      weights.read_model(config.model)
      folder = self.run_folder(run.name)
      run_folder.check_config(folder, config.to_dict(), _FREE_KEYS)

  def make_jobs(self) -> list[jobs.Job]:
    """Returns everything that there is to do, in order."""
    result: dict[str, jobs.Job] = {}

    def add(kind, name, needs, is_done_fn, run_fn, *args):
      is_done = functools.partial(is_done_fn, *args)
      run = functools.partial(run_fn, *args)
      # Several methods have the same clips.
      result.setdefault(name, jobs.Job(name, is_done, run, needs, kind))

    training_fns = self._is_trained, self._train
    models = {}
    if self.trains_video_model:
      models = {e: (_video_name(e),) for e in self.environments()}
    for environment, (name,) in models.items():
      config = self.video_config(environment)
      add("video model", name, (), *training_fns, name, video.run, config)
    for run in self.runs():
      method, needs = run.method, ()
      if method in TRAINED:
        clips, train = run.clips_name, f"{run.name}-train"
        call = run.name, training.run, self.config(run)
        add("clips", clips, (), self._has_clips, self._make_clips, run)
        add(f"train {method}", train, (clips,), *training_fns, *call)
        needs, name = (train,), f"{run.name}-quality"
        add(f"judge {method}", name, needs, self._is_judged, self._judge, run)
      for environment in self.environments():
        name, call = run.plan_name(environment), (run, environment)
        needed = needs + (models.get(environment, ()) if run.predicts else ())
        add(f"play {method}", name, needed, self._is_played, self._play, *call)
    return list(result.values())

  def read_quality(self, run: Run) -> dict | None:
    """Returns a run's figures on test clips, None where they are not there."""
    key = {"trained": self._end_of(run.name)}
    stored = _read(self._quality_file(run), key)
    return stored and quality.from_json(stored["quality"])

  def read_counts(self, run: Run, environment: str) -> list[dict] | None:
    """Returns what was counted of a run's trials in an environment, per task.

    None where they were not played as the experiment has it, or some of them
    were lost since then.
    """
    path = self._played_file(run, environment)
    stored = _read(path, self._plan_key(run, environment))
    if not stored:
      return None
    folder, least = self.folder / stored["store"], stored["num_trials"]
    counts = [
      trials.read_counts(folder, environment, task, run.seed)
      for task in self.tasks
    ]
    is_whole = all(x and x["num_trials"] >= least for x in counts)
    return counts if is_whole else None

  # Clips.

  def _has_clips(self, run: Run) -> bool:
    return _read(*self._clips_receipt(run)) is not None

  def _make_clips(self, run: Run):
    """Makes the clips of a run, and those that all are judged on."""
    config = self.config(run)
    settings = DataSettings.from_config(config.data)
    datasets.open_data(settings, seed=run.seed, use_failures=True)
    datasets.open_test(settings, config.eval)
    _write(*self._clips_receipt(run))

  def _clips_receipt(self, run: Run) -> tuple[pathlib.Path, dict]:
    """The file that says that a run's clips are made, and what it says."""
    path = self.folder / "played" / f"{run.clips_name}.json"
    return path, {"data": players.digest(self.config(run).data.to_dict())}

  # Trainings.

  def _is_trained(self, name: str, *_) -> bool:
    return self._end_of(name) is not None

  def _train(self, name: str, train_fn: Callable, config: Any):
    """Trains in a run folder, or goes on with it."""
    folder = self.run_folder(name)
    began = time.monotonic()
    with files.locked(folder):
      run_folder.store_config(folder, config.to_dict())
      path = folder / "summary.txt"
      with (
        files.writing(path),
        open(path, "w", encoding="utf-8") as stream,
        contextlib.redirect_stdout(stream),
      ):
        train_fn(config, folder)
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

  def _end_of(self, name: str) -> str | None:
    """Returns when a run ended, which tells it from one trained anew."""
    stored = files.read_json(self.run_folder(name) / "finished.json")
    return stored and stored["date"]

  # Figures on test clips.

  def _is_judged(self, run: Run) -> bool:
    return self.read_quality(run) is not None

  def _judge(self, run: Run):
    """Writes a run's figures on test clips."""
    scorer = registry.load_scorer(self.run_folder(run.name))
    texts = [sim.TASKS[task].instruction for task in self.tasks]
    figures = quality.quality(scorer, self._test_clips, texts)
    stored = {"trained": self._end_of(run.name), "quality": figures}
    _write(self._quality_file(run), stored)

  @functools.cached_property
  def _test_clips(self):
    """The clips that all are judged on."""
    config = self.config(self.runs()[0])
    settings = DataSettings.from_config(config.data)
    return datasets.open_test(settings, config.eval)

  def _quality_file(self, run: Run) -> pathlib.Path:
    return self.folder / "quality" / f"{run.name}.json"

  # Trials.

  def _is_played(self, run: Run, environment: str) -> bool:
    counts = self.read_counts(run, environment)
    least = self.num_trials
    return counts is not None and all(x["num_trials"] >= least for x in counts)

  def _play(self, run: Run, environment: str):
    """Plays the trials of a run in an environment that are missing."""
    dynamics = self.dynamics
    if self.trains_video_model:
      folder = self.run_folder(_video_name(environment))
      dynamics = dynamics._replace(fitvid=(str(folder),))
    source = run.method
    if source in TRAINED:
      source = str(self.run_folder(run.name))
    spec = trials.TrialSpec(
      player=_make_player(
        source, self.settings, self.tasks, run.method, self._end_of(run.name)
      ),
      environments=(environment,),
      tasks=self.tasks,
      seeds=(run.seed,),
      num_trials=self.num_trials,
      dynamics=dynamics,
      **self.batch,
    )
    store = trials.open_store(self.folder / "plan" / run.name, spec)
    total = spec.num_trials * len(spec.tasks)
    start = store.num_played(spec)
    name = run.plan_name(environment)
    with progress.Progress(total, start=start, name=name) as bar:
      trials.play(store, spec, bar)
    stored = {
      "store": str(store.folder.relative_to(self.folder)),
      "num_trials": spec.num_trials,
    }
    key = self._plan_key(run, environment)
    _write(self._played_file(run, environment), stored | key)

  def _plan_key(self, run: Run, environment: str) -> dict[str, Any]:
    """Returns what decides trials besides their number."""
    dynamics = self.dynamics
    values = [
      trials.plain_settings(self.settings),
      dynamics.dynamics if run.predicts else None,
      physics.resolve(dynamics.physics),
      self.tasks,
    ]
    if run.predicts and self.trains_video_model:
      values.append(self._end_of(_video_name(environment)))
    elif run.predicts and dynamics.fitvid:
      values.append(dynamics.identity())
    return {
      "trained": self._end_of(run.name),
      "planner": players.digest(values),
    }

  def _played_file(self, run: Run, environment: str) -> pathlib.Path:
    return self.folder / "played" / f"{run.plan_name(environment)}.json"


def find_columns(name: str, size: str) -> tuple[str, ...]:
  """Returns all columns of an experiment."""
  if name == "table1":
    return taskgen.COLUMNS
  return tuple(envgen.get_config(size).eval.environments)


@functools.lru_cache(_MAX_PLAYERS)
def _make_player(source, settings, tasks, name, trained) -> players.Player:
  """Who plays for a method, read anew where its run was trained anew."""
  del trained
  return players.make_player(source, settings, tasks, name=name)


def _video_name(environment: str) -> str:
  """Returns what an environment's video model is called."""
  return f"fitvid-{environment.rpartition('/')[2]}"


def _read(path: pathlib.Path, key: dict) -> dict | None:
  """Returns what a job has kept, None where that is of another `key`."""
  stored = files.read_json(path)
  return stored if stored and key.items() <= stored.items() else None


def _write(path: pathlib.Path, value: dict):
  path.parent.mkdir(parents=True, exist_ok=True)
  files.write_json(path, value)

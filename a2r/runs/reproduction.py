"""A figure or a table of the paper, as parts that can be done one by one.

First the trainings of seed 0 with what follows of each (its figures on test
clips, its trials), then those of seed 1: an early end leaves fewer seeds of
everything. Under the folder:

  runs/<run>/        a run folder of launch.train, and finished.json
  quality/<run>.json its figures on test clips
  plan/<run>/        its trials, see a2r/runs/trials.py
  played/<part>.json which cells a finished part of the trials has
  results.*          the table so far

A run is <method>-seed<n>, with the column between in table 1.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from a2r.planning import config as config_lib
from a2r.runs import jobs, players
from configs import envgen, taskgen

TRAINED = (
  "concept2robot",
  "dvd",
  "liv",
  "triplet",
  "no_failures",
  "bce",
  "adapt2reward",
)
METHODS = ("random", "clock", *TRAINED)
# These learn nothing, or the same in all columns of table 1.
ONE_COLUMN = dict.fromkeys(
  ("random", "clock", "ground_truth", "concept2robot"), "plus6"
)
_BESIDE = ("triplet", "no_failures", "bce")
_BESIDE_COLUMNS = ("plus6",)
# Variants of Adapt2Reward by the weights of its losses.
_WEIGHTS = {
  "no_failures": {"fvlc": 0.0, "bce": 0.0},
  "bce": {"fvlc": 0.0},
}


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
  def predicts(self) -> bool:
    """Whether futures are predicted for it."""
    return self.method != "random"


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What is asked for.

  Attributes:
    name: 'figure3' or 'table1'.
    folder: of everything.
    size: 'small', 'paper' or 'smoke'.
    num_seeds: trainings of each.
    num_trials: of each task, environment and training.
    methods: of `METHODS`.
    columns: environments in figure 3, human tasks in table 1.
    settings: how to plan.
    world: where, and what predicts.
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
  world: players.DynamicsSpec
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
    """The settings of a run's training."""
    if self.name == "figure3":
      config = envgen.get_config(self.size)
    else:
      config = taskgen.get_config(f"{run.column or 'plus6'},{self.size}")
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

  @functools.cached_property
  def tasks(self) -> tuple[str, ...]:
    """What is planned for."""
    return tuple(self.config(Run("random", "", 0)).eval.tasks)

  @property
  def trains_video_model(self) -> bool:
    return self.world.dynamics == "fitvid" and not self.world.fitvid

  def run_folder(self, name: str) -> pathlib.Path:
    """What a training writes."""
    return self.folder / "runs" / name

  def environments(self) -> tuple[str, ...]:
    """Where trials happen."""
    if self.name == "figure3":
      return self.columns
    return (taskgen.ENVIRONMENT,)

  def runs(self) -> list[Run]:
    """Everything that has trials, one seed after the other."""
    return [
      Run(method, column, seed)
      for seed in range(self.num_seeds)
      for column, method in self._rows(self.columns)
    ]

  def _rows(self, columns: Sequence[str]) -> list[tuple[str, str]]:
    """`(column, method)` of what is trained once for all environments."""
    if self.name == "figure3":
      return [("", method) for method in self.methods]
    rows = []
    for column in dict.fromkeys([*ONE_COLUMN.values(), *columns]):
      for method in self.methods:
        alone = ONE_COLUMN.get(method)
        beside = method in _BESIDE and column not in _BESIDE_COLUMNS
        if column == alone or (
          alone is None and column in columns and not beside
        ):
          rows.append((column, method))
    return rows


def find_columns(name: str, size: str) -> tuple[str, ...]:
  """All columns of an experiment."""
  if name == "table1":
    return taskgen.COLUMNS
  return tuple(envgen.get_config(size).eval.environments)


def choose(
  flag: str,
  names: Sequence[str],
  known: Sequence[str],
  more: Sequence[str] = (),
) -> tuple[str, ...]:
  """The names, in the order of the known ones; all of these if none is given.

  Args:
    flag: where the names come from.
    names: what is asked for.
    known: what is done by default.
    more: what can be asked for besides.

  Raises:
    ValueError: an unknown name; lists the known.
  """
  all_known = (*known, *more)
  wrong = [name for name in names if name not in all_known]
  if wrong:
    raise ValueError(
      f"{flag}: unknown {', '.join(map(repr, wrong))}; known: "
      + ", ".join(all_known)
    )
  return tuple(name for name in all_known if name in (names or known))


def make_parts(experiment: Experiment, steps: Any) -> list[jobs.Job]:
  """Everything that there is to do, in order.

  Args:
    experiment: what is asked for.
    steps: a `reproduction_steps.Steps` of it.
  """
  result, clips = [], set()
  models = {}
  if experiment.trains_video_model:
    models = {e: video_model_name(e) for e in experiment.environments()}
  for environment, name in models.items():
    is_done = functools.partial(steps.is_video_model, environment)
    run_fn = functools.partial(steps.train_video_model, environment)
    result.append(jobs.Job(name, is_done, run_fn, (), "video model"))
  for run in experiment.runs():
    needs = ()
    if run.method in TRAINED:
      name = run._replace(method="clips").name
      if name not in clips:
        clips.add(name)
        result.append(_part(name, (), steps.has_clips, steps.make_clips, run))
      trained = f"{run.name}-train"
      result += [
        _part(trained, (name,), steps.is_trained, steps.train, run),
        _part(
          f"{run.name}-quality",
          (trained,),
          steps.is_judged,
          steps.judge,
          run,
        ),
      ]
      needs = (trained,)
    for place in experiment.environments():
      name = part_name(run, place)
      model = (models[place],) if models and run.predicts else ()
      result.append(
        _part(name, needs + model, steps.is_played, steps.play, run, place)
      )
  return result


def part_name(run: Run, environment: str) -> str:
  """What a run's trials in an environment are called."""
  return f"{run.name}-plan-{environment.rpartition('/')[2]}"


def video_model_name(environment: str) -> str:
  """What an environment's video model is called."""
  return f"fitvid-{environment.rpartition('/')[2]}"


def _part(name, needs, is_done, run_fn, run: Run, *more) -> jobs.Job:
  return jobs.Job(
    name,
    functools.partial(is_done, run, *more),
    functools.partial(run_fn, run, *more),
    needs,
    f"{run_fn.__name__} {run.method}",
  )

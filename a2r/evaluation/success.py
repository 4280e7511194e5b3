"""Success rates of planning trials."""

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from a2r.evaluation import intervals


@dataclasses.dataclass(frozen=True)
class TrialSet:
  """What the trials of one task, in one environment with one seed gave.

  What was not run has no set. It is shown as missing, never as 0.

  Attributes:
    method: who chose the actions, such as 'adapt2reward' or 'random'.
    column: the environment in figure 3, the human tasks in table 1.
    environment: where.
    task: what for.
    seed: of the reward's training.
    dynamics: what the futures came from, 'sim' or 'fitvid'; 'none' of random
      actions.
    num_trials: at least 1.
    num_successes: of them.
    experiment: 'figure3', 'table1', or 'plan' for neither.
  """

  method: str
  column: str
  environment: str
  task: str
  seed: int
  dynamics: str
  num_trials: int
  num_successes: int
  experiment: str = "plan"

  def __post_init__(self):
    intervals.wilson(self.num_successes, self.num_trials)  # Possible counts?

  @classmethod
  def read(cls, fields: Mapping) -> "TrialSet":
    """Returns the set that a mapping with more fields tells of."""
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: fields[name] for name in names if name in fields})


def summarize(
  sets: Sequence[TrialSet],
  *,
  per_task: bool = False,
  methods: Sequence[str] = (),
  columns: Sequence[str] = (),
  tasks: Sequence[str] = (),
) -> list[dict]:
  """Returns a row per dynamics, method and column, in order of appearance.

  A row has `method`, `column`, `dynamics`, `task` if it is of one, and

    rate: mean over tasks of each task's success rate, in %; None where a task
      is missing, since tasks differ in difficulty.
    rate_so_far: the same over the tasks that there are.
    low, high: 95 % Wilson interval of `rate_so_far` by `effective_trials`, in
      %. It knows of trials alone; how much trainings differ is in `spread`.
    num_trials, num_successes: sums over tasks and seeds.
    effective_trials: of the mean over tasks (see `effective_trials`); None
      without trials.
    num_seeds: seeds that have a trial.
    seed_rates: {seed: mean over tasks in %} of the seeds that have all tasks.
    spread: standard deviation of these (n - 1), None for fewer than two.
    missing: tasks without any trial.

  Args:
    sets: of one experiment, each of other trials.
    per_task: one row per task instead of the mean over tasks.
    methods: what a row is wanted for, then follows what `sets` have besides.
    columns: likewise.
    tasks: likewise; every row is a mean over all of them.
  """
  wanted = {"dynamics": (), "method": methods, "column": columns, "task": tasks}
  axes = [
    list(dict.fromkeys([*values, *(getattr(x, name) for x in sets)]))
    for name, values in wanted.items()
  ]
  rows, tasks = [], axes.pop()
  for dynamics, method, column in itertools.product(*axes):
    key = {"dynamics": dynamics, "method": method, "column": column}
    group = [x for x in sets if all(getattr(x, k) == v for k, v in key.items())]
    if not per_task:
      rows.append(key | _figures(group, tasks))
      continue
    for task in tasks:
      of_task = [x for x in group if x.task == task]
      rows.append(key | {"task": task} | _figures(of_task, [task]))
  return rows


def _figures(sets: Sequence[TrialSet], tasks: Sequence[str]) -> dict:
  """Returns the figures of one row (see `summarize`)."""
  trials, rates = _rates(sets)
  missing = [task for task in tasks if task not in rates]
  mean = effective = low = high = None
  if rates:
    mean = float(np.mean(list(rates.values())))
    effective = intervals.effective_trials(trials.values())
    bounds = intervals.wilson(mean / 100 * effective, effective)
    low, high = (100 * bound for bound in bounds)
  seed_rates = {}
  seeds = sorted({x.seed for x in sets}, key=str)
  for seed in seeds:
    _, of_seed = _rates([x for x in sets if x.seed == seed])
    if len(of_seed) == len(tasks):
      seed_rates[str(seed)] = float(np.mean(list(of_seed.values())))
  spread = None
  if len(seed_rates) > 1:
    spread = float(np.std(list(seed_rates.values()), ddof=1))
  return {
    "rate": None if missing else mean,
    "rate_so_far": mean,
    "low": low,
    "high": high,
    "num_trials": trials.total(),
    "num_successes": sum(x.num_successes for x in sets),
    "effective_trials": effective,
    "num_seeds": len(seeds),
    "seed_rates": seed_rates,
    "spread": spread,
    "missing": missing,
  }


def _rates(sets: Sequence[TrialSet]) -> tuple[collections.Counter, dict]:
  """Trials by task, and success rates in % by task."""
  trials, successes = collections.Counter(), collections.Counter()
  for x in sets:
    trials[x.task] += x.num_trials
    successes[x.task] += x.num_successes
  return trials, {task: 100 * successes[task] / n for task, n in trials.items()}

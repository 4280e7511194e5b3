"""Success rates of planning trials, with how far they can be trusted.

A cell is what one set of trials gave, a dict:

  experiment: 'figure3' or 'table1'.
  method: who chose the actions, such as 'adapt2reward' or 'random'.
  column: the environment in figure 3, the human tasks in table 1.
  environment, task, seed: where, what, and the seed of the reward's training.
  dynamics: what the futures came from, 'sim' or 'fitvid'; 'none' of random
    actions, which stand beside both.
  num_trials, num_successes: counts.

What was not run has no cell. It is shown as missing, never as 0.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

KEYS = (
  "experiment",
  "method",
  "column",
  "environment",
  "task",
  "seed",
  "dynamics",
  "num_trials",
  "num_successes",
)
_IDENTITY = ("method", "column", "dynamics", "task", "seed")


def wilson(
  successes: float, trials: float, level: float = 0.95
) -> tuple[float, float]:
  """Wilson's interval of a success rate, as shares of 1.

  With p the observed rate, n the trials and z the normal quantile (1.96),

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

  Unlike p -+ z sqrt(p (1 - p) / n) it stays within [0, 1] and does not shrink
  to a point at 0 or n successes. E. B. Wilson, Probable inference, 1927
  (https://doi.org/10.1080/01621459.1927.10502953).

  Args:
    successes: how many trials succeeded; p n for a mean p of several rates.
    trials: how many there were; n of `effective_trials` for such a mean.
    level: of confidence.

  Raises:
    ValueError: no trials, or not 0 <= successes <= trials.
  """
  if trials < 1 or not 0 <= successes <= trials:
    raise ValueError(
      f"got {successes} successes of {trials} trials; expected at least one "
      "trial and no more successes than trials"
    )
  rate, z = successes / trials, statistics.NormalDist().inv_cdf(0.5 + level / 2)
  center = rate + z**2 / (2 * trials)
  half = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
  scale = 1 + z**2 / trials
  return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def effective_trials(trials: Sequence[float]) -> float:
  """How many trials of one rate tell as much as those of a mean of k rates.

  The mean of rates p over n_t trials each has the variance p (1 - p) / n with

    n = k^2 / sum_t 1 / n_t,

  which is the sum of the n_t where they are equal, and less where they are not.

  Args:
    trials: k numbers n_t.
  """
  return len(trials) ** 2 / sum(1 / count for count in trials)


def difference(
  first: tuple[float, float], second: tuple[float, float], level: float = 0.95
) -> tuple[float, float]:
  """Newcombe's interval of the difference of two success rates.

  With rates p, q and Wilson's intervals [l, u], [m, v] of them,

    p - q - sqrt((p - l)^2 + (v - q)^2), p - q + sqrt((u - p)^2 + (q - m)^2).

  It takes the trials as independent: for methods that met the same draws it is
  wider than it need be. R. G. Newcombe, Interval estimation for the difference
  between independent proportions, 1998, method 10.

  Args:
    first: successes and trials, as `wilson` takes them.
    second: the same of the other.
    level: of confidence.
  """
  (low, high), (low2, high2) = wilson(*first, level), wilson(*second, level)
  rate, rate2 = first[0] / first[1], second[0] / second[1]
  return (
    rate - rate2 - math.hypot(rate - low, high2 - rate2),
    rate - rate2 + math.hypot(high - rate, rate2 - low2),
  )


def rows(
  cells: Sequence[Mapping],
  *,
  methods: Sequence[str] | None = None,
  columns: Sequence[str] | None = None,
  tasks: Sequence[str] | None = None,
) -> list[dict]:
  """One summary per dynamics, method and column, in order of appearance.

  A row has `method`, `column`, `dynamics` and

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
    cells: see the module's docstring; of one experiment.
    methods: what a row is wanted for; None: what the cells have. What the
      cells have besides follows.
    columns: the same of columns.
    tasks: the same of tasks, which every row is judged on.

  Raises:
    ValueError: a cell lacks a key, its counts are impossible, two cells are of
      the same trials, or the cells are of several experiments.
  """
  groups, tasks = _grid(cells, methods, columns, tasks)
  return [
    dict(zip(("dynamics", "method", "column"), key, strict=True))
    | _summary(mine, tasks)
    for key, mine in groups.items()
  ]


def task_rows(
  cells: Sequence[Mapping],
  *,
  methods: Sequence[str] | None = None,
  columns: Sequence[str] | None = None,
  tasks: Sequence[str] | None = None,
) -> list[dict]:
  """As `rows`, with one row per task, which has `task` besides."""
  groups, tasks = _grid(cells, methods, columns, tasks)
  return [
    dict(zip(("dynamics", "method", "column"), key, strict=True))
    | {"task": task}
    | _summary([cell for cell in mine if cell["task"] == task], [task])
    for key, mine in groups.items()
    for task in tasks
  ]


def check(cells: Sequence[Mapping]) -> None:
  """Raises ValueError for cells that no table can be made of (see `rows`)."""
  seen = set()
  for cell in cells:
    lacks = [key for key in KEYS if key not in cell]
    if lacks:
      raise ValueError(f"a cell lacks {', '.join(lacks)}: {dict(cell)}")
    wilson(cell["num_successes"], cell["num_trials"])
    identity = tuple(cell[key] for key in _IDENTITY)
    if identity in seen:
      raise ValueError(
        "two cells of the same trials: "
        + ", ".join(f"{k} {cell[k]}" for k in _IDENTITY)
      )
    seen.add(identity)
  experiments = {cell["experiment"] for cell in cells}
  if len(experiments) > 1:
    raise ValueError(f"cells of several experiments: {sorted(experiments)}")


def _grid(cells, methods, columns, tasks):
  """Cells of every (dynamics, method, column), [] where none, and all tasks."""
  check(cells)
  dynamics = _values(cells, "dynamics", None)
  methods = _values(cells, "method", methods)
  columns = _values(cells, "column", columns)
  groups = {(d, m, c): [] for d in dynamics for m in methods for c in columns}
  for cell in cells:
    groups[cell["dynamics"], cell["method"], cell["column"]].append(cell)
  return groups, _values(cells, "task", tasks)


def _values(cells, key: str, wanted) -> list:
  """The wanted values, then those of the cells that are not among them."""
  return list(dict.fromkeys([*(wanted or ()), *(cell[key] for cell in cells)]))


def _summary(cells: Sequence[Mapping], tasks: Sequence[str]) -> dict:
  """The figures of one row (see `rows`)."""
  counts = _counts(cells)
  rates = _rates(cells)
  missing = [task for task in tasks if task not in rates]
  so_far = _mean(list(rates.values()))
  effective = low = high = None
  if counts:
    effective = effective_trials([trials for _, trials in counts.values()])
    low, high = wilson(so_far / 100 * effective, effective)
  seeds = sorted({cell["seed"] for cell in cells}, key=str)
  per_seed = {
    seed: _rates([cell for cell in cells if cell["seed"] == seed])
    for seed in seeds
  }
  complete = {
    str(seed): _mean(list(found.values()))
    for seed, found in per_seed.items()
    if len(found) == len(tasks)
  }
  return {
    "rate": None if missing else so_far,
    "rate_so_far": so_far,
    "low": None if low is None else 100 * low,
    "high": None if high is None else 100 * high,
    "num_trials": sum(trials for _, trials in counts.values()),
    "num_successes": sum(successes for successes, _ in counts.values()),
    "effective_trials": effective,
    "num_seeds": len(seeds),
    "seed_rates": complete,
    "spread": (
      float(np.std(list(complete.values()), ddof=1))
      if len(complete) > 1
      else None
    ),
    "missing": missing,
  }


def _counts(cells: Sequence[Mapping]) -> dict[str, tuple[int, int]]:
  """Task -> successes and trials, sums over the cells."""
  counts = {}
  for cell in cells:
    successes, trials = counts.get(cell["task"], (0, 0))
    counts[cell["task"]] = (
      successes + cell["num_successes"],
      trials + cell["num_trials"],
    )
  return counts


def _rates(cells: Sequence[Mapping]) -> dict[str, float]:
  """Task -> success rate in %, over the cells' trials."""
  return {task: 100 * s / n for task, (s, n) in _counts(cells).items()}


def _mean(values: Sequence[float]) -> float | None:
  return float(np.mean(values)) if values else None

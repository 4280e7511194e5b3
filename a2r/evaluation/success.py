"""Success rates of planning trials, with how far they can be trusted."""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

_IDENTITY = ("method", "column", "dynamics", "task", "seed")


def wilson(
  successes: float, trials: float, level: float = 0.95
) -> tuple[float, float]:
  """Returns Wilson's interval of a success rate, as shares of 1.

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
  """Returns how many trials of one rate tell as much as a mean of k rates.

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
  """Returns Newcombe's interval of the difference of two success rates.

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
      actions, which stand beside both.
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
    sets: of one experiment.
    per_task: one row per task instead of the mean over tasks.
    methods: what a row is wanted for, then follows what `sets` have besides.
    columns: likewise.
    tasks: likewise; every row is a mean over all of them.

  Raises:
    ValueError: impossible counts, two sets of the same trials, or sets of
      several experiments.
  """
  _check(sets)
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


def _check(sets: Sequence[TrialSet]):
  """Raises ValueError for sets that no table can be made of."""
  seen = set()
  for trials in sets:
    wilson(trials.num_successes, trials.num_trials)
    identity = tuple(getattr(trials, name) for name in _IDENTITY)
    if identity in seen:
      pairs = zip(_IDENTITY, identity, strict=True)
      raise ValueError(
        "the same trials twice: " + ", ".join(f"{k} {v}" for k, v in pairs)
      )
    seen.add(identity)
  experiments = {trials.experiment for trials in sets}
  if len(experiments) > 1:
    raise ValueError(f"trials of several experiments: {sorted(experiments)}")


def _figures(sets: Sequence[TrialSet], tasks: Sequence[str]) -> dict:
  """Returns the figures of one row (see `summarize`)."""
  counts = _counts(sets)
  rates = _rates(counts)
  missing = [task for task in tasks if task not in rates]
  mean = effective = low = high = None
  if rates:
    mean = float(np.mean(list(rates.values())))
    effective = effective_trials([trials for _, trials in counts.values()])
    low, high = (
      100 * bound for bound in wilson(mean / 100 * effective, effective)
    )
  seed_rates = {}
  seeds = sorted({trials.seed for trials in sets}, key=str)
  for seed in seeds:
    of_seed = _rates(_counts([x for x in sets if x.seed == seed]))
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
    "num_trials": sum(trials for _, trials in counts.values()),
    "num_successes": sum(successes for successes, _ in counts.values()),
    "effective_trials": effective,
    "num_seeds": len(seeds),
    "seed_rates": seed_rates,
    "spread": spread,
    "missing": missing,
  }


def _counts(sets: Sequence[TrialSet]) -> dict[str, tuple[int, int]]:
  """Returns task -> successes and trials, summed over the sets."""
  counts = {}
  for trials in sets:
    successes, total = counts.get(trials.task, (0, 0))
    counts[trials.task] = (
      successes + trials.num_successes,
      total + trials.num_trials,
    )
  return counts


def _rates(counts: Mapping[str, tuple[int, int]]) -> dict[str, float]:
  """Returns task -> success rate in %."""
  return {task: 100 * s / n for task, (s, n) in counts.items()}

"""The rows and columns of the paper's results, and the figures it gives.

Adapt2Reward: Adapting Video-Language Models to Generalizable Robotic Rewards
via Failure Prompts (ECCV 2024, https://arxiv.org/abs/2407.14872).
"""

from collections.abc import Sequence
from typing import NamedTuple

from a2r.core import checks
from a2r.evaluation import success
from a2r.learners import registry

SOURCE = "https://arxiv.org/abs/2407.14872"
OURS = "adapt2reward"

COLUMNS = {
  "figure3": {
    "tabletop/train": "Train",
    "tabletop/test1": "Test 1: colors",
    "tabletop/test2": "Test 2: + viewpoint",
    "tabletop/test3": "Test 3: + arrangement",
  },
  "table1": {
    "robot_only": "Robot only",
    "plus3": "+ 3 human tasks",
    "plus6": "+ 6 human tasks",
    "plus9": "+ 9 human tasks",
  },
}
TITLES = {
  "figure3": "Environment generalization (figure 3)",
  "table1": "Task generalization (table 1)",
}


class Row(NamedTuple):
  """What a table and a figure show of a method.

  Attributes:
    label: what they call it.
    color: of its bars; all are told apart by all kinds of color vision. What is
      not learned is gray, what is left out of Adapt2Reward a lighter blue.
    table1: the paper's success rates in table 1 in %, one per column.
    one_figure: whether it has one figure for all columns of table 1, for it has
      no human tasks to learn from, or the same ones in all of them.
  """

  label: str
  color: str
  table1: tuple[float, ...] | None = None
  one_figure: bool = False


def _learned(method: str, *args) -> Row:
  """Returns the row of a method that is trained, named as it is everywhere."""
  row = registry.METHODS[method]
  return Row(row.label, row.color, *args)


# In the order of tables and figures.
ROWS = {
  "random": Row("Random actions", "#b5b5b5", (15.25,) * 4, one_figure=True),
  "clock": Row("Clock", "#8a8a8a", one_figure=True),
  "concept2robot": _learned("concept2robot", (33.75,) * 4, True),
  "dvd": _learned("dvd", (19.00, 28.25, 31.92, 40.08)),
  "liv": _learned("liv", (27.58, 36.33, 38.83, 39.00)),
  "triplet": _learned("triplet"),
  "no_failures": Row("Adapt2Reward without failures", "#c9e2f2"),
  "bce": Row("Adapt2Reward, failures by BCE alone", "#7db8dc"),
  OURS: _learned(OURS, (29.92, 44.67, 69.33, 67.00)),
  "ground_truth": Row("True state (ceiling)", "#4d4d4d", one_figure=True),
}
# The methods that the paper sets Adapt2Reward against.
BASELINES = tuple(
  name for name, row in ROWS.items() if row.table1 and name != OURS
)

# What there is to know of the paper's figures.
TEXTS = {
  "figure3": (
    "The paper shows figure 3 as bars without figures; its text says that "
    "Adapt2Reward is more than 28 points above the best other method on "
    "average."
  ),
  "table1": (
    "The paper's figures are those of its table 1; Random and Concept2Robot "
    "have one figure there, which every column repeats."
  ),
}
_SIZES = {
  "small": (
    "Data and size: drawn human clips instead of Something-Something V2, fewer "
    "simulated robot clips than the paper's 560 per task, and a backbone of "
    "1.5 M parameters at 64 px instead of Singularity at 224 px."
  ),
  "smoke": "Data and size: a few clips and steps, to see that all runs.",
  "paper": (
    "Data and size: the published ones, but for the first weights, which are "
    "those of --init, and random where it is not given."
  ),
}
_SIMULATOR = (
  "Simulator: DVD's tabletop rebuilt from primitive shapes and drawn by a ray "
  "caster, instead of Meta-World's meshes; docs/tabletop.md lists what differs."
)
_PERFECT_FUTURES = (
  "Futures: `sim` plans with the simulator itself, whose predictions are "
  "perfect; the paper predicts them with a learned video model."
)


def column_label(experiment: str, column: str) -> str:
  """Returns what tables call a column."""
  return COLUMNS[experiment].get(column, column)


def run_label(experiment: str, key: str) -> str:
  """Returns what tables call 'method' or 'method/column'."""
  method, _, column = key.partition("/")
  more = f", {column_label(experiment, column)}" if column else ""
  return ROWS[method].label + more


def rate(experiment: str, method: str, column: str) -> float | None:
  """Returns the paper's success rate in %, None where it gives none."""
  rates = ROWS[method].table1
  if experiment != "table1" or rates is None:
    return None
  return dict(zip(COLUMNS[experiment], rates, strict=True)).get(column)


def differences(sets: Sequence[success.TrialSet], size: str) -> list[str]:
  """Returns what differs from the paper's experiment, one line each.

  Raises:
    ValueError: an unknown size.
  """
  checks.one_of("size", size, _SIZES)
  lines = [_SIZES[size], _SIMULATOR]
  if sets:
    trials = sorted({x.num_trials for x in sets})
    seeds = len({x.seed for x in sets})
    counts = "-".join(str(n) for n in dict.fromkeys((trials[0], trials[-1])))
    lines.append(
      f"Trials: {counts} per task and seed, {seeds} "
      f"seed{'s' * (seeds > 1)}; the paper: 100 and 3."
    )
  if any(x.dynamics == "sim" for x in sets):
    lines.append(_PERFECT_FUTURES)
  return lines

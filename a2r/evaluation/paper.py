"""The success rates that the paper reports, in %, and what differs from it.

Adapt2Reward: Adapting Video-Language Models to Generalizable Robotic Rewards
via Failure Prompts (ECCV 2024, https://arxiv.org/abs/2407.14872).
"""

from collections.abc import Mapping, Sequence

SOURCE = "https://arxiv.org/abs/2407.14872"

# What stands where, in the order of tables and figures.
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
# The methods that the paper sets Adapt2Reward against.
BASELINES = ("random", "concept2robot", "dvd", "liv")

# Table 1. Random actions and Concept2Robot, which learns from human videos
# alone, have one figure for all columns.
_TABLE1 = {
  "random": (15.25,) * 4,
  "concept2robot": (33.75,) * 4,
  "dvd": (19.00, 28.25, 31.92, 40.08),
  "liv": (27.58, 36.33, 38.83, 39.00),
  "adapt2reward": (29.92, 44.67, 69.33, 67.00),
}
ONE_FIGURE = ("random", "concept2robot")

# Figure 3 is a picture without figures; the text tells one of them.
FIGURE3_MARGIN = 28.0
_TEXTS = {
  "figure3": (
    "The paper shows figure 3 as bars without figures; its text says that "
    f"Adapt2Reward is more than {FIGURE3_MARGIN:.0f} points above the best "
    "other method on average."
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


def rate(experiment: str, method: str, column: str) -> float | None:
  """The paper's success rate in %, None where it gives none.

  Raises:
    ValueError: an unknown experiment.
  """
  check(experiment)
  values = _TABLE1.get(method) if experiment == "table1" else None
  names = list(COLUMNS[experiment])
  if values is None or column not in names:
    return None
  return values[names.index(column)]


def text(experiment: str) -> str:
  """What there is to know of the paper's figures of an experiment."""
  check(experiment)
  return _TEXTS[experiment]


def differs(cells: Sequence[Mapping], size: str) -> list[str]:
  """What differs from the paper's experiment, one line each.

  Raises:
    ValueError: an unknown size.
  """
  if size not in _SIZES:
    known = ", ".join(_SIZES)
    raise ValueError(f"unknown size {size!r}; known: {known}")
  lines = [_SIZES[size], _SIMULATOR]
  if cells:
    trials = sorted({cell["num_trials"] for cell in cells})
    seeds = len({cell["seed"] for cell in cells})
    counts = "-".join(str(n) for n in dict.fromkeys((trials[0], trials[-1])))
    lines.append(
      f"Trials: {counts} per task and seed, {seeds} "
      f"seed{'s' * (seeds > 1)}; the paper: 100 and 3."
    )
    if any(cell["dynamics"] == "sim" for cell in cells):
      lines.append(
        "Futures: `sim` plans with the simulator itself, whose predictions are "
        "perfect; the paper predicts them with a learned video model."
      )
  return lines


def check(experiment: str) -> None:
  """Raises ValueError for an experiment that is not here."""
  if experiment not in COLUMNS:
    known = ", ".join(COLUMNS)
    raise ValueError(f"unknown experiment {experiment!r}; known: {known}")

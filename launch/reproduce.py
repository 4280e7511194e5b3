"""Reproduces a figure or a table of the paper: trains, plans, compares.

  python -m launch.reproduce --figure=3
  python -m launch.reproduce --table=1 --seeds=1 --trials=20
  python -m launch.reproduce --figure=3 --size=smoke

Figure 3 is environment generalization, table 1 task generalization. From
nothing to the table: clips are made, every method is trained with every seed,
judged on test clips, and planned with. results.md, .json and .png in --workdir
are written anew after every job, so that there is always a table of what is
done. A command that was stopped or killed goes on; one that asks for more
seeds, trials, methods or columns does what is missing.

Several processes may run the same command at once and share the jobs:

  taskset -c 0 python -m launch.reproduce --figure=3 &
  taskset -c 1 python -m launch.reproduce --figure=3
"""

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app, planner_flags

with epy.lazy_imports():
  from a2r.runs import players, reproduction, reproduction_results, run_folder

_FIGURE = flags.DEFINE_enum("figure", None, ["3"], "The figure.")
_TABLE = flags.DEFINE_enum("table", None, ["1"], "The table.")
_SIZE = flags.DEFINE_enum(
  "size", "small", ["small", "paper", "smoke"], "Of data and networks."
)
_SEEDS = flags.DEFINE_integer(
  "seeds", None, "Trainings of each method; 3, of smoke 1.", 1, 1000
)
_TRIALS = flags.DEFINE_integer(
  "trials", None, "Per task, environment and seed; 100, of smoke 2.", 1, 10_000
)
_METHODS = flags.DEFINE_list(
  "methods", [], "Rows of the table; all if none. ground_truth is one more."
)
_COLUMNS = flags.DEFINE_list(
  "columns", [], "Environments, or human tasks in table 1; all if none."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Of everything; runs/figure3 or runs/table1."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Of the clips; datasets.")
_HUMAN_PATH = flags.DEFINE_string(
  "human_path", None, "Of Something-Something V2, which size paper needs."
)
_INIT = flags.DEFINE_string("init", None, "First weights, see launch.train.")
flags.adopt_module_key_flags(planner_flags)

_SMOKE_SAMPLES = 4


def main():
  """Reads the flags, does what is missing and prints the table."""
  if (_FIGURE.value is None) == (_TABLE.value is None):
    raise ValueError("give one of --figure=3 and --table=1")
  if _HUMAN_PATH.value and _SIZE.value != "paper":
    raise ValueError("--human_path is of no use without --size=paper")
  if _DATA_DIR.value:
    checks.folder(_DATA_DIR.value)
  dynamics = planner_flags.dynamics(trains_one=True)
  name = "figure3" if _FIGURE.value else "table1"
  size = _SIZE.value
  smoke = size == "smoke"
  ending = "" if size == "small" else f"_{size}"
  few = smoke and not flags.FLAGS["samples"].present
  changes = {"num_samples": _SMOKE_SAMPLES, "num_elites": 1} if few else {}
  known = reproduction.find_columns(name, size)
  experiment = reproduction.Experiment(
    name=name,
    folder=checks.folder(_WORKDIR.value or f"runs/{name}{ending}"),
    size=size,
    num_seeds=_SEEDS.value or (1 if smoke else 3),
    num_trials=_TRIALS.value or (2 if smoke else 100),
    methods=players.choose(
      "--methods", _METHODS.value, reproduction.METHODS, ("ground_truth",)
    ),
    columns=players.choose("--columns", _COLUMNS.value, known),
    settings=planner_flags.read(**changes),
    dynamics=dynamics,
    batch=planner_flags.pace(),
    data_dir=_DATA_DIR.value,
    human_path=_HUMAN_PATH.value,
    init=_INIT.value,
  )
  print(reproduction_results.reproduce(experiment, run_folder.command_line()))
  print(f"\nResults: {experiment.folder / 'results.md'}")


if __name__ == "__main__":
  app.run(main)

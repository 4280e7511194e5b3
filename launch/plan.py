"""Plans with a reward: how often does the robot do the task?

  python -m launch.plan --run=runs/envgen
  python -m launch.plan --run=random --envs=tabletop/train --trials=20
  python -m launch.plan --run=runs/envgen --planner=cem --iterations=3
  python -m launch.plan --run=runs/envgen --dynamics=fitvid --fitvid=runs/fitvid

A trial is an episode of 60 steps: --plans times, --samples candidates of
--horizon actions are drawn and imagined, the one that the reward likes best is
executed. --run is a run of launch.train, an exported reward, or random (actions
alone), clock (all scores equal) or ground_truth (the true state: a ceiling).

The trials are kept under <workdir>/plan, in a folder for each set of settings:
counts as JSON, states and actions as NPZ, the first ones as animations. What is
there is not played again: a command that was stopped or killed goes on, and one
that asks for more trials plays those that are missing. Several processes may
run the same command at once; they share the work.
"""

import pathlib

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app, planner_flags

with epy.lazy_imports():
  from a2r import sim
  from a2r.runs import players, trials

_RUN = flags.DEFINE_string(
  "run", None, "Run folder, exported reward, random, clock or ground_truth."
)
_ENVS = flags.DEFINE_list(
  "envs", ["all"], "Names of environments; all are the four of the tabletop."
)
_TASKS = flags.DEFINE_list(
  "tasks", ["all"], "Names of tasks; all are the four target tasks."
)
_TRIALS = flags.DEFINE_integer("trials", 100, "Per task and seed.", 1, 10_000)
_SEEDS = flags.DEFINE_integer(
  "seeds", 1, "Seeds 0, 1, ... of planning.", 1, 1000
)
_CHECKPOINT = flags.DEFINE_enum(
  "checkpoint", "best", ["best", "newest"], "Which weights of the run."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Of the trials; the run folder, or runs/plan_<run>."
)
flags.adopt_module_key_flags(planner_flags)


def main():
  """Reads the flags, plays what is missing and prints the table."""
  app.required(_RUN, "runs/envgen")
  dynamics = planner_flags.dynamics()
  tasks = players.choose("--tasks", _TASKS.value, sim.TARGETS, sim.TASKS)
  environments = players.choose("--envs", _ENVS.value, sim.ENVIRONMENTS)
  if dynamics.dynamics == "fitvid":
    for environment in environments:
      dynamics.find_video_model(environment)
  spec = trials.TrialSpec(
    player=players.make_player(
      _RUN.value, planner_flags.read(), tasks, checkpoint=_CHECKPOINT.value
    ),
    environments=environments,
    tasks=tasks,
    seeds=tuple(range(_SEEDS.value)),
    num_trials=_TRIALS.value,
    dynamics=dynamics,
    **planner_flags.pace(),
  )
  folder = _find_workdir() / "plan"
  store = trials.open_store(folder, spec)
  trials.play_all(store, spec)
  rows = store.counts(spec)
  trials.write_metrics(folder / "metrics.jsonl", rows, store.folder.name)
  print(trials.make_table(rows).text())
  print(f"\nTrials: {store.folder}")


def _find_workdir() -> pathlib.Path:
  """Where the trials go: beside a run's checkpoints, or a folder of theirs."""
  run = checks.path(_RUN.value)
  own = run if (run / "checkpoints").is_dir() else f"runs/plan_{run.name}"
  return checks.path(_WORKDIR.value or own)


if __name__ == "__main__":
  app.run(main)

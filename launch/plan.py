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

import json
import pathlib

from absl import flags

from launch import common, planner_flags

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
_SEEDS = flags.DEFINE_integer("seeds", 1, "Seeds 0, 1, ... of planning.", 1)
_CHECKPOINT = flags.DEFINE_enum(
  "checkpoint", "best", ["best", "newest"], "Which weights of the run."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Of the trials; the run folder, or runs/plan_<run>."
)
flags.adopt_module_key_flags(planner_flags)


def main():
  """Reads the flags, plays what is missing and prints the table."""
  if _RUN.value is None:
    raise ValueError("--run is missing, such as --run=runs/envgen")
  planner_flags.check_video_model()
  # The simulator and the networks take seconds to import: a wrong flag is told
  # before.
  from launch import planning, players

  environments = players.expand_environments(_ENVS.value)
  tasks = players.expand_tasks(_TASKS.value)
  world = players.World(**planner_flags.world())
  player = players.make_player(
    _RUN.value, planner_flags.read(), tasks, checkpoint=_CHECKPOINT.value
  )
  workdir = _find_workdir()
  store = planning.open_store(workdir / "plan", player, world)
  batches = [
    planning.Batch(
      environment, tasks, seed, _TRIALS.value, **planner_flags.batch()
    )
    for seed in range(_SEEDS.value)
    for environment in environments
  ]
  planning.play_all(store, player, world, batches)
  rows = planning.read_cells(store, batches)
  _write_metrics(workdir / "plan" / "metrics.jsonl", rows, store)
  print(planning.table(rows))
  print(f"\nTrials: {store.folder}")


def _find_workdir() -> pathlib.Path:
  """Where the trials go: beside a run's checkpoints, or a folder of theirs."""
  run = pathlib.Path(_RUN.value).expanduser()
  own = run if (run / "checkpoints").is_dir() else f"runs/plan_{run.name}"
  return pathlib.Path(_WORKDIR.value or own).expanduser()


def _write_metrics(path, rows, store):
  """Adds the cells to a file, in place of older rows of the same cells."""
  key = store.folder.name
  lines = path.read_text("utf-8").splitlines() if path.exists() else []
  names = "environment", "task", "seed"
  mine = {tuple(row[name] for name in names) for row in rows}
  kept = [
    line
    for line in map(json.loads, lines)
    if line["settings"] != key or tuple(line[n] for n in names) not in mine
  ]
  new = [{k: v for k, v in r.items() if k != "settings"} for r in rows]
  kept += [{**row, "settings": key} for row in new]
  common.write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


if __name__ == "__main__":
  common.run(main)

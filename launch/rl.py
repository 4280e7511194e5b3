"""Trains one policy per task by reinforcement learning and stops it early.

  python -m launch.rl
  python -m launch.rl --tasks=open_drawer --stop_at=0.7 --out=mine.safetensors

Stopped policies nearly do their task: they give failures that are close to
successes, the source 'rl' of robot clips. All go into one file, with a card
(.json) beside it. A task that is there with the same settings is skipped, so a
command that was stopped or killed goes on where it was.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

from absl import flags

from a2r.core import files, signals
from launch import app

_TASKS = flags.DEFINE_list("tasks", [], "Names of tasks; all if none.")
_OUT = flags.DEFINE_string(
  "out", "a2r/assets/stopped_policies.safetensors", "The file of the policies."
)
_STOP_AT = flags.DEFINE_float(
  "stop_at", 0.5, "Share of successes in tabletop/train at which to stop."
)
_NUM_STEPS = flags.DEFINE_integer(
  "num_steps", 600_000, "Timesteps per task after which to stop anyway."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.")
_PACKAGES = ("brax", "jax", "mujoco", "numpy")


def main():
  """Reads the flags and trains."""
  # The simulator takes seconds to import: a wrong flag is told before.
  path = pathlib.Path(_OUT.value).expanduser()
  if path.suffix != ".safetensors":
    raise ValueError(f"--out must end in .safetensors, got {path}")
  path.parent.mkdir(parents=True, exist_ok=True)
  from a2r.sim.tabletop import tasks

  names = _TASKS.value or list(tasks.TASKS)
  for name in names:
    tasks.get(name)
  settings = {
    "seed": _SEED.value,
    "stop_at": _STOP_AT.value,
    "num_steps": _NUM_STEPS.value,
  }
  for name in names:
    if _read_card(path).get(name, {}).get("settings") == settings:
      print(f"{name} is in {path} already.")
    else:
      _train(name, settings, path)
  _show(_read_card(path))


def _train(task, settings, path):
  """Trains one task and adds it to the file."""
  from a2r.sim.behavior import stopping

  began = time.monotonic()
  with signals.deferring() as requested:

    def report(env_steps, figures):
      text = " ".join(f"{key} {value:.3g}" for key, value in figures.items())
      head = f"{task}: {env_steps}/{_NUM_STEPS.value}"
      print(head, text, file=sys.stderr, flush=True)
      if requested():
        raise signals.StopRequested(f"during {task}")

    result = stopping.train(task, report_fn=report, **settings)
    judged = stopping.judge_everywhere(result.policy, task, settings["seed"])
  row = {
    "settings": settings,
    "env_steps": result.env_steps,
    "seconds": round(time.monotonic() - began),
    "at_stop": result.judgment._asdict(),
    "judged": {name: judgment._asdict() for name, judgment in judged.items()},
    "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
  }
  _store(task, result.policy, row, path)


def _store(task, policy, row, path):
  """Adds a policy to the file, and then its row to the card."""
  from safetensors import numpy as safetensors

  from a2r.sim.behavior import stopped

  old = safetensors.load_file(path) if path.exists() else {}
  policies = stopped.from_arrays(old) | {task: policy}
  partial = path.with_name(f"{path.name}.partial")
  safetensors.save_file(stopped.to_arrays(policies), partial)
  os.replace(partial, path)
  files.write_json(path.with_suffix(".json"), _read_card(path) | {task: row})


def _read_card(path):
  path = path.with_suffix(".json")
  return json.loads(path.read_text()) if path.exists() else {}


def _show(card):
  print("Success, and how near the hand came in cm:")
  for task, row in card.items():
    cells = (
      f"{name} {cell['success']:.2f} {100 * cell['approach']:.1f}"
      for name, cell in row["judged"].items()
    )
    print(f"{task:23} {row['env_steps']:7} steps  {'  '.join(cells)}")


if __name__ == "__main__":
  app.run(main)

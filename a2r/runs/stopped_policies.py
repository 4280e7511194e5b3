"""The file of stopped policies and its card, one task after the other."""

import importlib.metadata
import pathlib
import sys
import time
from typing import Any

from a2r.core import files, tensors
from a2r.sim.behavior import stopped, stopping

_PACKAGES = ("brax", "jax", "mujoco", "numpy")


def read_card(path: pathlib.Path) -> dict[str, Any]:
  """Returns what is known of the policies in a file, by the task's name."""
  return files.read_json(path.with_suffix(".json")) or {}


def train(
  task: str, path: pathlib.Path, *, seed: int, stop_at: float, num_steps: int
) -> bool:
  """Trains a task's policy and adds it to the file and its card.

  Args:
    task: its name.
    path: the file; its card, a .json, lies beside it.
    seed: of all randomness.
    stop_at: share of successes in tabletop/train at which to stop.
    num_steps: timesteps after which to stop anyway.

  Returns:
    False if the file has the task already, trained with these settings.

  """
  settings = {"seed": seed, "stop_at": stop_at, "num_steps": num_steps}
  if read_card(path).get(task, {}).get("settings") == settings:
    return False
  began = time.monotonic()

  def report(env_steps, figures):
    text = " ".join(f"{key} {value:.3g}" for key, value in figures.items())
    head = f"{task}: {env_steps}/{num_steps}"
    print(head, text, file=sys.stderr, flush=True)

  result = stopping.train(task, report_fn=report, **settings)
  judged = stopping.evaluate_everywhere(result.policy, task, seed)
  row = {
    "settings": settings,
    "env_steps": result.env_steps,
    "seconds": round(time.monotonic() - began),
    "at_stop": result.evaluation._asdict(),
    "judged": {name: figures._asdict() for name, figures in judged.items()},
    "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
  }
  path.parent.mkdir(parents=True, exist_ok=True)
  old = tensors.load(path) if path.exists() else {}
  policies = stopped.from_arrays(old) | {task: result.policy}
  tensors.save(path, stopped.to_arrays(policies))
  card = read_card(path) | {task: row}
  files.write_json(path.with_suffix(".json"), card, recorded=True)
  return True

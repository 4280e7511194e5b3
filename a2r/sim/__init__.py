"""The simulated tabletop: environments, tasks, robot clips.

The names are looked up when they are first used, so that the renderer and the
human clips can be had without the physics engine.
"""

import importlib

_HOME = {
  "make": "env",
  "make_gym": "gym_env",
  "register_gym": "gym_env",
  "rollout": "rollouts",
  "collect": "clips",
  "Clips": "clips",
  "TARGETS": "tasks",
  "TASKS": "tasks",
  "ENVIRONMENTS": "variants",
}

__all__ = list(_HOME)


def __getattr__(name):
  if name not in _HOME:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  module = importlib.import_module(f"{__name__}.{_HOME[name]}")
  globals()[name] = getattr(module, name)
  return globals()[name]

"""The simulated worlds: environments, tasks, robot clips.

The names are looked up when they are first used, so that the renderer and the
human clips can be had without the physics engine.
"""

import importlib

_HOME = {
  "make": "environments",
  "make_gym": "environments",
  "register_gym": "environments",
  "rollout": "environments",
  "collect": "environments",
  "Clips": "tabletop.episodes",
  "TARGETS": "tabletop.tasks",
  "TASKS": "tabletop.tasks",
  "ENVIRONMENTS": "tabletop.variants",
}

__all__ = list(_HOME)


def __getattr__(name):
  if name not in _HOME:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  module = importlib.import_module(f"{__name__}.{_HOME[name]}")
  globals()[name] = getattr(module, name)
  return globals()[name]

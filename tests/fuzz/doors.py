"""The doors of the project, each with the function that makes its cases."""

import functools

from tests.fuzz import (
  api,
  combinations,
  commands,
  films,
  humans,
  runs,
  sets,
  settings,
  stored,
  weights,
)

DOORS = {
  "flags": commands.cases,
  "settings": settings.cases,
  "combined": combinations.cases,
  "stored": stored.cases,
  "runs": runs.cases,
  "videos": films.cases,
  "weights": weights.cases,
  "ssv2": humans.cases,
  "api": api.cases,
  "manifests": sets.manifest_cases,
  "lerobot": functools.partial(sets.set_cases, "lerobot", 80),
  "lerobot2": functools.partial(sets.set_cases, "lerobot2", 40),
  "rlds": functools.partial(sets.set_cases, "rlds", 60),
}

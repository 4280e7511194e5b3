"""The flags of the programs that plan: the planner, its futures, its pace.

A program names them as its own with `flags.adopt_module_key_flags`.
"""

import dataclasses
import typing
from typing import Any

from absl import flags
from etils import epy

from a2r.planning import config

with epy.lazy_imports():
  from a2r.runs import players

_DYNAMICS = flags.DEFINE_enum(
  "dynamics", "sim", ["sim", "fitvid"], "What predicts the futures."
)
_FITVID = flags.DEFINE_list(
  "fitvid",
  [],
  "Run folders of video models, with --dynamics=fitvid; each predicts where it "
  "was trained.",
)
_PHYSICS = flags.DEFINE_enum(
  "physics",
  "auto",
  ["auto", "c", "mjx"],
  "Physics engine; auto is C on a CPU and MJX elsewhere.",
)
_BATCH = flags.DEFINE_integer("batch", 20, "Trials at a time.", 1, 10_000)
_VIDEOS = flags.DEFINE_integer(
  "videos", 1, "Trials of each task and seed to keep as animations.", 0, 10_000
)
# Each field of PlannerConfig: the name of its flag, and what --help says.
_FIELDS = {
  "method": ("planner", "How to search."),
  "num_samples": ("samples", "Candidates of an iteration."),
  "horizon": ("horizon", "Steps that a plan looks ahead."),
  "num_plans": ("plans", "Plans of an episode."),
  "num_iterations": (
    "iterations", "Rounds of drawing; 1 for shooting and 3 for the others."
  ),
  "num_elites": (
    "elites", "Of cem, the best of a round; a fifth of the candidates."
  ),
  "temperature": (
    "temperature", "Of mppi, in standard deviations of the values."
  ),
  "action_repeat": ("repeat", "Steps that each drawn action is held for."),
  "clip": (
    "clip",
    "What the reward sees: the whole episode, as it was trained on, or the "
    "predicted steps alone, as DVD does.",
  ),
  "micro_batch": ("micro_batch", "Candidates predicted and judged at a time."),
}  # fmt: skip


def _define(field: dataclasses.Field) -> flags.FlagHolder:
  """Defines the flag of a field of `PlannerConfig`."""
  name, text = _FIELDS[field.name]
  first, *_ = choices = typing.get_args(field.type) or (field.type,)
  if isinstance(first, str):
    return flags.DEFINE_enum(name, field.default, choices, text)
  define = flags.DEFINE_float if first is float else flags.DEFINE_integer
  return define(name, field.default, text)


_PLANNER = {
  field.name: _define(field)
  for field in dataclasses.fields(config.PlannerConfig)
}


def read(**changes: Any) -> config.PlannerConfig:
  """Returns how to plan.

  Args:
    **changes: what a program has other than its flags.

  Raises:
    ValueError: flags that make no sense.
  """
  values = {name: flag.value for name, flag in _PLANNER.items()}
  return config.PlannerConfig(**values | changes)


def pace() -> dict[str, int]:
  """Returns the fields of a `trials.TrialSpec` that are of its pace."""
  return {"batch_size": _BATCH.value, "num_videos": _VIDEOS.value}


def dynamics(*, trains_one: bool = False) -> "players.DynamicsSpec":
  """Returns what trials happen in and are predicted by.

  Args:
    trains_one: whether the program trains a video model where none is given.

  Raises:
    ValueError: the video model and its run do not go together.
  """
  predicts = _DYNAMICS.value == "fitvid"
  if _FITVID.value and not predicts:
    raise ValueError("--fitvid is of no use without --dynamics=fitvid")
  if predicts and not _FITVID.value and not trains_one:
    raise ValueError(
      "--dynamics=fitvid needs --fitvid=<a run of launch.train "
      "--config=configs/fitvid.py>"
    )
  return players.DynamicsSpec(
    _DYNAMICS.value, _PHYSICS.value, tuple(_FITVID.value)
  )

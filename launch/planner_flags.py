"""The flags of the programs that plan: the planner, its futures, its pace.

A program names them as its own with `flags.adopt_module_key_flags`.
"""

from typing import Any

from absl import flags
from etils import epy

with epy.lazy_imports():
  from a2r.planning import base

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
_PLANNER = flags.DEFINE_enum(
  "planner", "shooting", ["shooting", "cem", "mppi"], "How to search."
)
_SAMPLES = flags.DEFINE_integer("samples", 100, "Candidates of an iteration.")
_HORIZON = flags.DEFINE_integer("horizon", 20, "Steps that a plan looks ahead.")
_PLANS = flags.DEFINE_integer("plans", 3, "Plans of an episode.")
_ITERATIONS = flags.DEFINE_integer(
  "iterations", None, "Rounds of drawing; 1 for shooting and 3 for the others."
)
_ELITES = flags.DEFINE_integer(
  "elites", None, "Of cem, the best of a round; a fifth of the candidates."
)
_TEMPERATURE = flags.DEFINE_float(
  "temperature", 0.5, "Of mppi, in standard deviations of the values."
)
_REPEAT = flags.DEFINE_integer(
  "repeat", 1, "Steps that each drawn action is held for."
)
_CLIP = flags.DEFINE_enum(
  "clip",
  "episode",
  ["episode", "future"],
  "What the reward sees: the whole episode, as it was trained on, or the "
  "predicted steps alone, as DVD does.",
)
_MICRO_BATCH = flags.DEFINE_integer(
  "micro_batch", 512, "Candidates predicted and judged at a time."
)
_BATCH = flags.DEFINE_integer("batch", 20, "Trials at a time.", 1)
_VIDEOS = flags.DEFINE_integer(
  "videos", 1, "Trials of each task and seed to keep as animations.", 0
)


def read(**changes: Any):
  """The planner's settings, a `planning.base.Settings`.

  Args:
    **changes: what a program has other than its flags.

  Raises:
    ValueError: flags that make no sense.
  """
  many = 1 if _PLANNER.value == "shooting" else 3
  values = {
    "method": _PLANNER.value,
    "num_samples": _SAMPLES.value,
    "horizon": _HORIZON.value,
    "num_plans": _PLANS.value,
    "num_iterations": many if _ITERATIONS.value is None else _ITERATIONS.value,
    "num_elites": _ELITES.value or max(1, _SAMPLES.value // 5),
    "temperature": _TEMPERATURE.value,
    "action_repeat": _REPEAT.value,
    "clip": _CLIP.value,
    "micro_batch": _MICRO_BATCH.value,
  }
  return base.Settings(**values | changes)


def world() -> dict[str, Any]:
  """The fields of a `players.World`."""
  return {
    "dynamics": _DYNAMICS.value,
    "physics": _PHYSICS.value,
    "fitvid": tuple(_FITVID.value),
  }


def batch() -> dict[str, Any]:
  """The fields of a `planning.Batch` that are of its pace."""
  return {"size": _BATCH.value, "num_videos": _VIDEOS.value}


def check_video_model(*, trains_one: bool = False):
  """Raises ValueError where the video model and its run do not go together.

  Args:
    trains_one: whether the program trains a video model where none is given.
  """
  predicts = _DYNAMICS.value == "fitvid"
  if _FITVID.value and not predicts:
    raise ValueError("--fitvid is of no use without --dynamics=fitvid")
  if predicts and not _FITVID.value and not trains_one:
    raise ValueError(
      "--dynamics=fitvid needs --fitvid=<a run of launch.train "
      "--config=configs/fitvid.py>"
    )

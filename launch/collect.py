"""Makes the clips of an experiment, or of one environment, as TFRecords.

  python -m launch.collect --config=configs/envgen.py
  python -m launch.collect --environment=tabletop/test1 --tasks=close_drawer \
    --successes=50 --failures=50 --out=datasets
  python -m launch.collect --source=random,noise --clips=100
  python -m launch.collect --environment=concept --tasks=5,93 --successes=50
  python -m launch.collect --human --templates="Closing something" --clips=100

Who acts in a robot clip is its source: expert, near_miss (the expert's motion
spoiled), noise (an expert's success with noise on it), rl (a policy trained by
reinforcement learning and stopped early), random, or explore (uniform actions
for a while, then rest). With --source, --clips clips of each task and source
are collected; of the expert only successes are kept, of near_miss, noise and rl
only failures, and random and explore clips as they come; --want=success,
failure or all overrules that. Without --source the experts' --successes and the
--failures of all other sources are collected.

At Concept2Robot's table (--environment=concept) tasks have numbers and names,
the expert's motion is found by an optimizer in the simulator, and the sources
are expert, near_miss and random. --environment=concept/5 is one of its tasks.

With --config, everything that launch.train would make: robot clips for
training, validation and test, and human clips. What is there already is found;
a collection that was stopped or killed goes on with the same command. Each data
set has its own folder under --out, which holds its shards, spec.json and
index.json; metrics.jsonl beside them has the figures of the table shown last.
"""

from absl import flags
from etils import epy
from ml_collections import config_flags

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.runs import datasets
  from a2r.runs.sources import human, stores, worlds
  from a2r.sim.humans import human_clips

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Settings of an experiment: make all the clips it needs."
)
_OUT = flags.DEFINE_string(
  "out", None, "Folder of the data sets; the experiment's, or datasets."
)
_ENVIRONMENT = flags.DEFINE_string(
  "environment", "tabletop/train", "Where the robot is."
)
_TASKS = flags.DEFINE_list(
  "tasks", [], "If none, the four targets, or the twelve of concept."
)
_SUCCESSES = flags.DEFINE_integer("successes", 90, "Successes per task.")
_FAILURES = flags.DEFINE_integer("failures", 90, "Failures per task.")
_NEAR_MISSES = flags.DEFINE_float(
  "near_miss_fraction", 0.5, "Share of the failures that nearly succeed."
)
_SOURCES = flags.DEFINE_multi_string(
  "source", [], "Who acts, see above; several by commas or flags."
)
_WANT = flags.DEFINE_enum(
  "want", None, ["success", "failure", "all"], "With --source, what is kept."
)
_PURPOSE = flags.DEFINE_enum(
  "purpose",
  "train",
  ["train", "validation", "test"],
  "Clips of different purposes share no draw.",
)
_HUMAN = flags.DEFINE_bool("human", False, "Human clips instead of robot ones.")
_TEMPLATES = flags.DEFINE_multi_string(
  "templates",
  [],
  "Templates of the human clips, one flag each; if none, all that stage 1 has.",
)
_CLIPS = flags.DEFINE_integer(
  "clips", 120, "Clips per human template, or per task and --source."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.")
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 8, "Frames per clip.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "Pixels, either side.")


def main():
  """Reads the flags and collects."""
  given = {name for name in flags.FLAGS if flags.FLAGS[name].present}
  others = {"human", "config", "successes", "failures", "near_miss_fraction"}
  clash = sorted(given & others) if _SOURCES.value else sorted(given & {"want"})
  if clash:
    verb = "does not go with" if _SOURCES.value else "needs"
    raise ValueError(f"--{clash[0]} {verb} --source; see --help")
  out = _OUT.value or "datasets"
  checks.folder(out)
  clips = _values(_SEED, _NUM_FRAMES, _IMAGE_SIZE)
  if "config" in given:
    config = app.read_settings(_CONFIG, "configs/envgen.py")
    out = datasets.make_all(config, _OUT.value)
  elif _HUMAN.value:
    templates = tuple(_TEMPLATES.value or human_clips.TEMPLATES)
    spec = human.HumanSpec(
      templates=templates, clips_per_template=_CLIPS.value, **clips
    )
    human.collect(spec, out)
  else:
    place, tasks = worlds.find(_ENVIRONMENT.value, _TASKS.value)
    clips |= _values(_PURPOSE) | {"environment": place, "tasks": tasks}
    if _SOURCES.value:
      sources = tuple(",".join(_SOURCES.value).replace(" ", "").split(","))
      want = _WANT.value or "usual"
      clips |= {"sources": sources, "clips": _CLIPS.value, "want": want}
      spec = worlds.SourceSpec(**clips)
    else:
      clips |= _values(_SUCCESSES, _FAILURES, _NEAR_MISSES)
      clips["near_miss_sources"] = worlds.find_world(place).near_sources
      spec = worlds.RobotSpec(**clips)
    worlds.collect(spec, out)
  print(stores.report(out))


def _values(*holders: flags.FlagHolder) -> dict:
  """Flags, by name, as fields of a spec."""
  return {holder.name: holder.value for holder in holders}


if __name__ == "__main__":
  app.run(main)

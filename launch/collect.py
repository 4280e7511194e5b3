"""Makes the clips of an experiment, or of one environment, as TFRecords.

  python -m launch.collect --config=configs/envgen.py
  python -m launch.collect --environment=tabletop/test1 --tasks=close_drawer \
    --successes=50 --failures=50 --out=datasets
  python -m launch.collect --source=random,noise --clips=100
  python -m launch.collect --human --templates="Closing something" --clips=100

Who acts in a robot clip is its source: expert, near_miss (the expert's motion
spoiled), noise (an expert's success with noise on it), rl (a policy trained by
reinforcement learning and stopped early), random, or explore (uniform actions
for a while, then rest). With --source, --clips clips of each task and source
are collected; of the expert only successes are kept, of near_miss, noise and rl
only failures, and random and explore clips as they come; --want=success,
failure or all overrules that. Without --source the experts' --successes and the
--failures of all other sources are collected.

With --config, everything that launch.train would make: robot clips for
training, validation and test, and human clips. What is there already is found;
a collection that was stopped or killed goes on with the same command. Each data
set has its own folder under --out, which holds its shards, spec.json and
index.json; metrics.jsonl beside them has the figures of the table shown last.
"""

import json
import pathlib

from absl import flags
from etils import epy
from ml_collections import config_flags

from a2r.evaluation import tables
from launch import app

with epy.lazy_imports():
  from a2r import sim
  from a2r.runs import data_settings, datasets, settings
  from a2r.runs.sources import human, stores, tabletop
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
  "tasks", [], "Names of robot tasks; the four target tasks if none."
)
_SUCCESSES = flags.DEFINE_integer("successes", 90, "Successes per task.")
_FAILURES = flags.DEFINE_integer("failures", 90, "Failures per task.")
_NEAR_MISSES = flags.DEFINE_float(
  "near_miss_fraction", 0.5, "Share of the failures that nearly succeed."
)
_SOURCES = flags.DEFINE_multi_string(
  "source",
  [],
  "Who acts: expert, near_miss, noise, rl, random, explore; several by commas "
  "or flags.",
)
_WANT = flags.DEFINE_enum(
  "want",
  None,
  ["success", "failure", "all"],
  "With --source, the clips kept; by default the expert's successes, the "
  "failures of near_miss, noise and rl, all of the others.",
)
_PURPOSE = flags.DEFINE_enum(
  "purpose",
  "train",
  ["train", "validation", "test"],
  "Clips of different purposes share no draw.",
)
_HUMAN = flags.DEFINE_bool("human", False, "Human clips instead of robot ones.")
_TEMPLATES = flags.DEFINE_multi_string(
  "templates", [], "Templates of the human clips, one flag each; all if none."
)
_CLIPS = flags.DEFINE_integer(
  "clips", 120, "Clips per human template, or per task and --source."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.")
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 8, "Frames per clip.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "Pixels, either side.")


def main():
  """Reads the flags and collects."""
  _check_flags()
  out = _OUT.value or "datasets"
  if _CONFIG.value is not None:
    out = _collect_experiment()
  elif _HUMAN.value:
    human.collect(_human_spec(), out)
  else:
    tabletop.collect(_robot_spec(), out)
  rows = stores.summary(out)
  path = pathlib.Path(out).expanduser() / "metrics.jsonl"
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  cells = [
    (
      row["folder"],
      row["clips"],
      round(row["bytes_per_clip"]),
      f"{row['bytes'] / 1e6:.1f}",
      row["content"],
    )
    for row in rows
  ]
  header = ["data set", "clips", "bytes/clip", "MB", "content"]
  print(tables.Table("", header, cells).text())


def _check_flags():
  """Flags that do not go together."""
  given = {name for name in flags.FLAGS if flags.FLAGS[name].present}
  others = {"human", "config", "successes", "failures", "near_miss_fraction"}
  clash = sorted(given & others) if _SOURCES.value else sorted(given & {"want"})
  if clash:
    verb = "does not go with" if _SOURCES.value else "needs"
    raise ValueError(f"--{clash[0]} {verb} --source; see --help")


def _collect_experiment() -> str:
  """Makes what launch.train would make; returns the folder."""
  config = _CONFIG.value.copy_and_resolve_references()
  if _OUT.value:
    config.data.dir = _OUT.value
  evaluation = settings.Evaluation(**config.eval)
  data = data_settings.DataSettings.from_config(config.data)
  datasets.open_data(
    data,
    seed=config.seed,
    use_failures=config.train.batch.failure > 0,
  )
  datasets.open_test(data, evaluation)
  return config.data.dir


def _human_spec():
  return human.HumanSpec(
    templates=tuple(_TEMPLATES.value or human_clips.TEMPLATES),
    clips_per_template=_CLIPS.value,
    seed=_SEED.value,
    num_frames=_NUM_FRAMES.value,
    image_size=_IMAGE_SIZE.value,
  )


def _robot_spec():
  shared = dict(
    environment=_ENVIRONMENT.value,
    tasks=tuple(_TASKS.value or sim.TARGETS),
    purpose=_PURPOSE.value,
    seed=_SEED.value,
    num_frames=_NUM_FRAMES.value,
    image_size=_IMAGE_SIZE.value,
  )
  if _SOURCES.value:
    return tabletop.SourceSpec(
      sources=tuple(",".join(_SOURCES.value).replace(" ", "").split(",")),
      clips=_CLIPS.value,
      want=_WANT.value or "usual",
      **shared,
    )
  return tabletop.RobotSpec(
    successes=_SUCCESSES.value,
    failures=_FAILURES.value,
    near_miss_fraction=_NEAR_MISSES.value,
    **shared,
  )


if __name__ == "__main__":
  app.run(main)

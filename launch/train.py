"""Trains a reward from human and robot clips, and judges it.

  python -m launch.train --config=configs/envgen.py
  python -m launch.train --config=configs/envgen.py:smoke --workdir=/tmp/run
  python -m launch.train --config=configs/envgen.py --config.train.num_steps=600

Clips are made in the simulator the first time and found afterwards. A run that
was stopped or killed goes on with the same command. The run folder holds
config.json, tokenizer.json, reward.json, checkpoints/, metrics.jsonl, events/
(for TensorBoard), report.json and report.png.
"""

import pathlib
import sys

import jax
from absl import flags
from ml_collections import config_flags

from launch import common

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Settings: configs/envgen.py, with :smoke or :paper after it."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "The run folder; runs/<name of the settings> by default."
)
_DISTRIBUTED = flags.DEFINE_bool(
  "distributed", False, "Several hosts: start jax.distributed on each of them."
)


def main():
  """Reads the flags and runs."""
  config = _CONFIG.value
  if config is None:
    raise ValueError("--config is missing, such as --config=configs/envgen.py")
  if _DISTRIBUTED.value:
    jax.distributed.initialize()
  workdir = pathlib.Path(
    _WORKDIR.value or common.default_workdir("config=", sys.argv[1:])
  ).expanduser()
  with common.locked(workdir):
    common.store_config(workdir, config.to_dict())
    # TensorFlow takes seconds to import: a wrong flag is told before.
    from launch import training

    training.run(config, workdir)


if __name__ == "__main__":
  common.run(main)

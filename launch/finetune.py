"""Trains the video-language backbone on videos of people: stage 1.

  python -m launch.finetune --config=configs/singularity_ssv2.py \\
    --config.data.human.path=/data/ssv2 --config.model.init=runs/singularity
  python -m launch.finetune --config=configs/singularity_ssv2.py:smoke

A run that was stopped or killed goes on with the same command. The run folder
holds config.json, tokenizer.json, checkpoints/, metrics.jsonl, events/ (for
TensorBoard) and report.json, and stage 2 starts from it:
python -m launch.train --config.model.init=runs/singularity_ssv2
"""

import pathlib
import sys

import jax
from absl import flags
from ml_collections import config_flags

from launch import common

_CONFIG = config_flags.DEFINE_config_file(
  "config",
  None,
  "Settings: configs/singularity_ssv2.py, with :label or :smoke after it.",
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
    raise ValueError(
      "--config is missing, such as --config=configs/singularity_ssv2.py"
    )
  if _DISTRIBUTED.value:
    jax.distributed.initialize()
  workdir = pathlib.Path(
    _WORKDIR.value or common.default_workdir("config=", sys.argv[1:])
  ).expanduser()
  with common.locked(workdir):
    common.store_config(workdir, config.to_dict())
    # TensorFlow takes seconds to import: a wrong flag is told before.
    from launch import finetuning

    finetuning.run(config, workdir)


if __name__ == "__main__":
  common.run(main)

"""Trains the video-language backbone on videos of people: stage 1.

  python -m launch.finetune --config=configs/singularity_ssv2.py \\
    --config.data.human.path=/data/ssv2 --config.model.init=runs/singularity
  python -m launch.finetune --config=configs/singularity_ssv2.py:smoke

A run that was stopped or killed goes on with the same command. The run folder
holds config.json, tokenizer.json, checkpoints/, metrics.jsonl, events/ (for
TensorBoard) and report.json, and stage 2 starts from it:
python -m launch.train --config.model.init=runs/singularity_ssv2
"""

from etils import epy

from launch import app

with epy.lazy_imports():
  from a2r.runs import stage1

_FLAGS = app.RunFlags("configs/singularity_ssv2.py")


def main():
  """Reads the flags and trains."""
  with _FLAGS.open() as (config, workdir):
    stage1.run(config, workdir)


if __name__ == "__main__":
  app.run(main)

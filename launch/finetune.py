"""Trains the video-language backbone on videos of people: stage 1.

  python -m launch.finetune --config=configs/singularity_ssv2.py \\
    --config.data.human.path=/data/ssv2 --config.model.init=runs/singularity
  python -m launch.finetune --config=configs/singularity_ssv2.py:smoke

A run that was stopped or killed goes on with the same command. The run folder
holds config.json, tokenizer.json, checkpoints/, metrics.jsonl, events/ (for
TensorBoard) and report.json, and stage 2 starts from it:
python -m launch.train --config.model.init=runs/singularity_ssv2
"""

from absl import flags

from launch import app, settings

flags.adopt_module_key_flags(settings)


def main():
  """Reads the flags and runs."""
  with settings.open_run("configs/singularity_ssv2.py") as (config, workdir):
    # TensorFlow takes seconds to import: a wrong flag is told before.
    from a2r.runs import finetune

    finetune.run(config, workdir)


if __name__ == "__main__":
  app.run(main)

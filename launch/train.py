"""Trains a reward from human and robot clips, and judges it.

  python -m launch.train --config=configs/envgen.py
  python -m launch.train --config=configs/envgen.py:smoke --workdir=/tmp/run
  python -m launch.train --config=configs/envgen.py --config.train.num_steps=600

Clips are made in the simulator the first time and found afterwards. A run that
was stopped or killed goes on with the same command. The run folder holds
config.json, tokenizer.json, reward.json, checkpoints/, metrics.jsonl, events/
(for TensorBoard), report.json and report.png.
"""

from absl import flags

from launch import app, settings

flags.adopt_module_key_flags(settings)


def main():
  """Reads the flags and runs."""
  with settings.open_run("configs/envgen.py") as (config, workdir):
    # TensorFlow takes seconds to import: a wrong flag is told before.
    if config.get("method") == "fitvid":
      pass
    else:
      from a2r.runs import train

    train.run(config, workdir)


if __name__ == "__main__":
  app.run(main)

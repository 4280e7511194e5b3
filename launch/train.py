"""Trains a reward from human and robot clips, and judges it.

  python -m launch.train --config=configs/envgen.py
  python -m launch.train --config=configs/envgen.py:smoke --workdir=/tmp/run
  python -m launch.train --config=configs/envgen.py --config.train.num_steps=600

Clips are made in the simulator the first time and found afterwards. A run that
was stopped or killed goes on with the same command. The run folder holds
config.json, tokenizer.json, reward.json, checkpoints/, metrics.jsonl, events/
(for TensorBoard), report.json and report.png.
"""

from etils import epy

from launch import app

with epy.lazy_imports():
  from a2r.runs import train, video

_FLAGS = app.RunFlags("configs/envgen.py", "configs/fitvid.py")


def main():
  """Reads the flags and trains."""
  with _FLAGS.open() as (config, workdir):
    runs = video if config.get("method") == "fitvid" else train
    runs.run(config, workdir)


if __name__ == "__main__":
  app.run(main)

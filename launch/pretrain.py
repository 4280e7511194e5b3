"""Makes the small backbone: stage 1, on procedural human clips.

  python -m launch.pretrain --config=configs/pretrain.py
  python -m launch.pretrain --config=configs/pretrain.py:smoke

Clips are drawn while it trains; nothing is read from disk. A run that was
stopped or killed goes on with the same command, and `train.num_steps` may then
be another as long as the learning rate has not begun to fall. Each epoch leaves
a backbone in snapshots/. The run ends with small_backbone.safetensors and its
card in the run folder; copied to a2r/assets they are what launch.train starts
from. On a CPU every core is a device.
"""

from etils import epy

from launch import app

with epy.lazy_imports():
  from a2r.runs import stage1

_FLAGS = app.RunFlags("configs/pretrain.py")


def main():
  """Reads the flags and trains."""
  with _FLAGS.open() as (config, workdir):
    stage1.run_procedural(config, workdir)


if __name__ == "__main__":
  app.run(main)

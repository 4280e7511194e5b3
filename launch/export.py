"""Makes a trained reward a folder of plain files, to keep and to share.

  python -m launch.export --run=runs/envgen --to=my_reward

The folder has the weights (safetensors), the vocabulary, the sizes and a model
card with the figures of the run; it can be pushed to the Hugging Face Hub as it
is. `a2r.reward.load` and `launch.score` read it as they read a run.
"""

import shlex

from absl import flags, logging
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r import reward
  from a2r.models import saved

_RUN = flags.DEFINE_string("run", None, "Run folder that launch.train wrote.")
_TO = flags.DEFINE_string("to", None, "The folder to write.")
_DTYPE = flags.DEFINE_enum(
  "dtype", "float32", ["float32", "bfloat16"], "Of the weights that are stored."
)
_CHECKPOINT = flags.DEFINE_enum(
  "checkpoint", "best", ["best", "newest"], "Which weights of the run."
)


def main():
  """Reads the flags, writes the folder and tells how to use it."""
  logging.set_verbosity(logging.ERROR)
  run, to = app.required(_RUN), app.required(_TO)
  folder = checks.path(to)
  saved.check_free(folder)
  model = reward.load(run, _CHECKPOINT.value)
  model.save(folder, dtype=_DTYPE.value)
  size = sum(path.stat().st_size for path in folder.iterdir())
  print(f"Reward: {folder} ({size / 1e6:.1f} MB, {_DTYPE.value})")
  print(f"Its model card: {folder / saved.CARD_FILE}. Use it:")
  # Of whoever made the run: nothing of it may act in a shell.
  instruction = checks.printable(model.instructions[0])
  command = ["python", "-m", "launch.score", f"--run={folder}"]
  command += ["--video=clip.mp4", f"--instruction={instruction}"]
  print(f"  {shlex.join(command)}")
  print(f"  a2r.reward.load({str(folder)!r}).score(clips, {instruction!r})")


if __name__ == "__main__":
  app.run(main)

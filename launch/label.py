"""Writes the reward of every frame of a LeRobot data set, for LeRobot to read.

  python -m launch.label --run=runs/my_robot --dataset=my_set

LeRobot's training weighs samples by the table, which is the one that its own
reward models write:

  lerobot-train ... --dataset.root=my_set --sample_weighting.type=rabc \
      --sample_weighting.progress_path=my_set/a2r_progress.parquet \
      --sample_weighting.head_mode=sparse

The data set is of the format's version 3.0 or 2.1, and is not changed.
"""

import itertools

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r import reward
  from a2r.core import text
  from a2r.runs import labels
  from data.readers import lerobot

_RUN = flags.DEFINE_string(
  "run", None, "Run folder, an exported reward, or small_backbone."
)
_DATASET = flags.DEFINE_string("dataset", None, "Folder of the data set.")
_CAMERA = flags.DEFINE_string(
  "camera", "", "Whose pictures, like observation.images.top; the first one."
)
_INSTRUCTION = flags.DEFINE_string(
  "instruction", None, "What all episodes show; by default each its own task."
)
_OUT = flags.DEFINE_string(
  "out", None, "The table; a2r_progress.parquet in the data set by default."
)
_NUM_FRAMES = flags.DEFINE_integer(
  "num_frames", 16, "Of an episode, at which the reward is asked.", 2, 1000
)
_OVERLAY = flags.DEFINE_string(
  "overlay", None, "Also draw the first episode and its progress to this mp4."
)


def main():
  """Reads the flags, labels, and tells whether the labels are worth using."""
  run, folder = app.required(_RUN), checks.path(app.required(_DATASET))
  instruction = _INSTRUCTION.value
  if instruction is not None and not text.pre_text(instruction):
    raise ValueError(f"the instruction is empty: {instruction!r}")
  films, notes = lerobot.open_films(
    folder, camera=_CAMERA.value, num_frames=_NUM_FRAMES.value
  )
  path = folder / "a2r_progress.parquet"
  if _OUT.value:
    path = checks.file_to_write(_OUT.value)
  drawn = checks.file_to_write(_OVERLAY.value) if _OVERLAY.value else None
  model = reward.load(run)
  found = list(labels.label(model, films, instruction))
  labels.write(path, found, run)
  if drawn:
    labels.draw(drawn, found[0])
  lines = (f"NOTE: {note}" for note in notes)
  print("\n".join(itertools.chain(labels.describe(found), lines)))
  num = sum(len(x.progress) for x in found)
  print(f"\nTable: {path} ({num} frames of {len(found)} episodes)")


if __name__ == "__main__":
  app.run(main)

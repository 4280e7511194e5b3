"""Prints the reward of a video for an instruction.

  python -m launch.score --run=runs/envgen --video=clip.mp4 \
      --instruction="close the drawer"

Beside it stand the rewards of all instructions that the run knows, and, for an
instruction it was trained on with failures, how likely each failure mode is.
Any video file will do; the model takes a few of its frames, evenly spaced in
time, first and last included.
"""

import pathlib

from absl import flags, logging
from etils import epy

from launch import app

with epy.lazy_imports():
  from a2r.core import files, text
  from a2r.evaluation import figures, over_time, scoring
  from data import video

_RUN = flags.DEFINE_string("run", None, "Run folder, or an exported reward.")
_VIDEO = flags.DEFINE_string("video", None, "The video file.")
_INSTRUCTION = flags.DEFINE_string(
  "instruction", None, "What the video should show, in your words."
)
_CHECKPOINT = flags.DEFINE_enum(
  "checkpoint", "best", ["best", "newest"], "Which weights of the run."
)
_FIGURE = flags.DEFINE_string(
  "figure", None, "Also draw the video and its reward over time to this PNG."
)
_FIGURE_FRAMES = 8


def main():
  """Reads the flags, scores and prints."""
  logging.set_verbosity(logging.ERROR)
  run, path = app.required(_RUN), app.required(_VIDEO)
  instruction = app.required(_INSTRUCTION)
  if not text.pre_text(instruction):
    raise ValueError(f"the instruction is empty: {instruction!r}")
  model = scoring.load(run, _CHECKPOINT.value)
  logging.set_verbosity(logging.WARNING)  # What is odd about the video.
  clip = video.load_video(path, num_frames=model.num_frames)
  print(scoring.describe(model, clip, instruction))
  if _FIGURE.value:
    draw(model, instruction)


def draw(model: "scoring.Model", instruction: str):
  """Draws the video's frames and its reward over time."""
  clip = video.load_video(_VIDEO.value, num_frames=_FIGURE_FRAMES)
  known = model.read(instruction)
  example = over_time.Example(
    environment=pathlib.Path(_VIDEO.value).name,
    instruction=known,
    kinds=("video",),
    frames=(clip,),
    curves=(over_time.reward_curve(model, model.form, clip, known),),
  )
  picture = figures.filmstrips([example], form=model.form)
  files.write_bytes(pathlib.Path(_FIGURE.value), picture)
  print(f"\nFigure: {_FIGURE.value}")


if __name__ == "__main__":
  app.run(main)

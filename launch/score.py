"""Prints the reward of a video for an instruction.

  python -m launch.score --run=runs/envgen --video=clip.mp4 \
      --instruction="close the drawer"

Beside it stand how familiar the video is (is the reward to be trusted?), the
rewards of all instructions that the run has robot clips of, and, for one it was
trained on with failures, the share of each failure mode.
Any video file will do; the model takes a few of its frames, evenly spaced in
time, first and last included. With --video given several times, or a folder of
videos, there is a table of their rewards instead; --csv writes it to a file.
--run=small_backbone scores by the backbone that ships, zero-shot.
"""

import itertools
import pathlib
from collections.abc import Iterator, Sequence

from absl import flags, logging
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.core import files, text
  from a2r.evaluation import figures, over_time, scoring, tables
  from a2r.models import scorer
  from data import video

_RUN = flags.DEFINE_string("run", None, "Run folder, or an exported reward.")
_VIDEO = flags.DEFINE_multi_string(
  "video", None, "A video file, or a folder of them; may be given repeatedly."
)
_INSTRUCTION = flags.DEFINE_string(
  "instruction", None, "What the video should show, in your words."
)
_CHECKPOINT = flags.DEFINE_enum(
  "checkpoint", "best", ["best", "newest"], "Which weights of the run."
)
_FIGURE = flags.DEFINE_string(
  "figure", None, "Also draw the video and its reward over time to this PNG."
)
_CSV = flags.DEFINE_string("csv", None, "Also write the table to this file.")
_FIGURE_FRAMES = 8


def main():
  """Reads the flags, scores and prints."""
  logging.set_verbosity(logging.ERROR)
  run, paths = app.required(_RUN), find_videos(app.required(_VIDEO))
  instruction = app.required(_INSTRUCTION)
  if not text.pre_text(instruction):
    raise ValueError(f"the instruction is empty: {instruction!r}")
  if _FIGURE.value and len(paths) > 1:
    raise ValueError(f"--figure is of one video, --video has {len(paths)}")
  target = checks.file_to_write(_FIGURE.value) if _FIGURE.value else None
  table = checks.file_to_write(_CSV.value) if _CSV.value else None
  model = scoring.load(run, _CHECKPOINT.value)
  logging.set_verbosity(logging.WARNING)  # What is odd about the video.
  if len(paths) > 1 or table:
    rows, faults = score_all(model, paths, instruction)
    print("\n".join([scoring.describe_all(model, rows), *faults]))
    if table:
      files.write_text(table, tables.to_csv(rows))
      print(f"\nTable: {table}")
  else:
    clip = video.load_video(paths[0], num_frames=model.num_frames)
    print(scoring.describe(model, clip, instruction))
  if target:
    draw(model, paths[0], instruction, target)


def find_videos(names: Sequence[str]) -> list[pathlib.Path]:
  """Returns the files of `names`, those of a folder but for hidden ones."""
  files = []
  for path in (checks.path(name) for name in names):
    if path.is_dir():
      found = sorted(path for path in path.iterdir() if path.is_file())
      files += (path for path in found if not path.name.startswith("."))
    else:
      files.append(path)
  if not files:
    raise ValueError(f"--video={names[0]}: a folder without a video")
  return files


def score_all(
  model: "scoring.Model", paths: Sequence[pathlib.Path], instruction: str
) -> tuple[list[dict], list[str]]:
  """Scores videos, of which one is in memory at a time.

  Returns:
    What is known of each, see `scoring.score_rows`; and lines that tell which
    files were left out.

  Raises:
    video.VideoError: none can be read.
  """
  names, faults = [], []

  def read() -> Iterator:
    for path in paths:
      try:
        clip = video.load_video(path, num_frames=model.num_frames)
      except video.VideoError as error:
        faults.append(error)
      else:
        names.append(str(path))
        yield clip

  clips = read()
  first = next(clips, None)
  if first is None:
    raise faults[0]
  clips = itertools.chain([first], clips)
  rows, lines = scoring.score_rows(model, clips, names, instruction), []
  if faults:
    lines += ["", f"Left out: {len(faults)} of {len(paths)} files"]
    lines += [f"  {checks.one_line(fault)}" for fault in faults]
  return rows, lines


def draw(
  model: "scoring.Model",
  path: pathlib.Path,
  instruction: str,
  target: pathlib.Path,
):
  """Draws the video's frames and its reward over time to the file `target`."""
  clip = video.load_video(path, num_frames=_FIGURE_FRAMES)
  known = model.read(instruction)
  # Its prefixes are many: they need not be large.
  small = scorer.shrink(clip, model.scorer.image_size)
  example = over_time.Example(
    environment=path.name,
    instruction=known,
    kinds=("video",),
    frames=(clip,),
    curves=(over_time.reward_curve(model, model.form, small, known),),
  )
  picture = figures.filmstrips([example], form=model.form)
  files.write_bytes(target, picture)
  print(f"\nFigure: {target}")


if __name__ == "__main__":
  app.run(main)

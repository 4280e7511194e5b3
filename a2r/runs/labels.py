"""Rewards of every frame of a LeRobot data set, as LeRobot reads them.

The table is that of its own reward models (`*_progress.parquet`, see
https://huggingface.co/docs/lerobot): a row per frame with `index`,
`episode_index`, `frame_index` and `progress_sparse`, and the reward's name as
`reward_model_path` among the metadata. Its training weighs samples by it
(`--sample_weighting.type=rabc`), its progress videos draw it.

Letters: L frames of an episode, T of them looked at.
"""

import io
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import av
import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image, ImageDraw

from a2r import reward
from a2r.core import files, progress
from a2r.evaluation import over_time
from a2r.models import familiarity
from data.readers import lerobot

COLUMN = "progress_sparse"
_LEAST_RISE = 0.05


class Labels(NamedTuple):
  """An episode's progress.

  Attributes:
    film: the episode.
    progress: `[L]` float32 in [0, 1], of the episode up to each frame.
    familiarity: of the whole episode; None if the reward cannot tell.
  """

  film: lerobot.Film
  progress: np.ndarray
  familiarity: float | None


def label(
  model: reward.Reward,
  films: Sequence[lerobot.Film],
  instruction: str | None = None,
) -> Iterator[Labels]:
  """Yields the progress of each episode.

  The reward is asked of the episode up to each of the T frames, the rest of its
  time standing still (`over_time.prefixes`); between them it is a line.

  Args:
    model: the reward.
    films: the episodes.
    instruction: what they show; None: each its own task.
  """
  with progress.Progress(len(films), name="episodes") as bar:
    for film in films:
      clips = over_time.prefixes(film.load())
      text = instruction or film.instruction
      near = None
      if model.can_assess and model.instructions:
        seen = model.assess(clips, text)
        near = float(seen.familiarity[-1])
        values = seen.reward if seen.probability is None else seen.probability
        is_open = seen.probability is None and model.form == "cosine"
      else:
        values, is_open = model.score(clips, text), model.form == "cosine"
      if is_open:  # A cosine, -1 to 1.
        values = (1 + values) / 2
      values = np.interp(np.arange(len(film.index)), film.taken, values)
      yield Labels(film, np.clip(values, 0, 1).astype(np.float32), near)
      bar.advance()


def write(path: pathlib.Path, labels: Iterable[Labels], name: str):
  """Writes the table of all episodes, all or nothing.

  Args:
    path: of the parquet file.
    labels: of the episodes.
    name: of the reward.
  """
  labels = list(labels)
  numbers = [np.full(len(x.film.index), x.film.episode) for x in labels]
  columns = {
    "index": np.concatenate([x.film.index for x in labels]),
    "episode_index": np.concatenate(numbers).astype(np.int64),
    "frame_index": np.concatenate([x.film.frame_index for x in labels]),
    COLUMN: np.concatenate([x.progress for x in labels]),
  }
  table = pyarrow.table(columns)
  table = table.replace_schema_metadata({"reward_model_path": name})
  stream = io.BytesIO()
  pyarrow.parquet.write_table(table, stream)
  files.write_bytes(path, stream.getvalue())


def describe(labels: Sequence[Labels]) -> list[str]:
  """Returns what a user should know before using the labels, in lines."""
  rises = np.array([x.progress[-1] - x.progress[0] for x in labels])
  num, flat = len(rises), int((rises < _LEAST_RISE).sum())
  lines = [
    f"Progress from first to last frame: {rises.mean():+.2f} in the mean of "
    f"{num} episodes"
  ]
  if flat:
    lines.append(
      f"NOTE: in {flat} of {num} episodes it does not rise by {_LEAST_RISE}: "
      "weights made of its rises say nothing there"
    )
  near = [x.familiarity for x in labels if x.familiarity is not None]
  strange = sum(value < familiarity.TRUSTED for value in near)
  if strange:
    lines.append(
      f"NOTE: {strange} of {len(near)} episodes are unlike every robot clip "
      "that the reward was trained on: do not trust it there"
    )
  return lines


def draw(path: pathlib.Path, labels: Labels, fps: float = 4):
  """Writes the frames that were looked at as a video, a bar for the progress.

  Args:
    path: of the mp4 file.
    labels: of the episode.
    fps: frames a second.
  """
  frames = labels.film.load()
  height, width = (size - size % 2 for size in frames.shape[1:3])
  stream = io.BytesIO()
  with av.open(stream, "w", format="mp4") as container:
    video = container.add_stream("libx264", rate=round(fps))
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    for frame, row in zip(frames, labels.film.taken, strict=True):
      value = float(labels.progress[row])
      picture = Image.fromarray(frame[:height, :width])
      pen, bar = ImageDraw.Draw(picture), max(height // 20, 2)
      pen.rectangle((0, height - bar, width, height), fill=(40, 40, 40))
      end = round(value * width)
      pen.rectangle((0, height - bar, end, height), fill=(0, 158, 115))
      pen.text((4, 4), f"{value:.2f}", fill=(255, 255, 255), stroke_width=1,
               stroke_fill=(0, 0, 0))  # fmt: skip
      shown = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
      container.mux(video.encode(shown))
    container.mux(video.encode())
  files.write_bytes(path, stream.getvalue())

"""LeRobot data sets (versions 3.0, 2.1 and 2.0 of the format) from disk.

Version 3 keeps many episodes in one file, https://huggingface.co/docs/lerobot:

    meta/info.json                               features, fps, path patterns
    meta/episodes/chunk-000/file-000.parquet     a row per episode
    data/chunk-000/file-000.parquet              a row per frame
    videos/<camera>/chunk-000/file-000.mp4

Version 2 has meta/episodes.jsonl and a file per episode. The pictures are those
of one camera, the instruction is the episode's first task.

Letters: T frames.
"""

import collections
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from a2r.core import checks, images
from data import video
from data.readers import base
from data.records import Record

_LABELS = ("episode_index", "success")


@dataclasses.dataclass(frozen=True)
class Episode:
  """One episode."""

  index: int  # Its number in the data set.
  instruction: str  # Its first task.
  length: int  # Frames.
  data: pathlib.Path  # The table that has its frames.
  video: pathlib.Path | None  # Its pictures; None where `data` has them.
  start: float  # Seconds in that video.
  row: Mapping[str, Any]  # All that the data set says of it.


def open_clips(path: str | pathlib.Path, options: base.Options) -> base.Clips:
  """Opens the data set of a folder; see `data.readers.base`.

  Raises:
    ValueError: the data set cannot be read, or a name is not in it; from
      `read_fn`, a video that cannot be read.
  """
  path = pathlib.Path(path).expanduser()
  info = _load_info(path)
  camera, notes = _choose_camera(path, info, options.camera)
  episodes = _load_episodes(path, info, camera)
  if options.labels:
    success, more = _read_labels(path / options.labels, episodes)
    episodes = [episode for episode in episodes if episode.index in success]
  else:
    success, more = _find_success(path, episodes, options)
  fps = float(info["fps"])

  def read(start, stop):
    for episode in episodes[start:stop]:
      yield Record(
        frames=_load_frames(path, episode, camera, fps, options.num_frames),
        instruction=episode.instruction,
        task=episode.instruction,
        success=success[episode.index],
        source="video",
        seed=episode.index,
        name=f"episode {episode.index}",
      )

  spec = {
    "made_by": "data.lerobot",
    "num_frames": options.num_frames,
    "camera": camera,
    "files": base.identify(
      path / "meta" / "info.json",
      *(file for e in episodes for file in (e.data, e.video) if file),
    ),
    "episodes": [
      [e.index, e.instruction, e.length, e.start, success[e.index]]
      for e in episodes
    ],
  }
  return base.Clips(len(episodes), read, spec, notes + more)


def _load_info(path: pathlib.Path) -> dict[str, Any]:
  """meta/info.json, and `merged`: whether a file holds many episodes."""
  file = path / "meta" / "info.json"
  if not file.is_file():
    raise ValueError(f"{path}: no LeRobot data set: it has no meta/info.json")
  try:
    info = json.loads(file.read_text(encoding="utf-8"))
    version = str(info["codebase_version"])
    for key in ("features", "fps", "data_path"):
      info[key]
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(
      f"{file}: not the description of a data set ({error})"
    ) from error
  if not version.startswith(("v3.", "v2.")):
    raise ValueError(
      f"{file}: version {version!r} of the format; known: v3.0, v2.1, v2.0"
    )
  return info | {"merged": version.startswith("v3.")}


def _choose_camera(path, info, camera: str) -> tuple[str, list[str]]:
  """The camera asked for, or the first one where that is '', and notes."""
  cameras = []
  for key, feature in info["features"].items():
    about = (feature.get("info") or {}) | (feature.get("video_info") or {})
    depth = about.get("is_depth_map") or about.get("video.is_depth_map")
    if feature["dtype"] in ("video", "image") and not depth:
      cameras.append(key)
  if camera in cameras:
    return camera, []
  if camera or not cameras:
    raise ValueError(
      f"{path}: no camera {camera!r}; data.robot.camera is one of {cameras}"
    )
  note = f"of the cameras {cameras} the first is used; "
  note += "--config.data.robot.camera=... names another"
  return cameras[0], [note] * (len(cameras) > 1)


def _load_episodes(path, info, camera) -> list[Episode]:
  """The episodes in order of their index."""
  rows = []
  if info["merged"]:
    for file in sorted((path / "meta" / "episodes").glob("*/*.parquet")):
      names = [n for n in _column_names(file) if not n.startswith("stats/")]
      rows += _read_table(file, names).to_pylist()
  else:
    file = path / "meta" / "episodes.jsonl"
    rows += [row for _, row in base.json_lines(file)] if file.is_file() else ()
  if not rows:
    raise ValueError(f"{path}: meta/ lists no episode")
  try:
    episodes = [_episode(path, info, camera, row) for row in rows]
  except (KeyError, TypeError, IndexError) as error:
    raise ValueError(f"{path}: meta/ lacks {error} of an episode") from error
  episodes.sort(key=lambda episode: episode.index)
  for episode in episodes:
    where = f"{path}, episode {episode.index}"
    if not episode.instruction:
      raise ValueError(f"{where}: its task is empty")
    if episode.length < 1:
      raise ValueError(f"{where}: it has no frames")
    for file in (episode.data, episode.video):
      if file and not file.is_file():
        raise ValueError(f"{where}: no such file: {file}")
  return episodes


def _episode(path, info, camera, row) -> Episode:
  index = int(row["episode_index"])
  is_video = info["features"][camera]["dtype"] == "video"
  start, film = 0.0, {}
  if info["merged"]:

    def numbers(place):
      keys = ("chunk_index", "file_index")
      return {key: int(row[f"{place}/{key}"]) for key in keys}

    data = numbers("data")
    if is_video:
      film = numbers(f"videos/{camera}")
      start = float(row[f"videos/{camera}/from_timestamp"])
  else:
    chunk = index // int(info.get("chunks_size") or 1000)
    data = film = {"episode_chunk": chunk, "episode_index": index}
  return Episode(
    index=index,
    instruction=" ".join(str(row["tasks"][0]).split()),
    length=int(row["length"]),
    data=path / info["data_path"].format(**data),
    video=path / info["video_path"].format(video_key=camera, **film)
    if is_video
    else None,
    start=start,
    row=row,
  )


def _read_labels(file, episodes) -> tuple[dict[int, bool], list[str]]:
  """Success by episode, as the user's table has it; and notes."""
  if not file.is_file():
    raise ValueError(f"data.robot.labels: no such file: {file}")
  columns, rows = base.csv_rows(file)
  if not set(_LABELS) <= set(columns):
    raise ValueError(
      f"{file}: the columns {list(_LABELS)} are expected, found {columns}"
    )
  success, known = {}, {episode.index for episode in episodes}
  for line, row in rows:
    where = f"{file}, line {line}"
    index = str(row["episode_index"]).strip()
    if not index.isdigit() or int(index) not in known:
      raise ValueError(
        f"{where}: no episode {index!r} among the {len(known)} there are"
      )
    success[int(index)] = base.parse_boolean(row["success"], where)
  if not success:
    raise ValueError(f"{file}: lists no episode")
  note = f"{file} lists {len(success)} of {len(known)} episodes: "
  note += "the others are left out"
  return success, [note] * (len(success) < len(known))


def _find_success(
  path, episodes: Sequence[Episode], options: base.Options
) -> tuple[dict[int, bool], list[str]]:
  """Success by episode, from a field of episodes or of frames; and notes."""
  files = list(dict.fromkeys(episode.data for episode in episodes))
  of_episode = sorted(episodes[0].row)
  names = [*of_episode, *_column_names(files[0])]
  key, note = base.choose_success(options, names, str(path))
  if key is None:
    return dict.fromkeys((e.index for e in episodes), True), [note]
  if key in of_episode:
    parts = [(path, [(e.index, e.row.get(key)) for e in episodes])]
  else:
    parts = ((file, _read_pairs(file, "episode_index", key)) for file in files)
  reached = {}  # The largest number of an episode so far.
  for file, pairs in parts:
    values = collections.defaultdict(list)
    for index, value in pairs:
      if value is not None:
        values[index].append(value)
    for index, several in values.items():
      try:  # Single numbers, or several in a row.
        numbers = np.array(several, np.float64)
      except (ValueError, TypeError) as error:
        raise ValueError(
          f"{file}, episode {index}: {key!r} is {several[0]!r}, no number"
        ) from error
      # A missing number, which is not a number, is no maximum.
      reached[index] = np.fmax.reduce(
        numbers, axis=None, initial=reached.get(index, np.nan)
      )
  success = {}
  for episode in episodes:
    largest = reached.get(episode.index, np.nan)
    if np.isnan(largest):
      file = path if key in of_episode else episode.data
      raise ValueError(f"{file}, episode {episode.index}: it has no {key!r}")
    success[episode.index] = bool(largest >= options.success_threshold)
  return success, [note]


def _read_pairs(file, *names) -> Iterator[tuple[Any, Any]]:
  """The rows of two columns."""
  table = _read_table(file, list(names))
  return zip(*(table[name].to_pylist() for name in names), strict=True)


def _load_frames(path, episode, camera, fps, num_frames) -> np.ndarray:
  """`[T, H, W, 3]` uint8."""
  if episode.video is not None:
    indices = images.frame_indices(episode.length, num_frames)
    times = [episode.start + index / fps for index in indices]
    return video.load_times(episode.video, times, tolerance=0.5 / fps)

  def file(row):  # A table holds the pictures, or names files for them.
    row = row.as_py()
    return row["bytes"] or path / row["path"]

  where = f"{path}, episode {episode.index}"
  table = _read_table(
    episode.data,
    ["episode_index", camera],
    filters=[("episode_index", "=", episode.index)],
  )
  stored = table[camera]
  if len(stored) != episode.length:
    raise ValueError(
      f"{where}: {len(stored)} pictures of {camera!r}, {episode.length} frames "
      "expected"
    )
  return base.load_pictures(stored, num_frames, where, file)


def _column_names(file: pathlib.Path) -> list[str]:
  with _readable(file):
    return pyarrow.parquet.read_schema(file).names


def _read_table(file: pathlib.Path, names, **options) -> pyarrow.Table:
  known = _column_names(file)
  for name in names:
    if name not in known:
      raise ValueError(f"{file}: no column {name!r}; it has {known}")
  with _readable(file):
    return pyarrow.parquet.read_table(file, columns=names, **options)


@contextlib.contextmanager
def _readable(file: pathlib.Path):
  """Raises a ValueError that names the table where it cannot be read."""
  try:
    yield
  except (pyarrow.ArrowException, OSError, KeyError) as error:
    reason = checks.one_line(error)
    raise ValueError(f"{file}: not a readable table ({reason})") from error

"""LeRobot data sets (versions 3.0, 2.1 and 2.0 of the format) from disk.

Version 3 keeps many episodes in one file, https://huggingface.co/docs/lerobot:

    meta/info.json                               features, fps, path patterns
    meta/tasks.parquet                           a row per task
    meta/episodes/chunk-000/file-000.parquet     a row per episode
    data/chunk-000/file-000.parquet              a row per frame
    videos/<camera>/chunk-000/file-000.mp4

Version 2 has meta/tasks.jsonl, meta/episodes.jsonl and a file per episode.

The pictures are those of one camera, spread evenly over the `timestamp` of the
frames; the instruction is the task of the first frame. What meta/ says of
places in a film is checked: the episodes of a film lie one behind the other,
so their frames are counted, whatever its clock says.

Letters: T frames of a clip, L of an episode.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from a2r.core import checks, images
from data import video
from data.readers import base
from data.records import Record

_LABELS = ("episode_index", "success")
_COLUMNS = ("frame_index", "timestamp", "task_index")  # Of frames' tables.
# Frames by which meta/ may be wrong: in where two episodes of a film meet, and
# in where one begins if the film has not just their frames.
_OVERLAP, _DRIFT = 1.5, 0.25
_LARGEST = 1 << 53  # Numbers in meta/ are below it.
# Of the columns that are read of one table.
_MAX_VALUES, _MAX_BYTES = 1 << 26, 1 << 30
Columns = Mapping[str, np.ndarray]  # Name to values, `[L]`.


@dataclasses.dataclass(frozen=True)
class Episode:
  """One episode as meta/ has it."""

  index: int  # Its number in the data set.
  length: int  # L.
  data: pathlib.Path  # The table that has its frames.
  video: pathlib.Path | None  # Its pictures; None where `data` has them.
  start: float  # Seconds in that video.
  end: float
  row: Mapping[str, Any]  # All that the data set says of it.


@dataclasses.dataclass(frozen=True)
class Clip:
  """What is taken of an episode."""

  episode: Episode
  instruction: str
  num_tasks: int
  # `[T]` seconds in the video, or rows of the table among the episode's.
  places: Sequence[float]
  odd: str  # What is odd about its film, or ''.


def open_clips(path: str | pathlib.Path, options: base.Options) -> base.Clips:
  """Opens the data set of a folder; see `data.readers.base`.

  Episodes that lack a part, or of which the parts do not fit, are left out.

  Raises:
    ValueError: the data set cannot be read, two episodes share frames of a
      film, a name is not in it, a file is named outside of it, or too many
      episodes would be left out.
  """
  path = checks.path(path)
  info = _load_info(path)
  camera, notes = _choose_camera(path, info, options.camera)
  fps = float(info["fps"])
  episodes, faults = _list_episodes(path, info, camera)
  stated, num = info.get("total_episodes"), len(episodes) + len(faults)
  if stated not in (None, num):
    notes.append(
      f"meta/info.json counts {stated} episodes, and meta/ lists {num}: the "
      "others are left out"
    )
  wanted, labels, keys = sorted({*episodes, *faults}), None, []
  if options.labels:
    labels, more = _read_labels(path / options.labels, wanted)
    wanted, notes = sorted(labels), notes + more
    faults = {index: faults[index] for index in wanted if index in faults}
  else:
    keys = _success_fields(path, episodes.values(), options)
  films = _list_films(path, episodes.values(), set(wanted), fps)
  clips, fields, more = _take(
    [episodes[index] for index in wanted if index not in faults],
    films, _load_tasks(path), keys, fps, options.num_frames,
  )  # fmt: skip
  faults |= more
  _left_out(faults, len(wanted), path)  # Before labels are missed.
  num_several = sum(clip.num_tasks > 1 for clip in clips)
  if num_several:
    notes.append(
      f"{num_several} of {len(clips)} episodes have several tasks: that of "
      "their first frame is the instruction, or the first in meta/ where the "
      "frames have none"
    )
  if labels is None:
    indices = [clip.episode.index for clip in clips]
    labels, more = base.label_episodes(fields, indices, options, str(path))
    notes += more
    missing = [index for index in indices if index not in labels]
    faults |= dict.fromkeys(missing, "no value tells its success")
  left_out = _left_out(faults, len(wanted), path)
  clips = [clip for clip in clips if clip.episode.index not in faults]

  def read(start, stop):
    for clip in clips[start:stop]:
      name = _name(clip.episode.index)
      try:
        frames = _load_frames(path, clip, camera, fps)
      except ValueError as error:
        yield base.BadClip(name, str(error))
        continue
      yield Record(
        frames=frames,
        instruction=clip.instruction,
        task=clip.instruction,
        success=labels[clip.episode.index],
        source="video",
        seed=clip.episode.index,
        name=name,
      )

  spec = {
    "made_by": "data.lerobot",
    "num_frames": options.num_frames,
    "camera": camera,
    "files": base.identify(
      path / "meta" / "info.json",
      *(f for c in clips for f in (c.episode.data, c.episode.video) if f),
    ),
    "episodes": [
      _describe(clip, fps, labels[clip.episode.index]) for clip in clips
    ],
  }
  return base.Clips(len(clips), read, spec, notes, left_out)


@dataclasses.dataclass(frozen=True)
class Film:
  """An episode to be looked at, whatever came of it.

  Attributes:
    episode: its number in the data set.
    instruction: the task of its first frame.
    index: `[L]` int, its frames' numbers in the data set.
    frame_index: `[L]` int, their numbers in the episode.
    taken: `[T]` int, which of these frames `load` returns, evenly spread.
    load: returns them, `[T, H, W, 3]` uint8; a ValueError if it cannot.
  """

  episode: int
  instruction: str
  index: np.ndarray
  frame_index: np.ndarray
  taken: np.ndarray
  load: Callable[[], np.ndarray]


def open_films(
  path: str | pathlib.Path, *, camera: str = "", num_frames: int
) -> tuple[list[Film], list[str]]:
  """Opens all episodes of a data set, and notes.

  Args:
    path: its folder.
    camera: whose pictures; '' for the first one.
    num_frames: T, at most; a shorter episode has all of its frames.

  Raises:
    ValueError: the data set or one of its episodes cannot be read, or there are
      not as many frames as meta/info.json counts.
  """
  path = checks.path(path)
  info = _load_info(path)
  camera, notes = _choose_camera(path, info, camera)
  fps = float(info["fps"])
  episodes, faults = _list_episodes(path, info, camera)
  films = _list_films(path, episodes.values(), set(episodes), fps)
  take = _make_take_fn(films, _load_tasks(path), ["index"], fps)
  found, num = [], 0
  for index, episode in episodes.items():
    try:
      clip, frames, taken = take(episode, min(num_frames, episode.length))
    except ValueError as error:
      faults[index] = str(error)
      continue
    count = np.arange(episode.length)
    found.append(
      Film(
        episode=index,
        instruction=clip.instruction,
        index=np.asarray(frames.get("index", num + count), np.int64),
        frame_index=np.asarray(frames.get("frame_index", count), np.int64),
        taken=np.array(taken),
        load=functools.partial(_load_frames, path, clip, camera, fps),
      )
    )
    num += episode.length
  if faults:
    index = min(faults)
    raise ValueError(
      f"{path}: {len(faults)} of {len(episodes)} episodes cannot be read, such "
      f"as {_name(index)}: {faults[index]}"
    )
  stated = info.get("total_frames")
  if stated not in (None, num):
    raise ValueError(
      f"{path}: meta/info.json counts {stated} frames, its tables have {num}"
    )
  return found, notes


def _name(index: int) -> str:
  return f"episode {index}"


def _left_out(
  faults: Mapping[int, str], num_episodes: int, path
) -> list[base.BadClip]:
  """The episodes that cannot be used, checked not to be too many."""
  bad = [base.BadClip(_name(index), faults[index]) for index in sorted(faults)]
  base.check_left_out(bad, num_episodes, str(path))
  return bad


def _take(
  episodes: Sequence[Episode], films, tasks, keys, fps: float, num_frames: int
) -> tuple[list[Clip], dict[str, dict[int, Any]], dict[int, str]]:
  """Clips, fields of success by episode, and what is wrong with the others."""
  take = _make_take_fn(films, tasks, keys, fps)
  clips, fields, faults = [], {key: {} for key in keys}, {}
  for episode in base.watch(episodes, len(episodes), "episodes opened"):
    try:
      clip, frames, _ = take(episode, num_frames)
    except ValueError as error:
      faults[episode.index] = str(error)
      continue
    clips.append(clip)
    for key in keys:
      stored = episode.row.get(key, frames.get(key))
      fields[key][episode.index] = stored
  return clips, fields, faults


def _make_take_fn(films, tasks, keys, fps: float):
  """`take(episode, num_frames)` -> its clip, columns, and frames of the clip.

  A ValueError where a part of the episode lacks or does not fit.
  """
  load_table = functools.lru_cache(4)(lambda file: _load_table(file, keys))
  load_times = functools.cache(lambda file: _film_times(file, films[file], fps))

  def take(episode, num_frames):
    frames = _find_frames(episode, load_table)
    places, odd = frames["row"], ""
    if episode.video:
      places, odd = _find_times(episode, load_times)
    instruction, num_tasks = _find_instruction(episode, frames, tasks)
    taken = video.spread(frames["timestamp"], num_frames)
    places = places[taken].tolist()
    return Clip(episode, instruction, num_tasks, places, odd), frames, taken

  return take


def _describe(clip: Clip, fps: float, success: bool) -> list[Any]:
  """All that decides a clip; its places where meta/ would have others."""
  episode = clip.episode
  about = [
    episode.index, clip.instruction, episode.length, episode.start, success,
  ]  # fmt: skip
  usual = images.frame_indices(episode.length, len(clip.places))
  if episode.video:
    usual = episode.start + usual / fps
  is_usual = np.allclose(clip.places, usual, rtol=0, atol=_DRIFT / fps)
  return about if is_usual else [*about, clip.places]


def _load_info(path: pathlib.Path) -> dict[str, Any]:
  """meta/info.json, checked, and `merged`: whether a file has many episodes."""
  file = path / "meta" / "info.json"
  if not file.is_file():
    raise ValueError(f"{path}: no LeRobot data set: it has no meta/info.json")
  try:
    info = json.loads(file.read_text(encoding="utf-8-sig"))
    version = str(info["codebase_version"])
    features = info["features"]
    if not all(isinstance(f, dict) for f in (features, *features.values())):
      raise TypeError("features are not by name")
    if not 0 < float(info["fps"]) < np.inf:
      raise ValueError(f"fps is {info['fps']!r}")
    info["chunks_size"] = int(info.get("chunks_size") or 1000)
  except (
    ValueError, KeyError, TypeError, AttributeError, OverflowError,
    RecursionError,
  ) as error:  # fmt: skip
    raise ValueError(
      f"{file}: not the description of a data set ({error})"
    ) from error
  if not version.startswith(("v3.", "v2.")):
    raise ValueError(
      f"{file}: version {version!r} of the format; known: v3.0, v2.1, v2.0"
    )
  info["merged"] = version.startswith("v3.")
  fields = ("chunk_index", "file_index")
  if not info["merged"]:
    fields = ("episode_chunk", "episode_index")
  fields = dict.fromkeys(fields, 0)
  base.check_pattern(info.get("data_path"), fields, f"{file}, 'data_path'")
  if info.get("video_path"):
    fields["video_key"] = ""
    base.check_pattern(info["video_path"], fields, f"{file}, 'video_path'")
  return info


def _choose_camera(path, info, camera: str) -> tuple[str, list[str]]:
  """The camera asked for, or the first one where that is '', and notes."""
  cameras = []
  for key, feature in info["features"].items():
    about = {}
    for more in (feature.get("info"), feature.get("video_info")):
      about |= more if isinstance(more, dict) else {}
    depth = about.get("is_depth_map") or about.get("video.is_depth_map")
    if feature.get("dtype") in ("video", "image") and not depth:
      cameras.append(key)
  if camera in cameras:
    return camera, []
  if not cameras:
    raise ValueError(
      f"{path}: it has no camera, a feature of the dtype 'video' or 'image' "
      f"that is no depth; it has {list(info['features'])}"
    )
  if camera:
    raise ValueError(
      f"{path}: no camera {camera!r}; data.robot.camera is one of {cameras}"
    )
  note = f"of the cameras {cameras} the first is used; "
  note += "--config.data.robot.camera=... names another"
  return cameras[0], [note] * (len(cameras) > 1)


def _list_episodes(
  path, info, camera
) -> tuple[dict[int, Episode], dict[int, str]]:
  """The episodes by index, in its order; and what is wrong with the others."""
  rows = []
  if info["merged"]:
    files = sorted((path / "meta" / "episodes").glob("*/*.parquet"))
    for file in filter(pathlib.Path.is_file, files):
      names = [n for n in _column_names(file) if not n.startswith("stats/")]
      rows += _read_rows(file, names)
  else:
    file = path / "meta" / "episodes.jsonl"
    rows += [row for _, row in base.json_lines(file)] if file.is_file() else ()
  if not rows:
    raise ValueError(f"{path}: meta/ lists no episode")
  try:
    indices = [int(_number(row, "episode_index")) for row in rows]
  except KeyError as error:
    raise ValueError(f"{path}: meta/ lacks {error} of an episode") from error
  if len(set(indices)) < len(rows):
    index = next(i for i in indices if indices.count(i) > 1)
    raise ValueError(f"{path}: meta/ lists episode {index} twice")
  episodes, faults = {}, {}
  for index, row in sorted(zip(indices, rows, strict=True), key=lambda r: r[0]):
    try:
      episodes[index] = _episode(path, info, camera, row)
    except KeyError as error:
      faults[index] = f"meta/ lacks {error} of it"
  return episodes, faults


def _number(row: Mapping[str, Any], key: str) -> float:
  """A number that meta/ has in a row, or a KeyError."""
  value = row[key]
  if not isinstance(value, int | float) or not abs(value) < _LARGEST:
    raise KeyError(key)
  return value


def _episode(path, info, camera, row) -> Episode:
  def file(key, place):
    name = info[key].format(video_key=camera, **place)
    return base.inside(path, name, f"{path}/meta/info.json, {key!r}")

  def find(place):
    keys = ("chunk_index", "file_index")
    return {key: int(_number(row, f"{place}/{key}")) for key in keys}

  index, length = (int(_number(row, k)) for k in ("episode_index", "length"))
  is_video = info["features"][camera]["dtype"] == "video"
  if is_video and not info.get("video_path"):
    raise KeyError("video_path")
  start, film, place = 0.0, {}, f"videos/{camera}"
  if info["merged"]:
    data = find("data")
    if is_video:
      film = find(place)
      start = float(_number(row, f"{place}/from_timestamp"))
  else:
    chunk = index // info["chunks_size"]
    data = film = {"episode_chunk": chunk, "episode_index": index}
  end = f"{place}/to_timestamp"
  return Episode(
    index=index,
    length=length,
    data=file("data_path", data),
    video=file("video_path", film) if is_video else None,
    start=start,
    end=start + length / float(info["fps"])
    if row.get(end) is None
    else float(_number(row, end)),
    row=row,
  )


def _read_labels(file, known) -> tuple[dict[int, bool], list[str]]:
  """Success by episode, as the user's table has it; and notes."""
  if not file.is_file():
    raise ValueError(f"data.robot.labels: no such file: {file}")
  columns, rows = base.csv_rows(file, with_notes=True)
  if not set(_LABELS) <= set(columns):
    raise ValueError(
      f"{file}: the columns {list(_LABELS)} are expected, found {columns}"
    )
  success, indices = {}, set(known)
  for line, row in rows:
    where = f"{file}, line {line}"
    index = str(row["episode_index"]).strip().removesuffix(".0")
    if not index.isdigit() or int(index) not in indices:
      raise ValueError(
        f"{where}: no episode {index!r} among the {len(known)} there are"
      )
    value = base.parse_boolean(row["success"], where)
    if success.setdefault(int(index), value) != value:
      raise ValueError(f"{where}: episode {index} has another label too")
  if not success:
    raise ValueError(f"{file}: lists no episode")
  note = f"{file} lists {len(success)} of {len(known)} episodes: "
  note += "the others are left out"
  return success, [note] * (len(success) < len(known))


def _success_fields(path, episodes, options: base.Options) -> list[str]:
  """The fields of episodes and of frames that may tell success."""
  names = [name for episode in episodes for name in episode.row]
  for file in dict.fromkeys(episode.data for episode in episodes):
    with contextlib.suppress(ValueError):
      names += _column_names(file)
      break
  return base.success_fields(options, list(dict.fromkeys(names)), str(path))


def _list_films(
  path, episodes, wanted: set[int], fps: float
) -> dict[pathlib.Path, list[Episode]]:
  """The episodes of each film, in the order in which they lie there."""
  films = {}
  for episode in sorted(episodes, key=lambda e: (e.start, e.index)):
    films.setdefault(episode.video, []).append(episode)
  films.pop(None, None)
  for film, inside in films.items():
    for one, other in itertools.pairwise(inside):
      if one.end - other.start >= _OVERLAP / fps and wanted & {
        one.index,
        other.index,
      }:
        raise ValueError(
          f"{path}: meta/ has episode {one.index} end at {one.end:.3f} s of "
          f"{film}, and episode {other.index} begin at {other.start:.3f} s"
        )
  return films


def _film_times(
  film: pathlib.Path, inside: Sequence[Episode], fps: float
) -> tuple[dict[int, np.ndarray], str]:
  """`[L]` seconds at which a film's episodes are shown, and what is odd."""
  times = video.frame_times(film)
  lengths = [episode.length for episode in inside]
  firsts = np.cumsum([0, *lengths[:-1]])
  in_order = inside == sorted(inside, key=lambda episode: episode.index)
  odd = ""
  if sum(lengths) != len(times):
    odd = (
      f"the film has {len(times)} frames and meta/ lists {sum(lengths)} in it, "
      "so the pictures may be another episode's"
    )
  if odd or not in_order:  # Gaps, or meta/ is wrong.
    nearest = [np.abs(times - episode.start).argmin() for episode in inside]
    there = [
      (episode, first)
      for episode, first in zip(inside, nearest, strict=True)
      if abs(times[first] - episode.start) <= _DRIFT / fps
    ]
    ends = [*(first for _, first in there[1:]), len(times)]
    there = [
      (episode, first)
      for (episode, first), end in zip(there, ends, strict=True)
      if first + episode.length <= end
    ]
    inside, firsts = zip(*there, strict=True) if there else ((), ())
  shown = {
    episode.index: times[first : first + episode.length]
    for episode, first in zip(inside, firsts, strict=True)
  }
  return shown, odd


def _find_times(episode: Episode, load_times) -> tuple[np.ndarray, str]:
  """`[L]` seconds at which its frames are shown; what is odd about its film."""
  if not episode.video.is_file():
    raise ValueError(f"no such file: {episode.video}")
  shown, odd = load_times(episode.video)
  if episode.index not in shown:
    raise ValueError(
      f"{episode.video} has not the frames that meta/ lists from "
      f"{episode.start:.3f} s on"
    )
  return shown[episode.index], odd


def _load_tasks(path: pathlib.Path) -> dict[int, str]:
  """Texts by `task_index`; none where meta/ has no table of them."""
  file = path / "meta" / "tasks.parquet"
  rows = []
  if file.is_file():  # pandas keeps the texts in the index, which has any name.
    rows = _read_rows(file, _column_names(file))
  elif file.with_suffix(".jsonl").is_file():
    rows = [row for _, row in base.json_lines(file.with_suffix(".jsonl"))]
  tasks = {}
  for row in rows:
    texts = [row[name] for name in ("task", "__index_level_0__") if name in row]
    texts += [value for value in row.values() if isinstance(value, str)]
    if row.get("task_index") is not None and texts:
      try:
        tasks[int(_number(row, "task_index"))] = texts[0]
      except KeyError as error:
        raise ValueError(
          f"{path}: meta/tasks has {error} {row['task_index']!r:.40}, no number"
        ) from error
  return tasks


def _find_instruction(
  episode: Episode, frames: Columns, tasks: Mapping[int, str]
) -> tuple[str, int]:
  """The first frame's task, else the first in meta/; and how many there are."""
  listed = episode.row.get("tasks") or []
  listed = listed if isinstance(listed, list) else [listed]
  numbers = frames.get("task_index", ())
  if tasks and len(numbers):
    if numbers[0] not in tasks:
      raise ValueError(f"its task_index {numbers[0]:g} is not in meta/tasks")
    text = tasks[numbers[0]]
  elif listed:
    text = listed[0]
  else:
    raise ValueError("neither meta/ nor `task_index` tells its task")
  if not isinstance(text, str) or not text.strip():
    raise ValueError("its task is empty")
  num_tasks = max(len(set(map(str, listed))), len(np.unique(numbers)))
  return " ".join(text.split()), num_tasks


def _load_table(file: pathlib.Path, keys: Sequence[str]) -> dict[int, Columns]:
  """Columns of a table's frames by episode, sorted by `frame_index`.

  There are those of `_COLUMNS` and `keys` that the table has, and `row`, the
  number of the row among those of the episode.
  """
  if not file.is_file():
    raise ValueError(f"no such file: {file}")
  known = _column_names(file)
  names = {name: None for name in (*_COLUMNS, *keys) if name in known}
  table = _read_table(file, list({"episode_index": None} | names))
  columns = {key: table[key].to_numpy() for key in names}
  columns |= {
    key: _numbers(file, table, key) for key in _COLUMNS if key in names
  }
  for key, classes in _class_names(file, table).items():
    if key in keys:
      words = [_find_class(number, classes) for number in columns[key].tolist()]
      columns[key] = np.array(words, object)
  numbers = _numbers(file, table, "episode_index")
  order = np.lexsort((columns.get("frame_index", numbers), numbers))
  episodes = {}
  for rows in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
    if len(rows) and np.isfinite(numbers[rows[0]]):
      frames = {name: columns[name][rows] for name in names}
      frames["row"] = np.searchsorted(np.sort(rows), rows)
      episodes[int(numbers[rows[0]])] = frames
  return episodes


def _find_frames(episode: Episode, load_table) -> Columns:
  """The columns of an episode's frames, checked."""
  frames = load_table(episode.data).get(episode.index, {"row": ()})
  length = len(frames["row"])
  if not length or length != episode.length:
    raise ValueError(
      f"{episode.data} has {length} frames of it, meta/ {episode.length}"
    )
  numbers = frames.get("frame_index", frames["row"])
  if not (np.diff(numbers) > 0).all():
    raise ValueError(f"{episode.data} has a `frame_index` of it twice or null")
  clock = frames.get("timestamp", frames["row"])
  if not np.isfinite(clock).all():
    clock = np.arange(length)
  return frames | {"timestamp": clock}


def _numbers(file, table: pyarrow.Table, name: str) -> np.ndarray:
  """`[N]` float64, each stored in a list of its own or not; NaN is null."""
  try:
    values = table[name].to_numpy()
    if values.dtype == object:
      values = np.array(table[name].to_pylist(), np.float64)
    return values.astype(np.float64).reshape(len(table))
  except (TypeError, ValueError) as error:
    raise ValueError(f"{file}: {name!r} has no number in each row") from error


def _find_class(value: Any, classes: Sequence[str]) -> Any:
  """The name of a number; None beyond them, and a word as it is."""
  if not isinstance(value, int | float):
    return value
  return classes[int(value)] if 0 <= value < len(classes) else None


def _class_names(file, table: pyarrow.Table) -> dict[str, list[str]]:
  """The names of enumerations, which Hugging Face stores as numbers."""
  about = (table.schema.metadata or {}).get(b"huggingface", b"{}")
  try:
    features = json.loads(about).get("info", {}).get("features", {})
    return {
      key: list(map(str, feature["names"]))
      for key, feature in features.items()
      if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }
  except (
    ValueError, KeyError, TypeError, AttributeError, RecursionError,
  ) as error:  # fmt: skip
    raise ValueError(
      f"{file}: what its 'huggingface' says of the columns is odd ({error})"
    ) from error


def _load_frames(path, clip: Clip, camera, fps) -> np.ndarray:
  """`[T, H, W, 3]` uint8."""
  episode = clip.episode
  if episode.video is not None:
    if clip.odd:
      video.note(episode.video, clip.odd)
    return video.load_times(episode.video, clip.places, tolerance=0.5 / fps)

  def file(row):  # A table holds the pictures, or names files for them.
    if row["bytes"]:
      return row["bytes"]
    picture = base.inside(path, row["path"], "its table")
    if not picture.is_file():
      raise ValueError(f"no such file: {picture}")
    return picture

  names, stored, seen = ["episode_index", camera], {}, 0
  for batch in _read_batches(episode.data, names, episode.index):
    numbers = _numbers(episode.data, batch, "episode_index")
    rows = np.flatnonzero(numbers == episode.index).tolist()
    for place, row in enumerate(rows, seen):
      if place in clip.places:
        stored[place] = batch[camera][row].as_py()
    seen += len(rows)
  stored = [stored.get(place) for place in clip.places]
  return base.load_pictures(stored, len(stored), file)


def _column_names(file: pathlib.Path) -> list[str]:
  with _readable(file):
    return pyarrow.parquet.read_schema(file).names


def _read_table(file: pathlib.Path, names: Sequence[str]) -> pyarrow.Table:
  """Columns of a table, which may not be of any size."""
  batches, size = [], 0
  for batch in _read_batches(file, names):
    size += batch.nbytes
    if size > _MAX_BYTES:
      raise ValueError(f"{file}: its columns {names} have over {_MAX_BYTES} B")
    batches.append(batch)
  return pyarrow.concat_tables(batches)


def _read_batches(
  file: pathlib.Path, names: Sequence[str], episode: int | None = None
) -> Iterator[pyarrow.Table]:
  """Yields columns of a table in parts, one at least, that fit the memory.

  With an episode's number, those parts alone that may have its rows.
  """
  known = _column_names(file)
  for name in names:
    if name not in known:
      raise ValueError(f"{file}: no column {name!r}; it has {known}")
  with _readable(file), pyarrow.parquet.ParquetFile(file) as opened:
    # A list's values are at '<name>.list.element'.
    starts = tuple(f"{name}." for name in names)
    chosen, num, largest = [], 0, 1
    for number in range(opened.num_row_groups):
      group = opened.metadata.row_group(number)
      columns = map(group.column, range(group.num_columns))
      columns = [
        c for c in columns if f"{c.path_in_schema}.".startswith(starts)
      ]
      if any(_excludes(column, episode) for column in columns):
        continue
      chosen.append(number)
      num += sum(column.num_values for column in columns)
      texts = (c for c in columns if c.physical_type == "BYTE_ARRAY")
      largest = max(largest, *(c.total_uncompressed_size for c in texts), 1)
    if num > _MAX_VALUES:
      raise OSError(f"{num} values in {len(names)} columns are too many")
    # A text or a file may be as large as its column, and be there many times.
    num_rows = min(max(1, (_MAX_BYTES >> 4) // largest), 1 << 16)
    schema = pyarrow.schema(
      [opened.schema_arrow.field(name) for name in names],
      opened.schema_arrow.metadata,
    )
    yield schema.empty_table()
    for batch in opened.iter_batches(num_rows, chosen, list(names)):
      yield pyarrow.Table.from_batches([batch]).select(names).cast(schema)


def _excludes(column, episode: int | None) -> bool:
  """Whether a part of a table has no row of an episode, by its statistics."""
  if episode is None or column.path_in_schema != "episode_index":
    return False
  about = column.statistics
  if about is None or not about.has_min_max:
    return False
  return not about.min <= episode <= about.max


def _read_rows(file: pathlib.Path, names) -> list[dict[str, Any]]:
  with _readable(file):
    return _read_table(file, names).to_pylist()


@contextlib.contextmanager
def _readable(file: pathlib.Path):
  """Raises a ValueError that names the table where it cannot be read."""
  try:
    if video.is_pointer(file):
      raise OSError(video.POINTER)
    yield
  except (
    pyarrow.ArrowException, OSError, KeyError, UnicodeDecodeError,
  ) as error:  # fmt: skip
    reason = checks.one_line(error)
    raise ValueError(f"{file}: not a readable table ({reason})") from error

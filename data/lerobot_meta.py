"""What a LeRobot data set says of itself: cameras, files and episodes."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from data import episodes as fields
from data import parquet


class LeRobotError(ValueError):
  """A fault in a data set; one line that names it."""


@dataclasses.dataclass(frozen=True)
class Episode:
  """One episode.

  Attributes:
    index: its number in the data set.
    instruction: its first task.
    length: frames.
    data: path of the table that has its frames.
    video: path of the video that has its pictures; None where `data` has them.
    start: seconds in that video.
    row: all that the data set says of it.
  """

  index: int
  instruction: str
  length: int
  data: pathlib.Path
  video: pathlib.Path | None
  start: float
  row: Mapping[str, Any]


def load_info(path: pathlib.Path) -> dict[str, Any]:
  """meta/info.json, and `merged`: whether a file holds many episodes."""
  file = path / "meta" / "info.json"
  if not file.is_file():
    raise LeRobotError(f"{path}: no LeRobot data set: it has no meta/info.json")
  try:
    info = json.loads(file.read_text(encoding="utf-8"))
    version = str(info["codebase_version"])
    for key in ("features", "fps", "data_path"):
      info[key]
  except (ValueError, KeyError, TypeError) as error:
    raise LeRobotError(
      f"{file}: not the description of a data set ({error})"
    ) from error
  if not version.startswith(("v3.", "v2.")):
    raise LeRobotError(
      f"{file}: version {version!r} of the format; known: v3.0, v2.1, v2.0"
    )
  return info | {"merged": version.startswith("v3.")}


def choose_camera(path, info, camera: str) -> tuple[str, list[str]]:
  """The camera asked for, or the first one where that is '', and notes."""
  cameras = [
    key
    for key, feature in info["features"].items()
    if feature["dtype"] in ("video", "image") and not _is_depth(feature)
  ]
  if camera in cameras:
    return camera, []
  if camera or not cameras:
    raise LeRobotError(
      f"{path}: no camera {camera!r}; data.robot.camera is one of {cameras}"
    )
  if len(cameras) == 1:
    return cameras[0], []
  return cameras[0], [
    f"of the cameras {cameras} the first is used; "
    "--config.data.robot.camera=... names another"
  ]


def _is_depth(feature: Mapping[str, Any]) -> bool:
  about = (feature.get("info") or {}) | (feature.get("video_info") or {})
  return bool(about.get("is_depth_map") or about.get("video.is_depth_map"))


def load_episodes(path, info, camera) -> list[Episode]:
  """The episodes in order of their index."""
  if info["merged"]:
    files = sorted((path / "meta" / "episodes").glob("*/*.parquet"))
    rows = [
      row for file in files for row in parquet.rows(file, not_like="stats/")
    ]
  else:
    file = path / "meta" / "episodes.jsonl"
    lines = fields.json_lines(file) if file.is_file() else ()
    rows = [row for _, row in lines]
  if not rows:
    raise LeRobotError(f"{path}: meta/ lists no episode")
  is_video = info["features"][camera]["dtype"] == "video"
  try:
    found = [_episode(path, info, camera, row, is_video) for row in rows]
  except (KeyError, TypeError, IndexError) as error:
    raise LeRobotError(f"{path}: meta/ lacks {error} of an episode") from error
  found.sort(key=lambda one: one.index)
  for one in found:
    if not one.instruction:
      raise LeRobotError(f"{path}, episode {one.index}: its task is empty")
    if one.length < 1:
      raise LeRobotError(f"{path}, episode {one.index}: it has no frames")
    for file in (one.data, one.video):
      if file and not file.is_file():
        raise LeRobotError(f"{path}, episode {one.index}: no such file: {file}")
  return found


def _episode(path, info, camera, row, is_video) -> Episode:
  index = int(row["episode_index"])
  start = 0.0
  if info["merged"]:
    place = f"videos/{camera}"
    data = _numbers(row, "data")
    film = _numbers(row, place) if is_video else {}
    start = float(row[f"{place}/from_timestamp"]) if is_video else 0.0
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


def _numbers(row, place: str) -> dict[str, int]:
  return {
    key: int(row[f"{place}/{key}"]) for key in ("chunk_index", "file_index")
  }

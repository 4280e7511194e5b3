"""LeRobot data sets (versions 3.0, 2.1 and 2.0 of the format) from disk.

Version 3 keeps many episodes in one file, https://huggingface.co/docs/lerobot:

    meta/info.json                               features, fps, path patterns
    meta/episodes/chunk-000/file-000.parquet     a row per episode
    data/chunk-000/file-000.parquet              a row per frame
    videos/<camera>/chunk-000/file-000.mp4

Version 2 has meta/episodes.jsonl and a file per episode. The pictures are those
of one camera, the instruction is the episode's first task.

Letters: T frames, S picture size.
"""

import csv
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from a2r.core import images as core_images
from data import episodes as fields
from data import images, lerobot_meta, parquet, video

_LABELS = ("episode_index", "success")


def store(
  path,
  root,
  *,
  num_frames: int,
  image_size: int,
  name: str = "robot",
  camera: str = "",
  success_key: str = "",
  success_threshold: float = 1.0,
  labels: str = "",
) -> tuple[pathlib.Path, list[str]]:
  """Stores the episodes as TFRecord shards.

  Args:
    path: folder of the data set.
    root: where data sets are kept.
    num_frames: T, evenly spaced over the episode, first and last included.
    image_size: S.
    name: first part of the shards' names.
    camera: a picture feature; the first one where it is ''.
    success_key: the field that tells success, of episodes or of frames; found
      by its name where it is ''.
    success_threshold: an episode is a success where the field reaches it.
    labels: a CSV file of `episode_index,success`, relative to `path`; then
      only the episodes in it are taken, and no field is read.

  Returns:
    The shards' folder, and notes of what was chosen.

  Raises:
    LeRobotError: the data set cannot be read, or a name is not in it.
    VideoError: a video that cannot be read.
  """
  from data import records  # TensorFlow: seconds to import.
  from data import store as shards

  path = pathlib.Path(path).expanduser()
  info = lerobot_meta.load_info(path)
  camera, notes = lerobot_meta.choose_camera(path, info, camera)
  episodes = lerobot_meta.load_episodes(path, info, camera)
  if labels:
    success, told = _read_labels(path / labels, episodes)
    episodes = [one for one in episodes if one.index in success]
  else:
    success, told = _find_success(
      path, episodes, success_key, success_threshold
    )
  fps = float(info["fps"])

  def read(start, stop):
    for episode in episodes[start:stop]:
      yield records.Record(
        frames=_load_frames(path, episode, camera, fps, num_frames),
        instruction=episode.instruction,
        task=episode.instruction,
        success=success[episode.index],
        source="video",
        seed=episode.index,
        name=f"episode {episode.index}",
      )

  spec = {
    "made_by": "data.lerobot",
    "num_frames": num_frames,
    "camera": camera,
    "files": fields.identify(
      path / "meta" / "info.json",
      *(file for one in episodes for file in (one.data, one.video) if file),
    ),
    "episodes": [
      [one.index, one.instruction, one.length, one.start, success[one.index]]
      for one in episodes
    ],
  }
  folder = shards.store_clips(
    root,
    name,
    spec,
    num_clips=len(episodes),
    read_fn=read,
    image_size=image_size,
  )
  return folder, notes + told


def _read_labels(file, episodes) -> tuple[dict[int, bool], list[str]]:
  """Success by episode, as the user's table has it."""
  if not file.is_file():
    raise lerobot_meta.LeRobotError(f"data.robot.labels: no such file: {file}")
  with file.open(encoding="utf-8-sig", newline="") as stream:
    reader = csv.DictReader(stream, skipinitialspace=True)
    if not set(_LABELS) <= set(reader.fieldnames or ()):
      raise lerobot_meta.LeRobotError(
        f"{file}: the columns {list(_LABELS)} are expected, "
        f"found {reader.fieldnames}"
      )
    success, known = {}, {one.index for one in episodes}
    for row in reader:
      where = f"{file}, line {reader.line_num}"
      index = str(row["episode_index"]).strip()
      if not index.isdigit() or int(index) not in known:
        raise lerobot_meta.LeRobotError(
          f"{where}: no episode {index!r} among the {len(known)} there are"
        )
      success[int(index)] = fields.boolean(row["success"], where)
  if not success:
    raise lerobot_meta.LeRobotError(f"{file}: lists no episode")
  left = len(known) - len(success)
  return success, [
    f"{file} lists {len(success)} of {len(known)} episodes: the others are "
    "left out"
  ] * (left > 0)


def _find_success(
  path, episodes: Sequence[lerobot_meta.Episode], key: str, threshold: float
) -> tuple[dict[int, bool], list[str]]:
  """Success by episode, from a field of the data set."""
  files = list(dict.fromkeys(one.data for one in episodes))
  of_episode = sorted(episodes[0].row)
  of_frame = parquet.columns(files[0])
  found = fields.choose_success(key, [*of_episode, *of_frame], str(path))
  if found is None:
    return dict.fromkeys((one.index for one in episodes), True), [
      fields.NO_SUCCESS
    ]
  if found in of_episode:
    reached = {one.index: one.row[found] for one in episodes}
  else:
    reached = {}
    for file in files:
      numbers, values = parquet.numbers(file, "episode_index", found)
      for number, value in zip(numbers.tolist(), values.tolist(), strict=True):
        reached[int(number)] = max(value, reached.get(int(number), -np.inf))
  missing = [one.index for one in episodes if reached.get(one.index) is None]
  if missing:
    raise lerobot_meta.LeRobotError(
      f"{path}, episode {missing[0]}: it has no {found!r}"
    )
  success = {
    one.index: _number(path, one, found, reached[one.index]) >= threshold
    for one in episodes
  }
  return success, [fields.chosen_note(found, threshold)]


def _number(path, episode, name: str, value: Any) -> float:
  """The number that a field holds, or the largest of several."""
  try:
    return float(np.max(np.asarray(value, np.float64)))
  except (ValueError, TypeError) as error:
    raise lerobot_meta.LeRobotError(
      f"{path}, episode {episode.index}: {name!r} is {value!r}, no number"
    ) from error


def _load_frames(path, episode, camera, fps, num_frames) -> np.ndarray:
  """`[T, H, W, 3]` uint8."""
  indices = core_images.frame_indices(episode.length, num_frames, "ends")
  if episode.video is not None:
    times = [episode.start + index / fps for index in indices]
    return video.load_times(episode.video, times, tolerance=0.5 / fps)
  where = f"{path}, episode {episode.index}"
  pictures = parquet.values_of(
    episode.data, camera, "episode_index", episode.index
  )
  if len(pictures) != episode.length:
    raise lerobot_meta.LeRobotError(
      f"{where}: {len(pictures)} pictures of {camera!r}, {episode.length} "
      "frames expected"
    )
  try:
    return np.stack([_picture(path, pictures[index]) for index in indices])
  except (OSError, ValueError, TypeError) as error:
    raise lerobot_meta.LeRobotError(
      f"{where}: an unreadable picture ({error})"
    ) from error


def _picture(path: pathlib.Path, stored: Mapping[str, Any]) -> np.ndarray:
  """A picture that its table holds, or names a file for."""
  data, name = stored["bytes"], stored["path"]
  return images.load_rgb(io.BytesIO(data) if data else path / name)

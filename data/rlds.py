"""RLDS data sets: episodes of steps, as tensorflow-datasets keeps them.

RLDS (https://github.com/google-research/rlds), the format of Open X-Embodiment:
a folder with dataset_info.json, features.json and TFRecord shards, in which
each example is an episode and has `steps`, pictures among them.

Letters: T frames, S picture size.
"""

import io
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from a2r.core import images as core_images
from data import episodes, images

_STEPS = "steps"
_FEATURES = "features.json"
# Of several fields that may be meant, the one of this name is.
_PLAIN = ("image", "language_instruction")


class RldsError(ValueError):
  """A fault in a data set; one line that names it."""


def store(
  path,
  root,
  *,
  num_frames: int,
  image_size: int,
  name: str = "robot",
  camera: str = "",
  instruction_key: str = "",
  success_key: str = "",
  success_threshold: float = 1.0,
) -> tuple[pathlib.Path, list[str]]:
  """Stores the episodes as TFRecord shards.

  Fields are named by their way from the episode: 'steps/observation/image'.

  Args:
    path: folder with features.json, or one above it with no other in it.
    root: where data sets are kept.
    num_frames: T, evenly spaced over the episode, first and last included.
    image_size: S.
    name: first part of the shards' names.
    camera: the field of the pictures; found where it is ''.
    instruction_key: the field of the instruction; found where it is ''.
    success_key: the field that tells success; found where it is ''.
    success_threshold: an episode is a success where the field reaches it.

  Returns:
    The shards' folder, and notes of what was chosen.

  Raises:
    RldsError: the data set cannot be read, or it is not clear which field is
      meant; lists what there is.
  """
  import tensorflow_datasets as tfds  # Seconds to import, as TensorFlow is.

  from data import records
  from data import store as shards

  folder = _find_folder(pathlib.Path(path).expanduser())
  try:
    builder = tfds.builder_from_directory(str(folder))
  except Exception as error:  # It raises whatever its files lead it to.
    raise RldsError(f"{folder}: not a data set ({error})") from error
  fields = dict(_flatten(builder.info.features))
  keys, notes = _choose(
    folder, fields, camera, instruction_key, success_key, success_threshold
  )
  split, told = _choose_split(folder, builder)

  def read(start, stop):
    part = f"{split}[{start}:{stop}]"
    clips = _episodes(builder, part, keys, _pictures(fields))
    for number, episode in enumerate(clips, start):
      name = f"{split} episode {number}"
      reached = success_threshold
      if keys["success"]:
        reached = _reached(episode[keys["success"]])
      yield records.Record(
        success=bool(reached >= success_threshold),
        source="video",
        seed=number,
        name=name,
        **_content(episode, keys, num_frames, f"{folder}, {name}"),
      )

  files = sorted(file for file in folder.iterdir() if file.is_file())
  spec = {
    "made_by": "data.rlds",
    "num_frames": num_frames,
    "split": split,
    "keys": keys,
    "success_threshold": success_threshold,
    "files": episodes.identify(*files),
  }
  stored = shards.store_clips(
    root,
    name,
    spec,
    num_clips=builder.info.splits[split].num_examples,
    read_fn=read,
    image_size=image_size,
  )
  return stored, notes + told


def _find_folder(path: pathlib.Path) -> pathlib.Path:
  """The folder of a data set, which may be one or two levels down."""
  for pattern in ("", "*/", "*/*/"):
    found = sorted(path.glob(pattern + _FEATURES))
    if len(found) == 1:
      return found[0].parent
    if found:
      raise RldsError(
        f"{path}: several data sets; name one of "
        f"{[str(file.parent) for file in found]}"
      )
  raise RldsError(f"{path}: no data set: it has no {_FEATURES}")


def _flatten(feature, prefix: str = ""):
  """Yields (name, feature) of all leaves, steps and dicts taken apart."""
  inner = getattr(feature, "feature", None)
  if prefix.rstrip("/") == _STEPS and inner is not None:
    feature = inner
  if isinstance(feature, Mapping) or hasattr(feature, "items"):
    for key, one in feature.items():
      yield from _flatten(one, f"{prefix}{key}/")
  else:
    yield prefix.rstrip("/"), feature


def _pictures(fields) -> list[str]:
  return [k for k, f in fields.items() if type(f).__name__ == "Image"]


def _is_text(feature) -> bool:
  dtype = getattr(feature, "tf_dtype", None)
  return getattr(dtype, "name", "") == "string" and not feature.shape


def _choose(folder, fields, camera, instruction_key, success_key, threshold):
  """The names of the three fields (success: '' for none), and notes."""
  pictures = _pictures(fields)
  texts = [k for k, f in fields.items() if _is_text(f)]
  numbers = [
    key
    for key, feature in fields.items()
    if key not in pictures + texts and tuple(feature.shape) in ((), (1,))
  ]
  told = [key for key in texts if "instruction" in key or "language" in key]
  camera = _pick(folder, "camera", camera, pictures, pictures)
  instruction = _pick(folder, "instruction_key", instruction_key, texts, told)
  success = episodes.choose_success(success_key, numbers, str(folder))
  notes = [f"pictures are {camera!r}, instructions {instruction!r}"]
  notes.append(
    episodes.chosen_note(success, threshold) if success else episodes.NO_SUCCESS
  )
  keys = {"camera": camera, "instruction": instruction, "success": success}
  return keys, notes


def _pick(folder, setting: str, asked: str, known, likely) -> str:
  """The field asked for, or the only likely one."""
  if asked in known:
    return asked
  plain = [key for key in likely if key.rpartition("/")[2] in _PLAIN]
  for choice in (likely, plain):
    if not asked and len(choice) == 1:
      return choice[0]
  why = f"no {asked!r}" if asked else f"{len(likely)} fields may be meant"
  raise RldsError(
    f"{folder}: {why}; --config.data.robot.{setting}=... names one of {known}"
  )


def _choose_split(folder, builder) -> tuple[str, list[str]]:
  """The split that is read, and a note where there are others."""
  splits = list(builder.info.splits)
  if not splits:
    raise RldsError(f"{folder}: it has no split")
  split = "train" if "train" in splits else splits[0]
  others = ", ".join(repr(other) for other in splits if other != split)
  notes = [f"split {split!r} is read; left out: {others}"] if others else []
  return split, notes


def _episodes(builder, split: str, keys, pictures):
  """Yields dicts from the names of the fields to their values by step.

  Pictures are files as they are stored: few of them are needed.
  """
  import tensorflow_datasets as tfds

  decoders: dict[str, Any] = {}
  for name in pictures:
    *way, last = name.split("/")
    inner = decoders
    for part in way:
      inner = inner.setdefault(part, {})
    inner[last] = tfds.decode.SkipDecoding()
  for episode in tfds.as_numpy(
    builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
  ):
    steps = list(episode.get(_STEPS, ()))
    found = {}
    for key in filter(None, keys.values()):
      way = key.split("/")
      if way[0] == _STEPS:
        found[key] = [_follow(step, way[1:]) for step in steps]
      else:
        found[key] = [_follow(episode, way)]
    yield found


def _follow(value, way):
  for part in way:
    value = value[part]
  return value


def _content(episode, keys, num_frames: int, where: str) -> dict[str, Any]:
  """Pictures, instruction and task of a record."""
  instruction = _instruction(episode[keys["instruction"]], where)
  return {
    "frames": _frames(episode[keys["camera"]], num_frames, where),
    "instruction": instruction,
    "task": instruction,
  }


def _instruction(values, where: str) -> str:
  """The text of the first step."""
  text = values[0].decode(errors="replace") if values else ""
  text = " ".join(text.split())
  if not text:
    raise RldsError(f"{where}: the instruction is empty")
  return text


def _reached(values) -> float:
  return max((float(np.max(value)) for value in values), default=-np.inf)


def _frames(encoded, num_frames: int, where: str) -> np.ndarray:
  """`[T, H, W, 3]` uint8 of the pictures of all steps, files in memory."""
  if not encoded:
    raise RldsError(f"{where}: it has no steps")
  indices = core_images.frame_indices(len(encoded), num_frames, "ends")
  try:
    return np.stack(
      [images.load_rgb(io.BytesIO(encoded[index])) for index in indices]
    )
  except (OSError, ValueError) as error:
    raise RldsError(f"{where}: an unreadable picture ({error})") from error

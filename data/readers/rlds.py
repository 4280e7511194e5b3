"""RLDS data sets: episodes of steps, as tensorflow-datasets keeps them.

RLDS (https://github.com/google-research/rlds), the format of Open X-Embodiment:
a folder with dataset_info.json, features.json and TFRecord shards, in which
each example is an episode and has `steps`, pictures among them. Fields are
named by their way from the episode: 'steps/observation/image'.
"""

import functools
import operator
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from a2r.core import trees
from data.readers import base
from data.records import Record

_STEPS = "steps"
_FEATURES = "features.json"
# Of several fields that may be meant, the one of this name is.
_PLAIN = ("image", "language_instruction")


def open_clips(path: str | pathlib.Path, options: base.Options) -> base.Clips:
  """Opens a data set; see `data.readers.base`.

  Args:
    path: folder with features.json, or one above it with no other in it.
    options: how to read it.

  Raises:
    ValueError: the data set cannot be read, or it is not clear which field is
      meant; lists what there is.
  """
  folder = _find_folder(pathlib.Path(path).expanduser())
  try:
    builder = tfds.builder_from_directory(str(folder))
  except Exception as error:  # It raises whatever its files lead it to.
    raise ValueError(f"{folder}: not a data set ({error})") from error
  fields = dict(_flatten(builder.info.features))
  pictures = [k for k, f in fields.items() if type(f).__name__ == "Image"]
  keys, notes = _choose_fields(folder, fields, pictures, options)
  splits = list(builder.info.splits)
  if not splits:
    raise ValueError(f"{folder}: it has no split")
  split = "train" if "train" in splits else splits[0]
  others = ", ".join(repr(other) for other in splits if other != split)
  if others:
    notes.append(f"split {split!r} is read; left out: {others}")

  def read(start, stop):
    chosen = f"{split}[{start}:{stop}]"
    episodes = _load_episodes(builder, chosen, keys, pictures)
    for number, episode in enumerate(episodes, start):
      name = f"{split} episode {number}"
      where = f"{folder}, {name}"
      success = True
      if keys["success"]:
        values = map(np.max, episode[keys["success"]])
        reached = max(map(float, values), default=-np.inf)
        success = reached >= options.success_threshold
      texts = episode[keys["instruction"]] or [b""]
      instruction = " ".join(texts[0].decode(errors="replace").split())
      if not instruction:
        raise ValueError(f"{where}: the instruction is empty")
      files = episode[keys["camera"]]
      yield Record(
        frames=base.load_pictures(files, options.num_frames, where),
        instruction=instruction,
        task=instruction,
        success=success,
        source="video",
        seed=number,
        name=name,
      )

  spec = {
    "made_by": "data.rlds",
    "num_frames": options.num_frames,
    "split": split,
    "keys": keys,
    "success_threshold": options.success_threshold,
    "files": base.identify(*sorted(f for f in folder.iterdir() if f.is_file())),
  }
  num_clips = builder.info.splits[split].num_examples
  return base.Clips(num_clips, read, spec, notes)


def _find_folder(path: pathlib.Path) -> pathlib.Path:
  """The folder of a data set, which may be one or two levels down."""
  for pattern in ("", "*/", "*/*/"):
    files = sorted(path.glob(pattern + _FEATURES))
    if len(files) == 1:
      return files[0].parent
    if files:
      raise ValueError(
        f"{path}: several data sets; name one of "
        f"{[str(file.parent) for file in files]}"
      )
  raise ValueError(f"{path}: no data set: it has no {_FEATURES}")


def _flatten(feature, prefix: str = "") -> Iterator[tuple[str, Any]]:
  """Yields (name, feature) of all leaves, steps and dicts taken apart."""
  inner = getattr(feature, "feature", None)
  if prefix.rstrip("/") == _STEPS and inner is not None:
    feature = inner
  if hasattr(feature, "items"):
    for key, value in feature.items():
      yield from _flatten(value, f"{prefix}{key}/")
  else:
    yield prefix.rstrip("/"), feature


def _choose_fields(folder, fields, pictures, options: base.Options):
  """The names of the three fields (success: None for none), and notes."""
  texts = [
    key
    for key, feature in fields.items()
    if getattr(getattr(feature, "tf_dtype", None), "name", "") == "string"
    and not feature.shape
  ]
  numbers = [
    key
    for key, feature in fields.items()
    if key not in pictures + texts and tuple(feature.shape) in ((), (1,))
  ]
  likely = [key for key in texts if "instruction" in key or "language" in key]
  success, note = base.choose_success(options, numbers, str(folder))
  camera = _pick(folder, options, "camera", pictures, pictures)
  instruction = _pick(folder, options, "instruction_key", texts, likely)
  keys = {"camera": camera, "instruction": instruction, "success": success}
  return keys, [f"pictures are {camera!r}, instructions {instruction!r}", note]


def _pick(folder, options, option: str, known, likely) -> str:
  """The field asked for by name, or the only likely one."""
  name = getattr(options, option)
  if name in known:
    return name
  plain = [key for key in likely if key.rpartition("/")[2] in _PLAIN]
  for choice in (likely, plain):
    if not name and len(choice) == 1:
      return choice[0]
  why = f"no {name!r}" if name else f"{len(likely)} fields may be meant"
  raise ValueError(
    f"{folder}: {why}; --config.data.robot.{option}=... names one of {known}"
  )


def _load_episodes(builder, split: str, keys, pictures):
  """Yields dicts from the names of the fields to their values by step.

  Pictures are files as they are stored: few of them are needed.
  """

  decoders = trees.nest({k: tfds.decode.SkipDecoding() for k in pictures})
  for episode in tfds.as_numpy(
    builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
  ):
    steps = list(episode.get(_STEPS, ()))
    values = {}
    for name in filter(None, keys.values()):
      first, *way = name.split("/")
      values[name] = (
        [functools.reduce(operator.getitem, way, step) for step in steps]
        if first == _STEPS
        else [functools.reduce(operator.getitem, way, episode[first])]
      )
    yield values

"""RLDS data sets: episodes of steps, as tensorflow-datasets keeps them.

RLDS (https://github.com/google-research/rlds), the format of Open X-Embodiment:
a folder with dataset_info.json, features.json and shards (TFRecord, or
array_record), in which each example is an episode and has `steps`, pictures
among them. Fields are named by their way from the episode:
'steps/observation/image'.
"""

import functools
import json
import operator
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from a2r.core import checks, trees
from data import video
from data.readers import base
from data.records import Record

_STEPS = "steps"
_FEATURES = "features.json"
_INFO = "dataset_info.json"
# Where the classes of fields are that are known; others would be imported.
_CLASSES = "tensorflow_datasets.core.features."
_CLASS_KEYS = ("type", "pythonClassName", "python_class_name")
# Of several fields that may be meant, the one of this name is.
_PLAIN = ("image", "language_instruction")
_SHARD_FIELDS = (  # Of a pattern of shards' names.
  "DATASET", "SPLIT", "FILEFORMAT", "SHARD_INDEX", "NUM_SHARDS",
  "SHARD_X_OF_Y",
)  # fmt: skip
_PICTURE = re.compile("image|picture|rgb|camera|frame")
_OUTCOME = re.compile(r"(?:^|[/\\])(success|failure)(?=[/\\])")
_MAX_NAMES = 1 << 16  # Of an enumeration; more are numbers.
_BATCH = 4096  # Steps that are read at once.
# What TensorFlow's errors say of its own inside.
_INSIDE = re.compile(r"\[?\[?\{\{.*?\}\}\]?\]?|\[Op:.*", re.DOTALL)


def open_clips(path: str | pathlib.Path, options: base.Options) -> base.Clips:
  """Opens a data set; see `data.readers.base`.

  It is read through once, without its pictures, for instructions and labels.
  An episode that has none, or no steps, is left out.

  Args:
    path: folder with features.json, or one above it with no other in it.
    options: how to read it.

  Raises:
    ValueError: the data set cannot be read, or it is not clear which field is
      meant, or too many episodes cannot be used; lists what there is.
  """
  folder = _find_folder(checks.path(path))
  _check_classes(folder)
  try:
    builder = tfds.builder_from_directory(str(folder))
  except Exception as error:  # It raises whatever its files lead it to.
    reason = str(error).partition("\n")[0]
    raise ValueError(f"{folder}: not a data set ({reason})") from error
  fields = dict(_flatten(builder.info.features))
  keys, notes = _choose_fields(folder, fields, options)
  splits = list(builder.info.splits)
  if not splits:
    raise ValueError(f"{folder}: it has no split")
  split = "train" if "train" in splits else splits[0]
  shards = _list_shards(folder, builder.info.splits[split])
  num_episodes = builder.info.splits[split].num_examples
  load_fn = functools.partial(_load_episodes, folder, builder, split)
  where, name_fn = f"{folder}, {split}", f"{split} episode {{}}".format

  texts, faults, num_several = {}, {}, 0
  labels = {key: {} for key in keys["success"]}
  names = [keys["camera"], *keys["instruction"], *labels]
  episodes = load_fn(0, num_episodes, names)
  for number, values in base.watch(episodes, num_episodes, "episodes opened"):
    texts[number], is_one = _find_text(
      _as_texts(fields[key], values[key]) for key in keys["instruction"]
    )
    num_several += not is_one
    for key in labels:
      labels[key][number] = _as_label(key, fields[key], values[key])
    if not values[keys["camera"]]:
      faults[number] = "it has no steps"
    elif not texts[number]:
      faults[number] = "the instruction is empty"

  def left_out():
    bad = [base.BadClip(name_fn(n), faults[n]) for n in sorted(faults)]
    base.check_left_out(bad, len(texts), where)
    return bad

  left_out()  # Before their labels are missed.
  if num_several:
    notes.append(
      f"{num_several} of {len(texts)} episodes have steps of several "
      "instructions: the first is taken"
    )
  for key in list(filter(_is_path, labels)):  # Most of them tell nothing.
    if key != options.success_key and not any(map(any, labels[key].values())):
      del labels[key]
  good = [number for number in texts if number not in faults]
  success, more = base.label_episodes(labels, good, options, where)
  notes += more
  for number in good:
    if number not in success:
      faults[number] = "nothing tells its success"
  bad = left_out()
  episodes = [(number, texts[number], success[number]) for number in success]
  others = ", ".join(repr(other) for other in splits if other != split)
  if others:
    notes.append(f"split {split!r} is read; left out: {others}")

  def read(start, stop):
    chosen = {number: rest for number, *rest in episodes[start:stop]}
    bounds = min(chosen), max(chosen) + 1
    for number, values in load_fn(*bounds, [keys["camera"]]):
      if number not in chosen:
        continue
      instruction, is_success = chosen[number]
      pictures, name = values[keys["camera"]], name_fn(number)
      try:
        frames = base.load_pictures(pictures, options.num_frames)
      except ValueError as error:
        yield base.BadClip(name, str(error))
        continue
      yield Record(
        frames=frames,
        instruction=instruction,
        task=instruction,
        success=is_success,
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
    "files": base.identify(
      *sorted(file for file in folder.iterdir() if file.is_file()), *shards
    ),
    "episodes": [list(episode) for episode in episodes],
  }
  return base.Clips(len(episodes), read, spec, notes, bad)


def _find_folder(path: pathlib.Path) -> pathlib.Path:
  """The folder of a data set, which may be one or two levels down."""
  for pattern in ("", "*/", "*/*/"):
    files = sorted(filter(pathlib.Path.is_file, path.glob(pattern + _FEATURES)))
    if len(files) == 1:
      return files[0].parent
    if files:
      raise ValueError(
        f"{path}: several data sets; name one of "
        f"{[str(file.parent) for file in files]}"
      )
  raise ValueError(f"{path}: no data set: it has no {_FEATURES}")


def _check_classes(folder: pathlib.Path):
  """Lets no file of a data set have the library import other code.

  It imports the module of every class that it does not know.
  """
  for file in folder.iterdir():
    _check_file(file)
  for file in (folder / _FEATURES, folder / _INFO):
    try:
      content = json.loads(file.read_bytes()) if file.exists() else {}
      names = list(_class_names(content))
    except (ValueError, RecursionError) as error:
      raise ValueError(f"{folder}: not a data set ({error})") from error
    for name in names:
      if not name.startswith(_CLASSES):
        raise ValueError(
          f"{file}: it names the class {name!r}, whose code is not run; known "
          f"are those of tensorflow-datasets, {_CLASSES}*"
        )


def _check_file(file: pathlib.Path):
  """Refuses what is there and has no end: a pipe, a device."""
  if file.exists() and not file.is_file() and not file.is_dir():
    raise ValueError(f"{file}: neither a file nor a folder")


def _list_shards(
  folder: pathlib.Path, split: tfds.core.SplitInfo
) -> list[pathlib.Path]:
  """The files of a split, which a data set may not have outside of it."""
  where, template = f"{folder / _INFO}", split.filename_template
  fields = dict.fromkeys(_SHARD_FIELDS, "")
  base.check_pattern(template.template, fields, where)
  files = []
  for shard in range(split.num_shards):
    try:
      name = template.relative_filepath(
        shard_index=shard, num_shards=split.num_shards
      )
    except ValueError as error:  # It has no name for the data set.
      raise ValueError(f"{where}: {error}") from error
    file = base.inside(folder, name, where)
    _check_file(file)
    if file.exists() and video.is_pointer(file):
      raise ValueError(f"{file}: {video.POINTER}")
    files.append(file)
  return files


def _class_names(value) -> Iterator[str]:
  """Yields the names of classes at any depth, in JSON within texts too."""
  if isinstance(value, str):
    try:
      value = json.loads(value)
    except ValueError:
      return
  if isinstance(value, dict):
    for key, item in value.items():
      if key in _CLASS_KEYS and isinstance(item, str) and "." in item:
        yield item
      yield from _class_names(item)
  elif isinstance(value, list):
    for item in value:
      yield from _class_names(item)


def _flatten(feature, prefix: str = "") -> Iterator[tuple[str, Any]]:
  """Yields (name, feature) of all leaves, steps and dicts taken apart."""
  inner = getattr(feature, "feature", None)
  if prefix.rstrip("/") == _STEPS and inner is not None:
    feature = inner
  if isinstance(feature, tfds.features.FeaturesDict):
    for key, value in feature.items():
      yield from _flatten(value, f"{prefix}{key}/")
  else:
    yield prefix.rstrip("/"), feature


def _is_picture(key: str, feature) -> bool:
  """Whether it is an 8-bit picture of a step, or has all of an episode's."""
  if not isinstance(feature.shape, tuple) or feature.tf_dtype != np.uint8:
    return False
  kinds, num_axes = tfds.features.Tensor, 3
  if not key.startswith(f"{_STEPS}/"):
    kinds, num_axes = kinds | tfds.features.Sequence, 4
  elif _is_image(feature):
    return True
  is_array = isinstance(feature, kinds) and len(feature.shape) == num_axes
  return is_array and feature.shape[-1] == 3


def _is_image(feature) -> bool:
  return isinstance(feature, tfds.features.Image)


def _describe(key: str, feature) -> str:
  """How a field is stored: "'steps/depth' (Image, 64 x 64 x 1 of uint16)"."""
  kind, dtype = type(feature).__name__, getattr(feature.tf_dtype, "name", "")
  if not isinstance(feature.shape, tuple) or not dtype:
    return f"{key!r} ({kind})"
  shape = " x ".join(
    "?" if size is None else str(size) for size in feature.shape
  )
  return f"{key!r} ({kind}, {shape}{' of ' * bool(shape)}{dtype})"


def _choose_fields(folder, fields, options: base.Options):
  """The names of the fields by their use, and notes.

  Several may tell the instruction, or success: the first to take first.
  """
  pictures = [key for key, field in fields.items() if _is_picture(key, field)]
  files = [key for key in pictures if _is_image(fields[key])]
  strings, codes, scalars = [], [], []
  for key, feature in fields.items():
    if not isinstance(feature.shape, tuple) or _is_image(feature):
      continue
    if feature.tf_dtype == tf.string and len(feature.shape) < 2:
      strings.append(key)
    if feature.tf_dtype.is_integer and len(feature.shape) == 1:
      codes.append(key)
    if feature.shape in ((), (1,), (None,)):
      scalars.append(key)
  # Files of pictures may be stored as any text is.
  encoded = [key for key in strings if key.startswith(f"{_STEPS}/")]
  named = [key for key in encoded if _PICTURE.search(key.rpartition("/")[2])]
  camera = _pick(
    folder, fields, options, "camera", pictures + encoded,
    files or pictures or named,
  )  # fmt: skip
  enumerations = [key for key, field in fields.items() if _names(field)]
  texts = [
    list(filter(_tells_instruction, kind))
    for kind in (strings, enumerations, codes)
  ]
  # Spellings of one instruction: language_instruction, language_instruction_2.
  alike = {}
  for key in sorted(next(filter(None, texts), [])):
    alike.setdefault(re.sub(r"_?\d+$", "", key), []).append(key)
  alike = {keys[0]: keys for keys in alike.values()}
  text = _pick(
    folder, fields, options, "instruction_key",
    strings + enumerations + texts[-1], list(alike),
  )  # fmt: skip
  texts = [text] if options.instruction_key else alike[text]
  success = base.success_fields(options, scalars, str(folder))
  for key in success[:1]:
    if _is_enumeration(fields[key]) and not _names(fields[key]):
      raise ValueError(
        f"{folder}: {key!r} is an enumeration without names, which does not "
        "tell success; --config.data.robot.success_key=... names another field"
      )
  success = success[:1] + [
    k for k in success[1:] if not _is_enumeration(fields[k])
  ]
  paths = list(filter(_is_path, strings))
  success += [key for key in paths if key not in success]
  keys = {"camera": camera, "instruction": texts, "success": success}
  told = ", then ".join(map(repr, texts))
  return keys, [f"pictures are {camera!r}, instructions {told}"]


def _tells_instruction(key: str) -> bool:
  return "instruction" in key or "language" in key


def _is_path(key: str) -> bool:
  return key.endswith("file_path")


def _is_enumeration(feature) -> bool:
  return isinstance(feature, tfds.features.ClassLabel)


def _names(feature) -> list[str]:
  """The names of an enumeration; none where it has just numbers."""
  num = _is_enumeration(feature) and feature.num_classes or 0
  if not 0 < num <= _MAX_NAMES:
    return []
  return feature.names if feature.names != [*map(str, range(num))] else []


def _pick(folder, fields, options, option: str, known, likely) -> str:
  """The field asked for by name, or the only likely one."""
  name = getattr(options, option)
  if name in known:
    return name
  plain = [key for key in likely if key.rpartition("/")[2] in _PLAIN]
  for choice in (likely, plain):
    if not name and len(choice) == 1:
      return choice[0]
  kind = "8-bit color picture" if option == "camera" else "text"
  why = f"no {name!r}" if name else f"{len(likely)} fields may be meant"
  if name in fields:
    why = f"{_describe(name, fields[name])} is no {kind} of a step"
  elif not name and not likely:
    has = ", ".join(_describe(key, field) for key, field in fields.items())
    as_what = "" if option == "camera" else " named as an instruction"
    why = f"it has no {kind} of a step{as_what}; it has {has}"
  if known:
    why += f"; --config.data.robot.{option}=... names one of {known}"
  raise ValueError(f"{folder}: {why}")


def _load_episodes(folder, builder, split: str, start: int, stop: int, names):
  """Yields number and values of fields, by step, of episodes in their order.

  Pictures that are files stay as they are stored: few of them are needed.
  """
  features = builder.info.features
  fields = dict(_flatten(features))
  files = [
    key
    for key, field in fields.items()
    if isinstance(field, tfds.features.Image | tfds.features.Video)
  ]
  films = [key for key, f in fields.items() if _is_picture(key, f)]
  decoders = trees.nest({key: tfds.decode.SkipDecoding() for key in files})
  chosen = f"{split}[{start}:{stop}]"
  try:
    if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
      raw = tfds.decode.DeserializeMethod.RAW_BYTES
      records = builder.as_data_source(chosen, deserialize_method=raw)
      examples = map(
        tf.function(
          lambda record: _select(
            features.deserialize_example(record, decoders=decoders), names
          ),
          input_signature=[tf.TensorSpec((), tf.string)],
        ),
        records,
      )
    else:
      options = tf.data.Options()
      options.autotune.enabled = False  # See `data.pipeline`.
      examples = builder.as_dataset(
        split=chosen,
        decoders=decoders,
        # Shard by shard: an episode's number depends on nothing else.
        read_config=tfds.ReadConfig(
          options=options, interleave_cycle_length=1, try_autocache=False
        ),
      ).map(functools.partial(_select, names=names))
    for number, (own, steps) in enumerate(examples, start):
      values = {
        name: list(value) if name in films else [value]
        for name, value in tfds.as_numpy(own).items()
      }
      for batch in tfds.as_numpy(steps):
        for name, by_step in batch.items():
          values[name] = [*values.get(name, ()), *by_step]
      yield number, {name: values.get(name, []) for name in names}
  except Exception as error:  # Of TensorFlow and others, as their files are.
    message = " ".join(_INSIDE.sub("", str(error)).split())
    raise ValueError(
      f"{folder}: {split!r} cannot be read ({message or type(error).__name__})"
    ) from error


def _select(example, names) -> tuple[dict[str, Any], tf.data.Dataset]:
  """Fields of the episode's own by name, and batches of those of its steps."""

  def pick(tree, is_step):
    values = {}
    for name in names:
      first, *way = name.split("/")
      if (first == _STEPS) == is_step:
        way = way if is_step else [first, *way]
        values[name] = functools.reduce(operator.getitem, way, tree)
    return values

  steps = example.get(_STEPS)
  if not any(name.startswith(f"{_STEPS}/") for name in names):
    steps = tf.data.Dataset.range(0)
  elif isinstance(steps, tf.data.Dataset):
    steps = steps.map(lambda step: pick(step, True)).ragged_batch(_BATCH)
  else:  # Of a Sequence: stacked already.
    steps = tf.data.Dataset.from_tensors(pick(steps, True))
  return pick(example, False), steps


def _as_label(key: str, feature, values: list[Any]) -> list[Any]:
  """What `base.label_episodes` understands of a field's values by step.

  Of an enumeration the names; of the path of a file, such as DROID's, the
  folder success or failure that is in it.
  """
  if _names(feature):
    return _as_texts(feature, values)
  if feature.tf_dtype == tf.string and feature.shape == ():
    texts = list(map(_decode, values))
    if _is_path(key) or any("/" in text for text in texts):
      return [match and match[1] for match in map(_OUTCOME.search, texts)]
  return values


def _as_texts(feature, values: list[Any]) -> list[str]:
  """The first text of each step that is not empty; '' where there is none."""
  if names := _names(feature):
    numbers = np.ravel(values).tolist()
    names = [" ".join(name.split()) for name in names]
    return [
      names[number] if 0 <= number < len(names) else "" for number in numbers
    ]
  if feature.tf_dtype.is_integer:  # Codes of UTF-8, and zeros behind them.
    values = [np.asarray(value).tolist() for value in values]
    return [_decode(bytes(c for c in v if 0 < c < 256)) for v in values]
  steps = ([_decode(text) for text in np.ravel(value)] for value in values)
  return [next(filter(None, texts), "") for texts in steps]


def _decode(text: bytes) -> str:
  return " ".join(text.decode(errors="replace").split())


def _find_text(fields: Iterable[list[str]]) -> tuple[str, bool]:
  """The first text of the first field that has one, and whether it has more."""
  for texts in fields:
    if known := dict.fromkeys(filter(None, texts)):
      return next(iter(known)), len(known) == 1
  return "", True

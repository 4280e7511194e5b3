"""What readers of data sets share: their options, their result, small helpers.

A reader is a function `open_clips(path, options) -> Clips`. It checks what it
can before it reads a picture, and raises a ValueError of one line that names
the file and, where there is one, the line or the episode. Letters: T frames.
"""

import collections
import csv
import dataclasses
import json
import pathlib
from collections.abc import (
  Callable,
  Hashable,
  Iterable,
  Iterator,
  Mapping,
  Sequence,
)
from typing import Any

import numpy as np

from a2r.core import images as core_images
from data import images
from data.records import Record

_TRUE = "true yes 1 1.0 success successful succeeded pass passed"
_FALSE = "false no 0 0.0 failure fail failed unsuccessful"
_BOOLEANS = dict.fromkeys(_TRUE.split(), True)
_BOOLEANS |= dict.fromkeys(_FALSE.split(), False)
_NO_VALUE = ("", "nan", "none", "null")
# Of the episodes of a data set, the share that may be left out.
_MAX_BAD_SHARE = 0.5
MAX_UNREADABLE = 0.1  # Share of the clips whose pictures may be unreadable.
# Names of fields that tell success, the surest first.
_SUCCESS = (
  "success", "is_success", "next.success", "episode_success", "next.reward",
  "reward",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How a data set is read; a reader ignores what its format does not have."""

  # T, evenly spaced over the clip, first and last included.
  num_frames: int
  camera: str = ""  # The field of the pictures; found where it is ''.
  instruction_key: str = ""  # The field of the instruction; as well.
  # The field that tells success, of episodes or of frames; found by its name
  # where it is ''. An episode is a success where it reaches the threshold.
  success_key: str = ""
  success_threshold: float = 1.0
  # A CSV file of `episode_index,success`, relative to the data set; then only
  # the episodes in it are taken, and no field is read.
  labels: str = ""


@dataclasses.dataclass(frozen=True)
class BadClip:
  """Stands in the place of a clip whose pictures cannot be read."""

  name: str  # What its user calls the clip, such as a file name.
  reason: str  # One line.


@dataclasses.dataclass(frozen=True)
class Clips:
  """A data set that is ready to be read."""

  num: int  # Number of clips.
  # `read_fn(start, stop)` gives these clips, with pictures of any size; a pure
  # function of the numbers. A few may be bad, see `data.store.store_clips`.
  read_fn: Callable[[int, int], Iterable[Record | BadClip]]
  # All that decides the clips, as plain JSON values: other files, other spec.
  spec: Mapping[str, Any]
  notes: Sequence[str] = ()  # What was chosen for the user, one line each.


def parse_boolean(value: Any, where: str) -> bool:
  """Returns what a table says of success.

  Raises:
    ValueError: neither true nor false; begins with `where`.
  """
  word = str(value).strip().lower()
  if word not in _BOOLEANS:
    raise ValueError(f"{where}: success is {value!r}, neither true nor false")
  return _BOOLEANS[word]


def json_lines(file: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
  """Yields number, from 1, and object of the lines that are not empty.

  Raises:
    ValueError: a line that is no JSON object; names the file and the line.
  """
  line = 0
  try:
    # Line by line: JSON texts may hold what `str.splitlines` cuts at.
    with file.open(encoding="utf-8-sig") as stream:
      for line, words in enumerate(stream, 1):
        if not words.strip():
          continue
        row = json.loads(words)
        if not isinstance(row, dict):
          raise ValueError(f"{file}, line {line}: not a JSON object")
        yield line, row
  except json.JSONDecodeError as error:
    raise ValueError(f"{file}, line {line}: not JSON ({error})") from error
  except UnicodeDecodeError as error:
    raise ValueError(f"{file}: not a UTF-8 text ({error.reason})") from error


def csv_rows(
  file: pathlib.Path,
) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
  """Returns the columns of a CSV file, and line number and fields of its rows.

  Raises:
    ValueError: it is no UTF-8 text.
  """
  try:
    with file.open(encoding="utf-8-sig", newline="") as stream:
      reader = csv.DictReader(stream, skipinitialspace=True)
      rows = [(reader.line_num, row) for row in reader]
      return list(reader.fieldnames or ()), rows
  except UnicodeDecodeError as error:
    raise ValueError(f"{file}: not a UTF-8 text ({error.reason})") from error


def success_fields(
  options: Options, names: Sequence[str], where: str
) -> list[str]:
  """Returns the fields that may tell success, the one to take first.

  That is the one asked for, or the surest by its name, which may have a path
  before it, such as 'episode_metadata/success'. See `label_episodes`.

  Raises:
    ValueError: there is no field of the name asked for; lists what there is.
  """
  key = options.success_key
  if key and key not in names:
    raise ValueError(
      f"{where}: no field {key!r} (data.robot.success_key); it has "
      f"{sorted(set(names))}"
    )
  likely = [n for s in _SUCCESS for n in names if n.rpartition("/")[2] == s]
  return list(dict.fromkeys([key, *likely] if key else likely))


def label_episodes(
  fields: Mapping[str, Mapping[Hashable, Any]],
  episodes: Sequence[Hashable],
  options: Options,
  where: str,
) -> tuple[dict[Hashable, bool], list[str]]:
  """Returns which episodes are successes, and notes with ranges and counts.

  An episode is a success where the largest value of the field reaches the
  threshold. What is null or not finite is no value, and an episode of no other
  has no label: it is missing in the result.

  Args:
    fields: value by episode of every field of `success_fields`, in its order:
      the first of them that has any value decides. A value is a number, a
      boolean, a word for one ("failure"), null, or any nesting of these; one
      of an enumeration comes as its name. Without a field all are successes.
    episodes: numbers or names of the episodes.
    options: success_key and success_threshold.
    where: beginning of errors.

  Raises:
    ValueError: a value that is none of these; no value of the field that was
      asked for, or of any field.
  """
  if not fields:
    return dict.fromkeys(episodes, True), [
      "NO SUCCESS FIELD: nothing in the data set tells success from failure, "
      "so every episode counts as a success. Name a field with "
      "--config.data.robot.success_key=..."
    ]
  ranges, faults = {}, []  # Smallest and largest value by episode.
  for key, values in fields.items():
    try:
      ranges[key] = _ranges(key, values, episodes, where)
    except ValueError as error:
      if not any(ranges.values()):  # It would decide.
        raise
      faults.append(f"not compared with: {error}")
  empty = [key for key, found in ranges.items() if not found]
  if options.success_key in empty or len(empty) == len(fields):
    raise ValueError(
      f"{where}: {empty[0]!r} has no value in any of the {len(episodes)} "
      "episodes (data.robot.success_key)"
    )
  key, *others = (key for key, found in ranges.items() if found)
  threshold = options.success_threshold
  success = _reach(ranges[key], threshold)
  told = _tell(ranges[key], threshold)
  notes = [
    f"an episode is a success where its {key!r} reaches {threshold:g}; it "
    f"{told} (--config.data.robot.success_key, .success_threshold)"
  ]
  largest = max(high for _, high in ranges[key].values())
  num_largest = sum(_reach(ranges[key], largest).values())
  if num_largest not in (sum(success.values()), len(success)):
    notes.append(
      f"{key!r} {told}; its largest value, {largest!r}, is reached in "
      f"{num_largest}: --config.data.robot.success_threshold={largest!r} takes "
      "those"
    )
  for other in others:
    values = _reach(ranges[other], 1.0)
    common = success.keys() & values.keys()
    different = sum(success[episode] != values[episode] for episode in common)
    if different:
      notes.append(
        f"{key!r} {told}; {other!r} {_tell(ranges[other], 1.0)}: they disagree "
        f"on {different} of {len(common)} episodes; "
        f"--config.data.robot.success_key={other} takes the second"
      )
  notes += [f"{name!r} has no value in any episode" for name in empty]
  return success, notes + faults


def _ranges(key: str, values, episodes, where: str):
  """The smallest and the largest number of the episodes that have any."""
  ranges = {}
  for episode in episodes:
    spot = f"{where}, episode {episode}: {key!r}"
    numbers = _numbers(values.get(episode), spot)
    if len(numbers):
      ranges[episode] = float(numbers.min()), float(numbers.max())
  return ranges


def _reach(ranges, threshold: float) -> dict[Hashable, bool]:
  return {key: high >= threshold for key, (_, high) in ranges.items()}


def _tell(ranges, threshold: float) -> str:
  """How many episodes reach the threshold, and the range of the values."""
  count, total = sum(_reach(ranges, threshold).values()), len(ranges)
  low = min(low for low, _ in ranges.values())
  high = max(high for _, high in ranges.values())
  if low == high == count == 0:
    return f"is False in all {total}"
  of = f"all {total}" if count == total else f"{count} of {total}"
  return f"reaches {threshold:g} in {of} (from {low:g} to {high:g})"


def _numbers(value, where: str) -> np.ndarray:
  """`[N]` float64: what is a finite number in a value of any nesting."""
  try:
    numbers = np.array(value, np.float64).ravel()
  except (TypeError, ValueError):  # Words, or lists of several lengths.
    numbers = np.array([_number(leaf, where) for leaf in _leaves(value)])
  return numbers[np.isfinite(numbers)]


def _leaves(value) -> Iterator[Any]:
  if isinstance(value, np.ndarray):
    value = value.tolist()
  if isinstance(value, list | tuple):
    for item in value:
      yield from _leaves(item)
  else:
    yield value


def _number(value, where: str) -> float:
  word = value.decode(errors="replace") if isinstance(value, bytes) else value
  word = str(word).strip().lower()
  if word in _NO_VALUE:
    return np.nan
  try:
    return float(_BOOLEANS.get(word, value))
  except (TypeError, ValueError) as error:
    raise ValueError(
      f"{where} is {value!r}, no number and neither true nor false"
    ) from error


def leave_out(
  reasons: Mapping[Hashable, str], num_episodes: int, where: str
) -> list[str]:
  """Returns notes on the episodes that are left out, with counts.

  Args:
    reasons: why, by number or name of the episode.
    num_episodes: how many there are with those.
    where: beginning of the error.

  Raises:
    ValueError: they are more than half of all.
  """
  if len(reasons) > _MAX_BAD_SHARE * num_episodes:
    episode, reason = next(iter(reasons.items()))
    raise ValueError(
      f"{where}, episode {episode}: {reason}; {len(reasons)} of "
      f"{num_episodes} episodes cannot be used, at most half may be left out"
    )
  episodes = collections.defaultdict(list)
  for episode, reason in reasons.items():
    episodes[reason].append(str(episode))
  return [
    f"{len(names)} of {num_episodes} episodes are left out: {reason} (episode "
    f"{', '.join(names[:5])}{', ...' * (len(names) > 5)})"
    for reason, names in episodes.items()
  ]


def load_pictures(
  rows: Sequence[Any],
  num_frames: int,
  where: str,
  file_fn: Callable[[Any], bytes | pathlib.Path | np.ndarray] = lambda row: row,
) -> np.ndarray:
  """Returns T of an episode's pictures as `[T, H, W, 3]` uint8.

  `file_fn` gives the file of a row that is chosen, its bytes, or the picture
  itself as `[H, W, 3]` uint8.

  Raises:
    ValueError: no pictures, or one that cannot be read; begins with `where`.
  """
  if not len(rows):
    raise ValueError(f"{where}: it has no frames")
  indices = core_images.frame_indices(len(rows), num_frames)
  try:
    files = (file_fn(rows[index]) for index in indices)
    return np.stack(
      [f if isinstance(f, np.ndarray) else images.load_rgb(f) for f in files]
    )
  except (OSError, SyntaxError, TypeError, ValueError) as error:
    raise ValueError(f"{where}: an unreadable picture ({error})") from error


def identify(*files: pathlib.Path) -> list[list[Any]]:
  """Returns names, sizes and dates of files: a changed file changes them."""
  return [
    [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
    for file in dict.fromkeys(files)
  ]

"""What readers of data sets share: their options, their result, small helpers.

A reader is a function `open_clips(path, options) -> Clips`. It checks what it
can before it reads a picture, and raises a ValueError of one line that names
the file and, where there is one, the line or the episode. Letters: T frames.
"""

import collections
import csv
import dataclasses
import io
import pathlib
import re
import string
import time
from collections.abc import (
  Callable,
  Hashable,
  Iterable,
  Iterator,
  Mapping,
  Sequence,
)
from typing import Any, NamedTuple

import numpy as np

from a2r.core import checks, progress
from a2r.core import images as core_images
from data import images
from data.records import Record

_TRUE = "true yes 1 1.0 success successful succeeded pass passed"
_FALSE = "false no 0 0.0 failure fail failed unsuccessful"
_BOOLEANS = dict.fromkeys(_TRUE.split(), True)
_BOOLEANS |= dict.fromkeys(_FALSE.split(), False)
_NO_VALUE = ("", "nan", "none", "null")
_MAX_LEFT_OUT = 0.5  # Share of a data set's clips, see `check_left_out`.
_PLAIN_FORMAT = re.compile(r"0?\d{0,2}d?")
_NUM_SHOWN = 5
_PATIENCE = 5.0  # Seconds between two lines on how far reading has come.
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


class BadClip(NamedTuple):
  """A clip that cannot be used; see `check_left_out`."""

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
  # What was seen to be unusable before a picture was read; not in `num`.
  left_out: Sequence[BadClip] = ()


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
    ValueError: a line that is no JSON object, or has a name twice; names the
      file and the line.
  """
  try:
    # Line by line: JSON texts may hold what `str.splitlines` cuts at.
    with file.open(encoding="utf-8-sig") as stream:
      for line, words in enumerate(stream, 1):
        if words.strip():
          yield line, checks.parse_json(words, f"{file}, line {line}", dict)
  except UnicodeDecodeError as error:
    raise _not_utf8(file, error) from error


def csv_rows(
  file: pathlib.Path, *, with_notes: bool = False
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
  """Returns the columns of a CSV file, and line number and fields of its rows.

  Columns are parted by commas, semicolons or tabs, whichever the line of their
  names has most of. Blanks around names and fields do not count (behind a
  closing quote there may be none), nor do empty rows. The line is that on which
  a row begins. `with_notes` there may be fields after
  the columns, which are left out, or fewer.

  Raises:
    ValueError: no UTF-8 text, quotes that do not end, a column that is named
      twice or not at all, or a row of more or fewer fields.
  """
  try:
    text = file.read_text("utf-8-sig")
  except UnicodeDecodeError as error:
    raise _not_utf8(file, error) from error
  head = text.lstrip("\r\n ").partition("\n")[0]
  delimiter = max(",;\t", key=head.count)
  reader = csv.reader(
    io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True
  )
  columns, rows, line = None, [], 1
  try:
    for fields in reader:
      row, where = [field.strip() for field in fields], f"{file}, line {line}"
      begin, line = line, reader.line_num + 1
      if not any(row):
        continue
      if columns is None:
        columns = row
        _check_columns(columns, where)
      elif len(row) != len(columns) and not with_notes:
        raise ValueError(
          f"{where}: {len(columns)} columns expected, got {len(row)}; put "
          f"quotes around a text that holds {delimiter!r}"
        )
      else:
        row += [""] * (len(columns) - len(row))
        rows.append((begin, dict(zip(columns, row, strict=False))))
  except csv.Error as error:
    raise ValueError(
      f"{file}, lines {line} to {reader.line_num}: not CSV ({error}); are all "
      "quotes closed?"
    ) from error
  return columns or [], rows


def _check_columns(columns: Sequence[str], where: str):
  for number, name in enumerate(columns, 1):
    if not name:
      raise ValueError(f"{where}: column {number} of {columns} has no name")
    if columns.count(name) > 1:
      raise ValueError(f"{where}: the column {name!r} is there twice")


def _not_utf8(file: pathlib.Path, error: UnicodeDecodeError) -> ValueError:
  return ValueError(f"{file}: not a UTF-8 text ({error.reason})")


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


def check_left_out(bad: Sequence[tuple[str, str]], num_clips: int, where: str):
  """The one rule of what may be left out of a data set of others.

  A clip that cannot be used is left out, whatever the reason: it lacks a part,
  nothing tells its instruction or its success, its pictures cannot be read.
  Each is counted and listed with its reason. Where they are more than half of
  all clips, the data set is not what its user takes it for.

  Args:
    bad: name and reason of the clips that cannot be used.
    num_clips: how many there are with those.
    where: beginning of the error.

  Raises:
    ValueError: more than half of the clips would be left out.
  """
  if len(bad) > _MAX_LEFT_OUT * num_clips:
    raise ValueError(
      f"{where}: {len(bad)} of {num_clips} clips cannot be used, at most half "
      f"may be left out: {_tell_reasons(bad)}"
    )


def tell_left_out(
  bad: Sequence[tuple[str, str]], num_clips: int, where: str
) -> list[str]:
  """Returns a note on clips that are left out, none where all are used.

  `where` is the list of all of them; the others are as for `check_left_out`.
  """
  if not bad:
    return []
  return [
    f"{len(bad)} of {num_clips} clips are left out: {_tell_reasons(bad)}; all "
    f"are listed in {where}"
  ]


def tell_noted(noted: Iterable[tuple[str, str]], num_clips: int) -> list[str]:
  """Returns notes on clips by name and what is said of them, one for each."""
  return [
    f"{len(names)} of {num_clips} clips: {_tell_clips(note, names)}"
    for note, names in _by_reason(noted).items()
  ]


def _tell_reasons(bad: Iterable[tuple[str, str]]) -> str:
  reasons = _by_reason(bad)
  told = [
    f"{len(names)} x " * (len(reasons) > 1) + _tell_clips(reason, names)
    for reason, names in list(reasons.items())[:_NUM_SHOWN]
  ]
  return "; ".join(told) + "; ..." * (len(reasons) > _NUM_SHOWN)


def _by_reason(clips: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
  """Names of clips by reason, that of most clips first."""
  names = collections.defaultdict(list)
  for name, reason in clips:
    names[reason].append(name)
  return dict(sorted(names.items(), key=lambda item: -len(item[1])))


def _tell_clips(reason: str, names: Sequence[str]) -> str:
  more = ", ..." * (len(names) > _NUM_SHOWN)
  return f"{reason} ({', '.join(names[:_NUM_SHOWN])}{more})"


def check_pattern(pattern: Any, fields: Mapping[str, Any], where: str):
  """Lets a pattern of files' names have plain fields alone.

  Python's `format` would read attributes, and write fields of any width.

  Args:
    pattern: what a data set of others gives.
    fields: names that it may have, each with a value of the kind to come.
    where: beginning of the error.

  Raises:
    ValueError: no text, or one with another field.
  """
  try:
    if not pattern or not isinstance(pattern, str):
      raise ValueError("not a text")
    for _, name, spec, conversion in string.Formatter().parse(pattern):
      known = name is None or (name in fields and conversion is None)
      if not known or not _PLAIN_FORMAT.fullmatch(spec or ""):
        raise ValueError(f"its fields are among {list(fields)}")
    pattern.format(**fields)
  except ValueError as error:
    raise ValueError(
      f"{where}: {pattern!r} is no pattern of files' names ({error})"
    ) from error


def inside(folder: pathlib.Path, name: str, where: str) -> pathlib.Path:
  """Returns the file of a name that a data set of others gives, within it.

  A link in the folder is followed, wherever it leads: it is no word of the
  data set's, and Hugging Face's cache has nothing else.

  Raises:
    ValueError: the name leads out of the folder; begins with `where`.
  """
  parts = pathlib.PurePath(name).parts
  if pathlib.PurePath(name).is_absolute() or ".." in parts:
    raise ValueError(
      f"{where}: it names the file {name!r}, which is not read: it is not "
      "inside the data set"
    )
  return folder / name


def watch(items: Iterable[Any], total: int, what: str) -> Iterator[Any]:
  """Yields the items; what takes longer than some seconds shows its progress.

  `what` names them, and `total` says how many there are.
  """
  began = shown = time.monotonic()
  bar = None
  for done, item in enumerate(items):
    now = time.monotonic()
    if bar is None and now - began > _PATIENCE:
      bar = progress.Progress(total, start=done, name=what)
    elif bar is not None:
      bar.advance()
      if now - shown > _PATIENCE:
        bar.report({})
        shown = now
    yield item
  if bar is not None:
    bar.close()


def load_pictures(
  rows: Sequence[Any],
  num_frames: int,
  file_fn: Callable[[Any], bytes | pathlib.Path | np.ndarray] = lambda row: row,
) -> np.ndarray:
  """Returns T of an episode's pictures as `[T, H, W, 3]` uint8.

  `file_fn` gives the file of a row that is chosen, its bytes, or the picture
  itself as `[H, W, 3]` uint8.

  Raises:
    ValueError: no pictures, one that cannot be read, or several sizes.
  """
  if not len(rows):
    raise ValueError("it has no frames")
  indices = core_images.frame_indices(len(rows), num_frames)
  try:
    files = (file_fn(rows[index]) for index in indices)
    return np.stack(
      [f if isinstance(f, np.ndarray) else images.load_rgb(f) for f in files]
    )
  except (OSError, SyntaxError, TypeError, ValueError) as error:
    raise ValueError(f"an unreadable picture ({error})") from error


def identify(*files: pathlib.Path) -> list[list[Any]]:
  """Returns names, sizes and dates of files: a changed file changes them."""
  return [
    [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
    for file in dict.fromkeys(files)
  ]

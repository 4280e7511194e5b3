"""What readers of data sets share: their options, their result, small helpers.

A reader is a function `open_clips(path, options) -> Clips`. It checks what it
can before it reads a picture, and raises a ValueError of one line that names
the file and, where there is one, the line or the episode. Letters: T frames.
"""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from a2r.core import images as core_images
from data import images
from data.records import Record

_BOOLEANS = dict.fromkeys(("true", "yes", "1", "success"), True)
_BOOLEANS |= dict.fromkeys(("false", "no", "0", "failure"), False)
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
class Clips:
  """A data set that is ready to be read."""

  num: int  # Number of clips.
  # `read_fn(start, stop)` gives these clips, with pictures of any size; a pure
  # function of the numbers.
  read_fn: Callable[[int, int], Iterable[Record]]
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


def choose_success(
  options: Options, names: Sequence[str], where: str
) -> tuple[str | None, str]:
  """Returns the field that tells success, and a note on it.

  It is the one asked for, or found by its name, which may have a path before
  it, such as 'episode_metadata/success'; None where there is none.

  Raises:
    ValueError: there is no field of the name asked for; lists what there is.
  """
  key = options.success_key
  if key and key not in names:
    raise ValueError(
      f"{where}: no field {key!r} (data.robot.success_key); it has "
      f"{sorted(set(names))}"
    )
  for wanted in _SUCCESS:
    likely = [name for name in names if name.rpartition("/")[2] == wanted]
    key = key or next(iter(likely), "")
  if not key:
    return None, (
      "NO SUCCESS FIELD: nothing in the data set tells success from failure, "
      "so every episode counts as a success. Name a field with "
      "--config.data.robot.success_key=..."
    )
  return key, (
    f"an episode is a success where its {key!r} reaches "
    f"{options.success_threshold:g} "
    "(--config.data.robot.success_key, .success_threshold)"
  )


def load_pictures(
  rows: Sequence[Any],
  num_frames: int,
  where: str,
  file_fn: Callable[[Any], bytes | pathlib.Path] = lambda row: row,
) -> np.ndarray:
  """Returns T of an episode's pictures as `[T, H, W, 3]` uint8.

  `file_fn` gives the file of a row that is chosen, or its bytes.

  Raises:
    ValueError: no pictures, or one that cannot be read; begins with `where`.
  """
  if not len(rows):
    raise ValueError(f"{where}: it has no frames")
  indices = core_images.frame_indices(len(rows), num_frames)
  try:
    files = (file_fn(rows[index]) for index in indices)
    return np.stack([images.load_rgb(file) for file in files])
  except (OSError, SyntaxError, TypeError, ValueError) as error:
    raise ValueError(f"{where}: an unreadable picture ({error})") from error


def identify(*files: pathlib.Path) -> list[list[Any]]:
  """Returns names, sizes and dates of files: a changed file changes them."""
  return [
    [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
    for file in dict.fromkeys(files)
  ]

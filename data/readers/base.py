"""What readers of data sets share: their options, their result, small helpers.

A reader is a function `open_clips(path, options) -> Clips`. It checks what it
can before it reads a picture, and raises a ValueError of one line that names
the file and, where there is one, the line or the episode.
"""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from data.records import Record

TRUE = ("true", "yes", "1", "success")
FALSE = ("false", "no", "0", "failure")
NO_SUCCESS = (
  "NO SUCCESS FIELD: nothing in the data set tells success from failure, so "
  "every episode counts as a success. Name a field with "
  "--config.data.robot.success_key=..."
)
# Names of fields that tell success, the surest first.
_SUCCESS = ("success", "is_success", "next.success", "episode_success")
_REWARD = ("next.reward", "reward")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How a data set is read; a reader ignores what its format does not have.

  Attributes:
    num_frames: T, evenly spaced over the clip, first and last included.
    camera: the field of the pictures; found where it is ''.
    instruction_key: the field of the instruction; found where it is ''.
    success_key: the field that tells success, of episodes or of frames; found
      by its name where it is ''.
    success_threshold: an episode is a success where the field reaches it.
    labels: a CSV file of `episode_index,success`, relative to the data set;
      then only the episodes in it are taken, and no field is read.
  """

  num_frames: int
  camera: str = ""
  instruction_key: str = ""
  success_key: str = ""
  success_threshold: float = 1.0
  labels: str = ""


@dataclasses.dataclass(frozen=True)
class Clips:
  """A data set that is ready to be read.

  Attributes:
    num: number of clips.
    read_fn: `read_fn(start, stop)` gives these clips, with pictures of any
      size; a pure function of the numbers.
    spec: all that decides the clips, as plain JSON values: other files, other
      spec.
    notes: what was chosen for the user, one line each.
  """

  num: int
  read_fn: Callable[[int, int], Iterable[Record]]
  spec: Mapping[str, Any]
  notes: Sequence[str] = ()


def parse_boolean(value: Any, where: str) -> bool:
  """Returns what a table says of success.

  Raises:
    ValueError: neither true nor false; begins with `where`.
  """
  word = str(value).strip().lower()
  if word not in TRUE + FALSE:
    raise ValueError(f"{where}: success is {value!r}, neither true nor false")
  return word in TRUE


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


def choose_success(key: str, names: Sequence[str], where: str) -> str | None:
  """Returns the field that tells success: `key`, or found by name, or None.

  Names may have a path before them, such as 'episode_metadata/success'.

  Raises:
    ValueError: there is no field `key`; lists what there is.
  """
  if key:
    if key not in names:
      raise ValueError(
        f"{where}: no field {key!r} (data.robot.success_key); it has "
        f"{sorted(set(names))}"
      )
    return key
  for wanted in _SUCCESS + _REWARD:
    for name in names:
      if name.rpartition("/")[2] == wanted:
        return name
  return None


def success_note(key: str, threshold: float) -> str:
  """Returns the note on the field that was chosen."""
  return (
    f"an episode is a success where its {key!r} reaches {threshold:g} "
    "(--config.data.robot.success_key, .success_threshold)"
  )


def identify(*files: pathlib.Path) -> list[list[Any]]:
  """Returns names, sizes and dates of files: a changed file changes them."""
  return [
    [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
    for file in dict.fromkeys(files)
  ]

"""What data sets of episodes have in common: which succeeded, and by what."""

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

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


def boolean(value: Any, where: str) -> bool:
  """What a table says of success.

  Raises:
    ValueError: neither true nor false; begins with `where`.
  """
  words = str(value).strip().lower()
  if words not in TRUE + FALSE:
    raise ValueError(f"{where}: success is {value!r}, neither true nor false")
  return words in TRUE


def json_lines(file: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
  """Yields number, from 1, and object of the lines that are not empty.

  Raises:
    ValueError: a line that is none; names the file and the line.
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


def choose_success(key: str, names: Sequence[str], where: str) -> str | None:
  """The field that tells success: `key`, or one found by its name, or None.

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


def chosen_note(key: str, threshold: float) -> str:
  """What is told of the field that was chosen."""
  return (
    f"an episode is a success where its {key!r} reaches {threshold:g} "
    "(--config.data.robot.success_key, .success_threshold)"
  )


def identify(*files: pathlib.Path) -> list[list[Any]]:
  """Names, sizes and dates of files: a changed file changes them."""
  return [
    [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
    for file in dict.fromkeys(files)
  ]

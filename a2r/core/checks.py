"""What a user gives, checked: errors of one line, with what came and exists."""

import json
import numbers
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

_JSON_NAMES = {dict: "object", list: "list"}
# Frames of a clip and pixels of a picture's side: more is a slip of the hand,
# and would ask for any amount of memory.
MAX_FRAMES, MAX_PIXELS = 1024, 4096
MAX_SAMPLES = 8  # Rays per pixel in each direction.
MANY = 1_000_000  # Of clips, episodes, steps, candidates.


def path(value: str | os.PathLike) -> pathlib.Path:
  """Returns a path that a user gives, a ~ at its beginning being a home.

  Raises:
    ValueError: it is empty, which would be the folder of now, or ~name is
      nobody's home.
  """
  if not os.fspath(value):
    raise ValueError("a path is empty")
  try:
    return pathlib.Path(value).expanduser()
  except RuntimeError:
    raise ValueError(f"{value}: there is no home of that name") from None


def file_to_write(value: str | os.PathLike) -> pathlib.Path:
  """Returns, as `path` does, where a file can be written.

  Raises:
    ValueError: it is a folder, or its own folder is not there.
  """
  file = path(value)
  if file.is_dir():
    raise ValueError(f"{file} is a folder; name a file in it")
  if not file.parent.is_dir():
    raise ValueError(f"{file}: there is no folder {file.parent}; make it")
  return file


def folder(value: str | os.PathLike) -> pathlib.Path:
  """Returns a folder to write in, which need not be there yet.

  Raises:
    ValueError: it is a file, or below one.
  """
  whole = path(value)
  there = next(
    p for p in (whole, *whole.parents) if p.exists() or p.is_symlink()
  )
  if not there.is_dir():
    raise ValueError(f"{whole}: {there} is a file, not a folder")
  return whole


def one_of(
  what: str,
  value: Any,
  known: Iterable[Any],
  error: type[Exception] = ValueError,
):
  """Raises an `error` that lists the known names if `value` is none of them.

  `what` says what it is, such as 'task': `unknown task 'push'; known: ...`.
  """
  known = list(known)
  if value not in known:
    names = ", ".join(map(str, known))
    raise error(f"unknown {what} {value!r}; known: {names}")


def each_of(what: str, names: Iterable[str], known: Iterable[str]):
  """Checks a list of names.

  Raises:
    ValueError: one that is not known, one that comes twice, or none at all.
  """
  names, known = list(names), list(known)
  if not names:
    raise ValueError(f"no {what} named; known: {', '.join(known)}")
  for name in names:
    one_of(what, name, known)
  if len(set(names)) < len(names):
    raise ValueError(f"{what}: a name comes twice in {', '.join(names)}")


def at_least(what: str, value: float, minimum: float):
  """Raises a ValueError if a number is less than `minimum`."""
  if not value >= minimum:
    raise ValueError(f"{what} must be at least {minimum}, got {value}")


def parse_json(content: str | bytes, where: Any, kind: type = object) -> Any:
  """Returns what JSON holds, of files that may be anyone's.

  Args:
    content: the text, or its bytes.
    where: begins the error, such as the file's path.
    kind: dict or list, if it has to be one.

  Raises:
    ValueError: not JSON, nested too deeply, of another kind, or an object that
      has a name twice.
  """
  try:
    value = json.loads(content, object_pairs_hook=_to_object)
  except (ValueError, RecursionError) as error:
    raise ValueError(f"{where} is not JSON: {error}") from error
  if not isinstance(value, kind):
    name, got = _JSON_NAMES[kind], f"{value!r:.40}"
    raise ValueError(f"{where} is not a JSON {name}, but {got}")
  return value


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  value = dict(pairs)
  if len(value) < len(pairs):
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    raise ValueError(f"{twice!r} is there twice")
  return value


def between(what: str, value: float, low: float, high: float):
  """Raises a ValueError if a number is not in [low, high]."""
  if not low <= value <= high:
    raise ValueError(f"{what} must be from {low} to {high}, got {value}")


def count(what: str, value: int, low: int, high: int = MANY):
  """Raises a ValueError if a value is no whole number in [low, high]."""
  if isinstance(value, bool) or not isinstance(value, numbers.Integral):
    raise ValueError(f"{what} must be a whole number, got {value!r:.60}")
  between(what, value, low, high)


def clip_sizes(num_frames: int, image_size: int):
  """Raises a ValueError if clips of such frames cannot be meant."""
  count("num_frames", num_frames, 1, MAX_FRAMES)
  count("image_size", image_size, 1, MAX_PIXELS)


def printable(value: Any) -> str:
  """Returns a value as a line of text that does no more than be shown.

  White space of other kinds, such as line breaks, becomes a blank, what else
  cannot be printed (such as what colors a terminal, or turns the direction of
  writing) its escape.
  """
  text = re.sub(r"[^\S ]+", " ", str(value))
  return "".join(
    c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
  )


def one_line(error: BaseException) -> str:
  """Returns what an error says, in one line."""
  text = str(error)
  if isinstance(error, KeyError | AttributeError) and error.args:
    text = str(error.args[0])
  lines = [line.strip() for line in text.split("\n") if line.strip()]
  if "Traceback (most recent call last):" in lines:
    lines = lines[-1:]
  return printable(" ".join(lines)) or type(error).__name__

"""What a user gives, checked: errors of one line, with what came and exists."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any


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


def one_line(error: BaseException) -> str:
  """Returns what an error says, in one line."""
  text = str(error)
  if isinstance(error, KeyError | AttributeError) and error.args:
    text = str(error.args[0])
  lines = [line.strip() for line in text.split("\n") if line.strip()]
  if "Traceback (most recent call last):" in lines:
    lines = lines[-1:]
  return " ".join(lines) or type(error).__name__

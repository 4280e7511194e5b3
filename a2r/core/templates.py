"""Fills in the templates of a2r/assets, whatever their values hold.

Values in HTML are escaped by themselves. Those in Markdown pass a filter:
`prose` in a sentence or a table, `code` as a span, `block` as a fenced block.
"""

import pathlib
import re
from typing import Any

import jinja2

from a2r.core import checks

# Of addresses, which are links as they stand, what makes them so.
_SPECIAL = re.compile(r"[\\`*_\[\]{}<>&|~$#@]|:(?=//)|(?<=www)\.", re.I)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}


def prose(value: Any) -> str:
  """Returns a value as Markdown in a line: it reads as it stands."""
  return _SPECIAL.sub(
    lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"),
    checks.printable(value),
  )


def code(value: Any) -> str:
  """Returns a value as a code span, for a paragraph or a table."""
  text = checks.printable(value).replace("|", "\\|")
  fence = _fence(text, 1)
  pad = " " if text.startswith("`") or text.endswith("`") else ""
  return f"{fence}{pad}{text}{pad}{fence}"


def block(value: Any, language: str = "") -> str:
  """Returns a value as a fenced block of code."""
  lines = str(value).splitlines()
  text = "\n".join(map(checks.printable, lines))
  fence = _fence(text, 3)
  return f"{fence}{language}\n{text}\n{fence}"


def _fence(text: str, least: int) -> str:
  """More backticks than stand together in a text."""
  runs = map(len, re.findall("`+", text))
  return "`" * max(least, 1 + max(runs, default=0))


_ENVIRONMENT = jinja2.Environment(
  loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parents[1] / "assets"),
  autoescape=jinja2.select_autoescape(),
  trim_blocks=True,
  lstrip_blocks=True,
  keep_trailing_newline=True,
  undefined=jinja2.StrictUndefined,
)
_ENVIRONMENT.filters.update(prose=prose, code=code, block=block)


def render(name: str, /, **values: Any) -> str:
  """Returns the template `name`, such as 'report.html', with all its values.

  Raises:
    ValueError: a value that the template needs is missing; names it.
  """
  try:
    return _ENVIRONMENT.get_template(name).render(values)
  except jinja2.UndefinedError as error:
    raise ValueError(f"{name}: {error}") from error

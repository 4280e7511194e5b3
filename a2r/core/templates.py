"""Fills in the templates of a2r/assets; values in HTML are escaped."""

import pathlib
from typing import Any

import jinja2

_ENVIRONMENT = jinja2.Environment(
  loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parents[1] / "assets"),
  autoescape=jinja2.select_autoescape(),
  trim_blocks=True,
  lstrip_blocks=True,
  keep_trailing_newline=True,
  undefined=jinja2.StrictUndefined,
)


def render(name: str, /, **values: Any) -> str:
  """Returns the template `name`, such as 'report.html', with all its values."""
  return _ENVIRONMENT.get_template(name).render(values)

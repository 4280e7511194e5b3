"""Tables as plain text, Markdown or HTML, the same on every machine."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

_MISSING = "-"


class Table(NamedTuple):
  """A table before it is text or a page.

  Attributes:
    title: what it shows, in a line; "" for none.
    header: names of the columns.
    rows: values; floats show two decimals, None a dash. Format other numbers
      yourself: a column of texts that begin as numbers is one of numbers.
  """

  title: str
  header: Sequence[str]
  rows: Sequence[Sequence[Any]]

  def text(self) -> str:
    """Returns aligned lines under the title: numbers right, texts left."""
    lines = [list(self.header), *self._cells()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = self._numeric()
    aligned = [
      "  ".join(
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(line, widths, numeric, strict=True)
      ).rstrip()
      for line in lines
    ]
    rule = "  ".join("-" * width for width in widths)
    title = [self.title] if self.title else []
    return "\n".join([*title, aligned[0], rule, *aligned[1:]])

  def markdown(self) -> str:
    """Returns the table in Markdown, its title a line of its own above."""
    lines = [list(self.header), ["---"] * len(self.header), *self._cells()]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{self.title}\n\n{body}" if self.title else body

  def html(self) -> str:
    """Returns a `<table>` whose title is its caption, all text escaped."""
    kinds = [' class="number"' if right else "" for right in self._numeric()]

    def row(tag, cells):
      pairs = zip(cells, kinds, strict=True)
      tags = (f"<{tag}{kind}>{html.escape(c)}</{tag}>" for c, kind in pairs)
      return f"<tr>{''.join(tags)}</tr>"

    return (
      f"<table><caption>{html.escape(self.title)}</caption>"
      f"<thead>{row('th', self.header)}</thead><tbody>"
      f"{''.join(row('td', cells) for cells in self._cells())}"
      "</tbody></table>"
    )

  def _cells(self) -> list[list[str]]:
    if any(len(row) != len(self.header) for row in self.rows):
      raise ValueError(
        f"{self.title!r}: each row needs {len(self.header)} cells"
      )
    return [[format_cell(value) for value in row] for row in self.rows]

  def _numeric(self) -> list[bool]:
    """Whether all cells of a column are numbers, intervals or dashes."""
    cells = self._cells()
    return [
      all(row[i][0] in "-.0123456789" for row in cells)
      for i in range(len(self.header))
    ]


def from_rows(
  title: str,
  columns: Mapping[str, str | Callable[[Mapping], Any]],
  rows: Sequence[Mapping],
) -> Table:
  """Returns a table of rows that are dicts.

  Args:
    title: what it shows.
    columns: header -> a row's key, or a function of the row.
    rows: a dict per row.
  """
  return Table(
    title,
    list(columns),
    [[c(r) if callable(c) else r[c] for c in columns.values()] for r in rows],
  )


def format_cell(value: Any) -> str:
  """Returns one value as text: two decimals of a float, a dash for nothing."""
  if isinstance(value, float):
    return f"{value:.2f}"
  return _MISSING if value is None or value == "" else str(value)

"""Tables as plain text or Markdown, the same on every machine."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from a2r.core import checks


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
    lines = [list(self.header), *self.cells()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = self.numeric()
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
    lines = [list(self.header), ["---"] * len(self.header), *self.cells()]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{self.title}\n\n{body}" if self.title else body

  def cells(self) -> list[list[str]]:
    """Returns the rows as text.

    Raises:
      ValueError: a row is not as long as the header.
    """
    if any(len(row) != len(self.header) for row in self.rows):
      raise ValueError(
        f"{self.title!r}: each row needs {len(self.header)} cells"
      )
    return [[format_cell(value) for value in row] for row in self.rows]

  def numeric(self) -> list[bool]:
    """Returns whether all of a column are numbers, intervals or dashes."""
    cells = self.cells()
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


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
  """Returns rows of the same keys, which head the columns, as CSV."""
  stream = io.StringIO()
  writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return stream.getvalue()


def format_cell(value: Any) -> str:
  """Returns one value as text: two decimals of a float, a dash for nothing."""
  if isinstance(value, float):
    return f"{value:.2f}"
  return "-" if value is None or value == "" else checks.printable(value)

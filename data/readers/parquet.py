"""Tables on disk in Apache Parquet, as plain rows and arrays.

Whatever cannot be read is a ValueError of one line, beginning with the path.
"""

import contextlib
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet


def load_rows(file: pathlib.Path, *, not_like: str) -> list[dict[str, Any]]:
  """Returns the rows, without the columns that begin with `not_like`."""
  columns = [n for n in column_names(file) if not n.startswith(not_like)]
  return _read(file, columns).to_pylist()


def column_names(file: pathlib.Path) -> list[str]:
  """Returns the names of the columns of a table."""
  with _named(file):
    return pyarrow.parquet.read_schema(file).names


def load_numbers(file: pathlib.Path, *names: str) -> list[np.ndarray]:
  """Returns columns of numbers or truth values, each `[N]` float64.

  Raises:
    ValueError: a column is not there, or holds something else.
  """
  table = _read(file, names)
  columns = []
  for name in names:
    column = table[name].combine_chunks()
    while pyarrow.types.is_nested(column.type):  # Lists of one number each.
      column = pyarrow.compute.list_flatten(column)
    try:
      values = column.cast(pyarrow.float64(), safe=False).to_numpy()
    except pyarrow.ArrowException as error:
      raise ValueError(
        f"{file}: {name!r} holds {column.type}, not numbers"
      ) from error
    if len(values) != len(table):
      raise ValueError(f"{file}: {name!r} holds no single numbers")
    columns.append(values)
  return columns


def load_where(
  file: pathlib.Path, name: str, key: str, value: int
) -> list[Any]:
  """Returns a column in the rows where `key` is `value`, in order."""
  return _read(file, [name], filters=[(key, "=", value)])[name].to_pylist()


def _read(file: pathlib.Path, names: Sequence[str], **options) -> pyarrow.Table:
  known = column_names(file)
  missing = [name for name in names if name not in known]
  if missing:
    raise ValueError(f"{file}: no column {missing[0]!r}; it has {known}")
  with _named(file):
    return pyarrow.parquet.read_table(file, columns=list(names), **options)


@contextlib.contextmanager
def _named(file: pathlib.Path):
  try:
    yield
  except (pyarrow.ArrowException, OSError, KeyError) as error:
    raise ValueError(f"{file}: not a readable table ({error})") from error

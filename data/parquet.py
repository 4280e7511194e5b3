"""Tables on disk in Apache Parquet, as plain rows and arrays."""

import pathlib
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet


class ParquetError(ValueError):
  """A table that cannot be read; one line, beginning with the path."""


def rows(file: pathlib.Path, *, not_like: str) -> list[dict[str, Any]]:
  """All rows of a table, without the columns that begin with `not_like`."""
  names = [name for name in columns(file) if not name.startswith(not_like)]
  return _read(file, names).to_pylist()


def columns(file: pathlib.Path) -> list[str]:
  """Names of the columns of a table."""
  try:
    return pyarrow.parquet.read_schema(file).names
  except (pyarrow.ArrowException, OSError) as error:
    raise ParquetError(f"{file}: not a readable table ({error})") from error


def numbers(file: pathlib.Path, *names: str) -> list[np.ndarray]:
  """Columns of numbers or truth values, each `[N]` float64.

  Raises:
    ParquetError: a column is not there, or holds something else.
  """
  table = _read(file, list(names))
  found = []
  for name in names:
    column = table[name].combine_chunks()
    while pyarrow.types.is_nested(column.type):  # Lists of one number each.
      column = pyarrow.compute.list_flatten(column)
    try:
      values = column.cast(pyarrow.float64(), safe=False).to_numpy()
    except pyarrow.ArrowException as error:
      raise ParquetError(
        f"{file}: {name!r} holds {column.type}, not numbers"
      ) from error
    if len(values) != len(table):
      raise ParquetError(f"{file}: {name!r} holds no single numbers")
    found.append(values)
  return found


def values_of(file: pathlib.Path, name: str, key: str, value: int) -> list[Any]:
  """The values of a column in the rows where `key` is `value`, in order."""
  try:
    table = pyarrow.parquet.read_table(
      file, columns=[name], filters=[(key, "=", value)]
    )
  except (pyarrow.ArrowException, OSError, KeyError) as error:
    raise ParquetError(f"{file}: not a readable table ({error})") from error
  return table[name].to_pylist()


def _read(file: pathlib.Path, names: list[str]) -> pyarrow.Table:
  missing = [name for name in names if name not in columns(file)]
  if missing:
    raise ParquetError(
      f"{file}: no column {missing[0]!r}; it has {columns(file)}"
    )
  try:
    return pyarrow.parquet.read_table(file, columns=names)
  except (pyarrow.ArrowException, OSError) as error:
    raise ParquetError(f"{file}: not a readable table ({error})") from error

"""A run's numbers: one JSON line per row, and TensorBoard events.

`metrics.jsonl` is the record: a row `{"step": 20, "loss": 1.5, ...}` is on disk
when `write` returns. A run that goes on from step S drops the rows after S, so
that the file reads as if the run had never stopped.
"""

import json
import math
import os
import pathlib
from collections.abc import Mapping

import tensorboardX

from a2r.core import checks, files

FILE = "metrics.jsonl"


class Writer:
  """Writes rows of numbers; use as a context manager."""

  def __init__(self, workdir: str | pathlib.Path, *, start_step: int = 0):
    """Opens a run folder, made where missing, to go on after `start_step`."""
    workdir = pathlib.Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / FILE
    if path.exists():
      rows = [row for row in read(workdir) if row["step"] <= start_step]
      files.write_text(path, "".join(json.dumps(r) + "\n" for r in rows))
    self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
    self._events = tensorboardX.SummaryWriter(
      str(workdir / "events"), purge_step=start_step + 1
    )

  def __enter__(self) -> "Writer":
    return self

  def __exit__(self, *exc_info):
    self.close()

  def write(self, step: int, metrics: Mapping[str, float]):
    """Appends the row of a finished step; null where a number is not finite."""
    row = {"step": int(step)}
    for name, value in metrics.items():
      value = float(value)
      row[name] = value if math.isfinite(value) else None
      self._events.add_scalar(name, value, int(step))
    self._file.write(json.dumps(row, allow_nan=False) + "\n")
    self._file.flush()

  def flush(self):
    """Returns when the rows are safe from a power cut too."""
    self._file.flush()
    os.fsync(self._file.fileno())
    self._events.flush()

  def close(self):
    """Writes what is left and closes the files."""
    self.flush()
    self._file.close()
    self._events.close()


def read(workdir: str | pathlib.Path) -> list[dict]:
  """Rows of a run's metrics.jsonl, oldest first; none if there is no file.

  A last line that was cut off by a kill is left out.

  Raises:
    ValueError: another line is no JSON object; names it.
  """
  path = pathlib.Path(workdir) / FILE
  if not path.exists():
    return []
  lines = path.read_text(encoding="utf-8").split("\n")
  # What follows the last line break was not written to its end.
  return [
    checks.parse_json(line, f"{path}, line {number}", dict)
    for number, line in enumerate(lines[:-1], 1)
    if line.strip()
  ]

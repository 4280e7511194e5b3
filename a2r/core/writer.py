"""A run's numbers: one JSON line per row, and TensorBoard events.

`metrics.jsonl` is the record: a row `{"step": 20, "loss": 1.5, ...}` is on disk
when `write` returns. A run that goes on from step S drops the rows after S, so
that the file reads as if the run had never stopped.
"""

import json
import math
import os
import pathlib
import time
from collections.abc import Mapping

from tensorboardX import event_file_writer
from tensorboardX.proto import event_pb2, summary_pb2

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
    self._path = path
    self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
    # Without the thread of a SummaryWriter, which waits forever once a full
    # disk has ended it.
    events = workdir / "events"
    with files.writing(events):
      events.mkdir(exist_ok=True)
      self._events = event_file_writer.EventsWriter(str(events / "events"))
      # What a run that was stopped wrote from this step on does not count.
      log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
      self._add_event(start_step + 1, session_log=log)

  def __enter__(self) -> "Writer":
    return self

  def __exit__(self, *exc_info):
    self.close()

  def write(self, step: int, metrics: Mapping[str, float]):
    """Appends the row of a finished step; null where a number is not finite.

    Raises:
      DiskFullError: there is no room for it.
    """
    values = {name: float(value) for name, value in metrics.items()}
    row = {k: v if math.isfinite(v) else None for k, v in values.items()}
    line = json.dumps({"step": int(step)} | row, allow_nan=False)
    summary = summary_pb2.Summary(
      value=[
        summary_pb2.Summary.Value(tag=name, simple_value=value)
        for name, value in values.items()
      ]
    )
    with files.writing(self._path):
      self._file.write(line + "\n")
      self._file.flush()
      self._add_event(int(step), summary=summary)

  def _add_event(self, step, **content):
    event = event_pb2.Event(step=step, wall_time=time.time(), **content)
    self._events.write_event(event)

  def flush(self):
    """Returns when the rows are safe from a power cut too."""
    with files.writing(self._path):
      self._file.flush()
      os.fsync(self._file.fileno())
      self._events.flush()

  def close(self):
    """Writes what is left and closes the files."""
    with files.writing(self._path), self._file:
      self.flush()
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

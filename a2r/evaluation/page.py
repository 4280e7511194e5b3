"""Writes one HTML page of a run: tables, pictures and curves in one file."""

import base64
import json
import pathlib

from a2r.core import templates, writer
from a2r.evaluation import figures, report


def render(workdir: str | pathlib.Path) -> str:
  """Returns the page of a run as HTML that needs no other file.

  Args:
    workdir: the run folder; what it does not hold yet is left out.

  Raises:
    FileNotFoundError: the folder has neither a report nor metrics.
  """
  workdir = pathlib.Path(workdir)
  result, record = report.read(workdir) or (None, {})
  metrics = writer.read(workdir)
  if result is None and not metrics:
    raise FileNotFoundError(
      f"no run to report: {workdir} has neither {report.JSON_FILE} nor "
      f"{writer.FILE}"
    )
  picture = workdir / report.PNG_FILE
  values = {
    "name": workdir.resolve().name,
    "result": result,
    "picture": picture.is_file() and _base64(picture.read_bytes()),
    "curves": _base64(figures.training_curves(metrics) or b""),
  }
  if result:
    machine = record["machine"]
    made = [
      f"seed {record['seed']}",
      record["date"],
      f"{machine['num_devices']} x {machine['device']}",
      f"jax {record['versions'].get('jax', '?')}",
      *([f"commit {record['commit']}"] if record["commit"] else []),
    ]
    details = {key: record[key] for key in ("backbone", "versions", "machine")}
    values |= {
      "headline": " · ".join(made),
      "form_line": report.form_line(result),
      "tables": report.all_tables(result),
      "details": json.dumps(details, indent=2),
      "config": json.dumps(record["config"], indent=2),
    }
  return templates.render("report.html", **values)


def _base64(data: bytes) -> str:
  return base64.b64encode(data).decode()

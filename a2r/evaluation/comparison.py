"""The paper's figures beside ours: results.json, results.md, results.png.

  comparison.write(cells, quality, "runs/figure3", "figure3", notes)

`cells` are those of `success.py`, as many as there are; what was not run is
shown as such. `quality` is {method: `quality.quality`'s dict, or a list of
them, one per seed}; where a method differs between columns, the key is
'method/column'.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence

from a2r.evaluation import (
  comparison_figures,
  comparison_text,
  margins,
  paper,
  quality_figures,
  report,
  success,
)

JSON_FILE = "results.json"
MARKDOWN_FILE = "results.md"
PNG_FILE = "results.png"
QUALITY_FILE = "quality-{}.png"


def write(
  cells: Sequence[Mapping],
  quality: Mapping[str, Mapping | Sequence[Mapping]] | None,
  folder: str | pathlib.Path,
  experiment: str,
  notes: Sequence[str] = (),
  *,
  size: str = "small",
  tasks: Sequence[str] | None = None,
  command: str | None = None,
) -> dict:
  """Writes the results so far; each file all or nothing.

  Besides the three files, quality-<method>.png for every method of `quality`.

  Args:
    cells: what was run (see `success.py`), [] at first.
    quality: see the module's docstring; None or {} for none.
    folder: made where missing.
    experiment: 'figure3' or 'table1'.
    notes: what a reader of the figures must know, one line each.
    size: 'small', 'smoke' or 'paper', which data and networks made the cells.
    tasks: what is to be run; a row without all of them has no rate yet.
    command: the command line that made the figures.

  Returns:
    What results.json holds: `rows` and `task_rows` of `success.py` with the
    paper's rate, `margins`, `cells`, `quality`, `differs`, `notes`, and when
    and by what it was made.

  Raises:
    ValueError: an unknown experiment or size, or cells of another experiment or
      that are broken.
  """
  record = make_record(
    cells, quality, experiment, notes, size=size, tasks=tasks, command=command
  )
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  drawn = _drawn(folder)
  text = json.dumps(record, indent=2, allow_nan=False) + "\n"
  report.write_text(
    folder / MARKDOWN_FILE, comparison_text.markdown(record, PNG_FILE)
  )
  _write_png(folder / PNG_FILE, comparison_figures.draw, record)
  for method, seeds in record["quality"].items():
    name = QUALITY_FILE.format(method.replace("/", "-"))
    if (folder / name).exists() and drawn.get(method) == seeds[0]:
      continue
    title = comparison_text.quality_label(experiment, method)
    draw_args = seeds[0], f"{title}: what the reward tells"
    _write_png(folder / name, quality_figures.draw, *draw_args)
  # The last one: it says what the pictures of quality were drawn of.
  report.write_text(folder / JSON_FILE, text)
  return record


def make_record(
  cells: Sequence[Mapping],
  quality: Mapping | None,
  experiment: str,
  notes: Sequence[str] = (),
  *,
  size: str = "small",
  tasks: Sequence[str] | None = None,
  command: str | None = None,
) -> dict:
  """What `write` writes, as one dict (see there)."""
  paper.check(experiment)
  others = {cell.get("experiment") for cell in cells} - {experiment}
  if others:
    raise ValueError(
      f"got cells of {sorted(map(str, others))}; expected {experiment!r} alone"
    )
  wanted = {
    "methods": _ordered(cells),
    "columns": list(paper.COLUMNS[experiment]),
    "tasks": tasks,
  }
  spread = _spread(cells)
  found = {
    "rows": success.rows(spread, **wanted),
    "task_rows": success.task_rows(spread, **wanted),
  }
  found = {key: _shown(rows) for key, rows in found.items()}
  if experiment == "table1":
    found = {key: _repeat(rows) for key, rows in found.items()}
  for row in found["rows"]:
    row["paper"] = paper.rate(experiment, row["method"], row["column"])
  return {
    "experiment": experiment,
    "title": paper.TITLES[experiment],
    "source": paper.SOURCE,
    "size": size,
    **found,
    "margins": margins.margins(found["rows"]),
    "differs": paper.differs(cells, size),
    "notes": [*notes],
    "quality": {
      method: [value] if isinstance(value, Mapping) else list(value)
      for method, value in (quality or {}).items()
      if value
    },
    "cells": [dict(cell) for cell in cells],
    "command": command,
    **report.provenance(),
  }


def _ordered(cells: Sequence[Mapping]) -> list[str]:
  """The paper's methods and those of the cells, in the order of tables."""
  there = {str(cell.get("method")) for cell in cells}
  there |= {*paper.BASELINES, margins.OURS}
  known = [name for name in comparison_text.METHODS if name in there]
  return known + sorted(there - set(known))


def _spread(cells: Sequence[Mapping]) -> list[Mapping]:
  """The cells, those of random actions with every dynamics.

  Who acts at random predicts nothing: its trials stand beside all planners.
  """
  random = [cell for cell in cells if cell.get("method") == "random"]
  planned = [cell for cell in cells if cell.get("method") != "random"]
  kinds = list(dict.fromkeys(cell.get("dynamics") for cell in planned))
  result = list(planned)
  for kind in kinds or dict.fromkeys(c.get("dynamics") for c in random):
    mine = [cell for cell in random if cell.get("dynamics") == kind]
    result += mine or [{**cell, "dynamics": kind} for cell in random]
  return result


def _repeat(rows: Sequence[dict]) -> list[dict]:
  """Rows of methods without columns, their one figure in every column.

  Random actions have no human tasks to learn from: one set of trials of such a
  method stands for all columns, as in the paper, unless it has several.
  """
  result = []
  for row in rows:
    same = [
      other
      for other in rows
      if all(other[k] == row[k] for k in ("method", "dynamics"))
      and other.get("task") == row.get("task")
      and other["num_trials"]
    ]
    if row["method"] in comparison_text.ONE_FIGURE and len(same) == 1:
      repeated = row["column"] != same[0]["column"]
      row = same[0] | {"column": row["column"], "repeated": repeated}
    result.append(dict(row))
  return result


def _shown(rows: Sequence[dict]) -> list[dict]:
  """Without the methods that are neither the paper's nor run here."""
  run = {(r["dynamics"], r["method"]) for r in rows if r["num_trials"]}
  return [
    row
    for row in rows
    if row["method"] in (*paper.BASELINES, margins.OURS)
    or (row["dynamics"], row["method"]) in run
  ]


def _drawn(folder: pathlib.Path) -> dict[str, Mapping]:
  """What the pictures of quality that are there were drawn of."""
  try:
    record = json.loads((folder / JSON_FILE).read_text("utf-8"))
    return {name: seeds[0] for name, seeds in record["quality"].items()}
  except (OSError, ValueError, KeyError):
    return {}


def _write_png(path: pathlib.Path, draw_fn, *args) -> None:
  """Writes a picture, all or nothing; none where there is nothing to draw."""
  partial = path.with_name(f"{path.name}.partial")
  if draw_fn(*args, partial):
    os.replace(partial, path)

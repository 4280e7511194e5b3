"""The paper's figures beside ours: results.json, results.md, results.png.

  record = comparison.make_record(sets, quality, "figure3", notes)
  comparison.write(record, "runs/figure3")

`sets` are the `success.TrialSet`s that there are; what was not run is shown as
such. `quality` is {method: `quality.quality`'s dict of each seed}; where a
method differs between columns, the key is 'method/column'.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from a2r.core import checks, files
from a2r.evaluation import (
  comparison_text,
  figures,
  intervals,
  paper,
  report,
  success,
)

JSON_FILE = "results.json"
MARKDOWN_FILE = "results.md"
PNG_FILE = "results.png"
QUALITY_FILE = "quality-{}.png"


def make_record(
  sets: Sequence[success.TrialSet],
  quality: Mapping[str, Sequence[Mapping]],
  experiment: str,
  notes: Sequence[str] = (),
  *,
  size: str = "small",
  tasks: Sequence[str] = (),
  command: str | None = None,
) -> dict:
  """Returns the results so far, plain values for JSON.

  Args:
    sets: what was run, [] at first.
    quality: see the module's docstring.
    experiment: 'figure3' or 'table1'.
    notes: what a reader of the figures must know, one line each.
    size: 'small', 'smoke' or 'paper': which data and networks were trained.
    tasks: what is to be run; a row without all of them has no rate yet.
    command: the command line that made the figures.

  Returns:
    `rows` and `task_rows` (`success.summarize`) with the paper's rate,
    `margins`, `cells` (the sets), `quality`, `differs`, `notes`, and when and
    by what it was made.

  Raises:
    ValueError: an unknown experiment or size, or sets that are of another
      experiment or impossible.
  """
  checks.one_of("experiment", experiment, paper.COLUMNS)
  others = {trials.experiment for trials in sets} - {experiment}
  if others:
    raise ValueError(
      f"got trials of {sorted(others)}; expected {experiment!r} alone"
    )
  beside_all = _with_every_dynamics(sets)
  rows, task_rows = (
    _rows(
      success.summarize(
        beside_all,
        per_task=per_task,
        methods=list(paper.ROWS),
        columns=list(paper.COLUMNS[experiment]),
        tasks=tasks,
      ),
      experiment,
    )
    for per_task in (False, True)
  )
  for row in rows:
    row["paper"] = paper.rate(experiment, row["method"], row["column"])
  return {
    "experiment": experiment,
    "title": paper.TITLES[experiment],
    "source": paper.SOURCE,
    "size": size,
    "rows": rows,
    "task_rows": task_rows,
    "margins": margins(rows),
    "differs": paper.differences(sets, size),
    "notes": [*notes],
    "quality": dict(quality),
    "cells": [dataclasses.asdict(trials) for trials in sets],
    "command": command,
    **report.provenance(),
  }


def write(record: Mapping, folder: str | pathlib.Path):
  """Writes the results, and quality-<method>.png for the methods of `quality`.

  Args:
    record: of `make_record`.
    folder: made where missing; each file in it is written all or nothing.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  text = json.dumps(record, indent=2, allow_nan=False) + "\n"
  files.write_text(
    folder / MARKDOWN_FILE, comparison_text.markdown(record, PNG_FILE)
  )
  if picture := figures.success_rates(record):
    files.write_bytes(folder / PNG_FILE, picture)
  try:
    drawn = json.loads((folder / JSON_FILE).read_text("utf-8"))["quality"]
  except (OSError, ValueError, KeyError):
    drawn = {}
  for method, seeds in record["quality"].items():
    path = folder / QUALITY_FILE.format(method.replace("/", "-"))
    if not path.exists() or drawn.get(method, [None])[0] != seeds[0]:
      label = paper.run_label(record["experiment"], method)
      title = f"{label}: what the reward tells"
      if picture := figures.quality(seeds[0], title):
        files.write_bytes(path, picture)
  # The last one: it says what the pictures of quality were drawn of.
  files.write_text(folder / JSON_FILE, text)


def margins(rows: Sequence[Mapping]) -> list[dict]:
  """Returns Adapt2Reward's margin over the best of the paper's other methods.

  Args:
    rows: of `success.summarize`.

  Returns:
    Per dynamics one dict per column, then one of column 'mean': the best other
    method by its mean over all columns, against Adapt2Reward's. Each has `ours`
    and `best` in %, `best_method`, `margin` in points, `low` and `high`, its
    95 % interval (`intervals.difference` of the means by the trials that they
    are worth), and `missing`, the methods without a rate; None where
    Adapt2Reward or all others have none.
  """
  methods = (paper.OURS, *paper.BASELINES)
  columns = list(dict.fromkeys(row["column"] for row in rows))
  result = []
  for dynamics in dict.fromkeys(row["dynamics"] for row in rows):
    for column in (*columns, "mean"):
      rates, counts = {}, {}
      for method in methods:
        group = [
          row
          for row in rows
          if (row["dynamics"], row["method"]) == (dynamics, method)
          and column in (row["column"], "mean")
        ]
        if not group or any(row["rate"] is None for row in group):
          continue
        rates[method] = sum(row["rate"] for row in group) / len(group)
        # A figure that stands in several columns is of the same trials.
        worth = intervals.effective_trials(
          [
            row["effective_trials"]
            for row in group
            if column != "mean" or not row.get("repeated")
          ]
        )
        counts[method] = rates[method] / 100 * worth, worth
      others = [method for method in rates if method != paper.OURS]
      best = max(others, key=rates.get, default=None)
      margin = low = high = None
      if best is not None and paper.OURS in rates:
        margin = rates[paper.OURS] - rates[best]
        bounds = intervals.difference(counts[paper.OURS], counts[best])
        low, high = (100 * bound for bound in bounds)
      result.append(
        {
          "dynamics": dynamics,
          "column": column,
          "ours": rates.get(paper.OURS),
          "best": rates.get(best),
          "best_method": best,
          "margin": margin,
          "low": low,
          "high": high,
          "missing": [method for method in methods if method not in rates],
        }
      )
  return result


def _with_every_dynamics(
  sets: Sequence[success.TrialSet],
) -> list[success.TrialSet]:
  """Returns the sets, those of random actions with every dynamics.

  Who acts at random predicts nothing: its trials stand beside all planners.
  """
  random = [x for x in sets if x.method == "random"]
  result = [x for x in sets if x.method != "random"]
  kinds = dict.fromkeys(x.dynamics for x in result or random)
  for kind in kinds:
    same = [x for x in random if x.dynamics == kind]
    result += same or [dataclasses.replace(x, dynamics=kind) for x in random]
  return result


def _rows(rows: Sequence[dict], experiment: str) -> list[dict]:
  """Returns the rows to show, one figure repeated in every column.

  A method that is neither the paper's nor run here is left out. Random actions
  have no human tasks to learn from: in table 1 one set of trials of such a
  method stands for all columns, as in the paper, unless it has several.
  """
  ran = {(r["dynamics"], r["method"]) for r in rows if r["num_trials"]}
  result = []
  for row in rows:
    method = row["method"]
    is_papers = method in (*paper.BASELINES, paper.OURS)
    if not is_papers and (row["dynamics"], method) not in ran:
      continue
    if experiment == "table1" and paper.row_of(method).one_figure:
      keys = ("method", "dynamics", "task")
      same = [
        other
        for other in rows
        if other["num_trials"] and all(other.get(k) == row.get(k) for k in keys)
      ]
      if len(same) == 1:
        repeated = row["column"] != same[0]["column"]
        row = same[0] | {"column": row["column"], "repeated": repeated}
    result.append(dict(row))
  return result

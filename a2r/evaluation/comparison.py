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

from a2r.core import checks, files, templates
from a2r.evaluation import (
  by_task,
  figures,
  intervals,
  paper,
  report,
  success,
  tables,
)

JSON_FILE = "results.json"
MARKDOWN_FILE = "results.md"
PNG_FILE = "results.png"
QUALITY_FILE = "quality-{}.png"
_DYNAMICS = {
  "sim": "futures by the simulator itself",
  "fitvid": "futures by a video model",
}
_NOT_RUN = "not run"
_NOTHING = "Nothing has been run yet."
QUALITY = {
  "AUROC": "auroc",
  "AUROC near-misses": "auroc_near_miss",
  "AUROC random": "auroc_random",
  "AUROC wrong text": "auroc_wrong_text",
  "Somers' D": "somers_d",
  "VOC (Spearman)": "voc_spearman",
  "VOC (Pearson)": "voc_pearson",
  "VOC of failures": "voc_spearman_failure",
  "wrong text higher": "wrong_text_higher",
}


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
    sets: what was run with one dynamics, [] at first.
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
    ValueError: an unknown experiment or size, sets of another experiment or of
      several dynamics.
  """
  checks.one_of("experiment", experiment, paper.COLUMNS)
  others = {trials.experiment for trials in sets} - {experiment}
  if others:
    raise ValueError(
      f"got trials of {sorted(others)}; expected {experiment!r} alone"
    )
  dynamics = {trials.dynamics for trials in sets}
  if len(dynamics) > 1:
    raise ValueError(f"got trials with {sorted(dynamics)}; expected one")
  wanted = {
    "methods": list(paper.ROWS),
    "columns": list(paper.COLUMNS[experiment]),
    "tasks": tasks,
  }
  rows, task_rows = (
    _rows(success.summarize(sets, per_task=per_task, **wanted), experiment)
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


def margins(rows: Sequence[Mapping]) -> list[dict]:
  """Returns Adapt2Reward's margin over the best of the paper's other methods.

  Args:
    rows: of `success.summarize`.

  Returns:
    One dict per column, then one of column 'mean': the best other method by its
    mean over all columns, against Adapt2Reward's. Each has `ours` and `best` in
    %, `best_method`, `margin` in points, `low` and `high`, its 95 % interval
    (`intervals.difference` of the means by the trials that they are worth), and
    `missing`, the methods without a rate; None where Adapt2Reward or all others
    have none.
  """
  methods = (paper.OURS, *paper.BASELINES)
  if not rows:
    return []
  result = []
  for column in [*dict.fromkeys(row["column"] for row in rows), "mean"]:
    rates, counts = {}, {}
    for method in methods:
      group = [
        row
        for row in rows
        if row["method"] == method and column in (row["column"], "mean")
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
        "dynamics": rows[0]["dynamics"],
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


def _rows(rows: Sequence[dict], experiment: str) -> list[dict]:
  """Returns the rows to show, one figure repeated in every column.

  A method that is neither the paper's nor run here is left out. Random actions
  have no human tasks to learn from: in table 1 one set of trials of such a
  method stands for all columns, as in the paper, unless it has several.
  """
  shown = {row["method"] for row in rows if row["num_trials"]}
  shown |= {*paper.BASELINES, paper.OURS}
  result = []
  for row in (row for row in rows if row["method"] in shown):
    if experiment == "table1" and paper.ROWS[row["method"]].one_figure:
      key = row["method"], row.get("task")
      same = [
        other
        for other in rows
        if other["num_trials"] and (other["method"], other.get("task")) == key
      ]
      if len(same) == 1:
        repeated = row["column"] != same[0]["column"]
        row = same[0] | {"column": row["column"], "repeated": repeated}
    result.append(dict(row))
  return result


def write(record: Mapping, folder: str | pathlib.Path):
  """Writes the results, and quality-<method>.png for the methods of `quality`.

  Args:
    record: of `make_record`.
    folder: made where missing; each file in it is written all or nothing.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  text = json.dumps(record, indent=2, allow_nan=False) + "\n"
  files.write_text(folder / MARKDOWN_FILE, markdown(record))
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


def markdown(record: Mapping) -> str:
  """Returns results.md of what `make_record` returned."""
  parts = [
    f"# {record['title']}",
    "Success rate in %, mean over tasks: ours [95 % Wilson interval over the "
    "trials] (the paper's). " + paper.TEXTS[record["experiment"]],
  ]
  if not record["cells"]:
    parts.append(_NOTHING)
  parts += [table.markdown() for table in result_tables(record)]
  if record["cells"]:
    parts.append(f"![Success rates]({PNG_FILE})")
  parts += ["## What differs from the paper", _bullets(record["differs"])]
  if record["notes"]:
    parts += ["## Notes", _bullets(record["notes"])]
  made = [f"commit {record['commit']}", record["date"]]
  if record["command"]:
    made.insert(0, templates.code(record["command"]))
  return "\n\n".join([*parts, "Made by " + ", ".join(made) + "."]) + "\n"


def _bullets(lines: Sequence[str]) -> str:
  return "\n".join(f"- {line}" for line in lines)


def summary(record: Mapping) -> str:
  """Returns what a program prints at its end."""
  lines = [
    table.text().replace("**", "")
    for table in result_tables(record, brief=True)
  ]
  return "\n\n".join(lines or [_NOTHING])


def result_tables(
  record: Mapping, *, brief: bool = False
) -> list[tables.Table]:
  """Returns rates, margins, tasks, seeds, quality: those that have figures.

  Args:
    record: see `make_record`.
    brief: without tasks and seeds.
  """
  rows, margins, task_rows = (
    [
      row
      | {
        "name": row.get("method") and paper.ROWS[row["method"]].label,
        "place": paper.column_label(record["experiment"], row["column"]),
      }
      for row in record[key]
    ]
    for key in ("rows", "margins", "task_rows")
  )
  result = [_rates(rows), _margins(margins)]
  if not brief:
    result += [_tasks(task_rows), _seeds(rows)]
  if record["quality"]:
    result.append(_quality(record["experiment"], record["quality"]))
  return [table for table in result if table.rows]


def _rates(rows) -> tables.Table:
  """Cells `45.0 [40.1, 50.0] (44.67)`, or what is missing."""
  lines = {}
  for row in rows:
    text = _NOT_RUN
    if row["num_trials"]:
      text = "{rate_so_far:.1f} [{low:.1f}, {high:.1f}]".format(**row)
      if row["missing"]:
        text += f" without {', '.join(row['missing'])}"
    if row["paper"] is not None:
      text += f" ({row['paper']:.2f})"
    lines.setdefault(row["name"], []).append((text, row["rate"]))
  columns = dict.fromkeys(row["place"] for row in rows)
  dynamics = rows[0]["dynamics"] if rows else "nothing"
  futures = _DYNAMICS.get(dynamics, f"futures by {dynamics}")
  table = []
  for name, cells in lines.items():
    texts, rates = zip(*cells, strict=True)
    mean = None if None in rates else sum(rates) / len(rates)
    table.append([name, *texts, _number(mean)])
  return tables.Table(
    f"**Success rates**, {futures}", ["method", *columns, "mean"], table
  )


def _margins(margins) -> tables.Table:
  """Margins as `+12.5 [+3.0, +21.6]`."""
  lines = []
  for row in margins:
    best = margin = None
    if row["best_method"]:
      best = paper.ROWS[row["best_method"]].label
    if row["margin"] is not None:
      margin = "{margin:+.1f} [{low:+.1f}, {high:+.1f}]".format(**row)
    missing = ", ".join(paper.ROWS[name].label for name in row["missing"])
    rates = [_number(row["ours"]), _number(row["best"])]
    if any(rates):
      lines.append([row["place"], *rates, best, margin, missing])
  header = ["column", "Adapt2Reward", "best other", "which", "margin"]
  return tables.Table(
    "**Margin** of Adapt2Reward over the best of Random, Concept2Robot, DVD "
    "and LIV, in points, 95 % interval of the difference",
    [*header, "without a rate"],
    lines,
  )


def _tasks(rows) -> tables.Table:
  """Successes of trials of each task, `12 of 20`."""
  tasks = list(dict.fromkeys(row["task"] for row in rows))
  counts = {}
  for row in rows:
    if row["num_trials"] and not row.get("repeated"):
      text = f"{row['num_successes']} of {row['num_trials']}"
      counts.setdefault((row["name"], row["place"]), {})[row["task"]] = text
  return tables.Table(
    "**Per task**, successes of trials",
    ["method", "column", *tasks],
    [
      [*names, *(line.get(task, _NOT_RUN) for task in tasks)]
      for names, line in counts.items()
    ],
  )


def _seeds(rows) -> tables.Table:
  """Each training's own mean; the spread is what trials cannot tell."""
  rows = [r for r in rows if len(r["seed_rates"]) > 1 and not r.get("repeated")]
  seeds = list(dict.fromkeys(s for row in rows for s in row["seed_rates"]))
  return tables.Table(
    "**Per seed**, mean over tasks in %, and their standard deviation",
    ["method", "column", *(f"seed {seed}" for seed in seeds), "deviation"],
    [
      [
        row["name"],
        row["place"],
        *(_number(row["seed_rates"].get(seed)) for seed in seeds),
        _number(row["spread"]),
      ]
      for row in rows
    ],
  )


def _quality(experiment, quality) -> tables.Table:
  """Means over seeds per method and environment, and a clock's figures."""
  results = {
    paper.run_label(experiment, key): [seed["summary"] for seed in seeds]
    for key, seeds in quality.items()
  }
  first = next(iter(quality.values()))[0]
  results[paper.ROWS["clock"].label] = [first["clock"]]
  lines = []
  for name, summaries in results.items():
    rows = [row for summary in summaries for row in summary]
    for environment in dict.fromkeys(row["environment"] for row in rows):
      here = [row for row in rows if row["environment"] == environment]
      means = [by_task.mean([row[k] for row in here]) for k in QUALITY.values()]
      lines.append([name, paper.column_label(experiment, environment), *means])
  return tables.Table(
    "**Quality of the reward**, means over tasks and seeds (AUROC: 0.5 is "
    "chance; a clock, which only tells the time, has a value order of 1)",
    ["method", "environment", *QUALITY],
    lines,
  )


def _number(value: float | None) -> str | None:
  return None if value is None else format(value, ".1f")

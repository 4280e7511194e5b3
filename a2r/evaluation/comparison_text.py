"""Results of planning trials in words and tables."""

from collections.abc import Mapping, Sequence

from a2r.evaluation import paper, tables

# Name -> what tables call it, in their order.
METHODS = {
  "random": "Random actions",
  "clock": "Clock",
  "concept2robot": "Concept2Robot",
  "dvd": "DVD",
  "liv": "LIV",
  "triplet": "Triplet loss",
  "no_failures": "Adapt2Reward without failures",
  "bce": "Adapt2Reward, failures by BCE alone",
  "adapt2reward": "Adapt2Reward",
  "ground_truth": "True state (ceiling)",
}
# These have no human tasks to learn from, or the same ones in all columns.
ONE_FIGURE = (*paper.ONE_FIGURE, "clock", "ground_truth")

_DYNAMICS = {
  "sim": "futures by the simulator itself",
  "fitvid": "futures by a video model",
  "none": "no futures",
}
_NOT_RUN = "not run"
_QUALITY = {
  "AUROC": "auroc",
  "AUROC near-misses": "auroc_near_miss",
  "AUROC random": "auroc_random",
  "AUROC wrong text": "auroc_wrong_text",
  "Kendall tau-a": "kendall_tau_a",
  "VOC (Spearman)": "voc_spearman",
  "VOC (Pearson)": "voc_pearson",
  "VOC of failures": "voc_spearman_failure",
  "wrong text higher": "wrong_text_higher",
}


def label(method: str) -> str:
  """What tables call a method."""
  return METHODS.get(method, method)


def column_label(experiment: str, column: str) -> str:
  """What tables call a column."""
  return paper.COLUMNS[experiment].get(column, column)


def quality_label(experiment: str, key: str) -> str:
  """What tables call 'method' or 'method/column'."""
  method, _, column = key.partition("/")
  extra = f", {column_label(experiment, column)}" if column else ""
  return label(method) + extra


def markdown(record: Mapping, picture: str) -> str:
  """results.md.

  Args:
    record: see `comparison.make_record`.
    picture: file name of the figure.
  """
  experiment = record["experiment"]
  parts = [
    f"# {record['title']}",
    "Success rate in %, mean over tasks: ours [95 % Wilson interval over the "
    "trials] (the paper's). " + paper.text(experiment),
  ]
  if not record["cells"]:
    parts.append("Nothing has been run yet.")
  for table in result_tables(record):
    parts.append(table.markdown())
  if record["cells"]:
    parts.append(f"![Success rates]({picture})")
  parts += ["## What differs from the paper", _bullets(record["differs"])]
  if record["notes"]:
    parts += ["## Notes", _bullets(record["notes"])]
  made = [f"commit {record['commit']}", record["date"]]
  if record["command"]:
    made.insert(0, f"`{record['command']}`")
  return "\n\n".join([*parts, "Made by " + ", ".join(made) + "."]) + "\n"


def summary(record: Mapping) -> str:
  """What a program prints at its end."""
  found = result_tables(record, brief=True)
  lines = [table.text().replace("**", "") for table in found]
  return "\n\n".join(lines or ["Nothing has been run yet."])


def result_tables(
  record: Mapping, *, brief: bool = False
) -> list[tables.Table]:
  """Rates, margins, tasks, seeds, quality: those that have figures.

  Args:
    record: see `comparison.make_record`.
    brief: without tasks and seeds.
  """
  experiment, result = record["experiment"], []
  for dynamics in dict.fromkeys(row["dynamics"] for row in record["rows"]):
    rows, margins, task_rows = (
      [row for row in record[key] if row["dynamics"] == dynamics]
      for key in ("rows", "margins", "task_rows")
    )
    what = _DYNAMICS.get(dynamics, f"futures by {dynamics}")
    result.append(_rates(experiment, rows, f"**Success rates**, {what}"))
    result.append(_margins(experiment, margins))
    if not brief:
      result += [_tasks(experiment, task_rows), _seeds(experiment, rows)]
  if record["quality"]:
    result.append(_quality(experiment, record["quality"]))
  return [table for table in result if table.rows]


def _rates(experiment, rows, title) -> tables.Table:
  columns = list(dict.fromkeys(row["column"] for row in rows))
  lines = []
  for method in dict.fromkeys(row["method"] for row in rows):
    mine = {r["column"]: r for r in rows if r["method"] == method}
    rates = [mine[column]["rate"] for column in columns]
    whole = None not in rates
    mean = f"{sum(rates) / len(rates):.1f}" if whole else None
    cells = [_rate(mine[column]) for column in columns]
    lines.append([label(method), *cells, mean])
  names = [column_label(experiment, column) for column in columns]
  return tables.Table(title, ["method", *names, "mean"], lines)


def _rate(row: Mapping) -> str:
  """`45.0 [40.1, 50.0] (44.67)`; says so where tasks are missing."""
  published = "" if row["paper"] is None else f" ({row['paper']:.2f})"
  if not row["num_trials"]:
    return _NOT_RUN + published
  bounds = f"[{row['low']:.1f}, {row['high']:.1f}]"
  if row["missing"]:
    return (
      f"{row['rate_so_far']:.1f} {bounds} without "
      f"{', '.join(row['missing'])}{published}"
    )
  return f"{row['rate']:.1f} {bounds}{published}"


def _margins(experiment, margins) -> tables.Table:
  return tables.Table(
    "**Margin** of Adapt2Reward over the best of Random, Concept2Robot, DVD "
    "and LIV, in points, 95 % interval of the difference",
    [
      "column",
      "Adapt2Reward",
      "best other",
      "which",
      "margin",
      "without a rate",
    ],
    [
      [
        column_label(experiment, m["column"]),
        _number(m["ours"]),
        _number(m["best"]),
        m["best_method"] and label(m["best_method"]),
        _margin(m),
        ", ".join(label(name) for name in m["missing"]),
      ]
      for m in margins
      if m["ours"] is not None or m["best"] is not None
    ],
  )


def _margin(margin: Mapping) -> str | None:
  """`+12.5 [+3.0, +21.6]`."""
  if margin["margin"] is None:
    return None
  figures = (format(margin[key], "+.1f") for key in ("margin", "low", "high"))
  return "{} [{}, {}]".format(*figures)


def _tasks(experiment, rows) -> tables.Table:
  tasks = list(dict.fromkeys(row["task"] for row in rows))
  found = {(r["method"], r["column"], r["task"]): r for r in rows}
  return tables.Table(
    "**Per task**, successes of trials",
    ["method", "column", *tasks],
    [
      [label(method), column_label(experiment, column)]
      + [_count(found[method, column, task]) for task in tasks]
      for method, column in dict.fromkeys(
        (r["method"], r["column"])
        for r in rows
        if r["num_trials"] and not r.get("repeated")
      )
    ],
  )


def _count(row: Mapping) -> str:
  if not row["num_trials"]:
    return _NOT_RUN
  return f"{row['num_successes']} of {row['num_trials']}"


def _seeds(experiment, rows) -> tables.Table:
  """Each training's own mean; the spread is what trials cannot tell."""
  shown = [
    row
    for row in rows
    if len(row["seed_rates"]) > 1 and not row.get("repeated")
  ]
  seeds = list(dict.fromkeys(s for row in shown for s in row["seed_rates"]))
  return tables.Table(
    "**Per seed**, mean over tasks in %, and their standard deviation",
    ["method", "column", *(f"seed {seed}" for seed in seeds), "deviation"],
    [
      [
        label(row["method"]),
        column_label(experiment, row["column"]),
        *(_number(row["seed_rates"].get(seed)) for seed in seeds),
        _number(row["spread"]),
      ]
      for row in shown
    ],
  )


def _quality(experiment, quality) -> tables.Table:
  """Means over seeds per method and environment, and a clock's figures."""
  lines = []
  for method, seeds in quality.items():
    name = quality_label(experiment, method)
    lines += _quality_rows(experiment, name, seeds, "summary")
  first = next(iter(quality.values()))
  if "clock" not in quality:
    lines += _quality_rows(experiment, label("clock"), first[:1], "clock")
  return tables.Table(
    "**Quality of the reward**, means over tasks and seeds (AUROC: 0.5 is "
    "chance; a clock, which only tells the time, has a value order of 1)",
    ["method", "environment", *_QUALITY],
    lines,
  )


def _quality_rows(experiment, name, seeds, key) -> list[list]:
  rows = {}
  for result in seeds:
    for row in result[key]:
      rows.setdefault(row["environment"], []).append(row)
  return [
    [name, column_label(experiment, environment)]
    + [_mean([row[figure] for row in found]) for figure in _QUALITY.values()]
    for environment, found in rows.items()
  ]


def _mean(values) -> float | None:
  there = [value for value in values if value is not None]
  return sum(there) / len(there) if there else None


def _number(value: float | None, form: str = ".1f") -> str | None:
  return None if value is None else format(value, form)


def _bullets(lines: Sequence[str]) -> str:
  return "\n".join(f"- {line}" for line in lines)

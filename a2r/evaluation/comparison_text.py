"""Results of planning trials in words and tables."""

from collections.abc import Mapping, Sequence

from a2r.evaluation import by_task, paper, tables

_DYNAMICS = {
  "sim": "futures by the simulator itself",
  "fitvid": "futures by a video model",
  "none": "no futures",
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


def markdown(record: Mapping, picture: str) -> str:
  """Returns results.md.

  Args:
    record: see `comparison.make_record`.
    picture: file name of the figure.
  """
  parts = [
    f"# {record['title']}",
    "Success rate in %, mean over tasks: ours [95 % Wilson interval over the "
    "trials] (the paper's). " + paper.TEXTS[record["experiment"]],
  ]
  if not record["cells"]:
    parts.append(_NOTHING)
  parts += [table.markdown() for table in result_tables(record)]
  if record["cells"]:
    parts.append(f"![Success rates]({picture})")
  parts += ["## What differs from the paper", _bullets(record["differs"])]
  if record["notes"]:
    parts += ["## Notes", _bullets(record["notes"])]
  made = [f"commit {record['commit']}", record["date"]]
  if record["command"]:
    made.insert(0, f"`{record['command']}`")
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
    record: see `comparison.make_record`.
    brief: without tasks and seeds.
  """
  result = []
  for dynamics in dict.fromkeys(row["dynamics"] for row in record["rows"]):
    rows, margins, task_rows = (
      [
        row
        | {
          "name": row.get("method") and paper.row_of(row["method"]).label,
          "place": paper.column_label(record["experiment"], row["column"]),
        }
        for row in record[key]
        if row["dynamics"] == dynamics
      ]
      for key in ("rows", "margins", "task_rows")
    )
    what = _DYNAMICS.get(dynamics, f"futures by {dynamics}")
    result.append(_rates(rows, f"**Success rates**, {what}"))
    result.append(_margins(margins))
    if not brief:
      result += [_tasks(task_rows), _seeds(rows)]
  if record["quality"]:
    result.append(_quality(record["experiment"], record["quality"]))
  return [table for table in result if table.rows]


def _rates(rows, title) -> tables.Table:
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
  table = []
  for name, cells in lines.items():
    texts, rates = zip(*cells, strict=True)
    mean = None if None in rates else sum(rates) / len(rates)
    table.append([name, *texts, _number(mean)])
  return tables.Table(title, ["method", *columns, "mean"], table)


def _margins(margins) -> tables.Table:
  """Margins as `+12.5 [+3.0, +21.6]`."""
  lines = []
  for row in margins:
    best = margin = None
    if row["best_method"]:
      best = paper.row_of(row["best_method"]).label
    if row["margin"] is not None:
      margin = "{margin:+.1f} [{low:+.1f}, {high:+.1f}]".format(**row)
    missing = ", ".join(paper.row_of(name).label for name in row["missing"])
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
  results[paper.row_of("clock").label] = [first["clock"]]
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

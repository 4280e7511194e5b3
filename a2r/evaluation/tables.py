"""Tables of an evaluation, also as plain text, the same on every machine.

Near-misses are the failures of all sources that nearly succeed, see
`labeled.NEAR_SOURCES`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from a2r.evaluation.evaluate import Report

_MISSING = "-"


class Table(NamedTuple):
  """A table before it is text or a page.

  Attributes:
    title: what it shows, in a line.
    header: names of the columns.
    rows: cells; floats show two decimals, None a dash.
  """

  title: str
  header: Sequence[str]
  rows: Sequence[Sequence[Any]]


def text(table: Table) -> str:
  """The table as aligned lines under its title: numbers right, texts left."""
  cells = [[cell(value) for value in row] for row in table.rows]
  lines = [list(table.header), *cells]
  if any(len(line) != len(table.header) for line in lines):
    raise ValueError(f"{table.title!r}: each row needs {len(lines[0])} cells")
  columns = list(zip(*lines, strict=True))
  widths = [max(len(one) for one in column) for column in columns]
  right = [all(is_number(one) for one in column[1:]) for column in columns]
  aligned = [
    "  ".join(
      one.rjust(width) if is_right else one.ljust(width)
      for one, width, is_right in zip(line, widths, right, strict=True)
    ).rstrip()
    for line in lines
  ]
  rule = "  ".join("-" * width for width in widths)
  title = [table.title] if table.title else []
  return "\n".join([*title, aligned[0], rule, *aligned[1:]])


def cell(value) -> str:
  """One value as text."""
  if value is None:
    return _MISSING
  if isinstance(value, float):
    return f"{value:.2f}"
  return str(value) or _MISSING


def is_number(one: str) -> bool:
  """Whether a cell's text is a number, an interval or a dash."""
  return one[0] in "-.0123456789"


def summary(result: Report) -> str:
  """What a run prints at its end: the chosen form, per environment."""
  rows = chosen(result.summary, result.form)
  return "\n\n".join(
    [form_line(result), text(environments(rows)), text(rewards(rows))]
  )


def all_tables(result: Report) -> list[Table]:
  """All that a page shows."""
  rows = chosen(result.summary, result.form)
  return [
    environments(rows),
    rewards(rows),
    tasks(chosen(result.rows, result.form)),
    forms(result),
  ]


def chosen(rows: Sequence[dict], form: str) -> list[dict]:
  """The rows of one form."""
  return [row for row in rows if row["form"] == form]


def form_line(result: Report) -> str:
  """Which form the reward has, and why."""
  why = "the run's own; there were no validation clips to choose on"
  if result.validation:
    figure = cell(result.validation[result.form])
    why = f"chosen on the validation clips, AUROC {figure}"
  return f"Form of the reward: {result.form} ({why})"


def environments(rows: Sequence[dict]) -> Table:
  """AUROC per environment, from rows of `Report.summary`."""
  return Table(
    "AUROC of successes against failures: mean over tasks, 95 % interval over "
    "clips, 0.50 is chance",
    [
      "environment",
      "successes",
      "failures",
      "all failures",
      "interval",
      "near-misses",
      "random",
    ],
    [
      [
        r["environment"],
        r["num_success"],
        r["num_failure"],
        r["auroc"],
        _interval(r["auroc_interval"]),
        r["auroc_near_miss"],
        r["auroc_random"],
      ]
      for r in rows
    ],
  )


def rewards(rows: Sequence[dict]) -> Table:
  """Mean rewards and retrieval, from rows of `Report.summary`."""
  columns = {
    "environment": "environment",
    "success": "reward_success",
    "near-miss": "reward_near_miss",
    "random": "reward_random",
    "success, other text": "reward_other_text",
    "picked of known": "retrieval",
    "picked of tasks": "retrieval_tasks",
  }
  return Table(
    "Mean reward, and share of successes whose own instruction is picked among "
    "all known ones and among the tasks shown",
    list(columns),
    [[r[key] for key in columns.values()] for r in rows],
  )


def tasks(rows: Sequence[dict]) -> Table:
  """AUROC per environment and task, from rows of one form."""
  columns = {
    "environment": "environment",
    "task": "task",
    "all failures": "auroc",
    "near-misses": "auroc_near_miss",
    "random": "auroc_random",
    "picked of known": "retrieval",
  }
  return Table(
    "AUROC per task",
    list(columns),
    [[r[key] for key in columns.values()] for r in rows],
  )


def forms(result: Report) -> Table:
  """Mean AUROC of each form: on validation, then per environment."""
  names = list(dict.fromkeys(r["environment"] for r in result.summary))
  found = {(r["form"], r["environment"]): r["auroc"] for r in result.summary}
  return Table(
    "AUROC of every form of the reward",
    ["form", "validation", *names],
    [
      [form, result.validation.get(form), *(found[form, n] for n in names)]
      for form in dict.fromkeys(r["form"] for r in result.summary)
    ],
  )


def _interval(bounds: Sequence[float] | None) -> str | None:
  """An interval as `0.91-0.97`."""
  return None if bounds is None else f"{bounds[0]:.2f}-{bounds[1]:.2f}"

"""Tables of an evaluation, also as plain text, the same on every machine.

Near-misses are the failures of all sources that nearly succeed, see
`labeled.NEAR_SOURCES`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from a2r.evaluation import evaluate
from a2r.evaluation.evaluate import Report

_MISSING = "-"
_FEW = 10  # Of either outcome: a figure on fewer clips says how few.
_SHOWN_CLIPS = 40  # On a terminal; report.json has all.


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


def markdown(table: Table) -> str:
  """The table in Markdown, its title a line of its own above."""
  lines = [table.header, ["---"] * len(table.header), *table.rows]
  body = "\n".join(
    "| " + " | ".join(cell(value) for value in line) + " |" for line in lines
  )
  return f"{table.title}\n\n{body}" if table.title else body


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
  parts = [form_line(result)]
  if rows:
    parts += [text(environments(rows)), text(rewards(rows))]
  if result.clips:
    parts.append(text(clips(result.clips[:_SHOWN_CLIPS])))
    left = len(result.clips) - _SHOWN_CLIPS
    parts += [f"... and {left} clips more in report.json"] * (left > 0)
  return "\n\n".join([*parts, *(f"NOTE: {note}" for note in result.notes)])


def all_tables(result: Report) -> list[Table]:
  """All that a page shows."""
  rows = chosen(result.summary, result.form)
  return [
    environments(rows),
    rewards(rows),
    tasks(chosen(result.rows, result.form)),
    forms(result),
    *([clips(result.clips)] if result.clips else []),
  ]


def chosen(rows: Sequence[dict], form: str) -> list[dict]:
  """The rows of one form."""
  return [row for row in rows if row["form"] == form]


def form_line(result: Report) -> str:
  """Which form the reward has, and why."""
  why = "the first one; there were no clips, or too few, to choose on"
  if result.validation and result.form != evaluate.best(result.validation):
    why = "no validation clip shows the instructions judged"
  elif result.validation:
    figure = cell(result.validation[result.form])
    why = f"chosen on the validation clips, AUROC {figure}"
    if result.num_validation:
      why += " of {} successes and {} failures".format(*result.num_validation)
  return f"Form of the reward: {result.form} ({why})"


def environments(rows: Sequence[dict]) -> Table:
  """AUROC per environment, from rows of `Report.summary`."""
  kinds = _kinds(rows, "auroc")
  return Table(
    "AUROC of successes against failures: mean over tasks, 95 % interval over "
    "clips, 0.50 is chance",
    ["environment", *_AUROC_COLUMNS, "interval", *kinds],
    [
      [
        r["environment"],
        *_auroc(r),
        None if _few(r) else _interval(r["auroc_interval"]),
        *(r[key] for key in kinds.values()),
      ]
      for r in rows
    ],
  )


def rewards(rows: Sequence[dict]) -> Table:
  """Mean rewards and retrieval, from rows of `Report.summary`."""
  columns = {
    "environment": "environment",
    "success": "reward_success",
    **(_kinds(rows, "reward") or {"failure": "reward_failure"}),
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
  kinds = _kinds(rows, "auroc")
  return Table(
    "AUROC per task",
    ["environment", "task", *_AUROC_COLUMNS, *kinds, "picked of known"],
    [
      [
        r["environment"],
        r["task"],
        *_auroc(r),
        *(r[key] for key in kinds.values()),
        r["retrieval"],
      ]
      for r in rows
    ],
  )


def clips(rows: Sequence[dict]) -> Table:
  """The reward of each clip, from `Report.clips`."""
  return Table(
    "Reward of each clip; the successes of an instruction should stand first",
    ["clip", "instruction", "it is a", "reward"],
    [
      [
        r["name"],
        r["instruction"],
        "success" if r["success"] else "failure",
        r["score"],
      ]
      for r in rows
    ],
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


_AUROC_COLUMNS = ("successes", "failures", "all failures")


def _auroc(row: dict) -> list:
  """The cells under `_AUROC_COLUMNS`; of few clips the figure says so."""
  figure, counts = row["auroc"], (row["num_success"], row["num_failure"])
  if figure is not None and _few(row):
    figure = "{:.2f} on {}+{} clips".format(figure, *counts)
  return [*counts, figure]


def _few(row: dict) -> bool:
  return min(row["num_success"], row["num_failure"]) < _FEW


def _kinds(rows: Sequence[dict], figure: str) -> dict[str, str]:
  """Columns of the two kinds of failure, none where no clip is told apart."""
  names = (
    ("near-misses", "random")
    if figure == "auroc"
    else (
      "near-miss",
      "random",
    )
  )
  keys = (f"{figure}_near_miss", f"{figure}_random")
  told = any(row[key] is not None for row in rows for key in keys)
  return dict(zip(names, keys, strict=True)) if told else {}


def _interval(bounds: Sequence[float] | None) -> str | None:
  """An interval as `0.91-0.97`; none where clips drawn anew all agree."""
  if bounds is None or bounds[1] - bounds[0] < 1e-6:
    return None
  return f"{bounds[0]:.2f}-{bounds[1]:.2f}"

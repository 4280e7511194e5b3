"""How far Adapt2Reward is above the best other method."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from a2r.evaluation import paper, success

OURS = "adapt2reward"


class _Entry(NamedTuple):
  """One method in one column, or in all of them.

  Attributes:
    rate: mean over tasks and columns in %, None where something is missing.
    trials: that it is worth (`success.effective_trials`); None where none.
  """

  rate: float | None
  trials: float | None

  @property
  def counts(self) -> tuple[float, float]:
    """Successes and trials, as `success.wilson` takes those of a mean."""
    return self.rate / 100 * self.trials, self.trials


def margins(rows: Sequence[Mapping]) -> list[dict]:
  """The margin over the best of the paper's other methods.

  Args:
    rows: of `success.rows`.

  Returns:
    Per dynamics one dict per column, then one of column 'mean': the best other
    method by its mean over all columns, against Adapt2Reward's. Each has `ours`
    and `best` in %, `best_method`, `margin` in points, `low` and `high`, its
    95 % interval (`success.difference` of the means by the trials that they are
    worth), and `missing`, the methods without a rate; None where Adapt2Reward
    or all others have none.
  """
  result = []
  columns = list(dict.fromkeys(row["column"] for row in rows))
  for dynamics in dict.fromkeys(row["dynamics"] for row in rows):
    mine = [row for row in rows if row["dynamics"] == dynamics]
    for column in (*columns, "mean"):
      entries = {
        method: _entry([row for row in mine if row["method"] == method], column)
        for method in (OURS, *paper.BASELINES)
      }
      result.append(
        {"dynamics": dynamics, "column": column, **_margin(entries)}
      )
  return result


def _entry(rows: Sequence[Mapping], column: str) -> _Entry:
  """One method's rows in a column or, for 'mean', in all of them."""
  rows = [row for row in rows if column in (row["column"], "mean")]
  rates = [row["rate"] for row in rows]
  whole = bool(rates) and None not in rates
  # A figure that stands in several columns is of the same trials.
  own = [
    row["effective_trials"]
    for row in rows
    if column != "mean" or not row.get("repeated")
  ]
  if not whole:
    return _Entry(None, None)
  return _Entry(sum(rates) / len(rates), success.effective_trials(own))


def _margin(entries: Mapping[str, _Entry]) -> dict:
  known = {name: e.rate for name, e in entries.items() if e.rate is not None}
  others = {name: rate for name, rate in known.items() if name != OURS}
  best = max(others, key=others.get, default=None)
  margin = low = high = None
  if best is not None and OURS in known:
    margin = known[OURS] - known[best]
    low, high = (
      100 * bound
      for bound in success.difference(
        entries[OURS].counts, entries[best].counts
      )
    )
  return {
    "ours": known.get(OURS),
    "best": known.get(best),
    "best_method": best,
    "margin": margin,
    "low": low,
    "high": high,
    "missing": [name for name in entries if name not in known],
  }

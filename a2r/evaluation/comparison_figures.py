"""Success rates as bars, with their intervals and the paper's figures."""

import io
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib import figure as figures
from matplotlib import lines

from a2r.evaluation import paper

matplotlib.use("Agg")

_INK = "#222222"
_STYLE = {
  "font.family": "DejaVu Sans",
  "font.size": 9,
  "axes.edgecolor": "#8a8a8a",
  "text.color": _INK,
  "axes.labelcolor": _INK,
}
_GROUP = 0.86  # Share of a column's width that its bars take.
_HEIGHT = 3.6


def draw(record: Mapping, file: str | pathlib.Path | io.BytesIO) -> bool:
  """Writes a PNG of `comparison.make_record`'s rows.

  One panel per dynamics, one group of bars per column. A bar is the mean over
  tasks, its line Wilson's 95 % interval, a diamond what the paper reports. What
  was not run has no bar and says so.

  Args:
    record: see `comparison.make_record`.
    file: its path, or an open file.

  Returns:
    Whether there was anything to draw.
  """
  rows = [row for row in record["rows"] if row["method"]]
  kinds = list(dict.fromkeys(row["dynamics"] for row in rows))
  if not kinds:
    return False
  panels = [[row for row in rows if row["dynamics"] == kind] for kind in kinds]
  num_bars = max(len(panel) for panel in panels)
  size = max(6.5, 0.36 * num_bars + 1.2), _HEIGHT * len(kinds) + 0.9
  with matplotlib.rc_context(_STYLE):
    fig = figures.Figure(figsize=size, layout="constrained")
    axes = fig.subplots(len(kinds), 1, squeeze=False)[:, 0]
    for axis, panel, kind in zip(axes, panels, kinds, strict=True):
      _panel(axis, record["experiment"], panel)
      if len(kinds) > 1:
        axis.set_title(f"dynamics: {kind}", loc="left", fontsize=9)
    fig.suptitle(
      f"{record['title']}: success rate, mean over tasks",
      x=0.01, ha="left", fontsize=11, weight="bold",
    )  # fmt: skip
    fig.legend(
      handles=_legend(rows), loc="outside lower center", ncols=4,
      frameon=False, fontsize=8,
    )  # fmt: skip
    fig.savefig(file, dpi=150, facecolor="white", format="png")
  return True


def _panel(axis, experiment: str, rows: Sequence[Mapping]):
  """The groups of bars of one dynamics."""
  columns = list(dict.fromkeys(row["column"] for row in rows))
  methods = list(dict.fromkeys(row["method"] for row in rows))
  width = _GROUP / len(methods)
  for row in rows:
    left = columns.index(row["column"]) - _GROUP / 2
    _bar(axis, row, left + (methods.index(row["method"]) + 0.5) * width, width)
  axis.set_xlim(-0.5, len(columns) - 0.5)
  axis.set_ylim(0, 100)
  axis.set_ylabel("success rate, %")
  names = [paper.column_label(experiment, name) for name in columns]
  axis.set_xticks(range(len(columns)), names)
  axis.tick_params(axis="x", length=0)
  axis.grid(axis="y", color="#e6e6e6", lw=0.8)
  axis.set_axisbelow(True)
  axis.spines[["top", "right"]].set_visible(False)


def _bar(axis, row: Mapping, center: float, width: float):
  """One bar, its interval and the paper's mark."""
  rate = row["rate_so_far"]
  if rate is None:
    axis.text(
      center, 1.5, "not run", rotation=90, ha="center", va="bottom",
      fontsize=6.5, color="#8a8a8a",
    )  # fmt: skip
  else:
    axis.bar(
      center, rate, 0.92 * width, color=paper.row_of(row["method"]).color,
      hatch="///" if row["missing"] else None, edgecolor="white", lw=0,
    )  # fmt: skip
    axis.plot([center] * 2, [row["low"], row["high"]], color=_INK, lw=1.1)
    height = row["high"] + 1.2
    if row["paper"] is not None and abs(row["paper"] - height) < 4:
      height = row["paper"] + 3  # Not under the mark.
    axis.text(center, height, f"{rate:.0f}", ha="center", fontsize=7)
  if row["paper"] is not None:
    axis.plot(
      center, row["paper"], marker="D", ms=4.5, mfc="white", mec=_INK,
      mew=1.0, ls="", zorder=4,
    )  # fmt: skip


def _legend(rows: Sequence[Mapping]) -> list:
  handles = [
    matplotlib.patches.Patch(
      color=paper.row_of(method).color, label=paper.row_of(method).label
    )
    for method in dict.fromkeys(row["method"] for row in rows)
  ]
  handles.append(
    lines.Line2D([], [], color=_INK, lw=1.1, label="95 % Wilson interval")
  )
  if any(row["paper"] is not None for row in rows):
    handles.append(
      lines.Line2D(
        [], [], marker="D", ls="", mfc="white", mec=_INK, label="paper"
      )
    )
  if any(row["missing"] and row["num_trials"] for row in rows):
    handles.append(
      matplotlib.patches.Patch(
        facecolor="#dddddd", hatch="///", edgecolor="white",
        label="some tasks not run",
      )
    )  # fmt: skip
  return handles

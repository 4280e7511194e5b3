"""What a reward tells, drawn: confusion of instructions, reward over time."""

import pathlib
import textwrap
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib import figure as figures

from a2r.evaluation.figures import COLORS

matplotlib.use("Agg")

_STYLE = {
  "font.family": "DejaVu Sans",
  "font.size": 8,
  "axes.edgecolor": "#8a8a8a",
  "text.color": "#222222",
}
_WIDTH, _HEIGHT = 2.6, 4.6
_LABEL = 34  # Characters of an instruction beside its row.
_KINDS = {"success": COLORS[0], "failure": COLORS[1]}


def draw(result: Mapping, title: str, path: str | pathlib.Path) -> bool:
  """Writes a PNG: one column per environment.

  Above, the share in % of each task's successes for which an instruction, known
  by its number, scores highest; below, the mean reward over time of successes
  and of failures, a thin line per task and a thick one for their mean.

  Args:
    result: of `quality.quality`.
    title: one line above all.
    path: the file to write.

  Returns:
    Whether there was anything to draw.
  """
  environments = list(result["confusion"])
  if not environments:
    return False
  with matplotlib.rc_context(_STYLE):
    size = _WIDTH * len(environments) + 2.4, _HEIGHT
    fig = figures.Figure(figsize=size, layout="constrained")
    axes = fig.subplots(2, len(environments), squeeze=False)
    for i, (name, column) in enumerate(zip(environments, axes.T, strict=True)):
      confusion = result["confusion"][name]
      _confusion(column[0], confusion, result["texts"], first=i == 0)
      column[0].set_title(name, fontsize=9, weight="bold")
      _curves(column[1], result["curves"].get(name, {}), first=i == 0)
    low = min(axis.get_ylim()[0] for axis in axes[1])
    high = max(axis.get_ylim()[1] for axis in axes[1])
    for axis in axes[1]:
      axis.set_ylim(low, high)
    numbered = [f"{i}: {text}" for i, text in enumerate(result["texts"], 1)]
    fig.supxlabel(
      textwrap.fill("Instructions: " + ", ".join(numbered), int(15 * size[0])),
      x=0.01, ha="left", fontsize=7.5,
    )  # fmt: skip
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    fig.savefig(path, dpi=140, facecolor="white", format="png")
  return True


def _confusion(axis, confusion: Mapping, texts, *, first: bool):
  """Tasks down, instructions across; the own ones are framed."""
  share = np.array(confusion["share"]).reshape(-1, len(texts))
  axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
  for (row, column), value in np.ndenumerate(share):
    if value >= 0.005:
      axis.text(
        column, row, f"{100 * value:.0f}", ha="center", va="center",
        fontsize=7, color="white" if value > 0.55 else "#222222",
      )  # fmt: skip
  for row, text in enumerate(confusion["instructions"]):
    corner = texts.index(text) - 0.5, row - 0.5
    axis.add_patch(
      matplotlib.patches.Rectangle(
        corner, 1, 1, fill=False, ec=COLORS[1], lw=1.5
      )
    )
  axis.set_xticks(range(len(texts)), range(1, len(texts) + 1))
  axis.set_xlabel("scored highest, %")
  names = confusion["instructions"] if first else []
  axis.set_yticks(range(len(names)), [_row_label(n, texts) for n in names])
  if first:
    axis.set_ylabel("successes of")
  axis.tick_params(length=0)


def _row_label(text: str, texts) -> str:
  short = text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
  return f"{texts.index(text) + 1}: {short}"


def _curves(axis, tasks: Mapping, *, first: bool):
  """Mean rewards over time."""
  for kind, color in _KINDS.items():
    known = [task for task in tasks.values() if kind in task]
    for task in known:
      axis.plot(task["times"], task[kind], color=color, lw=0.7, alpha=0.45)
    if known:
      mean = np.mean([task[kind] for task in known], axis=0)
      axis.plot(
        known[0]["times"], mean, color=color, lw=2.2, marker="o", ms=3,
        label=kind,
      )  # fmt: skip
  axis.set_xlim(0, 1)
  axis.set_xlabel("share of the clip seen")
  axis.grid(axis="y", color="#e6e6e6", lw=0.8)
  axis.set_axisbelow(True)
  axis.spines[["top", "right"]].set_visible(False)
  if first:
    axis.set_ylabel("reward of the own instruction")
    if tasks:
      axis.legend(frameon=False, loc="best")

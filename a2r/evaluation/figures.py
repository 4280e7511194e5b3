"""Draws what a run has learned; every function returns a picture as bytes.

Letters: T frames, N windows, P true pictures a video model starts from, S side.
"""

import io
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import figure as figures
from matplotlib import patches

from a2r.evaluation import paper
from a2r.evaluation.over_time import Example
from a2r.evaluation.video_prediction import Result

# Okabe and Ito's palette, told apart by all kinds of color vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK, _GRAY, _GRID = "#222222", "#8a8a8a", "#e6e6e6"
_STYLE = {
  "text.parse_math": False,  # Texts of users, whose dollars are dollars.
  "font.family": "DejaVu Sans",
  "font.size": 9,
  "axes.edgecolor": _GRAY,
  "axes.labelcolor": _INK,
  "text.color": _INK,
  "xtick.color": _GRAY,
  "ytick.color": _GRAY,
  "svg.hashsalt": "a2r",
}
_AXIS_NAMES = {
  "cosine": "reward\n(cosine)",
  "softmax": "reward\n(softmax)",
  "own_failures": "reward\n(softmax)",
  "score": "score",
}
_STRIP_WIDTH, _CURVE_HEIGHT = 6.2, 1.1  # Inches.


def _encode(fig, **options) -> bytes:
  """The figure as a picture, a PNG if `options` name no other format."""
  stream = io.BytesIO()
  fig.savefig(stream, **{"format": "png", "facecolor": "white"} | options)
  return stream.getvalue()


def _tidy(axis):
  """Horizontal lines behind the data, no frame above and on the right."""
  axis.grid(axis="y", color=_GRID, lw=0.8)
  axis.set_axisbelow(True)
  axis.spines[["top", "right"]].set_visible(False)


@matplotlib.rc_context(_STYLE)
def filmstrips(
  examples: Sequence[Example], *, form: str, title: str = ""
) -> bytes:
  """Returns a PNG: per example its clips' frames and their reward curves.

  The point of a curve under a frame is the reward of the clip up to it
  (`over_time.prefixes`). All curves share one scale.

  Args:
    examples: what to show, two side by side, each with as many clips as the
      first.
    form: form of the reward, for the axis.
    title: one line above all.

  Raises:
    ValueError: there are no examples.
  """
  if not examples:
    raise ValueError("there is no example to show")
  num_columns = min(2, len(examples))
  num_rows = -(-len(examples) // num_columns)
  num_clips = len(examples[0].kinds)
  frames = examples[0].frames[0]
  strip = _STRIP_WIDTH / len(frames) * frames.shape[1] / frames.shape[2]
  heights = [strip] * num_clips + [_CURVE_HEIGHT]
  size = 7.4 * num_columns, (sum(heights) + 0.65) * num_rows + 0.4 * bool(title)
  limits = -0.04, 1.04
  if form not in ("softmax", "own_failures"):  # No probabilities.
    values = np.concatenate([c for e in examples for c in e.curves])
    margin = max(0.08 * float(np.ptp(values)), 0.02)
    limits = float(values.min()) - margin, float(values.max()) + margin
  fig = figures.Figure(figsize=size, layout="constrained")
  if title:
    fig.suptitle(title, x=0.02, ha="left", fontsize=13, weight="bold")
  cells = fig.subfigures(num_rows, num_columns, squeeze=False).flat
  for cell, example in zip(cells, examples, strict=False):
    axes = cell.subplots(len(heights), height_ratios=heights)
    _example(axes, example, limits, _AXIS_NAMES.get(form, "reward"))
  return _encode(fig, dpi=130)


def _example(axes, example: Example, limits, axis_name: str):
  """One example: the strips of its clips, then their curves in one axis."""
  *strips, axis = axes
  num_frames = max(len(frames) for frames in example.frames)
  for strip, kind, frames, color in zip(
    strips, example.kinds, example.frames, COLORS, strict=False
  ):
    _strip(strip, frames, num_frames, color)
    strip.set_ylabel(kind, color=color, weight="bold", labelpad=6)
  name = f"{example.environment}   “{example.instruction}”"
  strips[0].set_title(name, loc="left", fontsize=10, pad=6)
  for curve, color in zip(example.curves, COLORS, strict=False):
    steps = np.arange(len(curve)) + 0.5
    axis.plot(steps, curve, color=color, lw=2, marker="o", ms=4)
  # The last value of each curve beside its last point, not overlapping.
  place = -np.inf
  for i in np.argsort([curve[-1] for curve in example.curves]):
    curve = example.curves[i]
    place = max(float(curve[-1]), place + 0.13 * (limits[1] - limits[0]))
    axis.annotate(
      f"{curve[-1]:.2f}", (len(curve) - 0.5, place), xytext=(7, 0),
      textcoords="offset points", va="center", color=COLORS[i], weight="bold",
    )  # fmt: skip
  axis.set(xlim=(0, num_frames), ylim=limits, xticks=[], ylabel=axis_name)
  axis.set_xlabel("time →", loc="right", labelpad=2)
  _tidy(axis)
  axis.spines["bottom"].set_visible(False)


def _strip(axis, frames: np.ndarray, num_frames: int, color: str):
  """Frames `[T, H, W, 3]` side by side, each one unit wide."""
  gap = 0.02
  for t, frame in enumerate(frames):
    axis.imshow(
      frame, extent=(t + gap, t + 1 - gap, 0, 1), aspect="auto",
      interpolation="nearest" if frame.shape[0] <= 96 else "antialiased",
    )  # fmt: skip
  axis.set(xlim=(0, num_frames), ylim=(0, 1), xticks=[], yticks=[])
  for side, spine in axis.spines.items():
    spine.set_visible(side == "left")
  axis.spines["left"].set(color=color, linewidth=5)


@matplotlib.rc_context(_STYLE)
def training_curves(rows: Sequence[Mapping[str, float]]) -> bytes | None:
  """Returns an SVG of each number of a run's metrics over steps, if any.

  Args:
    rows: of metrics.jsonl, each with 'step'.
  """
  names = dict.fromkeys(k for row in rows for k in row if k != "step")
  series = {}
  for name in names:
    points = [(r["step"], r[name]) for r in rows if r.get(name) is not None]
    if len(points) > 1:
      series[name] = np.array(points, float)
  if not series:
    return None
  num_columns = 3
  num_rows = -(-len(series) // num_columns)
  fig = figures.Figure(figsize=(3.6 * num_columns, 2.1 * num_rows))
  axes = fig.subplots(num_rows, num_columns, squeeze=False)
  for axis, (name, points) in zip(axes.flat, series.items(), strict=False):
    axis.plot(points[:, 0], points[:, 1], color=COLORS[0], lw=1.4)
    axis.set_title(name, loc="left", fontsize=9)
    axis.grid(color=_GRID, lw=0.8)
    axis.spines[["top", "right"]].set_visible(False)
  for axis in axes.flat[len(series) :]:
    axis.set_visible(False)
  fig.tight_layout()
  return _encode(fig, format="svg", facecolor="auto", metadata={"Date": None})


@matplotlib.rc_context(_STYLE | {"font.size": 8})
def quality(result: Mapping, title: str) -> bytes | None:
  """Returns a PNG of what a reward tells, one column per environment.

  Above, the share in % of each task's successes for which an instruction, known
  by its number, scores highest; below, the mean reward over time of successes
  and of failures, a thin line per task and a thick one for their mean.

  Args:
    result: of `quality.quality`.
    title: one line above all.

  Returns:
    The picture, None where there is nothing to draw.
  """
  environments = list(result["confusion"])
  if not environments:
    return None
  texts = result["texts"]
  size = 2.6 * len(environments) + 2.4, 4.6
  fig = figures.Figure(figsize=size, layout="constrained")
  axes = fig.subplots(2, len(environments), squeeze=False)
  for i, name in enumerate(environments):
    above, below = axes[:, i]
    _confusion(above, result["confusion"][name], texts, first=i == 0)
    above.set_title(name, fontsize=9, weight="bold")
    _reward_curves(below, result["curves"].get(name, {}), first=i == 0)
  low = min(axis.get_ylim()[0] for axis in axes[1])
  high = max(axis.get_ylim()[1] for axis in axes[1])
  for axis in axes[1]:
    axis.set_ylim(low, high)
  numbered = ", ".join(f"{i}: {text}" for i, text in enumerate(texts, 1))
  fig.supxlabel(
    textwrap.fill(f"Instructions: {numbered}", int(15 * size[0])),
    x=0.01, ha="left", fontsize=7.5,
  )  # fmt: skip
  fig.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
  return _encode(fig, dpi=140)


def _confusion(axis, confusion: Mapping, texts, *, first: bool):
  """Tasks down, instructions across; the own ones are framed."""
  share = np.array(confusion["share"]).reshape(-1, len(texts))
  axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
  for (row, column), value in np.ndenumerate(share):
    if value >= 0.005:
      axis.text(
        column, row, f"{100 * value:.0f}", ha="center", va="center",
        fontsize=7, color="white" if value > 0.55 else _INK,
      )  # fmt: skip
  labels = []
  for row, text in enumerate(confusion["instructions"]):
    column = texts.index(text)
    axis.add_patch(
      patches.Rectangle(
        (column - 0.5, row - 0.5), 1, 1, fill=False, ec=COLORS[1], lw=1.5
      )
    )
    short = text if len(text) <= 34 else f"{text[:33]}…"
    labels.append(f"{column + 1}: {short}")
  axis.set_xticks(range(len(texts)), range(1, len(texts) + 1))
  axis.set_xlabel("scored highest, %")
  axis.set_yticks([])
  if first:
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylabel("successes of")
  axis.tick_params(length=0)


def _reward_curves(axis, tasks: Mapping, *, first: bool):
  """Mean rewards over time."""
  for kind, color in zip(("success", "failure"), COLORS, strict=False):
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
  _tidy(axis)
  if first:
    axis.set_ylabel("reward of the own instruction")
    if tasks:
      axis.legend(frameon=False, loc="best")


@matplotlib.rc_context(_STYLE)
def foresight(
  frames: np.ndarray,
  predicted: np.ndarray,
  result: Result,
  *,
  labels: Sequence[str],
  title: str,
) -> bytes:
  """Returns a PNG: true over predicted pictures, and the errors' curves.

  Args:
    frames: uint8 `[N, P + T, S, S, 3]`, the true ones.
    predicted: `[N, T, S, S, 3]` in [0, 1].
    result: figures for the curves.
    labels: N, what stands in front of the windows.
    title: one line above all.
  """
  num, length = frames.shape[:2]
  num_past = length - predicted.shape[1]
  heights = 1.9 * num, 2.0
  fig = figures.Figure(
    figsize=(0.95 * length + 1, sum(heights) + 0.5), layout="constrained"
  )
  fig.suptitle(title, fontsize=11)
  above, below = fig.subfigures(2, height_ratios=heights)
  tiles = above.subplots(2 * num, length, squeeze=False)
  for (row, t), axis in np.ndenumerate(tiles):
    n, is_predicted = divmod(row, 2)
    axis.set(xticks=[], yticks=[])
    if not is_predicted:
      axis.imshow(frames[n, t])
    elif t >= num_past:
      axis.imshow(predicted[n, t - num_past].clip(0, 1))
    else:
      axis.set_visible(False)
  for t, axis in enumerate(tiles[0]):
    step = (t - num_past + 1) * int(result.horizons[0])
    axis.set_title(f"{step:+d}" if step else "now", pad=2)
  for n, label in enumerate(labels):
    tiles[2 * n, 0].set_ylabel(f"{label}\ntrue")
    tiles[2 * n + 1, num_past].set_ylabel("predicted")
  names = {
    "psnr": "PSNR, dB",
    "psnr_moved": "PSNR of changed pixels, dB",
    "ssim": "SSIM",
  }
  axes = below.subplots(1, len(names))
  for axis, (name, text) in zip(axes, names.items(), strict=True):
    axis.plot(result.horizons, result.model[name], "o-", color=COLORS[0])
    axis.plot(result.horizons, result.copy_last[name], "s--", color=COLORS[1])
    axis.set_title(text, fontsize=9)
    axis.set_xlabel("control steps ahead")
    axis.set_xticks(result.horizons[:: max(1, len(result.horizons) // 5)])
    axis.spines[["top", "right"]].set_visible(False)
  axes[0].legend(["FitVid", "copy of now"], frameon=False, fontsize=8)
  return _encode(fig, dpi=110)


@matplotlib.rc_context(_STYLE)
def success_rates(record: Mapping) -> bytes | None:
  """Returns a PNG of `comparison.make_record`'s rows.

  One group of bars per column. A bar is the mean over
  tasks, its line Wilson's 95 % interval, a diamond what the paper reports. What
  was not run has no bar and says so.

  Args:
    record: see `comparison.make_record`.

  Returns:
    The picture, None where there is nothing to draw.
  """
  rows = record["rows"]
  if not rows:
    return None
  columns = list(dict.fromkeys(row["column"] for row in rows))
  methods = list(dict.fromkeys(row["method"] for row in rows))
  group = 0.86  # Share of a column's width that its bars take.
  width = group / len(methods)
  size = max(6.5, 0.36 * len(rows) + 1.2), 4.5
  fig = figures.Figure(figsize=size, layout="constrained")
  axis = fig.subplots()
  for row in rows:
    left = columns.index(row["column"]) - group / 2
    _bar(axis, row, left + (methods.index(row["method"]) + 0.5) * width, width)
  limits = {"xlim": (-0.5, len(columns) - 0.5), "ylim": (0, 100)}
  axis.set(**limits, ylabel="success rate, %")
  names = [paper.column_label(record["experiment"], name) for name in columns]
  axis.set_xticks(range(len(columns)), names)
  axis.tick_params(axis="x", length=0)
  _tidy(axis)
  fig.suptitle(
    f"{record['title']}: success rate, mean over tasks",
    x=0.01, ha="left", fontsize=11, weight="bold",
  )  # fmt: skip
  handles = {}
  for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
    handles.setdefault(label, handle)
  if any(row["missing"] and row["num_trials"] for row in rows):
    handles["some tasks not run"] = patches.Patch(
      facecolor="#dddddd", hatch="///", edgecolor="white"
    )
  fig.legend(
    handles.values(), handles, loc="outside lower center", ncols=4,
    frameon=False, fontsize=8,
  )  # fmt: skip
  return _encode(fig, dpi=150)


def _bar(axis, row: Mapping, center: float, width: float):
  """One bar, its interval and the paper's mark."""
  rate, shown = row["rate_so_far"], paper.ROWS[row["method"]]
  axis.bar(
    center, rate or 0, 0.92 * width, color=shown.color, label=shown.label,
    hatch="///" if rate and row["missing"] else None, edgecolor="white", lw=0,
  )  # fmt: skip
  if rate is None:
    axis.text(
      center, 1.5, "not run", rotation=90, ha="center", va="bottom",
      fontsize=6.5, color=_GRAY,
    )  # fmt: skip
  else:
    bounds = row["low"], row["high"]
    label = "95 % Wilson interval"
    axis.plot([center] * 2, bounds, color=_INK, lw=1.1, label=label)
    height = row["high"] + 1.2
    if row["paper"] is not None and abs(row["paper"] - height) < 4:
      height = row["paper"] + 3  # Not under the mark.
    axis.text(center, height, f"{rate:.0f}", ha="center", fontsize=7)
  if row["paper"] is not None:
    axis.plot(
      center, row["paper"], marker="D", ms=4.5, mfc="white", mec=_INK,
      mew=1.0, ls="", zorder=4, label="paper",
    )  # fmt: skip

"""Pictures of a reward: filmstrips with the reward under each frame.

Letters: T frames.
"""

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import figure as figures

from a2r.evaluation.examples import Example

matplotlib.use("Agg")

# Okabe and Ito's palette, told apart by all kinds of color vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK = "#222222"
_GRAY = "#8a8a8a"
_STYLE = {
  "font.family": "DejaVu Sans",
  "font.size": 9,
  "axes.edgecolor": _GRAY,
  "axes.labelcolor": _INK,
  "text.color": _INK,
  "xtick.color": _GRAY,
  "ytick.color": _GRAY,
}
_AXIS_NAMES = {
  "cosine": "reward\n(cosine)",
  "softmax": "reward\n(probability)",
  "own_failures": "reward\n(probability)",
  "score": "score",
}


# The layout of one example, in inches.
_LEFT, _WIDTH, _RIGHT = 0.95, 6.2, 0.25
_HEAD, _GAP, _CURVE, _FOOT = 0.5, 0.07, 1.1, 0.3
_TITLE = 0.45


def filmstrips(
  examples: Sequence[Example],
  *,
  form: str,
  path: str | pathlib.Path,
  title: str = "",
):
  """Writes a PNG: per example its clips' frames and their reward curves.

  The point of a curve under a frame is the reward of the clip up to it
  (`examples.prefixes`). All curves share one scale.

  Args:
    examples: what to show, two side by side, each with as many clips as the
      first.
    form: form of the reward, for the axis.
    path: the file to write.
    title: one line above all.
  """
  if not examples:
    raise ValueError("there is no example to show")
  num_columns = min(2, len(examples))
  num_rows = -(-len(examples) // num_columns)
  num_clips = len(examples[0].kinds)
  frames = examples[0].frames[0]
  strip = _WIDTH / len(frames) * frames.shape[1] / frames.shape[2]
  cell_width = _LEFT + _WIDTH + _RIGHT
  cell_height = _HEAD + num_clips * (strip + _GAP) + _CURVE + _FOOT
  top = _TITLE if title else 0.0
  size = num_columns * cell_width, num_rows * cell_height + top
  limits = _limits([c for e in examples for c in e.curves], form)
  with matplotlib.rc_context(_STYLE):
    fig = figures.Figure(figsize=size)

    def make_axis(cell, down, height):
      """An axis `height` high, its top `down` under that of its cell."""
      row, column = divmod(cell, num_columns)
      bottom = size[1] - top - row * cell_height - down - height
      left = column * cell_width + _LEFT
      w, h = size
      return fig.add_axes((left / w, bottom / h, _WIDTH / w, height / h))

    if title:
      at = 0.2 / size[0], 1 - 0.3 / size[1]
      fig.text(*at, title, fontsize=13, weight="bold", va="center")
    for cell, example in enumerate(examples):
      axes = [
        make_axis(cell, _HEAD + i * (strip + _GAP), strip)
        for i in range(num_clips)
      ]
      down = _HEAD + num_clips * (strip + _GAP)
      axes.append(make_axis(cell, down, _CURVE))
      _example(axes, example, limits, _AXIS_NAMES.get(form, "reward"))
    fig.savefig(path, dpi=130, facecolor="white")


def _example(axes, example: Example, limits, axis_name: str):
  """One example: the strips of its clips, then their curves in one axis."""
  *strips, axis = axes
  num_frames = max(len(frames) for frames in example.frames)
  for i, (kind, frames) in enumerate(
    zip(example.kinds, example.frames, strict=True)
  ):
    _strip(strips[i], frames, num_frames, COLORS[i])
    strips[i].set_ylabel(kind, color=COLORS[i], weight="bold", labelpad=6)
  name = f"{example.environment}   “{example.instruction}”"
  strips[0].set_title(name, loc="left", fontsize=10, pad=6)
  for i, curve in enumerate(example.curves):
    steps = np.arange(len(curve)) + 0.5
    axis.plot(steps, curve, color=COLORS[i], lw=2, marker="o", ms=4)
  _label_ends(axis, example.curves, limits)
  axis.set_xlim(0, num_frames)
  axis.set_ylim(*limits)
  axis.set_xticks([])
  axis.set_xlabel("time →", loc="right", labelpad=2)
  axis.set_ylabel(axis_name)
  axis.grid(axis="y", color="#e6e6e6", lw=0.8)
  axis.set_axisbelow(True)
  axis.spines[["top", "right", "bottom"]].set_visible(False)


def _strip(axis, frames: np.ndarray, num_frames: int, color: str):
  """Frames `[T, H, W, 3]` side by side, each one unit wide."""
  gap = 0.02
  for t, frame in enumerate(frames):
    axis.imshow(
      frame, extent=(t + gap, t + 1 - gap, 0, 1), aspect="auto",
      interpolation="nearest" if frame.shape[0] <= 96 else "antialiased",
    )  # fmt: skip
  axis.set_xlim(0, num_frames)
  axis.set_ylim(0, 1)
  axis.set_xticks([])
  axis.set_yticks([])
  for side, spine in axis.spines.items():
    spine.set_visible(side == "left")
  axis.spines["left"].set(color=color, linewidth=5)


def _label_ends(axis, curves, limits):
  """The last value of each curve beside its last point, not overlapping."""
  apart = 0.13 * (limits[1] - limits[0])
  ends = [float(curve[-1]) for curve in curves]
  places = {}
  for i in np.argsort(ends):
    lowest = max(places.values(), default=-np.inf) + apart
    places[int(i)] = max(ends[i], lowest)
  for i, place in places.items():
    axis.annotate(
      f"{ends[i]:.2f}", (len(curves[i]) - 0.5, place), xytext=(7, 0),
      textcoords="offset points", va="center", color=COLORS[i], weight="bold",
    )  # fmt: skip


def _limits(curves: Sequence[np.ndarray], form: str) -> tuple[float, float]:
  """The scale of the axis: [0, 1] for probabilities, else what is needed."""
  if form in ("softmax", "own_failures"):
    return -0.04, 1.04
  values = np.concatenate(curves)
  margin = max(0.08 * float(np.ptp(values)), 0.02)
  return float(values.min()) - margin, float(values.max()) + margin


def training_curves(
  rows: Sequence[Mapping[str, float]], path, *, columns: int = 3
) -> bool:
  """Draws each number of a run's metrics over steps; False if there is none.

  Args:
    rows: of metrics.jsonl, each with 'step'.
    path: a file or an open binary file, written as SVG.
    columns: panels side by side.
  """
  names = dict.fromkeys(k for row in rows for k in row if k != "step")
  series = {}
  for name in names:
    points = [(r["step"], r[name]) for r in rows if r.get(name) is not None]
    if len(points) > 1:
      series[name] = np.array(points, float)
  if not series:
    return False
  num_rows = -(-len(series) // columns)
  with matplotlib.rc_context(_STYLE | {"svg.hashsalt": "a2r"}):
    fig = figures.Figure(figsize=(3.6 * columns, 2.1 * num_rows))
    axes = fig.subplots(num_rows, columns, squeeze=False)
    for axis, (name, points) in zip(axes.flat, series.items(), strict=False):
      axis.plot(points[:, 0], points[:, 1], color=COLORS[0], lw=1.4)
      axis.set_title(name, loc="left", fontsize=9)
      axis.grid(color="#e6e6e6", lw=0.8)
      axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(series) :]:
      axis.set_visible(False)
    fig.tight_layout()
    fig.savefig(path, format="svg", metadata={"Date": None})
  return True

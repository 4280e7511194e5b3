"""A picture of what a video model foresees, beside what happened.

Letters: N windows, P true pictures it starts from, T predicted ones, S side.
"""

import pathlib
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib import figure as figures

from a2r.evaluation.video_prediction import Result

matplotlib.use("Agg")

_MODEL, _COPY = "#0072B2", "#D55E00"
_STYLE = {"font.family": "DejaVu Sans", "font.size": 9}
_TILE, _CURVES, _LEFT = 0.95, 2.4, 0.9  # Inches.


def foresight(
  frames: np.ndarray,
  predicted: np.ndarray,
  result: Result,
  *,
  labels: Sequence[str],
  path: str | pathlib.Path,
  title: str,
):
  """Writes a PNG: true over predicted pictures, and the errors' curves.

  Args:
    frames: uint8 `[N, P + T, S, S, 3]`, the true ones.
    predicted: `[N, T, S, S, 3]` in [0, 1].
    result: figures for the curves.
    labels: N, what stands in front of the windows.
    path: the file to write.
    title: one line above all.
  """
  num, length = frames.shape[:2]
  num_past = length - predicted.shape[1]
  steps = [*range(1 - num_past, 1), *range(1, predicted.shape[1] + 1)]
  steps = np.array(steps) * int(result.horizons[0])
  width = _LEFT + length * _TILE + 0.1
  height = 0.7 + num * 2.15 * _TILE + _CURVES
  with matplotlib.rc_context(_STYLE):
    fig = figures.Figure(figsize=(width, height))
    fig.suptitle(title, y=1 - 0.15 / height, fontsize=11)

    def tile(column, top):
      left = (_LEFT + column * _TILE) / width
      bottom = 1 - (top + _TILE) / height
      size = 0.96 * _TILE
      ax = fig.add_axes((left, bottom, size / width, size / height))
      ax.set_xticks([])
      ax.set_yticks([])
      return ax

    for n in range(num):
      top = 0.6 + n * 2.15 * _TILE
      for t in range(length):
        ax = tile(t, top)
        ax.imshow(frames[n, t])
        if n == 0:
          ax.set_title("now" if t == num_past - 1 else f"{steps[t]:+d}", pad=2)
        if t == 0:
          ax.set_ylabel(f"{labels[n]}\ntrue")
        if t >= num_past:
          ax = tile(t, top + _TILE)
          ax.imshow(predicted[n, t - num_past].clip(0, 1))
          if t == num_past:
            ax.set_ylabel("predicted")
    _curves(fig, result, width, height)
    fig.savefig(path, dpi=110)


def _curves(fig, result, width, height):
  """PSNR of all pixels and of those that changed, and SSIM."""
  names = {
    "psnr": "PSNR, dB",
    "psnr_moved": "PSNR of changed pixels, dB",
    "ssim": "SSIM",
  }
  share = (width - _LEFT) / len(names)
  for index, (name, text) in enumerate(names.items()):
    left = (_LEFT * 0.6 + index * share) / width
    box = (left, 0.5 / height, (share - 0.55) / width, 1.5 / height)
    ax = fig.add_axes(box)
    ax.plot(result.horizons, result.model[name], "o-", color=_MODEL)
    ax.plot(result.horizons, result.copy_last[name], "s--", color=_COPY)
    ax.set_title(text, fontsize=9)
    ax.set_xlabel("control steps ahead")
    ax.set_xticks(result.horizons[:: max(1, len(result.horizons) // 5)])
    ax.spines[["top", "right"]].set_visible(False)
    if index == 0:
      ax.legend(["FitVid", "copy of now"], frameon=False, fontsize=8)

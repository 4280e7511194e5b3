"""Means, tables and the plot of the runs of benchmarks.backbones.

A row is a line of its results: backbone, top1, method, seed, settings, form,
validation, figures. A figure is read in a form of the reward, or in 'chosen',
the form that each run chose on its validation clips.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import figure as figures

CHOSEN = "chosen"
FAILURES = {"auroc": "all failures", "auroc_near_miss": "near misses"}
METHOD_NAMES = {
  "zero_shot": "zero-shot",
  "vlc": "VLC",
  "vlc_cdc": "VLC + CDC",
  "bce": "VLC + CDC + BCE",
  "prompts": "VLC + CDC + failure prompts",
  "prompts_bce": "all four",
}
# Okabe and Ito's palette, and a marker each: told apart without color too.
_LOOKS = {
  "zero_shot": ("#8a8a8a", "x"),
  "vlc": ("#56B4E9", "v"),
  "vlc_cdc": ("#0072B2", "s"),
  "bce": ("#E69F00", "D"),
  "prompts": ("#009E73", "o"),
  "prompts_bce": ("#CC79A7", "^"),
}
_ENVIRONMENTS = {
  "tabletop/train": "Train",
  "tabletop/test1": "Test 1: colors",
  "tabletop/test2": "Test 2: + viewpoint",
  "tabletop/test3": "Test 3: + arrangement",
}
_STYLE = {"font.family": "DejaVu Sans", "font.size": 9}

Row = Mapping[str, Any]


def write(rows: Sequence[Row], studies, path: pathlib.Path, plot_path):
  """Writes the means and the plot, prints the tables.

  Args:
    rows: finished runs.
    studies: study -> value -> settings.
    path: of the rows; the means go beside it, as JSON.
    plot_path: of the plot.

  Raises:
    ValueError: there are no rows.
  """
  if not rows:
    raise ValueError(f"no finished runs in {path}")
  means_path = path.with_suffix(".json")
  means_path.write_text(json.dumps({"rows": means(rows)}, indent=1) + "\n")
  usual = [row for row in rows if not row["settings"]]
  print("\n\n".join(tables(rows, studies)))
  print(f"\nWrote {means_path}", end="")
  if usual:
    plot(usual, plot_path)
    print(f" and {plot_path}", end="")
  print(".")


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
  """Means over seeds of every figure of equal runs.

  Returns:
    One dict per backbone, method, settings, form and environment: these,
    `top1`, `seeds`, and per figure `mean`, `std` (between seeds, None for one),
    `low` and `high`.
  """
  result = []
  for group in _groups(rows, ("backbone", "crc", "method", "settings")):
    first = group[0]
    named = {k: first[k] for k in ("backbone", "top1", "method", "settings")}
    for form in (CHOSEN, *first["figures"]):
      for environment in first["figures"][first["form"]]:
        kept = {"form": form, "environment": environment}
        kept["seeds"] = sorted(row["seed"] for row in group)
        for name in first["figures"][first["form"]][environment]:
          kept[name] = _spread(
            [figure(row, environment, name, form) for row in group]
          )
        result.append(named | kept)
  return result


def figure(row: Row, environment: str, name: str, form: str = CHOSEN) -> float:
  """One figure of a run."""
  form = row["form"] if form == CHOSEN else form
  return row["figures"][form][environment][name]


def tables(rows: Sequence[Row], studies) -> list[str]:
  """Tables in Markdown: the backbones, the forms of the best, the studies."""
  usual = [row for row in rows if not row["settings"]]
  result = []
  if usual:
    best = max(usual, key=lambda row: row["top1"])["crc"]
    groups = _groups(usual, ("crc", "method"))
    for name, title in FAILURES.items():
      lines = [
        (f"{g[0]['top1']:.2f}", METHOD_NAMES[g[0]["method"]], *_cells(g, name))
        for g in groups
      ]
      result.append(_table(f"AUROC, {title}", ("top-1", "losses"), lines))
    lines = [
      (METHOD_NAMES[g[0]["method"]], form, *_cells(g, "auroc", form))
      for g in groups
      if g[0]["crc"] == best
      for form in g[0]["figures"]
    ]
    result.append(_table("Forms, best backbone", ("losses", "form"), lines))
  for study, values in studies.items():
    lines = _study_lines(rows, values)
    if lines:
      header = (study, "top-1", "losses", "failures")
      result.append(_table(f"Study: {study}", header, lines))
  return result


def _study_lines(rows, values):
  """Lines of a study's table, also of the usual value; [] before any run."""
  lines, found = [], False
  for value, settings in values.items():
    here = [row for row in rows if row["settings"] == _plain(settings)]
    found |= bool(settings and here)
    for group in _groups(here, ("crc", "method")):
      first = group[0]
      for name, title in FAILURES.items():
        named = f"{first['top1']:.2f}", METHOD_NAMES[first["method"]], title
        lines.append((value, *named, *_cells(group, name)))
  return lines if found else []


def plot(rows: Sequence[Row], path: str | pathlib.Path):
  """Writes a PNG: AUROC over the backbones' accuracy.

  A column per environment, a row for all failures and one for near misses. A
  dot is a seed, a line goes through the means.
  """
  with matplotlib.rc_context(_STYLE):
    fig = figures.Figure(figsize=(12, 6.4), layout="constrained")
    axes = fig.subplots(
      len(FAILURES), len(_ENVIRONMENTS), sharex=True, sharey=True
    )
    for line, (name, title) in zip(axes, FAILURES.items(), strict=True):
      line[0].set_ylabel(f"AUROC, {title}")
      for axis, environment in zip(line, _ENVIRONMENTS, strict=True):
        _panel(axis, rows, environment, name)
    for axis, title in zip(axes[0], _ENVIRONMENTS.values(), strict=True):
      axis.set_title(title, fontsize=10)
    for axis in axes[-1]:
      axis.set_xlabel("stage 1: held-out top-1 (share)")
    fig.suptitle(
      "What a better backbone buys, and what the losses buy "
      "(0.5 is chance; dots are seeds)",
      fontsize=12,
      weight="bold",
    )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(
      handles, labels, loc="outside lower center", ncols=6, frameon=False
    )
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=120, facecolor="white")


def _panel(axis, rows, environment, name):
  """One axis: a line per method."""
  axis.axhline(0.5, color="#cccccc", linewidth=1, zorder=0)
  axis.grid(axis="y", color="#eeeeee", zorder=0)
  axis.spines[["top", "right"]].set_visible(False)
  for method, (color, marker) in _LOOKS.items():
    groups = _groups([r for r in rows if r["method"] == method], ("crc",))
    if not groups:
      continue
    values = [[figure(r, environment, name) for r in g] for g in groups]
    places = [group[0]["top1"] for group in groups]
    axis.plot(
      places,
      [np.mean(v) for v in values],
      color=color,
      marker=marker,
      markersize=5,
      label=METHOD_NAMES[method],
    )
    for place, dots in zip(places, values, strict=True):
      axis.scatter([place] * len(dots), dots, s=6, color=color, alpha=0.6)


def _groups(rows: Sequence[Row], names: Sequence[str]) -> list[list[Row]]:
  """Rows of equal values of `names`, by top-1 and then by method."""
  order = list(METHOD_NAMES)
  rows = sorted(rows, key=lambda r: (r["top1"], order.index(r["method"])))
  groups = {}
  for row in rows:
    key = json.dumps([row[name] for name in names], sort_keys=True)
    groups.setdefault(key, []).append(row)
  return list(groups.values())


def _spread(values: Sequence[float]) -> dict[str, float | None]:
  many = len(values) > 1
  return {
    "mean": round(float(np.mean(values)), 4),
    "std": round(float(np.std(values, ddof=1)), 4) if many else None,
    "low": min(values),
    "high": max(values),
  }


def _cells(group: Sequence[Row], name: str, form: str = CHOSEN) -> list[str]:
  """Mean and standard deviation over the seeds, per environment."""
  cells = []
  for environment in _ENVIRONMENTS:
    one = _spread([figure(row, environment, name, form) for row in group])
    spread = "" if one["std"] is None else f" ± {one['std']:.2f}"
    cells.append(f"{one['mean']:.2f}{spread}")
  return cells


def _table(title: str, header: Sequence[str], lines) -> str:
  header = (*header, *_ENVIRONMENTS.values())
  rows = [header, ["---"] * len(header), *lines]
  return "\n".join([f"{title}\n", *(f"| {' | '.join(r)} |" for r in rows)])


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
  """Settings as they come back from JSON."""
  return json.loads(json.dumps(settings))

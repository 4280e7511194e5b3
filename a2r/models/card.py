"""The model card of a trained reward: what it is, learned from and reached.

A pure function of plain values; the prose is assets/card.md.jinja. A card says
nothing that the run's settings and report do not say, holds no date and no
folder of a machine, and names what was not measured.
"""

import json
from collections.abc import Mapping
from typing import Any

from a2r.core import templates

_FEW = 10  # Of either outcome: no interval is shown.
# What a report may hold of an environment: the table's head, what it is.
_FIGURES = {
  "auroc": ("all failures", "AUROC against all failures"),
  "interval": ("interval", "an interval (of too few clips)"),
  "auroc_near_miss": ("near misses", "AUROC against near misses"),
  "auroc_random": ("random", "AUROC against random motion"),
  "retrieval": ("text picked", "how often the right text is picked"),
}


def render(config: Mapping[str, Any]) -> str:
  """Returns the card as Markdown, with the header that the Hub reads.

  Args:
    config: config.json of an exported reward (`models/saved.py`).

  Raises:
    ValueError: its record is not that of a run.
  """
  try:
    return _render(config)
  except (KeyError, IndexError, TypeError, AttributeError) as error:
    raise ValueError(
      f"the record of the run lacks what a model card says: {error!r}"
    ) from error


def _render(config: Mapping[str, Any]) -> str:
  record = config["record"]
  settings, figures = record["settings"], record["figures"]
  robot, human = (settings["data"][part] for part in ("robot", "human"))
  init = settings["model"]["init"]
  drawn = robot["source"] == "tabletop"
  rows = []
  if figures:
    rows = [r for r in figures["summary"] if r["form"] == figures["form"]]
    rows = [{"interval": _interval(row), **row} for row in rows]
    figures = {"notes": (), **figures}
  columns = [k for k in _FIGURES if any(r[k] is not None for r in rows)]
  missing = [what for k, (_, what) in _FIGURES.items() if k not in columns]
  missing += ["video of a real robot"] if drawn else []
  missing += ["other instructions", "a robot that acts on this reward"]
  return templates.render(
    "card.md.jinja",
    **config,
    settings=settings,
    figures=figures,
    robot={"environment": None, **robot},
    human=human,
    drawn=drawn,
    # Clips and weights are the project's own.
    made=drawn
    and human["source"] in ("procedural", "none")
    and init in ("scratch", "small_backbone"),
    backbone={"data": None, **(record["backbone"] or {"init": init})},
    columns=columns,
    heads={key: head for key, (head, _) in _FIGURES.items()},
    rows=rows,
    choice=figures and _choice(figures),
    missing=missing,
    json=json.dumps,
    figure=_figure,
  )


def _choice(figures: Mapping[str, Any]) -> str:
  """How the form of the reward was chosen."""
  aurocs = figures["validation"]
  if not aurocs:
    return "not chosen on clips"
  why = "the best on validation clips"
  if figures["form"] != max(aurocs, key=aurocs.get):
    why = "as validation clips show none of the instructions judged"
  tried = ", ".join(f"{form} {auroc:.3f}" for form, auroc in aurocs.items())
  return f"{why} (AUROC there: {tried})"


def _interval(row: Mapping[str, Any]) -> str | None:
  """The interval of the AUROC; None where the clips are too few for one."""
  bounds = row["auroc_interval"]
  if bounds is None or min(row["num_success"], row["num_failure"]) < _FEW:
    return None
  return f"{bounds[0]:.3f}-{bounds[1]:.3f}"


def _figure(value: float | str | None) -> str:
  """Three decimals; a dash where nothing was measured."""
  if value is None:
    return "-"
  return f"{value:.3f}" if isinstance(value, float) else str(value)

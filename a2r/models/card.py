"""The model card of a trained reward: what it is, learned from and reached.

A pure function of plain values; the prose is card.md.jinja. A card says nothing
that the run's settings and report do not say, holds no date and no folder of a
machine, and names what was not measured.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2

_TEMPLATE = pathlib.Path(__file__).with_name("card.md.jinja")
_OTHERS = "Robot clips came from {} of the user's; what they show was not told."
_ROBOT = {
  "tabletop": "Robot clips are **simulated**: a tabletop in MuJoCo, pictures "
  "by a ray caster. No real robot was filmed.",
  "folder": "Robot clips are the user's own videos.",
  "records": _OTHERS.format("TFRecords"),
  "lerobot": _OTHERS.format("a LeRobot data set"),
  "rlds": _OTHERS.format("an RLDS data set"),
}
_HUMAN = {
  "procedural": "Human clips are **procedural**: pictures drawn by a program.",
  "ssv2": "Human clips are from Something-Something V2.",
  "records": "Human clips came from TFRecords of the user's.",
  "folder": "Human clips are the user's own videos.",
  "none": "There were no human clips.",
}
# The sources whose clips and weights are the project's own.
_MADE = ({"tabletop"}, {"procedural", "none"}, {"scratch", "small_backbone"})
_FORMS = {
  "cosine": "the cosine of video and instruction, from -1 to 1: not a "
  "probability, and no value of it means success by itself",
  "softmax": "a probability among the known instructions and, for a trained "
  "one, its failure prompts: it depends on which instructions are known",
  "own_failures": "a probability against the instruction's own failure "
  "prompts (among the known instructions where it has none)",
}
_FEW = 10  # Of either outcome: no interval is shown.


class _Figure(NamedTuple):
  """What a report may hold of an environment."""

  key: str
  head: str
  what: str


_FIGURES = (
  _Figure("auroc", "all failures", "AUROC against all failures"),
  _Figure("interval", "interval", "an interval (of too few clips)"),
  _Figure("auroc_near_miss", "near misses", "AUROC against near misses"),
  _Figure("auroc_random", "random", "AUROC against random motion"),
  _Figure("retrieval", "text picked", "how often the right text is picked"),
)


def render(config: Mapping[str, Any]) -> str:
  """Returns the card as Markdown, with the header that the Hub reads.

  Args:
    config: config.json of an exported reward (`models/saved.py`).
  """
  record = config["record"]
  settings, figures = record["settings"], record["figures"]
  robot, human = (settings["data"][part] for part in ("robot", "human"))
  init = settings["model"]["init"]
  drawn = robot["source"] == "tabletop"
  rows, columns = [], []
  if figures:
    rows = [r for r in figures["summary"] if r["form"] == figures["form"]]
    rows = [{"interval": _interval(row), **row} for row in rows]
    columns = [f for f in _FIGURES if any(r[f.key] is not None for r in rows)]
  missing = [figure.what for figure in _FIGURES if figure not in columns]
  missing += ["video of a real robot"] if drawn else []
  missing += ["other instructions", "a robot that acts on this reward"]
  environment = jinja2.Environment(
    undefined=jinja2.StrictUndefined, keep_trailing_newline=True
  )
  environment.filters |= {"json": json.dumps, "figure": _figure}
  return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
    **config,
    settings=settings,
    figures=figures and {"notes": (), **figures},
    robot={"environment": None, **robot},
    drawn=drawn,
    made=all(
      source in sources
      for source, sources in zip(
        (robot["source"], human["source"], init), _MADE, strict=True
      )
    ),
    robot_clips=_ROBOT.get(robot["source"], f"Robot clips: {robot['source']}."),
    human_clips=_HUMAN.get(human["source"], f"Human clips: {human['source']}."),
    backbone={"data": None, **(record["backbone"] or {"init": init})},
    columns=columns,
    rows=rows,
    choice=figures and _choice(figures),
    tested=settings["eval"]["environments"]
    if drawn
    else robot.get("test_path"),
    missing=[
      *missing,
      "other instructions",
      "a robot that acts on this reward",
    ],
    meaning=_FORMS[config["form"]],
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

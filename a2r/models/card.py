"""The model card of a trained reward: what it is, learned from and reached.

A pure function of plain values. A card says nothing that the run's settings and
report do not say, holds no date and no folder of a machine, and names what was
not measured.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_HEADER = """---
license: {license}
library_name: jax
pipeline_tag: robotics
language: en
tags:
- jax
- flax
- reward-model
- robotics
- video-language
- adapt2reward
---
"""
_OWN = "Robot clips came from {} of the user's; what they show was not told."
_ROBOT = {
  "tabletop": "Robot clips are **simulated**: a tabletop in MuJoCo, pictures "
  "by a ray caster. No real robot was filmed.",
  "folder": "Robot clips are the user's own videos.",
  "records": _OWN.format("TFRecords"),
  "lerobot": _OWN.format("a LeRobot data set"),
  "rlds": _OWN.format("an RLDS data set"),
}
_HUMAN = {
  "procedural": "Human clips are **procedural**: pictures drawn by a program.",
  "ssv2": "Human clips are from Something-Something V2.",
  "records": "Human clips came from TFRecords of the user's.",
  "folder": "Human clips are the user's own videos.",
  "none": "There were no human clips.",
}
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
# What a report may hold of an environment: key, column, what it is.
_FIGURES = (
  ("auroc", "all failures", "AUROC against all failures"),
  ("interval", "interval", "an interval (of too few clips)"),
  ("auroc_near_miss", "near misses", "AUROC against near misses"),
  ("auroc_random", "random", "AUROC against random motion"),
  ("retrieval", "text picked", "how often the right text is picked"),
)


def render(config: Mapping[str, Any]) -> str:
  """The card as Markdown, under the header that the Hugging Face Hub reads.

  Args:
    config: config.json of an exported reward (`models/artifact.py`).
  """
  made = _is_made(config["record"]["settings"])
  parts = [
    _HEADER.format(license="apache-2.0" if made else "other"),
    "# A reward for robots from video and language",
    _what(config),
    "## Use",
    _use(config),
    "## Instructions",
    _instructions(config),
    "## Data",
    _data(config),
    "## Figures",
    _figures(config["record"]),
    "## What a score means",
    _meaning(config),
    "## Limits",
    _limits(config),
    "## How it was made",
    _making(config["record"]),
    "## License",
    _license(made),
  ]
  return "\n\n".join(part.strip() for part in parts) + "\n"


def _what(config) -> str:
  backbone = config["model"]["backbone"]
  size, num_frames = backbone["image_size"], backbone["num_frames"]
  return (
    "`score(clip, instruction)`: how well a video shows what an instruction "
    "asks for. Made with Adapt2Reward in JAX, an independent implementation of "
    "*Adapt2Reward: Adapting Video-Language Models to Generalizable Robotic "
    "Rewards via Failure Prompts* (ECCV 2024, "
    "[arXiv 2407.14872](https://arxiv.org/abs/2407.14872)); these are not the "
    f"authors' weights.\n\n{config['num_params']:,} parameters in "
    f"{config['dtype']}. It looks at {num_frames} frames of {size} x {size} "
    "pixels, evenly spaced, the first and the last included."
  )


def _use(config) -> str:
  instruction = json.dumps(config["instructions"][0])
  return (
    "With the project's code on the path, from this folder (TensorFlow, MuJoCo "
    "and Orbax are not needed):\n\n"
    "```python\n"
    "import numpy as np\n"
    "from a2r import reward\n"
    'model = reward.load(".")\n'
    "clips = np.zeros((1, 8, 64, 64, 3), np.uint8)  # Yours: RGB, any size.\n"
    f"print(model.score(clips, {instruction}))  # One number per clip.\n"
    "```"
  )


def _instructions(config) -> str:
  known, num = config["instructions"], config["num_trained"]
  prompts = config["model"]["num_failure_prompts"]
  learned = (
    f"each has {prompts} learned failure prompts"
    if config["failure_prompts"]
    else "failure prompts were not trained"
  )
  lines = [f"Trained, that is with robot clips ({learned}):", ""]
  lines += [f"- {text}" for text in known[:num]]
  if known[num:]:
    lines += ["", "Known from human clips alone:", ""]
    lines += [f"- {text}" for text in known[num:]]
  other = "Any other text is scored as it stands; no figure below is of such."
  return "\n".join([*lines, "", other])


def _data(config) -> str:
  record = config["record"]
  data = record["settings"]["data"]
  robot, human = data["robot"], data["human"]
  lines = [_ROBOT.get(robot["source"], f"Robot clips: {robot['source']}.")]
  if robot["source"] == "tabletop":
    lines[0] += (
      f" {robot['successes']} successes and {robot['failures']} failures of "
      f"each of {config['num_trained']} tasks, in `{robot['environment']}`."
    )
  lines.append(_HUMAN.get(human["source"], f"Human clips: {human['source']}."))
  backbone = record["backbone"] or {"init": record["settings"]["model"]["init"]}
  lines.append(
    "It started from random weights."
    if backbone["init"] == "scratch"
    else f"It started from the backbone `{backbone['init']}`"
    + (f" ({backbone['data']})" if "data" in backbone else "")
    + "."
  )
  return "\n".join(f"- {line}" for line in lines)


def _figures(record) -> str:
  settings, figures = record["settings"], record["figures"]
  if not figures:
    return (
      "**None**: these weights have not been evaluated. Nothing is known of "
      "how well they tell success from failure."
    )
  rows = [r for r in figures["summary"] if r["form"] == figures["form"]]
  rows = [{"interval": _interval(r), **r} for r in rows]
  shown = [f for f in _FIGURES if any(r[f[0]] is not None for r in rows)]
  robot = settings["data"]["robot"]
  drawn, trained = robot["source"] == "tabletop", robot.get("environment")
  lines = [
    "Area under the ROC curve (AUROC) of successes against failures, mean over "
    "tasks; 0.5 is chance. The interval is the 95 % bootstrap interval over "
    "these clips, of this one run: other seeds may differ more.",
    "",
    _table(
      ["environment", "successes", "failures", *(f[1] for f in shown)],
      [
        [
          r["environment"] + " (trained in)" * (r["environment"] == trained),
          r["num_success"],
          r["num_failure"],
          *(r[f[0]] for f in shown),
        ]
        for r in rows
      ],
    ),
    "",
    _choice(figures),
  ]
  lines += [f"\nNote: {note}" for note in figures.get("notes", ())]
  tested = settings["eval"]["environments"] if drawn else robot.get("test_path")
  if not tested:
    lines.append(
      "\nThere was no test set: the clips are those that the weights and the "
      "form were chosen on, so the figures are too good."
    )
  missing = [f[2] for f in _FIGURES if f not in shown]
  if drawn:
    missing.append("video of a real robot")
  missing += ["other instructions", "a robot that acts on this reward"]
  return "\n".join([*lines, "", f"**Not measured**: {'; '.join(missing)}."])


def _choice(figures) -> str:
  if not figures["validation"]:
    return f"Form of the reward: `{figures['form']}`, not chosen on clips."
  found = figures["validation"]
  tried = ", ".join(f"{k} {v:.3f}" for k, v in found.items())
  why = "the best on validation clips"
  if figures["form"] != max(found, key=found.get):
    why = "as validation clips show none of the instructions judged"
  form = f"Form of the reward: `{figures['form']}`"
  return f"{form}, {why} (AUROC there: {tried})."


def _meaning(config) -> str:
  return (
    f"A score is {_FORMS[config['form']]}. It orders clips of *one* "
    "instruction by *this* model: more success first. Scores of different "
    "instructions, models or forms cannot be compared, and a threshold must be "
    "set on labeled clips of your own setting."
  )


def _limits(config) -> str:
  data = config["record"]["settings"]["data"]
  lines = []
  if data["robot"]["source"] == "tabletop":
    lines.append(
      "It has seen no real robot, and no figure is of real video: expect "
      "nothing there before you have measured it on clips of your own."
    )
  lines += [
    "It sees few frames: what happens between them, or is smaller than a few "
    "pixels, is lost.",
    "Before use as a reward for learning, look for clips that score high and "
    "fail: a policy will find them.",
    "Not for safety: it does not know what must not happen.",
  ]
  if config["dtype"] != "float32":
    lines.append(
      f"The weights are rounded to {config['dtype']}; the figures are of "
      "float32 weights."
    )
  return "\n".join(f"- {line}" for line in lines)


def _making(record) -> str:
  settings = record["settings"]
  command = record["command"]
  command = f"```bash\n{command}\n```" if command else "Command: not recorded."
  shown = ", ".join(f"{k} {v}" for k, v in (record["versions"] or {}).items())
  return (
    f"Seed {settings['seed']}, weights of step {record['step']} of "
    f"{settings['train']['num_steps']}; code {record['commit'] or 'unknown'}; "
    f"{shown or 'versions unknown'}.\n\n"
    f"{command}\n\n"
    "<details><summary>All settings</summary>\n\n"
    f"```json\n{json.dumps(settings, indent=2)}\n```\n\n</details>"
  )


def _license(made: bool) -> str:
  if made:
    return "Apache License 2.0. All it learned from was made by the project."
  return (
    "That of the one who trained it, who also has to respect the terms of the "
    "data and of the backbone: enter it here and above. The code is under the "
    "Apache License 2.0."
  )


def _is_made(settings) -> bool:
  """Whether everything that was learned from is the project's own."""
  data, init = settings["data"], settings["model"]["init"]
  sources = (data["robot"]["source"], data["human"]["source"], init)
  return all(one in own for one, own in zip(sources, _MADE, strict=True))


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
  """A Markdown table; floats show three decimals, None a dash."""

  def cell(value):
    if value is None:
      return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)

  rule = ["---"] + ["---:"] * (len(header) - 1)
  lines = [header, rule, *([cell(value) for value in row] for row in rows)]
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(row: Mapping[str, Any]) -> str | None:
  """The interval of the AUROC; None where the clips are too few for one."""
  bounds = row["auroc_interval"]
  if bounds is None or min(row["num_success"], row["num_failure"]) < _FEW:
    return None
  return f"{bounds[0]:.3f}-{bounds[1]:.3f}"

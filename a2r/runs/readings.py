"""The texts of methods that know tasks by human clips: Concept2Robot and DVD.

They read no text: each is one of their labels, of which they have human clips,
or it cannot be judged.
"""

from collections.abc import Container
from typing import Any

from a2r import sim
from a2r.core import text as text_lib
from a2r.runs import datasets
from a2r.runs.data_settings import USER_SOURCES, DataSettings
from a2r.runs.sources import user
from data.ssv2 import layout


def find(data: datasets.Data, shown: Container[str]) -> dict[str, str]:
  """Text -> label: the run's texts, the plain labels, the tabletop's tasks.

  Args:
    data: the run's clips and texts.
    shown: the labels that the method has human clips of; others are left out.
  """
  plain = {layout.plain(label): label for label in data.labels}
  tasks = {}
  if data.label_by == "template":
    tasks = {task.instruction: task.template for task in sim.TASKS.values()}
  texts = dict(zip(data.texts, data.labels, strict=True))
  every = plain | tasks | texts
  return {text: label for text, label in every.items() if label in shown}


def list_instructions(
  config: Any, data: datasets.Data, shown: Container[str]
) -> list[str]:
  """One instruction for each label that the method has human clips of.

  The run's text of the label; in the tabletop, that of its task, so that a task
  which the robot did not show is not there twice.

  Args:
    config: the whole settings.
    data: the run's clips and texts.
    shown: see `find`.
  """
  own_texts = dict(zip(data.labels, data.texts, strict=True))
  if config.data.robot.source == "tabletop" and data.label_by == "template":
    tasks = {task.template: task.instruction for task in sim.TASKS.values()}
    own_texts = {c: tasks.get(c, text) for c, text in own_texts.items()}
  return [text for label, text in own_texts.items() if label in shown]


def check(config: Any, data: datasets.Data, readings: dict[str, str]):
  """Fails before training where the run will be judged by a text of no label.

  Args:
    config: the whole settings.
    data: the run's clips and texts.
    readings: what `find` returns.

  Raises:
    ValueError: names these texts, and those that can be judged.
  """
  asked = [*data.validation.instruction, *_find_test_texts(config)]
  known = list(readings)
  lacking = [
    repr(str(text))
    for text in dict.fromkeys(asked)
    if text_lib.find_instruction(text, known) is None
  ]
  if lacking:
    raise ValueError(
      f"{config.method} cannot judge {', '.join(lacking)}: no human clips of "
      f"it; it can judge {', '.join(map(repr, known))}"
    )


def _find_test_texts(config):
  """The instructions of `datasets.open_test`'s clips."""
  if config.data.robot.source not in USER_SOURCES:
    used = config.eval.tasks if config.eval.environments else ()
    return [sim.TASKS[name].instruction for name in used]
  if not config.data.robot.test_path:
    return []
  settings = DataSettings.from_config(config.data)
  dataset, _ = user.open_robot(settings, key="test_path")
  return dataset.instruction.tolist()

"""Which column of the clips tells the tasks of a run apart, and their texts."""

from data.dataset import Dataset
from data.ssv2 import layout


def choose_column(robot: Dataset, human: Dataset | None) -> str:
  """'template' where all clips have one and it tells the robot tasks apart."""
  pairs = set(zip(robot.template, robot.instruction, strict=True))
  templates = [template for template, _ in pairs]
  used = templates + ([] if human is None else human.template.tolist())
  apart = len(set(templates)) == len(pairs)
  return "template" if all(used) and apart else "instruction"


def find_labels(
  robot: Dataset, human: Dataset | None, label_by: str
) -> tuple[list[str], list[str]]:
  """Labels, robot tasks first, and the instruction of each."""
  texts = {}
  for label, text in zip(
    getattr(robot, label_by), robot.instruction, strict=True
  ):
    texts.setdefault(str(label), str(text))
  for label in [] if human is None else getattr(human, label_by):
    texts.setdefault(str(label), layout.plain(str(label)))
  return list(texts), list(texts.values())

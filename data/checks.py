"""Checks of the data before anything is compiled.

Each fault is a ValueError of one line: where it is, what is wrong, what to do.
Letters: N clips.
"""

from collections.abc import Sequence

import numpy as np

from data import text
from data.dataset import Dataset, label_rows
from data.ssv2 import layout


def check_data(
  robot: Dataset,
  human: Dataset | None,
  *,
  instructions: Sequence[str],
  num_trained: int,
  use_failures: bool = True,
  label_by: str = "instruction",
):
  """Checks all that can be wrong with the clips of a training run.

  Args:
    robot: robot clips, successes and failures.
    human: human clips; None where none are used.
    instructions: the run's labels, robot tasks first.
    num_trained: how many of them are robot tasks.
    use_failures, label_by: as for `check_tasks`.

  Raises:
    ValueError: the first fault found.
  """
  check_clips(robot)
  check_tasks(
    robot,
    instructions=instructions[:num_trained],
    use_failures=use_failures,
    label_by=label_by,
  )
  if human is not None:
    check_clips(human)
    check_human(human)
    label_rows(human, instructions, label_by)
  for label in instructions:
    if list(instructions).count(label) > 1:
      raise ValueError(f"the instruction {label!r} is listed twice")
  if len(instructions) < 2:
    raise ValueError(
      f"one class only ({list(instructions)}): every pair of clips would be a "
      "positive one; add a second task or human clips of other templates"
    )


def check_clips(dataset: Dataset):
  """Checks texts and pictures of every clip, human or robot.

  Raises:
    ValueError: no clips, an empty instruction, an instruction that is not its
      template's, a task with two instructions, or pictures of several sizes.
  """
  if not len(dataset):
    raise ValueError(f"{dataset.files[0].parent}: no clips")
  dataset.picture_size()
  empty = [not str(words).strip() for words in dataset.instruction]
  if any(empty):
    raise dataset.error(empty.index(True), "its instruction is empty")
  # In published captions other words than 'something' are filled, such as
  # 'part' in 'Moving part of something'.
  filled = dataset.select(dataset.environment != layout.ENVIRONMENT)
  pairs = zip(
    filled.template.tolist(), filled.instruction.tolist(), strict=True
  )
  rows = {}  # The first of each pair.
  for row, pair in enumerate(pairs):
    rows.setdefault(pair, row)
  for (template, words), row in rows.items():
    fit = text.fits(template, words) or text.reads_as(template, words)
    if template and not fit:
      problem = f"{words!r} is not its template {template!r} filled"
      raise filled.error(row, f"its instruction {problem}")
  first = {}
  for row, task in enumerate(dataset.task.tolist()):
    known = first.setdefault(task, row)
    here, there = (str(dataset.instruction[r]) for r in (row, known))
    if task and here != there:
      file, number = dataset.where(known)
      raise dataset.error(
        row,
        f"task {task!r} has the instruction {here!r} here and {there!r} in "
        f"{file.name}, record {number}",
      )


def check_tasks(
  robot: Dataset,
  *,
  instructions: Sequence[str],
  use_failures: bool = True,
  label_by: str = "instruction",
  where: str = "",
):
  """Checks that every task has successes, and failures where they are used.

  Args:
    robot: robot clips, successes and failures.
    instructions: labels of the robot tasks, and of no other clips.
    use_failures: whether failed robot clips are trained on.
    label_by: 'instruction' or 'template'.
    where: what the user knows the clips by; their folder where it is ''.
  """
  folder = where or robot.files[0].parent
  labels = label_rows(robot, instructions, label_by)
  for place, instruction in enumerate(instructions):
    of_task = robot.success[labels == place]
    num_successes, num_failures = int(of_task.sum()), int((~of_task).sum())
    counts = f"{num_successes} successes and {num_failures} failures"
    if not num_successes:
      raise ValueError(
        f"{folder}: {instruction!r} has {counts}: without a success there is "
        "nothing to learn it from; add successful clips or drop the task"
      )
    if use_failures and not num_failures:
      raise ValueError(
        f"{folder}: {instruction!r} has {counts}: failure prompts need "
        "failures; add failed clips or train without any "
        "(--config.loss.weights.fvlc=0 --config.loss.weights.bce=0)"
      )


def check_human(human: Dataset):
  """Checks that all human clips show what their instruction says."""
  if not human.success.all():
    row = int(np.flatnonzero(~human.success)[0])
    raise human.error(row, "a human clip marked as a failure")

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
  """Everything that can be wrong with the clips of a training run.

  Args:
    robot: robot clips, successes and failures.
    human: human clips; None where none are used.
    instructions: the run's labels, robot tasks first.
    num_trained: how many of them are robot tasks.
    use_failures: whether failed robot clips are trained on.
    label_by: 'instruction' or 'template', see `data.pipeline`.

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
  if len(set(instructions)) != len(instructions):
    twice = next(i for i in instructions if list(instructions).count(i) > 1)
    raise ValueError(f"the instruction {twice!r} is listed twice")
  if len(instructions) < 2:
    raise ValueError(
      f"one class only ({list(instructions)}): every pair of clips would be a "
      "positive one; add a second task or human clips of other templates"
    )


def check_clips(dataset: Dataset):
  """Texts and pictures of every clip, human or robot.

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
  pairs = zip(filled.template, filled.instruction, strict=True)
  fitting = {
    pair: text.fits(*map(str, pair)) or text.reads_as(*map(str, pair))
    for pair in set(pairs)
  }
  for (template, instruction), fit in fitting.items():
    if template and not fit:
      wrong = (filled.template == template) & (
        filled.instruction == instruction
      )
      raise filled.error(
        int(np.flatnonzero(wrong)[0]),
        f"its instruction {str(instruction)!r} is not its template "
        f"{str(template)!r} filled",
      )
  _check_one_instruction_per_task(dataset)


def check_tasks(
  robot: Dataset,
  *,
  instructions: Sequence[str],
  use_failures: bool = True,
  label_by: str = "instruction",
  where: str = "",
):
  """Every task has successes, and failures where they are used.

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
  """Human clips show what their instruction says, all of them."""
  if not human.success.all():
    row = int(np.flatnonzero(~human.success)[0])
    raise human.error(row, "a human clip marked as a failure")


def _check_one_instruction_per_task(dataset: Dataset):
  first = {}
  for row, (task, words) in enumerate(
    zip(dataset.task, dataset.instruction, strict=True)
  ):
    if not task:
      continue
    known = first.setdefault(str(task), row)
    if dataset.instruction[known] != words:
      file, number = dataset.where(known)
      raise dataset.error(
        row,
        f"task {str(task)!r} has the instruction {str(words)!r} here and "
        f"{str(dataset.instruction[known])!r} in {file.name}, record {number}",
      )

"""The user's own robot clips: opened and labeled.

What is decided here for the user is told: every function that decides returns
notes, which a run prints and keeps in its report.
"""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from a2r.evaluation import labeled
from a2r.runs import split
from data import checks, store, text
from data.dataset import Dataset, open_dataset
from data.readers import base, folder, lerobot, rlds

# A data set of another format: one file in data/readers, one row here.
READERS = {
  "folder": folder.open_clips,
  "lerobot": lerobot.open_clips,
  "rlds": rlds.open_clips,
}
SOURCES = ("records", *READERS)
# Of either outcome: fewer clips choose neither a checkpoint nor a form.
_ENOUGH_TO_CHOOSE = 10


def find_path(own: Any, name: str, key: str = "path") -> pathlib.Path:
  """What the settings say is on disk.

  Args:
    own: the settings under `robot` or `human`.
    name: 'robot' or 'human'.
    key: which of the paths in `own`.

  Raises:
    ValueError: no path.
    FileNotFoundError: nothing is there.
  """
  if not own[key]:
    raise ValueError(
      f"data.{name}.source={own.source!r} needs --config.data.{name}.{key}=..."
    )
  path = pathlib.Path(own[key]).expanduser()
  if not path.exists():
    raise FileNotFoundError(f"data.{name}.{key}: {path} is not there")
  return path


def open_clips(
  config: Any, own: Any, name: str, *, key: str = "path"
) -> tuple[Dataset, list[str]]:
  """Clips of the user's, stored as records where they are not yet; and notes.

  Args:
    config: the settings under `data`.
    own: see `find_path`, as the others are.
    name: first part of the shards' names.
    key: which path.

  Raises:
    ValueError: besides what `find_path` says, a clip that cannot be read.
  """
  path = find_path(own, name, key)
  if own.source == "records":
    return open_dataset(path, name), []
  options = base.Options(
    num_frames=config.stored_frames,
    **{
      field.name: own[field.name]
      for field in dataclasses.fields(base.Options)
      if field.name in own
    },
  )
  clips = READERS[own.source](path, options)
  path = store.store_clips(
    clips, config.dir, name, image_size=config.image_size
  )
  return open_dataset(path, name), list(clips.notes)


def open_robot(config: Any, *, key: str = "path") -> tuple[Dataset, list[str]]:
  """The robot clips of the tasks that are asked for (all if none is named).

  Args:
    config: the settings under `data`.
    key: 'path' or 'test_path'.

  Returns:
    The clips and notes.

  Raises:
    ValueError: besides what `open_clips` says, a task that is not there, or
      clips that make no sense.
  """
  robot = config.robot
  dataset, notes = open_clips(config, robot, "robot", key=key)
  known = sorted(set(dataset.task.tolist()))
  missing = [task for task in robot.tasks if task not in known]
  if missing and key == "path":
    raise ValueError(
      f"data.robot.tasks: {missing} are not in {robot[key]}; it has {known} "
      "(an empty list takes them all)"
    )
  if robot.tasks:
    dataset = dataset.select(np.isin(dataset.task, list(robot.tasks)))
  checks.check_clips(dataset)
  if key == "path":
    instructions = list(dict.fromkeys(dataset.instruction.tolist()))
    checks.check_tasks(
      dataset, instructions=instructions, use_failures=False, where=robot.path
    )
  return dataset, notes


def choose_human(dataset: Dataset, human: Any, seed: int) -> Dataset:
  """At most `clips_per_template` clips of each template, 0 takes all.

  Of all templates that there are where none is listed; a clip without one
  counts by its instruction.

  Args:
    dataset: the human clips.
    human: the settings under `human`.
    seed: of the choice.

  Raises:
    ValueError: a template without clips.
  """
  of = np.where(dataset.template == "", dataset.instruction, dataset.template)
  templates = human.templates or dict.fromkeys(of.tolist())
  order = np.random.default_rng(seed).permutation(len(dataset))
  most = human.clips_per_template or None
  rows = {t: order[of[order] == t][:most] for t in templates}
  empty = [template for template in rows if not len(rows[template])]
  if empty:
    raise ValueError(f"{human.path}: no clips of the templates {empty}")
  return dataset.select(np.sort(np.concatenate(list(rows.values()))))


def match_templates(
  robot: Dataset, templates: Iterable[str]
) -> tuple[Dataset, list[str]]:
  """Finds the template of every clip that came without one.

  A clip whose instruction reads as none of them gets its instruction: it is
  then a task of its own.

  Args:
    robot: the clips.
    templates: those of the human clips.

  Returns:
    The clips with all templates, and notes.
  """
  templates, notes = list(templates), []
  column = robot.template.astype(object)
  for instruction in dict.fromkeys(robot.instruction[column == ""].tolist()):
    found = text.find_template(instruction, templates)
    here = (column == "") & (robot.instruction == instruction)
    column[here] = found or instruction
    notes.append(
      f"{instruction!r} is taken for {found!r}: human clips of that template "
      "are clips of the same task"
      if found
      else f"{instruction!r} reads as no template of the human clips: it is a "
      "task of the robot's alone"
    )
  return dataclasses.replace(robot, template=column.astype(str)), notes


def lacking_losses(robot: Dataset) -> tuple[tuple[str, ...], list[str]]:
  """The losses that must be left out for want of failed clips, and notes."""
  tasks = dict.fromkeys(robot.task.tolist())
  without = [t for t in tasks if robot.success[robot.task == t].all()]
  if not without:
    return (), []
  if len(without) < len(tasks):
    return ("fvlc",), [
      f"NO FAILURES of {', '.join(map(repr, without))}: the run goes on "
      "without failure prompts, as with --config.loss.weights.fvlc=0. Add "
      "failed clips of every task to have them"
    ]
  return ("fvlc", "bce"), [
    "NO FAILURES: no clip to train on is a failure, so the reward learns from "
    "successes alone, as with --config.loss.weights.fvlc=0 "
    "--config.loss.weights.bce=0. It may well reward failures, and no figure "
    "below would show it. Add failed clips"
  ]


def label(
  clips: labeled.LabeledClips, dataset: Dataset, place: str
) -> labeled.LabeledClips:
  """The clips with a name each, and with `place` where no place was given."""
  names = [
    str(name) or f"{file.name}, record {number}"
    for name, (file, number) in zip(
      dataset.name, map(dataset.where, range(len(dataset))), strict=True
    )
  ]
  environment = np.where(clips.environment == "", place, clips.environment)
  return dataclasses.replace(
    clips, name=np.array(names, object), environment=environment
  )


def shared_clips(config: Any, crcs: np.ndarray) -> list[str]:
  """Notes: whether some test clips are among those given to train on.

  Args:
    config: the settings under `data`; without a test path there is no note.
    crcs: of the clips given to train on, see `split.pictures_crcs`.
  """
  if not config.robot.test_path:
    return []
  test, _ = open_robot(config, key="test_path")
  same = int(np.isin(split.pictures_crcs(test), crcs).sum())
  return [
    f"{same} of the {len(test)} test clips are among the clips to learn from "
    "too: the figures are too good"
  ] * bool(same)


def can_choose(validation: labeled.LabeledClips, own: bool) -> bool:
  """Whether the validation clips choose the checkpoint and the form.

  Args:
    validation: the clips.
    own: whether they are the user's, who may have too few for it.
  """
  both = [
    task
    for task in dict.fromkeys(validation.task.tolist())
    if len(set(validation.success[validation.task == task].tolist())) == 2
  ]
  good = int(validation.success.sum())
  fewest = min(good, len(validation) - good)
  return bool(both) and (not own or fewest >= _ENOUGH_TO_CHOOSE)


def judging_notes(
  judged: labeled.LabeledClips, *, is_held_out: bool, chosen: bool
) -> list[str]:
  """What there is to say of the clips that a run is judged on.

  Args:
    judged: the clips, of a test manifest or held out.
    is_held_out: whether they are the clips held out of training.
    chosen: whether the held-out clips chose the checkpoint and the form.
  """
  more = "name others with --config.data.robot.test_path=..."
  if not len(judged):
    return [f"No clip was held out, so there is no figure: {more}"]
  notes = []
  for task in dict.fromkeys(judged.task.tolist()):
    success = judged.success[judged.task == task]
    counts = int(success.sum()), int((~success).sum())
    if not all(counts):
      notes.append(
        f"No AUROC for {task!r}: it is judged on {counts[0]} successes and "
        f"{counts[1]} failures, and needs both; {more}"
      )
  counts = int(judged.success.sum()), int((~judged.success).sum())
  if all(counts) and min(counts) < _ENOUGH_TO_CHOOSE:
    notes.append(
      f"The figures are made of {counts[0]} successes and {counts[1]} failures "
      f"and may be luck; {more}"
    )
  if is_held_out and chosen:
    notes.append(
      "The same held-out clips chose the checkpoint and the form, which "
      f"flatters the figures; {more}"
    )
  return notes

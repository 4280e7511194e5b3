"""The user's own clips: opened and labeled.

What is decided here for the user is told: every function that decides returns
notes, which a run prints and keeps in its report.
"""

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np
from absl import logging

from a2r.core import checks as core_checks
from a2r.evaluation import labeled
from a2r.models import familiarity
from a2r.runs import data_settings, split
from a2r.runs.data_settings import DataSettings, HumanSettings, RobotSettings
from data import checks, store, text
from data.dataset import Dataset, open_dataset
from data.readers import base

# Of either outcome: fewer clips select neither a checkpoint nor a form.
ENOUGH_TO_SELECT = 10
_NO_SOURCES = ("video", "expert")  # Which say nothing of a failure.


def find_path(
  settings: RobotSettings | HumanSettings, name: str, key: str = "path"
) -> pathlib.Path:
  """Returns the path under `key` of the settings of `name`'s clips.

  Raises:
    ValueError: no path.
    FileNotFoundError: nothing is there.
  """
  path = getattr(settings, key)
  if not path:
    raise ValueError(
      f"data.{name}.source={settings.source!r} needs "
      f"--config.data.{name}.{key}=..."
    )
  path = core_checks.path(path)
  if not path.exists():
    raise FileNotFoundError(f"data.{name}.{key}: {path} is not there")
  return path


def open_clips(
  settings: DataSettings, name: str, *, key: str = "path"
) -> tuple[Dataset, list[str]]:
  """Opens clips, stored as records where they are not yet; and notes.

  Raises:
    ValueError: besides what `find_path` says, a clip that cannot be read.
  """
  clip_settings = getattr(settings, name)
  source = clip_settings.source
  path = find_path(clip_settings, name, key)
  if source == "records":
    return open_dataset(path, name), []
  values = vars(clip_settings) | {"num_frames": settings.stored_frames}
  options = data_settings.make_record(base.Options, values)
  clips = data_settings.READERS[source](path, options)
  path = store.store_clips(
    clips, settings.dir, name, image_size=settings.image_size
  )
  notes = [*clips.notes, *store.clip_notes(path, clips)]
  return open_dataset(path, name), notes


def open_robot(
  settings: DataSettings, *, key: str = "path"
) -> tuple[Dataset, list[str]]:
  """Opens the robot clips of the tasks asked for, all if none is; and notes.

  Raises:
    ValueError: besides what `open_clips` says, a task that is not there, or
      clips that make no sense.
  """
  robot = settings.robot
  for_training = key == "path"
  dataset, notes = open_clips(settings, "robot", key=key)
  known = sorted(set(dataset.task.tolist()))
  missing = [task for task in robot.tasks if task not in known]
  if missing and for_training:
    raise ValueError(
      f"data.robot.tasks: {missing} are not in {robot.path}; it has {known} "
      "(an empty list takes them all)"
    )
  if robot.tasks:
    dataset = dataset.select(np.isin(dataset.task, list(robot.tasks)))
  checks.check_clips(dataset)
  if for_training:
    instructions = list(dict.fromkeys(dataset.instruction.tolist()))
    # Where successes are missing, what tells success may be the reason.
    told = "; ".join(note for note in notes if "success" in note)
    where = f"{robot.path} ({told})" if told else robot.path
    checks.check_tasks(
      dataset, instructions=instructions, use_failures=False, where=where
    )
  return dataset, notes


def open_human(settings: DataSettings, seed: int) -> Dataset:
  """Opens at most `clips_per_template` human clips of each template.

  Of all templates that there are where none is listed; a clip without one
  counts by its instruction. The seed is that of the choice.

  Raises:
    ValueError: besides what `open_clips` says, a template without clips.
  """
  human = settings.human
  dataset, notes = open_clips(settings, "human")
  for note in notes:
    logging.warning("human clips: %s", note)
  names = np.where(
    dataset.template == "", dataset.instruction, dataset.template
  )
  templates = human.templates or dict.fromkeys(names.tolist())
  order = np.random.default_rng(seed).permutation(len(dataset))
  most = human.clips_per_template or None
  rows = {t: order[names[order] == t][:most] for t in templates}
  empty = [template for template in rows if not len(rows[template])]
  if empty:
    raise ValueError(f"{human.path}: no clips of the templates {empty}")
  return dataset.select(np.sort(np.concatenate(list(rows.values()))))


def match_templates(
  robot: Dataset, templates: Iterable[str]
) -> tuple[Dataset, list[str]]:
  """Finds the template of every clip that came without one; also notes.

  A clip whose instruction reads as none of the human clips' `templates` gets
  its instruction: it is then a task of its own.
  """
  templates, notes = list(templates), []
  column = robot.template.astype(object)
  taken, alone = [], []
  for instruction in dict.fromkeys(robot.instruction[column == ""].tolist()):
    template = text.find_template(instruction, templates)
    here = (column == "") & (robot.instruction == instruction)
    column[here] = template or instruction
    if template:
      taken.append(f"{instruction!r} for {template!r}")
    else:
      alone.append(repr(instruction))
  if taken:
    notes.append(
      f"taken for templates of the human clips, whose clips are of the same "
      f"task: {', '.join(taken)}"
    )
  if alone:
    notes.append(
      f"tasks of the robot's alone, which read as no template of the human "
      f"clips: {', '.join(alone)}"
    )
  return dataclasses.replace(robot, template=column.astype(str)), notes


def disabled_losses(robot: Dataset) -> tuple[tuple[str, ...], list[str]]:
  """Returns the losses that lack failed clips to train on, and notes."""
  tasks = dict.fromkeys(robot.task.tolist())
  lacking = [t for t in tasks if robot.success[robot.task == t].all()]
  if not lacking:
    return (), []
  if len(lacking) < len(tasks):
    return ("fvlc",), [
      f"NO FAILURES of {', '.join(map(repr, lacking))}: the run goes on "
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
  """Names each clip, and gives it `place` where it has no environment."""
  names = []
  for row, name in enumerate(dataset.name):
    file, number = dataset.where(row)
    names.append(str(name) or f"{file.name}, record {number}")
  environment = np.where(clips.environment == "", place, clips.environment)
  return dataclasses.replace(
    clips, name=np.array(names, object), environment=environment
  )


def test_notes(settings: DataSettings, crcs: np.ndarray) -> list[str]:
  """Returns notes on the test clips, and whether some are trained on.

  Those are known by their `crcs`, see `split.pictures_crcs`; without a test
  path there is no note.
  """
  if not settings.robot.test_path:
    return []
  test, notes = open_robot(settings, key="test_path")
  same = int(np.isin(split.pictures_crcs(test), crcs).sum())
  if not same:
    return notes
  return notes + [
    f"{same} of the {len(test)} test clips are among the clips to learn from "
    "too: the figures are too good"
  ]


def can_select(validation: labeled.LabeledClips, is_users: bool) -> bool:
  """Returns whether the validation clips select the checkpoint and the form.

  Those of the user's, `is_users`, may be too few for it.
  """
  success = validation.success
  both = any(
    len(set(success[validation.task == task].tolist())) == 2
    for task in set(validation.task.tolist())
  )
  fewest = min(int(success.sum()), int((~success).sum()))
  return both and (not is_users or fewest >= ENOUGH_TO_SELECT)


def familiarity_notes(
  judged: labeled.LabeledClips, near: np.ndarray
) -> list[str]:
  """Returns a note where clips are unlike those of training.

  Args:
    judged: N clips.
    near: `[N]`, see `a2r.models.familiarity`.
  """
  parts = []
  for place in dict.fromkeys(judged.environment.tolist()):
    here = judged.environment == place
    strange = int((near[here] < familiarity.TRUSTED).sum())
    if strange:
      parts.append(f"{strange} of {int(here.sum())} from {place}")
  if not parts:
    return []
  return [
    "Unlike every robot clip to learn from, so that their rewards are not to "
    f"be trusted: {', '.join(parts)}"
  ]


def judging_notes(
  judged: labeled.LabeledClips, *, is_held_out: bool, selected: bool
) -> list[str]:
  """Returns notes on the clips that a run is judged on.

  Args:
    judged: the clips, of a test manifest or held out.
    is_held_out: whether they are the clips held out of training.
    selected: whether the held-out clips selected the checkpoint and the form.
  """
  more = "name others with --config.data.robot.test_path=..."
  if not len(judged):
    return [f"No clip was held out, so there is no figure: {more}"]
  notes, lacking = [], []
  for task in dict.fromkeys(judged.task.tolist()):
    success = judged.success[judged.task == task]
    counts = int(success.sum()), int((~success).sum())
    if not all(counts):
      lacking.append(f"{task!r} ({counts[0]} successes, {counts[1]} failures)")
  if lacking:
    notes.append(
      f"No AUROC for {', '.join(lacking)}: it takes both to judge on; {more}"
    )
  known = {*labeled.NEAR_SOURCES, *labeled.RANDOM_SOURCES, *_NO_SOURCES}
  others = {*judged.source[~judged.success].tolist()} - known
  if others:
    notes.append(
      f"Failures of the sources {sorted(others)} are in no column of their own:"
      f" near misses are {', '.join(labeled.NEAR_SOURCES)}, random ones "
      f"{', '.join(labeled.RANDOM_SOURCES)}"
    )
  counts = int(judged.success.sum()), int((~judged.success).sum())
  if all(counts) and min(counts) < ENOUGH_TO_SELECT:
    notes.append(
      f"The figures are made of {counts[0]} successes and {counts[1]} failures "
      f"and may be luck; {more}"
    )
  if is_held_out and selected:
    notes.append(
      "The same held-out clips chose the checkpoint and the form, which "
      f"flatters the figures; {more}"
    )
  return notes

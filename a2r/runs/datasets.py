"""The data of a training run: made, found or taken from the user's folders.

Letters: I labels of a run, M of them with robot clips (the first ones).
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

from a2r import sim
from a2r.evaluation import labeled
from a2r.runs import data_settings
from a2r.runs import settings as run_settings
from a2r.runs import split as split_lib
from a2r.runs.data_settings import DataSettings
from a2r.runs.sources import human as human_source
from a2r.runs.sources import ssv2, user, worlds
from a2r.sim.humans import human_clips, people
from data import checks as data_checks
from data import pipeline
from data.dataset import Dataset
from data.ssv2 import layout


class Data(NamedTuple):
  """What a run learns from and is judged on while it learns.

  Attributes:
    robot: training clips of the robot, successes and failures.
    human: human clips; None where there are none.
    validation: robot clips that are not trained on.
    labels: I of them; what a clip's `label_by` column holds, robot tasks first.
    texts: I instructions, one for each label.
    num_trained: M.
    label_by: 'template' (clips with other objects are one task) or
      'instruction'.
    use_for_selection: whether the validation clips select the checkpoint and
      the form.
    disabled_losses: losses that are left out, for they lack failed clips.
    notes: what was decided for the user, one line each.
    digests: what tells the user's clips from others, by the key of their path.
  """

  robot: Dataset
  human: Dataset | None
  validation: labeled.LabeledClips
  labels: list[str]
  texts: list[str]
  num_trained: int
  label_by: str
  use_for_selection: bool = True
  disabled_losses: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  digests: Mapping[str, str] = types.MappingProxyType({})


def check(settings: DataSettings, evaluation: Any = None):
  """Fails where clips are asked for that cannot be; opens and makes none.

  Args:
    settings: of the run.
    evaluation: what a config has under `eval`; None: no robot is judged.

  Raises:
    ValueError: settings that make no sense; says which.
    FileNotFoundError: a folder of the user's that is not there.
  """
  robot, human = settings.robot, settings.human
  is_users = robot is not None and robot.is_users
  if is_users:
    for key in ("path", *["test_path"] * bool(robot.test_path)):
      user.find_path(robot, "robot", key)
  elif robot is not None:
    _make_specs(settings, evaluation)
  if human.source == "procedural":
    templates = human.templates
    if is_users:  # Those of its own instructions are added.
      templates = templates or human_clips.TEMPLATES
    changed = run_settings.change_human(settings, templates=templates)
    _human_spec(changed, 0)
  elif human.source != "none":
    user.find_path(human, "human")


def open_data(settings: DataSettings, *, seed: int, use_failures: bool) -> Data:
  """Opens the clips of a run, after making those that are to be made.

  Args:
    settings: what to open.
    seed: of the clips that are made for training.
    use_failures: whether failed robot clips are trained on.

  Raises:
    ValueError: settings or clips that make no sense; says where and what to do.
    FileNotFoundError: a folder of the user's that is not there.
  """
  disabled, notes, digests = (), [], {}
  is_users = settings.robot.is_users
  if is_users:
    robot, human, notes = _open_users(settings, seed)
    crcs = split_lib.pictures_crcs(robot)
    digests["data.robot.path"] = split_lib.digest(robot, crcs)
    more = user.test_notes(settings, crcs)
    notes += [note for note in more if note not in notes]
    # Where others are judged on, held-out clips only choose.
    least = user.ENOUGH_TO_SELECT if settings.robot.test_path else 0
    robot, held_out, more = split_lib.split_validation(
      robot, crcs, settings.validation, seed, least=least
    )
    notes += more
    if use_failures:
      disabled, more = user.disabled_losses(robot)
      notes += more
  else:
    specs = _make_specs(settings, seed=seed)
    robot = worlds.collect(specs["train"], settings.dir)
    held_out = worlds.collect(specs["validation"], settings.dir)
    human = open_human(settings, seed)
  if settings.human.source not in ("procedural", "none"):
    digests["data.human.path"] = split_lib.digest(human, human.crc)
  label_by, texts = _find_labels(robot, human)
  num_trained = len(set(getattr(robot, label_by).tolist()))
  data_checks.check_data(
    robot,
    human,
    instructions=list(texts),
    num_trained=num_trained,
    use_failures=use_failures and not disabled,
    label_by=label_by,
  )
  validation = load_labeled(held_out, settings)
  if is_users:
    validation = user.label(validation, held_out, "held-out clips")
  return Data(
    robot=robot,
    human=human,
    validation=validation,
    labels=list(texts),
    texts=list(texts.values()),
    num_trained=num_trained,
    label_by=label_by,
    use_for_selection=user.can_select(validation, is_users),
    disabled_losses=disabled,
    notes=tuple(notes),
    digests=digests,
  )


def open_human(
  settings: DataSettings, seed: int, *, split: str = "train"
) -> Dataset | None:
  """Opens the human clips of a run alone, made where they are to be made.

  Args:
    settings: of the run; `robot` and `validation` are not read.
    seed: of the clips that are made, and of the choice where there are more
      than `human.clips_per_template`.
    split: of Something-Something V2, see `a2r.runs.sources.ssv2`.

  Returns:
    The clips; None where `human.source` is 'none'.

  Raises:
    ValueError: settings or clips that make no sense.
    FileNotFoundError: a folder of the user's that is not there.
  """
  human = settings.human
  if human.source == "none":
    return None
  if human.source == "procedural":
    return human_source.collect(_human_spec(settings, seed), settings.dir)
  if human.source == "ssv2":
    path = user.find_path(human, "human")
    return ssv2.open_split(settings, path, split=split)
  return user.open_human(settings, seed)


def count_human(settings: DataSettings, *, split: str = "train") -> int | None:
  """Returns how many clips `open_human` opens at most, before any is made.

  None where only opening them tells. Arguments and errors are its own.
  """
  human = settings.human
  if human.source == "procedural":
    return len(human.templates) * human.clips_per_template
  if human.source == "ssv2":
    path = user.find_path(human, "human")
    return ssv2.count(settings, path, split=split)
  return None


def open_test(
  settings: DataSettings, evaluation: Any
) -> labeled.LabeledClips | None:
  """Opens the clips that a finished run is judged on, made where missing.

  They are the same whatever the run's seed. None if no environment is listed,
  or no test path of the user's own clips.

  Args:
    settings: of the run.
    evaluation: what a config has under `eval`.
  """
  if settings.robot.is_users:
    if not settings.robot.test_path:
      return None
    dataset, _ = user.open_robot(settings, key="test_path")
    return user.label(load_labeled(dataset, settings), dataset, "test clips")
  specs = _make_specs(settings, evaluation)
  clips = [
    load_labeled(worlds.collect(specs[name], settings.dir), settings)
    for name in evaluation.environments
  ]
  return labeled.concatenate(clips) if clips else None


def make_all(config: Any, folder: str | None = None) -> str:
  """Makes all clips that a run with a config would make; returns their folder.

  Args:
    config: as configs/envgen.py gives it.
    folder: where instead of `data.dir`.
  """
  data = DataSettings.from_config(config.data)
  if folder:
    data = dataclasses.replace(data, dir=folder)
  check(data, config.eval)
  use_failures = config.train.batch.failure > 0
  open_data(data, seed=config.seed, use_failures=use_failures)
  open_test(data, config.eval)
  return data.dir


def load_labeled(
  dataset: Dataset, settings: DataSettings
) -> labeled.LabeledClips:
  """Loads all clips of a data set, as they are stored; none is fine."""
  frames = pipeline.load_frames(dataset, **settings.sizes)
  names = ("success", "source", "task", "instruction", "environment")
  columns = {name: getattr(dataset, name) for name in names}
  return labeled.LabeledClips(frames=frames, **columns)


def _make_specs(
  settings: DataSettings, evaluation: Any = None, seed: int = 0
) -> dict[str, worlds.RobotSpec]:
  """What is made in the simulator: 'train', 'validation', test environments."""
  values = vars(settings.robot) | settings.sizes
  values["tasks"] = values["tasks"] or tuple(sim.TARGETS)

  def make(purpose, counts, **changes):
    counts = {name: counts[name] for name in ("successes", "failures")}
    changes |= {"purpose": purpose, **counts}
    return data_settings.make_record(worlds.RobotSpec, values | changes)

  specs = {
    "train": make("train", values, seed=seed),
    "validation": make("validation", vars(settings.validation)),
  }
  if evaluation is not None:
    # Those to be judged on are always alike.
    del values["random_sources"], values["success_sources"]
    for name in evaluation.environments:
      tasks = tuple(evaluation.tasks)
      specs[name] = make("test", evaluation, environment=name, tasks=tasks)
  return specs


def _human_spec(settings: DataSettings, seed: int) -> human_source.HumanSpec:
  values = vars(settings.human) | settings.sizes | {"seed": seed}
  return data_settings.make_record(human_source.HumanSpec, values)


def _open_users(
  settings: DataSettings, seed: int
) -> tuple[Dataset, Dataset | None, list[str]]:
  """The user's robot clips, human clips to go with them, and notes.

  Where human clips are made, some are made of each template that an
  instruction of the robot's reads as.
  """
  robot, notes = user.open_robot(settings)
  if settings.human.source == "procedural":
    robot, more = user.match_templates(robot, people.TEMPLATES)
    templates = [t for t in people.TEMPLATES if t in robot.template]
    templates = tuple(dict.fromkeys([*settings.human.templates, *templates]))
    changed = run_settings.change_human(settings, templates=templates)
    human = open_human(changed, seed)
  else:
    human = open_human(settings, seed)
    templates = [] if human is None else sorted(set(human.template) - {""})
    robot, more = user.match_templates(robot, map(str, templates))
  return robot, human, notes + more


def _find_labels(
  robot: Dataset, human: Dataset | None
) -> tuple[str, dict[str, str]]:
  """The column of the labels; and labels, robot tasks first, with their texts.

  It is 'template' where all clips have one and it tells the robot tasks apart.
  """
  pairs = set(zip(robot.template, robot.instruction, strict=True))
  templates = [template for template, _ in pairs]
  used = templates + ([] if human is None else human.template.tolist())
  apart = len(set(templates)) == len(pairs)
  label_by = "template" if all(used) and apart else "instruction"
  texts = {}
  labels = getattr(robot, label_by)
  for label, text in zip(labels, robot.instruction, strict=True):
    texts.setdefault(str(label), str(text))
  for label in [] if human is None else getattr(human, label_by):
    texts.setdefault(str(label), layout.plain(str(label)))
  return label_by, texts

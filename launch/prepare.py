"""The data of a training run: made, found or taken from the user's folders.

Letters: I labels of a run, M of them with robot clips (the first ones).
"""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from a2r import sim
from a2r.evaluation import labeled
from data import checks, folder, pipeline
from data.dataset import Dataset, open_dataset
from data.ssv2 import layout
from launch import collecting, ssv2_clips

ROBOT_SOURCES = ("tabletop", "records", "folder")
HUMAN_SOURCES = ("procedural", "ssv2", "records", "folder", "none")


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
  """

  robot: Dataset
  human: Dataset | None
  validation: labeled.LabeledClips
  labels: list[str]
  texts: list[str]
  num_trained: int
  label_by: str


def open_data(config: Any, *, seed: int, use_failures: bool) -> Data:
  """Opens the clips of a run, after making those that are to be made.

  Args:
    config: the settings under `data`.
    seed: of the clips that are made for training.
    use_failures: whether failed robot clips are trained on.

  Raises:
    ValueError: settings or clips that make no sense; says where and what to do.
    FileNotFoundError: a folder of the user's that is not there.
  """
  robot, held_out = _open_robot(config, seed)
  human = open_human(config, seed)
  label_by = _label_by(robot, human)
  labels, texts = _labels(robot, human, label_by)
  num_trained = len(set(getattr(robot, label_by).tolist()))
  checks.check_data(
    robot,
    human,
    instructions=labels,
    num_trained=num_trained,
    use_failures=use_failures,
    label_by=label_by,
  )
  validation = load_labeled(held_out, config)
  return Data(robot, human, validation, labels, texts, num_trained, label_by)


def open_human(
  config: Any, seed: int, *, split: str = "train", caption: str = "label"
) -> Dataset | None:
  """Opens the human clips of a run alone, made where they are to be made.

  Args:
    config: the settings under `data`; `robot` and `validation` are not read.
    seed: of the clips that are made, and of the choice where there are more
      than `human.clips_per_template`.
    split: of Something-Something V2, see `launch.ssv2_clips`.
    caption: of the same.

  Returns:
    The clips; None where `human.source` is 'none'.

  Raises:
    ValueError: settings or clips that make no sense.
    FileNotFoundError: a folder of the user's that is not there.
  """
  human = config.human
  _check_source("data.human.source", human.source, HUMAN_SOURCES)
  if human.source == "none":
    return None
  if human.source == "procedural":
    spec = collecting.HumanSpec(
      templates=tuple(human.templates),
      clips_per_template=human.clips_per_template,
      seed=seed,
      num_frames=config.stored_frames,
      image_size=config.image_size,
    )
    return collecting.collect_human(spec, config.dir)
  if human.source == "ssv2":
    path = _own_path(human, "human")
    return ssv2_clips.open_split(config, path, split=split, caption=caption)
  dataset = _open_own(config, human, "human")
  rng = np.random.default_rng(seed)
  order = rng.permutation(len(dataset))
  rows = [
    order[dataset.template[order] == template][: human.clips_per_template]
    for template in human.templates
  ]
  empty = [t for t, r in zip(human.templates, rows, strict=True) if not len(r)]
  if empty:
    raise ValueError(f"{human.path}: no clips of the templates {empty}")
  return dataset.select(np.sort(np.concatenate(rows))) if rows else dataset


def open_test(config: Any) -> labeled.LabeledClips | None:
  """The clips that a finished run is judged on, made where they are missing.

  They are the same whatever the run's seed. None if no environment is listed.

  Args:
    config: the whole settings.
  """
  parts = [
    load_labeled(
      collecting.collect_robot(
        _robot_spec(
          config.data, "test", 0, environment=name, tasks=config.eval.tasks,
          successes=config.eval.successes, failures=config.eval.failures,
        ),
        config.data.dir,
      ),
      config.data,
    )
    for name in config.eval.environments
  ]  # fmt: skip
  return labeled.concatenate(parts) if parts else None


def check_names(config: Any):
  """Fails early where the evaluation names what does not exist.

  Args:
    config: the whole settings.
  """
  for name in config.eval.environments:
    if name not in sim.ENVIRONMENTS:
      raise ValueError(
        f"eval.environments: unknown {name!r}; known: {list(sim.ENVIRONMENTS)}"
      )
  for name in config.eval.tasks:
    if name not in sim.TASKS:
      raise ValueError(
        f"eval.tasks: unknown {name!r}; known: {list(sim.TASKS)}"
      )


def load_labeled(dataset: Dataset, config: Any) -> labeled.LabeledClips:
  """All clips of a data set in memory, as they are stored."""
  clips = pipeline.load_clips(
    dataset,
    num_frames=config.stored_frames,
    image_size=config.image_size,
  )
  return labeled.LabeledClips(
    frames=clips.frames,
    success=clips.success,
    source=clips.source,
    task=clips.task,
    instruction=clips.instruction,
    environment=clips.environment,
  )


def _robot_spec(config, purpose, seed, **changes) -> collecting.RobotSpec:
  robot = config.robot
  values = {
    "environment": robot.environment,
    "tasks": tuple(robot.tasks),
    "successes": robot.successes,
    "failures": robot.failures,
  } | changes
  return collecting.RobotSpec(
    **(values | {"tasks": tuple(values["tasks"])}),
    near_miss_fraction=robot.near_miss_fraction,
    near_miss_sources=tuple(robot.near_miss_sources),
    purpose=purpose,
    seed=seed,
    num_frames=config.stored_frames,
    image_size=config.image_size,
  )


def _open_robot(config: Any, seed: int) -> tuple[Dataset, Dataset]:
  """Robot clips for training and for validation."""
  robot = config.robot
  _check_source("data.robot.source", robot.source, ROBOT_SOURCES)
  if robot.source == "tabletop":
    held_out = {
      "successes": config.validation.successes,
      "failures": config.validation.failures,
    }
    return (
      collecting.collect_robot(_robot_spec(config, "train", seed), config.dir),
      collecting.collect_robot(
        _robot_spec(config, "validation", 0, **held_out), config.dir
      ),
    )
  dataset = _open_own(config, robot, "robot")
  known = sorted(set(dataset.task.tolist()))
  missing = [task for task in robot.tasks if task not in known]
  if missing:
    raise ValueError(
      f"data.robot.tasks: {missing} are not in {robot.path}; it has {known} "
      "(an empty list takes them all)"
    )
  if robot.tasks:
    dataset = dataset.select(np.isin(dataset.task, list(robot.tasks)))
  return _hold_out(dataset, config.validation, seed)


def _hold_out(dataset: Dataset, validation: Any, seed: int):
  """Splits off the validation clips, as many of each task and outcome."""
  rng = np.random.default_rng(seed)
  held_out = np.zeros(len(dataset), bool)
  for task in dict.fromkeys(dataset.task.tolist()):
    for success, count in (
      (True, validation.successes),
      (False, validation.failures),
    ):
      rows = np.flatnonzero(
        (dataset.task == task) & (dataset.success == success)
      )
      if count >= len(rows):
        kind = "successes" if success else "failures"
        raise ValueError(
          f"task {task!r} has {len(rows)} {kind}, and data.validation.{kind} "
          f"takes {count} of them: none is left to train on; lower it"
        )
      held_out[rng.permutation(rows)[:count]] = True
  return dataset.select(~held_out), dataset.select(held_out)


def _open_own(config: Any, own: Any, name: str) -> Dataset:
  """Clips of the user's: TFRecords, or videos listed in a manifest."""
  path = _own_path(own, name)
  if own.source == "folder":
    path = folder.store(
      path,
      config.dir,
      num_frames=config.stored_frames,
      image_size=config.image_size,
      name=name,
    )
  return open_dataset(path, name)


def _own_path(own: Any, name: str) -> pathlib.Path:
  """What the settings say is on disk."""
  if not own.path:
    raise ValueError(
      f"data.{name}.source={own.source!r} needs --config.data.{name}.path=..."
    )
  path = pathlib.Path(own.path).expanduser()
  if not path.exists():
    raise FileNotFoundError(f"data.{name}.path: {path} is not there")
  return path


def _label_by(robot: Dataset, human: Dataset | None) -> str:
  """'template' where all clips have one and it tells the robot tasks apart."""
  pairs = set(zip(robot.template, robot.instruction, strict=True))
  templates = [template for template, _ in pairs]
  used = templates + ([] if human is None else human.template.tolist())
  apart = len(set(templates)) == len(pairs)
  return "template" if all(used) and apart else "instruction"


def _labels(robot, human, label_by) -> tuple[list[str], list[str]]:
  """Labels, robot tasks first, and the instruction of each."""
  texts = {}
  for label, text in zip(
    getattr(robot, label_by), robot.instruction, strict=True
  ):
    texts.setdefault(str(label), str(text))
  for label in [] if human is None else getattr(human, label_by):
    texts.setdefault(str(label), layout.plain(str(label)))
  return list(texts), list(texts.values())


def _check_source(key: str, source: str, known: tuple[str, ...]):
  if source not in known:
    raise ValueError(f"{key}: unknown {source!r}; known: {', '.join(known)}")

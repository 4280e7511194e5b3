"""The data of a training run: made, found or taken from the user's folders.

Letters: I labels of a run, M of them with robot clips (the first ones).
"""

import types
from collections.abc import Mapping
from typing import Any, NamedTuple

from a2r import sim
from a2r.evaluation import labeled
from a2r.runs import labels as label_lib
from a2r.runs import split as held_out_lib
from a2r.runs.sources import simulated, ssv2, user_clips
from a2r.sim.humans import human_clips
from data import checks, pipeline
from data.dataset import Dataset

ROBOT_SOURCES = ("tabletop", *user_clips.SOURCES)
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
    chooses: whether the validation clips choose the checkpoint and the form.
    without: losses that are left out for want of failed clips.
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
  chooses: bool = True
  without: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  digests: Mapping[str, str] = types.MappingProxyType({})


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
  _check_source("data.robot.source", config.robot.source, ROBOT_SOURCES)
  is_own = config.robot.source in user_clips.SOURCES
  without, notes = (), []
  digests = {}
  if is_own:
    held_out_lib.check_share(config.validation)
    robot, human, notes = _open_own(config, seed)
    crcs = held_out_lib.pictures_crcs(robot)
    digests["data.robot.path"] = held_out_lib.digest(robot, crcs)
    notes += user_clips.shared_clips(config, crcs)
    robot, held_out, told = held_out_lib.hold_out(
      robot, crcs, config.validation, seed
    )
    notes += told
    if use_failures:
      without, told = user_clips.lacking_losses(robot)
      notes += told
  else:
    robot, held_out = _open_tabletop(config, seed)
    human = open_human(config, seed)
  if config.human.source not in ("procedural", "none"):
    digests["data.human.path"] = held_out_lib.digest(human, human.crc)
  label_by = label_lib.choose_column(robot, human)
  labels, texts = label_lib.find_labels(robot, human, label_by)
  num_trained = len(set(getattr(robot, label_by).tolist()))
  checks.check_data(
    robot,
    human,
    instructions=labels,
    num_trained=num_trained,
    use_failures=use_failures and not without,
    label_by=label_by,
  )
  validation = load_labeled(held_out, config)
  if is_own:
    validation = user_clips.label(validation, held_out, "held-out clips")
  return Data(
    robot=robot,
    human=human,
    validation=validation,
    labels=labels,
    texts=texts,
    num_trained=num_trained,
    label_by=label_by,
    chooses=user_clips.can_choose(validation, is_own),
    without=without,
    notes=tuple(notes),
    digests=digests,
  )


def open_human(
  config: Any, seed: int, *, split: str = "train"
) -> Dataset | None:
  """Opens the human clips of a run alone, made where they are to be made.

  Args:
    config: the settings under `data`; `robot` and `validation` are not read.
    seed: of the clips that are made, and of the choice where there are more
      than `human.clips_per_template`.
    split: of Something-Something V2, see `a2r.runs.sources.ssv2`.

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
    spec = simulated.HumanSpec(
      templates=tuple(human.templates),
      clips_per_template=human.clips_per_template,
      seed=seed,
      num_frames=config.stored_frames,
      image_size=config.image_size,
    )
    return simulated.collect_human(spec, config.dir)
  if human.source == "ssv2":
    path = user_clips.find_path(human, "human")
    return ssv2.open_split(config, path, split=split)
  dataset, _ = user_clips.open_clips(config, human, "human")
  return user_clips.choose_human(dataset, human, seed)


def open_test(config: Any) -> labeled.LabeledClips | None:
  """The clips that a finished run is judged on, made where they are missing.

  They are the same whatever the run's seed. None if no environment is listed,
  or no test path of the user's own clips.

  Args:
    config: the whole settings.
  """
  if config.data.robot.source in user_clips.SOURCES:
    if not config.data.robot.test_path:
      return None
    dataset, _ = user_clips.open_robot(config.data, key="test_path")
    clips = load_labeled(dataset, config.data)
    return user_clips.label(clips, dataset, "test clips")
  parts = [
    load_labeled(
      simulated.collect_robot(
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
  """All clips of a data set in memory, as they are stored; none is fine."""
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


def _robot_spec(config, purpose, seed, **changes) -> simulated.RobotSpec:
  robot = config.robot
  values = {
    "environment": robot.environment,
    "tasks": tuple(robot.tasks or sim.TARGETS),
    "successes": robot.successes,
    "failures": robot.failures,
  } | changes
  return simulated.RobotSpec(
    **(values | {"tasks": tuple(values["tasks"])}),
    near_miss_fraction=robot.near_miss_fraction,
    near_miss_sources=tuple(robot.near_miss_sources),
    **_behavior(robot, purpose),
    purpose=purpose,
    seed=seed,
    num_frames=config.stored_frames,
    image_size=config.image_size,
  )


def _behavior(robot, purpose):
  """Who acts in the clips besides: those to be judged on are always alike."""
  keys = ("random_sources", "success_sources") * (purpose != "test")
  return {key: tuple(robot[key]) for key in keys}


def _open_tabletop(config: Any, seed: int) -> tuple[Dataset, Dataset]:
  """Robot clips for training and for validation, from the simulator."""
  held_out = {
    "successes": config.validation.successes,
    "failures": config.validation.failures,
  }
  return (
    simulated.collect_robot(_robot_spec(config, "train", seed), config.dir),
    simulated.collect_robot(
      _robot_spec(config, "validation", 0, **held_out), config.dir
    ),
  )


def _open_own(config, seed) -> tuple[Dataset, Dataset | None, list[str]]:
  """The user's robot clips, human clips to go with them, and notes.

  Where human clips are made, some are made of each template that an
  instruction of the robot's reads as.
  """
  robot, notes = user_clips.open_robot(config)
  made = config.human.source == "procedural"
  human = None if made else open_human(config, seed)
  known = human_clips.TEMPLATES if made else _templates(human)
  robot, told = user_clips.match_templates(robot, known)
  if made:
    shown = [t for t in known if t in robot.template]
    config = config.copy_and_resolve_references()
    config.human.templates = tuple(
      dict.fromkeys([*config.human.templates, *shown])
    )
    human = open_human(config, seed)
  return robot, human, notes + told


def _templates(human: Dataset | None) -> list[str]:
  return [] if human is None else sorted(set(human.template.tolist()) - {""})


def _check_source(key: str, source: str, known: tuple[str, ...]):
  if source not in known:
    raise ValueError(f"{key}: unknown {source!r}; known: {', '.join(known)}")

"""What a method gets of a run's clips: demonstrations, and labels for texts."""

import dataclasses
import types

import numpy as np
import pytest

from a2r import sim
from a2r.evaluation import scoring
from a2r.runs import clips, datasets, settings
from a2r.sim.humans import human_clips
from configs import envgen, taskgen
from data import pipeline

SIZES = types.SimpleNamespace(num_frames=4, image_size=16)
START = types.SimpleNamespace(model=types.SimpleNamespace(config=SIZES))
ROBOT = types.SimpleNamespace(split=lambda: (None, None))


def make_clips(config, **data):
  """The clips of settings whose data are what is told."""
  data = types.SimpleNamespace(human=None, robot=ROBOT, **data)
  return clips.Clips(settings.read(config), data, START)


class Numbers:
  """Human clips, each of which is its own number."""

  def __init__(self, template, number=None):
    self.template = np.array(template)
    self.number = np.arange(len(template)) if number is None else number

  def select(self, rows):
    return Numbers(self.template[rows], self.number[rows])


@pytest.mark.parametrize("column", ["plus3", "plus6", "plus9"])
def test_demonstrations_of_ssv2_are_of_its_validation_split(
  column, monkeypatch
):
  config = taskgen.get_config(f"{column},paper")
  config.method = "dvd"
  opened = []

  def open_human(changed, seed, *, split):
    opened.append((split, changed.human.clips_per_template))
    return Numbers(changed.human.templates * 4)

  def load_frames(chosen, **_):
    return chosen.number

  monkeypatch.setattr(datasets, "open_human", open_human)
  monkeypatch.setattr(pipeline, "load_frames", load_frames)
  trained = config.data.human.templates
  asked = make_clips(
    config,
    labels=["a task of the robot's alone", *trained],
    label_by="template",
  )
  asked._data.human = Numbers(trained)
  _, labels = asked.demonstrations(3)
  tasks = {task.template for task in sim.TASKS.values()}
  assert opened == [("validation", 3)]
  assert set(labels) == tasks | set(trained)
  assert all((labels == label).sum() == 3 for label in set(labels))
  assert config.data.human.templates == trained


@pytest.mark.parametrize("method", ["concept2robot", "dvd"])
@pytest.mark.parametrize("size", taskgen.SIZES)
def test_the_experiments_ask_for_nothing_else(size, method):
  configs = [taskgen.get_config(f"{name},{size}") for name in taskgen.COLUMNS]
  for config in (envgen.get_config(size), *configs):
    config.method = method
    # Eight devices: the published batches are for others too.
    config.train.batch.update(human=8 * bool(config.train.batch.human))
    if config.data.human.source == "none" and method == "concept2robot":
      continue  # It learns from human clips alone.
    run = settings.read(config)
    human = run.data.human.templates or human_clips.TEMPLATES
    robot = [sim.TASKS[task] for task in config.data.robot.tasks or sim.TARGETS]
    labels = list(dict.fromkeys([*(task.template for task in robot), *human]))
    asked = make_clips(
      config,
      labels=labels,
      texts=labels,
      label_by="template",
      validation=types.SimpleNamespace(
        instruction=[task.instruction for task in robot]
      ),
    )
    shown = set(human)
    if method == "dvd":  # See `Clips.demonstrations`.
      shown = {task.template for task in sim.TASKS.values()}
    asked.read_labels(shown)


def test_texts_that_cannot_be_judged_are_told_before_training(own):
  config = own[0].copy_and_resolve_references()
  for method in ("concept2robot", "dvd"):
    config.method = method
    asked = clips.Clips(settings.read(config), own[1], START)
    said = f"^{method} cannot judge 'opening cup'.*'closing something'"
    with pytest.raises(ValueError, match=said):
      asked.read_labels(["Closing something"])
  data = own[1]._replace(validation=types.SimpleNamespace(instruction=()))
  asked = clips.Clips(settings.read(config), data, START)
  asked.read_labels(["Closing something"])
  config.data.robot.test_path = config.data.robot.path
  asked = clips.Clips(settings.read(config), data, START)
  with pytest.raises(ValueError, match="cannot judge 'opening cup'"):
    asked.read_labels(["Closing something"])


def _taskgen_clips(source="tabletop"):
  config = taskgen.get_config("plus6")
  config.method = "dvd"
  config.eval.environments = ()
  robot = [sim.TASKS[name] for name in config.data.robot.tasks]
  texts = {task.template: task.instruction for task in robot}
  for template in config.data.human.templates:
    texts.setdefault(template, template.lower())
  config.data.robot.source = source
  return make_clips(
    config,
    labels=list(texts),
    texts=list(texts.values()),
    label_by="template",
    validation=types.SimpleNamespace(instruction=()),
  )


def test_a_task_is_one_instruction():
  asked = _taskgen_clips()
  shown = asked._data.labels[1:]
  readings, found = asked.read_labels(shown)
  assert found[:2] == asked._data.texts[1:3]
  assert "closing drawer" in found and "closing something" not in found
  assert [readings[text] for text in found] == shown
  users = _taskgen_clips("folder")
  assert users.read_labels(shown)[1] == users._data.texts[1:]
  # Other texts of a task are read as its instruction.
  readings, found = asked.read_labels(asked._data.labels)
  model = scoring.MethodReward(None, found, 3, readings)
  assert model.read("Close the drawer") == "closing drawer"
  assert model.read("closing something") == "closing drawer"
  assert model.read("closing box") == "closing box"
  plain = scoring.MethodReward(None, found)
  assert plain.read("closing something") == "closing something"


def test_parts_of_a_batch(own):
  config, data = own
  run = dataclasses.replace(
    settings.read(config), batch=dict(human=8, robot=8, failure=0)
  )
  asked = clips.Clips(run, data, START)
  assert asked.parts == ("human", "robot")
  first, second = (next(asked.batches(step)) for step in (0, 1))
  assert set(first) == {"human", "robot"}
  assert set(first["robot"]) == {"frames", "task", "record"}
  assert (first["human"]["frames"] != second["human"]["frames"]).any()
  assert asked.frames("failure").shape[1:] == (4, 16, 16, 3)
  assert len(asked.tasks("failure")) == len(asked.frames("failure"))

"""What methods without a text encoder can judge is known before training."""

import types

import pytest

from a2r import sim
from a2r.evaluation import scoring
from a2r.runs import baselines, methods, readings
from a2r.sim.humans import human_clips
from configs import envgen, taskgen

CONFIGS = {
  f"{name} {size}": (module, f"{column}{size}")
  for name, module, column in (
    ("envgen", envgen, ""),
    *((column, taskgen, f"{column},") for column in taskgen.COLUMNS),
  )
  for size in taskgen.SIZES
}


@pytest.mark.parametrize("method", ["concept2robot", "dvd"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_experiments_ask_for_nothing_else(name, method):
  module, argument = CONFIGS[name]
  config = module.get_config(argument)
  config.method = method
  if config.data.human.source == "none" and method == "concept2robot":
    pytest.skip("it learns from human clips alone")
  config = methods.adjust(config)
  robot = [sim.TASKS[task] for task in config.data.robot.tasks or sim.TARGETS]
  human = config.data.human.templates or human_clips.TEMPLATES
  labels = list(dict.fromkeys([*(task.template for task in robot), *human]))
  data = types.SimpleNamespace(
    labels=labels,
    texts=labels,
    label_by="template",
    validation=types.SimpleNamespace(
      instruction=[task.instruction for task in robot]
    ),
  )
  shown = set(human)
  if method == "dvd":  # See `demonstrations.collect`.
    shown = {task.template for task in sim.TASKS.values()}
  readings.check(config, data, readings.find(data, shown))


@pytest.mark.parametrize("method", ["concept2robot", "dvd"])
def test_a_task_of_the_robot_s_alone_is_told_before_training(
  own, method, tmp_path
):
  config, data = own
  config = config.copy_and_resolve_references()
  config.method = method
  opening = data.human.template == "Opening something"
  data = data._replace(human=data.human.select(~opening))
  backbone = types.SimpleNamespace(num_frames=4, image_size=16)
  start = types.SimpleNamespace(model=types.SimpleNamespace(config=backbone))
  said = (
    f"^{method} cannot judge 'opening cup': no human clips of it; it can judge "
    "'closing something', .*'closing cup'"
  )
  with pytest.raises(ValueError, match=said):
    baselines.make(methods.adjust(config), tmp_path, data, start)
  assert not list(tmp_path.iterdir())


def _taskgen_data():
  config = taskgen.get_config("plus6")
  robot = [sim.TASKS[name] for name in config.data.robot.tasks]
  texts = {task.template: task.instruction for task in robot}
  for template in config.data.human.templates:
    texts.setdefault(template, template.lower())
  return config, types.SimpleNamespace(
    labels=list(texts), texts=list(texts.values()), label_by="template"
  )


def test_a_task_is_one_instruction():
  config, data = _taskgen_data()
  shown = data.labels[1:]
  found = readings.list_instructions(config, data, shown)
  assert found[:2] == data.texts[1:3]
  assert "closing drawer" in found and "closing something" not in found
  read = readings.find(data, shown)
  assert [read[text] for text in found] == shown
  config.data.robot.source = "folder"
  assert readings.list_instructions(config, data, shown) == data.texts[1:]


def test_other_texts_of_a_task_are_read_as_its_instruction():
  config, data = _taskgen_data()
  found = readings.list_instructions(config, data, data.labels)
  model = scoring.MethodReward(None, found, 3, readings.find(data, data.labels))
  assert model.read("Close the drawer") == "closing drawer"
  assert model.read("closing something") == "closing drawer"
  assert model.read("closing box") == "closing box"
  plain = scoring.MethodReward(None, found)
  assert plain.read("closing something") == "closing something"


def test_test_clips_are_asked_for_too(own):
  config, data = own
  config = config.copy_and_resolve_references()
  config.method = "dvd"
  data = data._replace(validation=types.SimpleNamespace(instruction=()))
  known = {"closing cup": "Closing something"}
  readings.check(config, data, known)
  config.data.robot.test_path = config.data.robot.path
  with pytest.raises(ValueError, match="cannot judge 'opening cup'"):
    readings.check(config, data, known)

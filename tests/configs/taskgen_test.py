"""Task generalization has no robot clip of what it is judged on."""

import pytest

from a2r import sim
from a2r.runs import settings
from a2r.sim.humans import human_clips
from configs import envgen, taskgen, tasks


@pytest.mark.parametrize("size", taskgen.SIZES)
@pytest.mark.parametrize("column", taskgen.COLUMNS)
def test_a_column_trains_on_other_tasks_than_it_is_judged_on(column, size):
  config = taskgen.get_config(f"{column},{size}")
  assert set(config.data.robot.tasks).isdisjoint(sim.TARGETS)
  assert set(config.eval.tasks) <= set(sim.TARGETS)
  assert config.eval.environments == ("tabletop/train",)
  if size != "paper":
    assert set(config.data.human.templates) <= set(human_clips.TEMPLATES)
    settings.read(config)
  number = {"robot_only": 0, "plus3": 3, "plus6": 6, "plus9": 9}[column]
  assert len(config.data.human.templates) == number


def test_the_rest_is_that_of_environment_generalization():
  config, other = taskgen.get_config("plus6"), envgen.get_config()
  assert taskgen.get_config() == config
  assert config.data.human.clips_per_template == 400
  # But for the human clips.
  config.train.batch.human = other.train.batch.human
  assert config.to_dict()["model"] == other.to_dict()["model"]
  assert config.to_dict()["train"] == other.to_dict()["train"]
  paper = taskgen.get_config("plus9,paper")
  assert paper.data.human.templates == tasks.find("plus9")
  for name in ("plus4", "small", "plus6,huge", ""):
    with pytest.raises(ValueError, match="known: a column .robot_only, plus3"):
      taskgen.get_config(name)

"""What DVD is shown: clips of every task that it is judged on."""

import types

import numpy as np
import pytest

from a2r import sim
from a2r.runs import datasets, demonstrations
from configs import taskgen
from data import pipeline


class _Clips:
  """Human clips, each of which is its own number."""

  def __init__(self, template, number=None):
    self.template = np.array(template)
    self.number = np.arange(len(template)) if number is None else number

  def select(self, rows):
    return _Clips(self.template[rows], self.number[rows])


@pytest.mark.parametrize("column", ["plus3", "plus6", "plus9"])
def test_those_of_ssv2_are_of_its_validation_split(column, monkeypatch):
  config = taskgen.get_config(f"{column},paper")
  config.method = "dvd"
  opened = []

  def open_human(settings, seed, *, split):
    opened.append((split, settings.human.clips_per_template))
    return _Clips(settings.human.templates * 4)

  def load_clips(clips, **_):
    return types.SimpleNamespace(frames=clips.number)

  monkeypatch.setattr(datasets, "open_human", open_human)
  monkeypatch.setattr(pipeline, "load_clips", load_clips)
  trained = config.data.human.templates
  data = types.SimpleNamespace(
    human=_Clips(trained),
    labels=["a task of the robot's alone", *trained],
    label_by="template",
  )
  backbone = types.SimpleNamespace(num_frames=4, image_size=16)
  shown = demonstrations.collect(config, data, backbone)
  tasks = {task.template for task in sim.TASKS.values()}
  assert opened == [("validation", config.dvd.num_demos)]
  assert set(shown.labels) == tasks | set(trained)
  for label in set(shown.labels):
    assert (shown.labels == label).sum() == config.dvd.num_demos
  assert config.data.human.templates == trained


def test_drawn_ones_are_told_where_there_are_no_human_clips():
  config = taskgen.get_config("robot_only,paper")
  assert not demonstrations.notes(config)
  config.method = "dvd"
  (note,) = demonstrations.notes(config)
  assert "drawn human clips" in note
  config.data.human.source = "ssv2"
  assert not demonstrations.notes(config)

"""The data of a run from stored clips: labels, choice, and what is told."""

import collections
import os

import pytest

from a2r.runs import datasets
from a2r.runs.data_settings import DataSettings


def _open(config):
  settings = DataSettings.from_config(config.data)
  return datasets.open_data(settings, seed=0, use_failures=True)


def test_own_clips_are_labelled_and_held_out(own):
  _, data = own
  assert data.label_by == "template"
  assert data.labels == [
    "Opening something",
    "Closing something",
    "Moving something up",
  ]
  assert data.texts == ["opening cup", "closing cup", "moving something up"]
  assert data.num_trained == 2
  assert len(data.robot) == 32 - 10
  assert len(data.validation) == 10
  assert data.validation.success.sum() == 6
  assert len(data.human) == 24


def test_a_share_of_the_clips_at_most_is_held_out(own, own_config):
  config = own_config(os.path.dirname(own[0].data.robot.path))
  config.data.validation.update(successes=8, share=0.25)
  data = _open(config)
  assert data.validation.success.sum() == 2 * 2
  said = "held out of training: 2 of 8 successes and 2 of 8 failures of 'open'"
  assert any(note.startswith(f"{said}, 2 of 8") for note in data.notes)
  assert not data.use_for_selection  # Eight clips select nothing.
  assert data.validation.name[0].startswith("robot-00000-of-00001.tfrecord, ")


def test_what_is_not_there_is_told(own, own_config):
  config = own_config(os.path.dirname(own[0].data.robot.path))
  config.data.robot.tasks = ("open", "fly")
  said = r"\['fly'\] are not in .*'close', 'open'"
  with pytest.raises(ValueError, match=said):
    _open(config)
  config.data.robot.path = "/nowhere"
  with pytest.raises(FileNotFoundError, match="data.robot.path: /nowhere"):
    _open(config)
  config.data.robot.path = ""
  with pytest.raises(ValueError, match="--config.data.robot.path=..."):
    _open(config)


def test_human_clips_of_each_template(own, own_config):
  config = own_config(os.path.dirname(own[0].data.robot.path))

  def count():
    human = datasets.open_human(DataSettings.from_config(config.data), 0)
    return collections.Counter(human.template.tolist())

  every = {
    "Closing something": 8,
    "Moving something up": 8,
    "Opening something": 8,
  }
  assert count() == every
  config.data.human.clips_per_template = 0
  assert count() == every
  config.data.human.clips_per_template = 3
  assert count() == dict.fromkeys(every, 3)
  config.data.human.templates = ("Opening something",)
  assert count() == {"Opening something": 3}
  config.data.human.clips_per_template = 0
  assert count() == {"Opening something": 8}
  config.data.human.templates = ("Flying something",)
  with pytest.raises(ValueError, match=r"no clips of the templates \['Flying"):
    datasets.open_human(DataSettings.from_config(config.data), 0)

"""The methods to compare with, from the settings to a scorer."""

import json

import jax
import numpy as np
import pytest

from a2r.core import checkpoint
from a2r.evaluation import scoring
from a2r.runs import methods, train
from configs import envgen, taskgen


@pytest.mark.parametrize("method", methods.PARTS)
def test_a_step_has_as_many_clips_as_adapt2reward_s(method):
  config = envgen.get_config()
  config.method = method
  config.train.batch.update(human=16, robot=16, failure=16)
  batch = methods.adjust(config).train.batch
  assert config.train.batch.to_dict() == dict(human=16, robot=16, failure=16)
  expected = {
    "concept2robot": dict(human=48, robot=0, failure=0),
    "dvd": dict(human=16, robot=16, failure=0),
    "liv": dict(human=8, robot=8, failure=0),
    "triplet": dict(human=16, robot=16, failure=16),
  }
  assert batch.to_dict() == expected[method]
  train.check(config)


def test_the_clips_of_liv_split_over_the_devices():
  config = envgen.get_config()
  config.method = "liv"
  devices = jax.device_count()
  config.train.batch.update(human=2, robot=2 * devices + 2, failure=2)
  batch = methods.adjust(config).train.batch
  assert (batch.human, batch.robot) == (devices, 2 * devices)


def test_concept2robot_has_all_human_classes():
  config = envgen.get_config()
  config.method = "concept2robot"
  human = methods.adjust(config).data.human
  assert len(human.templates) == 42 and human.clips_per_template == 40
  assert set(config.data.human.templates) < set(human.templates)


def test_robots_alone():
  config = taskgen.get_config("robot_only")
  for method, parts in {
    "dvd": ("robot",),
    "liv": ("robot",),
    "triplet": ("robot", "failure"),
    "adapt2reward": ("robot", "failure"),
  }.items():
    config.method = method
    train.check(config)
    assert train.groups(config) == parts
  config.method = "concept2robot"
  with pytest.raises(ValueError, match="from human clips alone"):
    train.check(config)


def test_an_unknown_method_is_told():
  config = envgen.get_config("smoke")
  config.method = "magic"
  with pytest.raises(ValueError, match="'magic'; known: adapt2reward, conc"):
    train.check(config)


@pytest.mark.slow
@pytest.mark.parametrize("method", methods.PARTS)
def test_a_run_becomes_a_scorer(own, method, tmp_path):
  config = own[0].copy_and_resolve_references()
  config.method = method
  config.train.num_steps = 2
  config.optim.warmup_steps = 1
  config.train.batch.update(human=8, robot=8, failure=8)
  config.concept2robot.update(templates=(), clips_per_template=8)
  (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
  train.run(config, tmp_path)
  report = json.loads((tmp_path / "report.json").read_text())
  assert report["report"]["form"] == "score"
  assert report["config"]["method"] == method
  model = scoring.load(tmp_path)
  assert model.scorer.name == method
  clips = np.zeros((2, 4, 16, 16, 3), np.uint8)
  scores = model.form_scores(clips, model.instructions)["score"]
  assert scores.shape == (2, 3) and np.isfinite(scores).all()


@pytest.mark.slow
def test_a_stopped_run_of_dvd_ends_the_same(own, tmp_path):
  config = own[0].copy_and_resolve_references()
  config.method = "dvd"
  config.dvd.steps = 1
  config.train.update(num_steps=4, epoch_steps=2, checkpoint_every=2)
  whole, parts = tmp_path / "whole", tmp_path / "parts"
  for folder, lengths in ((whole, [4]), (parts, [2, 4])):
    folder.mkdir()
    for num_steps in lengths:
      config.train.num_steps = num_steps
      (folder / "config.json").write_text(json.dumps(config.to_dict()))
      train.run(config, folder)
  left, right = (
    checkpoint.load(folder, which="newest", parts=("params", "opt_state"))
    for folder in (whole, parts)
  )
  assert left.step == right.step == 4
  jax.tree.map(np.testing.assert_array_equal, left.parts, right.parts)

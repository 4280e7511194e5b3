"""A config becomes settings, once; what is wrong with it names its key."""

import jax
import pytest

from a2r.learners import registry
from a2r.runs import settings
from configs import envgen, taskgen


def read(method, **changes):
  config = envgen.get_config()
  config.method = method
  config.update_from_flattened_dict(changes)
  return settings.read(config)


BATCH = {f"train.batch.{k}": 16 for k in ("human", "robot", "failure")}


@pytest.mark.parametrize(
  "method, sizes",
  [
    ("adapt2reward", (16, 16, 16)),
    ("concept2robot", (48, 0, 0)),
    ("dvd", (16, 16, 0)),
    ("liv", (8, 8, 0)),
    ("triplet", (16, 16, 16)),
  ],
)
def test_a_step_has_as_many_clips_as_adapt2reward_s(method, sizes):
  run = read(method, **BATCH)
  assert tuple(run.batch.values()) == sizes
  assert run.method is registry.METHODS[method]
  assert run.clocks.num_steps == (3000 if method == "dvd" else 300)
  has_prompts = method == "adapt2reward"
  assert bool(run.model.num_failure_prompts) == has_prompts
  assert run.uses_failures == has_prompts


def test_the_clips_of_liv_split_over_the_devices():
  devices = jax.device_count()
  batch = {"human": 2, "robot": 2 * devices + 2, "failure": 2}
  run = read("liv", **{f"train.batch.{k}": n for k, n in batch.items()})
  assert (run.batch["human"], run.batch["robot"]) == (devices, 2 * devices)


def test_concept2robot_has_all_human_classes():
  config = envgen.get_config()
  config.method = "concept2robot"
  human = settings.read(config).data.human
  assert len(human.templates) == 42 and human.clips_per_template == 40
  assert set(config.data.human.templates) < set(human.templates)


def test_robots_alone():
  config = taskgen.get_config("robot_only")
  for method, parts in {
    "dvd": {"robot"},
    "liv": {"robot"},
    "triplet": {"robot", "failure"},
    "adapt2reward": {"robot", "failure"},
  }.items():
    config.method = method
    run = settings.read(config)
    assert {name for name, size in run.batch.items() if size} == parts
    assert bool(run.notes) == (method == "dvd")
  config.method = "concept2robot"
  with pytest.raises(ValueError, match="data.human.source='none'"):
    settings.read(config)


def test_losses_are_left_out():
  config = envgen.get_config("smoke")
  run = settings.read(config, without=("fvlc", "bce"))
  assert run.batch["failure"] == 0 and not run.uses_failures
  assert run.options.weights == dict(cdc=1.0, vlc=1.0, fvlc=0.0, bce=0.0)
  assert settings.read(config).batch["failure"] == 8


@pytest.mark.parametrize(
  "key, value, named",
  [
    ("method", "magic", "method 'magic'; known: adapt2reward, conc"),
    ("train.batch.robot", 3, "train.batch.robot=3"),
    ("train.batch.robot", 0, "train.batch.robot"),
    ("train.augment", "flip", "train.augment"),
    ("train.log_every", 0, "train.log_every"),
    ("train.micro_batch", 2, "train.micro_batch=2"),
    ("eval.environments", ("tabletop/moon",), "tabletop/test3"),
    ("eval.tasks", ("fly",), "close_drawer"),
    ("train.batch.failure", 0, "train.batch.failure=0"),
    ("data.robot.failures", 0, "data.robot.failures=0"),
    ("data.human.source", "none", "train.batch.human"),
    ("loss.weights.cdc", -1.0, "loss.weights"),
    ("loss.temperature", 0.0, "loss.temperature"),
    ("model.init", "nowhere", "scratch, small_backbone"),
    ("concept2robot.score", "best", "concept2robot"),
    ("liv.weights.clip", -1.0, "liv.weights"),
  ],
)
def test_wrong_settings_are_named_before_anything_is_made(key, value, named):
  config = envgen.get_config("smoke")
  if key.split(".")[0] in registry.METHODS:
    config.method = key.split(".")[0]
  with config.ignore_type():
    config.update_from_flattened_dict({key: value})
  with pytest.raises((ValueError, FileNotFoundError), match=named):
    settings.read(config)

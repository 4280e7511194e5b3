"""A config becomes settings, once; what is wrong with it names its key."""

import jax
import pytest

from a2r.learners import registry
from a2r.models.fitvid import fitvid as fitvid_model
from a2r.runs import settings, stage1, train, video
from a2r.runs.sources import play
from configs import envgen, fitvid, singularity_ssv2, taskgen
from data.ssv2 import store as ssv2


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


def test_the_triplets_of_dvd_split_over_the_devices():
  size = 3 * jax.device_count() - 1
  with pytest.raises(ValueError, match=f"dvd.batch_size={size} does not split"):
    read("dvd", **{"dvd.batch_size": size})


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


def test_every_size_is_sound():
  for size in ("small", "smoke", "full"):
    sizes, specs, _ = video.read(fitvid.get_config(size))
    assert set(specs) == {"train", "validation", "test"}
  assert sizes == fitvid_model.Config()  # The published one.
  for size, rate in (("template", 1e-4), ("label", 1e-5), ("smoke", 1e-4)):
    config = singularity_ssv2.get_config(size)
    stage1.read(config)
    assert config.data.captions in ssv2.CAPTIONS
    assert config.optim.learning_rate == rate
  with pytest.raises(ValueError, match="known: template, label, smoke"):
    singularity_ssv2.get_config("large")


def test_losses_are_left_out():
  config = envgen.get_config("smoke")
  run = settings.read(config, without=("fvlc", "bce"))
  assert run.batch["failure"] == 0 and not run.uses_failures
  assert run.options.weights == dict(cdc=1.0, vlc=1.0, fvlc=0.0, bce=0.0)
  assert settings.read(config).batch["failure"] == 8


CONFIGS = {
  "reward": (settings.read, lambda: envgen.get_config("smoke")),
  "stage1": (stage1.read, lambda: singularity_ssv2.get_config("smoke")),
  "video": (video.read, fitvid.get_config),
}


@pytest.mark.parametrize(
  "kind, key, value, named",
  [
    ("reward", "method", "magic", "method 'magic'; known: adapt2reward, conc"),
    ("reward", "train.batch.robot", 3, "train.batch.robot=3"),
    ("reward", "train.batch.robot", 0, "train.batch.robot"),
    ("reward", "train.augment", "flip", "train.augment"),
    ("reward", "train.log_every", 0, "train.log_every"),
    ("reward", "train.micro_batch", 2, "train.micro_batch=2"),
    ("reward", "eval.environments", ("tabletop/moon",), "tabletop/test3"),
    ("reward", "eval.tasks", ("fly",), "close_drawer"),
    ("reward", "eval.successes", -1, "eval.successes=-1 must be in .0,"),
    ("reward", "eval.best_metric", "psnr", "eval.best_metric 'psnr'.* auroc"),
    ("reward", "eval.best_metric", "auroc/fly", "known: auroc, auroc/close"),
    ("reward", "optim.warmup_steps", 6, "warmup_steps=6 .* num_steps=6"),
    ("reward", "optim.clip_norm", -1.0, "optim.clip_norm=-1.0 .* above 0"),
    ("reward", "dvd.optim.learning_rate", 0.0, "dvd.optim.learning_rate=0.0"),
    ("reward", "train.batch.failure", 0, "train.batch.failure=0"),
    ("reward", "data.robot.failures", 0, "data.robot.failures=0"),
    ("reward", "data.human.source", "none", "train.batch.human"),
    ("reward", "loss.weights.cdc", -1.0, "loss.weights"),
    ("reward", "loss.temperature", 0.0, "loss.temperature"),
    ("reward", "model.init", "nowhere", "scratch, small_backbone"),
    ("reward", "concept2robot.score", "best", "concept2robot"),
    ("reward", "model.num_failure_prompts", 0, "loss.weights.fvlc=5.0 needs"),
    ("reward", "model.failure_prompt_length", 99, "max_positions=32 leaves"),
    ("reward", "model.backbone.max_positions", 2, "max_positions=2 leaves"),
    ("reward", "model.backbone.vocab_size", 9, "vocab_size 9 is too small"),
    ("reward", "liv.weights.clip", -1.0, "liv.weights"),
    ("stage1", "train.batch_size", 9, "train.batch_size=9"),
    ("stage1", "train.batch_size", 0, "train.batch_size"),
    ("stage1", "train.num_epochs", 0, "train.num_epochs"),
    ("stage1", "train.micro_batch", 2, "train.micro_batch=2"),
    ("stage1", "train.max_length", 40, "train.max_length=40"),
    ("stage1", "train.flip", "some", "train.flip"),
    ("stage1", "model.backbone.vocab_size", 9, "vocab_size 9 is too small"),
    ("stage1", "loss.weights.mlm", 1.0, "loss.weights.mlm"),
    ("stage1", "loss.weights.itc", -1.0, "loss.weights"),
    ("stage1", "model.backbone.itm", False, "loss.weights.itm"),
    ("stage1", "model.backbone.num_frames", 64, "data.stored_frames"),
    ("stage1", "eval.num_reranked", -1, "eval.num_reranked"),
    ("stage1", "optim.learning_rate", -1e-4, "optim.learning_rate"),
    ("video", "train.batch_size", 3, "train.batch_size=3"),
    ("video", "optim.warmup_steps", 4000, "warmup_steps=4000"),
    ("video", "eval.best_metric", "auroc", "psnr, ssim, psnr_moved"),
    ("video", "train.num_steps", 0, "train.num_steps"),
    ("video", "train.num_future", 15, "train.num_future"),
    ("video", "eval.num_future", 0, "eval.num_future"),
    ("video", "train.start_fraction", 1.5, "train.start_fraction"),
    ("video", "model.num_past", 3, "model.num_past"),
    ("video", "data.environment", "tabletop/test9", "tabletop/train"),
    ("video", "data.sources.uniform", 0.9, "add up to 1"),
    ("video", "data.episodes", 0, "episode"),
    ("video", "model.stride", 7, "does not divide"),
  ],
)
def test_wrong_settings_are_named_before_anything_is_made(
  kind, key, value, named
):
  read_fn, get_config = CONFIGS[kind]
  config = get_config()
  if key.split(".")[0] in registry.METHODS:
    config.method = key.split(".")[0]
  with config.ignore_type():
    config.update_from_flattened_dict({key: value})
  with pytest.raises((ValueError, FileNotFoundError), match=named):
    read_fn(config)


@pytest.mark.parametrize(
  "kind, changes, named",
  [
    ("reward", {"data.human.templates": ("Flying",)}, "templates 'Flying'"),
    (
      "reward",
      {"data.human.clips_per_template": 0},
      "clips_per_template must be from 1",
    ),
    ("reward", {"data.human.source": "ssv2"}, "data.human.path"),
    ("reward", {"data.robot.source": "folder"}, "data.robot.path"),
    ("reward", {"data.robot.success_sources": ("magic",)}, "magic"),
    ("reward", {"eval.successes": 0, "eval.failures": 0}, "no clips asked"),
    ("reward", {"eval.tasks": ()}, "no tasks named"),
    ("reward", {"concept2robot.templates": ("Flying",)}, "'Flying'"),
    ("stage1", {"data.human.templates": ("Flying",)}, "'Flying'"),
    ("stage1", {"data.human.source": "ssv2"}, "data.human.path"),
    ("stage1", {"data.validation.clips": 48}, "clips=48 of 48"),
    ("stage1", {"train.batch_size": 40}, "32 clips .* batch of 40"),
    ("stage1", {"optim.warmup_steps": 8}, "warmup_steps=8 .* num_steps=8"),
  ],
)
def test_clips_that_cannot_be_are_told_before_any_is_made(
  tmp_path, kind, changes, named
):
  config = CONFIGS[kind][1]()
  config.data.dir = str(tmp_path / "data")
  if "concept2robot.templates" in changes:
    config.method = "concept2robot"
  with config.ignore_type():
    config.update_from_flattened_dict(changes)
  run_fn = {"reward": train.run, "stage1": stage1.run}[kind]
  with pytest.raises(ValueError, match=named):
    run_fn(config, tmp_path)
  assert not list(tmp_path.iterdir())


def test_episodes_are_shared_out():
  config = fitvid.get_config()
  config.data.environment = "tabletop/train,tabletop/test1"
  config.data.episodes = 301
  shards = play.shards(video.read(config)[1]["train"])
  counts = {}
  for environment, source, first, num in shards:
    assert first == counts.get((environment, source), 0)
    counts[environment, source] = first + num
  for environment, total in (("tabletop/train", 151), ("tabletop/test1", 150)):
    parts = {s: n for (e, s), n in counts.items() if e == environment}
    assert sum(parts.values()) == total
    for source, fraction in config.data.sources.items():
      assert abs(parts[source] - fraction * total) < 1
  assert max(num for *_, num in shards) <= 64

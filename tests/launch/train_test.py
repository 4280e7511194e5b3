"""Training from the command line: mistakes in one line, data, first weights."""

import copy
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from a2r.models import artifact, trained
from configs import envgen
from data import records
from launch import common, initial, prepare, training, validation, weight_files

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def _program(*args):
  return subprocess.run(
    [sys.executable, "-m", "launch.train", *args],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.parametrize(
  "args, said",
  [
    ([], "--config is missing"),
    (["--config=configs/envgen.py:huge"], "known: small, paper, smoke"),
    (
      ["--config=configs/envgen.py", "--config.train.num_stepz=3"],
      'Did you mean "num_steps"',
    ),
  ],
)
def test_a_mistake_is_one_line_and_exit_code_2(args, said):
  done = _program(*args)
  assert done.returncode == 2
  assert said in done.stderr
  assert done.stderr.count("\n") == 1


def test_help_tells_how_to_start():
  done = _program("--help")
  assert done.returncode == 0
  assert "--config=configs/envgen.py" in done.stdout
  assert "--workdir" in done.stdout


def test_default_workdir_is_named_after_settings_and_size():
  def name(arg):
    return common.default_workdir("config=", ["--config.seed=1", arg])

  assert name("--config=configs/envgen.py") == "runs/envgen"
  assert name("--config=configs/envgen.py:smoke") == "runs/envgen_smoke"


def test_a_run_keeps_its_settings(tmp_path):
  config = envgen.get_config("smoke")
  common.store_config(tmp_path, config.to_dict())
  config.train.num_steps = 500
  config.eval.successes = 3
  common.store_config(tmp_path, config.to_dict())
  stored = json.loads((tmp_path / "config.json").read_text())
  assert stored["train"]["num_steps"] == 500
  config.optim.learning_rate = 1.0
  common.store_config(tmp_path, config.to_dict())  # Nothing is trained yet.
  (tmp_path / "checkpoints" / "3").mkdir(parents=True)
  config.optim.learning_rate = 2.0
  config.model.backbone.width = 64
  with pytest.raises(ValueError) as info:
    common.store_config(tmp_path, config.to_dict())
  assert "model.backbone.width was 16, now 64" in str(info.value)
  assert "optim.learning_rate" in str(info.value)
  assert "num_steps" not in str(info.value)


def test_one_process_at_a_time_writes_in_a_run(tmp_path):
  with (
    common.locked(tmp_path / "run"),
    pytest.raises(ValueError, match="another process"),
    common.locked(tmp_path / "run"),
  ):
    pass
  with common.locked(tmp_path / "run"):
    pass


@pytest.mark.parametrize(
  "key, value, said",
  [
    ("train.batch.robot", 3, "multiple of"),
    ("train.augment", "flip", "known: crop_color, published"),
    ("train.log_every", 0, "train.log_every must be at least 1"),
    ("train.micro_batch", 2, "does not divide the 3 clips of a device"),
    ("eval.environments", ("tabletop/moon",), "tabletop/test3"),
    ("eval.tasks", ("fly",), "close_drawer"),
    ("train.batch.failure", 0, "needs loss.weights.fvlc=0"),
    ("data.robot.failures", 0, "needs loss.weights.fvlc=0"),
    ("data.human.source", "none", "procedural"),
  ],
)
def test_wrong_settings_are_told_before_anything_is_made(key, value, said):
  config = envgen.get_config("smoke")
  with config.ignore_type():
    config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=said):
    training.check(config)


def _own_data(root):
  """Two robot tasks and three human templates, eight clips of each."""
  rng = np.random.default_rng(0)

  def clip(template, noun, task="", success=True, source="human"):
    return records.Record(
      frames=rng.integers(0, 255, (4, 16, 16, 3), np.uint8),
      instruction=template.lower().replace("something", noun),
      template=template,
      task=task,
      success=success,
      source=source,
    )

  robot = [
    clip(template, "cup", task, success, "expert" if success else "random")
    for template, task in (
      ("Opening something", "open"),
      ("Closing something", "close"),
    )
    for success in (True, False)
    for _ in range(8)
  ]
  human = [
    clip(template, noun)
    for template in (
      "Closing something",
      "Opening something",
      "Moving something up",
    )
    for noun in ("box", "jar") * 4
  ]
  for name, clips in (("robot", robot), ("human", human)):
    records.write_shards(root / name, name, {}, 1, lambda _, c=clips: c)


def _own_config(root):
  config = envgen.get_config("smoke")
  config.data.robot.update(source="records", path=f"{root}/robot", tasks=())
  config.data.human.update(
    source="records",
    path=f"{root}/human",
    templates=(),
    clips_per_template=8,
  )
  config.data.validation.update(successes=3, failures=2, share=0.5)
  config.model.backbone.image_size = 16
  config.model.backbone.stem_features = (8,)
  return config


@pytest.fixture(name="own", scope="module")
def _own(tmp_path_factory):
  root = tmp_path_factory.mktemp("own")
  _own_data(root)
  config = _own_config(root)
  return config, prepare.open_data(config.data, seed=0, use_failures=True)


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


def test_a_share_of_the_clips_at_most_is_held_out(own):
  config = _own_config(os.path.dirname(own[0].data.robot.path))
  config.data.validation.update(successes=8, share=0.25)
  data = prepare.open_data(config.data, seed=0, use_failures=True)
  assert data.validation.success.sum() == 2 * 2
  assert (
    "held out of training: 2 of 8 successes and 2 of 8 failures of 'open'"
    in data.notes
  )
  assert not data.chooses  # Eight clips choose nothing.
  assert data.validation.name[0].startswith("robot-00000-of-00001.tfrecord, ")


def test_unknown_tasks_of_own_clips_are_told(own):
  config = _own_config(os.path.dirname(own[0].data.robot.path))
  config.data.robot.tasks = ("open", "fly")
  with pytest.raises(
    ValueError, match=r"\['fly'\] are not in .*'close', 'open'"
  ):
    prepare.open_data(config.data, seed=0, use_failures=True)


def test_folders_that_are_not_there_are_told(own):
  config = _own_config("/nowhere")
  with pytest.raises(FileNotFoundError, match="data.robot.path: /nowhere"):
    prepare.open_data(config.data, seed=0, use_failures=True)
  config.data.robot.path = ""
  with pytest.raises(ValueError, match="--config.data.robot.path=..."):
    prepare.open_data(config.data, seed=0, use_failures=True)


def test_first_weights_come_from_a_file(own, tmp_path):
  config, data = own
  start = initial.make_start(config.model, data)
  params = start.init_fn(jax.random.key(0))
  start.tokenizer.save(tmp_path / "tokenizer.json")
  path = tmp_path / "backbone.safetensors"
  weight_files.save_backbone(
    path, params["backbone"], tmp_path / "tokenizer.json", {"top1": 0.5}
  )
  loaded, tokenizer, card = weight_files.load_backbone(path)
  jax.tree.map(np.testing.assert_array_equal, loaded, params["backbone"])
  assert card == {"top1": 0.5}
  np.testing.assert_array_equal(
    tokenizer(data.texts, 8)[0], start.tokenizer(data.texts, 8)[0]
  )
  config = copy.deepcopy(config.model)
  with config.unlocked():
    config.init = str(path)
  again = initial.make_start(config, data)
  assert again.card["top1"] == 0.5
  jax.tree.map(
    np.testing.assert_array_equal,
    again.init_fn(jax.random.key(1))["backbone"],
    params["backbone"],
  )
  validate = validation.make_validate_fn(
    start.model,
    data.validation,
    data.texts[:2],
    tuple(part[:2] for part in start.tokenizer(data.texts, start.max_length)),
  )
  metrics = validate(params, {})
  assert set(metrics) == {"auroc", "auroc/open", "auroc/close"}
  assert 0 <= metrics["auroc"] <= 1


def test_first_weights_come_from_an_exported_reward(own, tmp_path):
  config, data = own
  start = initial.make_start(config.model, data)
  draw = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: draw.normal(size=x.shape).astype(np.float32),
    jax.eval_shape(start.init_fn, jax.random.key(0)),
  )
  settings = {
    "seed": 0,
    "data": {"robot": {"source": "folder"}, "human": {"source": "none"}},
    "model": config.model.to_dict(),
    "train": {"num_steps": 5},
    "eval": {"environments": []},
  }
  made = trained.Trained(
    params=params,
    tokenizer=start.tokenizer,
    model=json.loads(json.dumps(settings["model"])),
    instructions=data.texts,
    num_trained=data.num_trained,
    form="cosine",
    temperature=0.07,
    failure_prompts=True,
    record=trained.make_record(settings, None, step=4),
  )
  artifact.write(tmp_path / "mine", made)
  config = copy.deepcopy(config.model)
  with config.unlocked():
    config.init = str(tmp_path / "mine")
  again = initial.make_start(config, data)
  assert again.card == {"init": config.init, "step": 4}
  found = initial._find_backbone(config, data, start.model.config)
  jax.tree.map(np.testing.assert_array_equal, found.params, params["backbone"])


def test_weights_that_are_not_there_are_told(own, tmp_path):
  config, data = own
  with pytest.raises(FileNotFoundError, match="model.init=scratch"):
    weight_files.load_backbone(tmp_path / "none.safetensors")
  with config.model.unlocked():
    config.model.init = str(tmp_path / "none")
  with pytest.raises(FileNotFoundError, match="scratch, small_backbone"):
    initial.make_start(config.model, data)
  config.model.init = "scratch"


@pytest.mark.slow
def test_the_smoke_run_trains_and_reports(tmp_path):
  done = _program(
    "--config=configs/envgen.py:smoke",
    f"--workdir={tmp_path}/run",
    f"--config.data.dir={tmp_path}/data",
  )
  assert done.returncode == 0, done.stderr
  assert "tabletop/test1" in done.stdout
  written = set(os.listdir(tmp_path / "run"))
  assert written >= {
    "config.json",
    "tokenizer.json",
    "reward.json",
    "checkpoints",
    "metrics.jsonl",
    "events",
    "report.json",
  }

"""Training from the command line: mistakes in one line, data, first weights."""

import json
import os

import pytest

from a2r.core import files, signals
from a2r.learners import loop
from a2r.runs import datasets, run_folder, train
from configs import envgen


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
def test_a_mistake_is_one_line_and_exit_code_2(launch, args, said):
  done = launch("train", *args)
  assert done.code == 2
  assert said in done.err
  assert done.err.count("\n") == 1


def test_a_run_keeps_its_settings(tmp_path):
  config = envgen.get_config("smoke")
  run_folder.store_config(tmp_path, config.to_dict())
  config.train.num_steps = 500
  config.eval.successes = 3
  run_folder.store_config(tmp_path, config.to_dict())
  stored = json.loads((tmp_path / "config.json").read_text())
  assert stored["train"]["num_steps"] == 500
  config.optim.learning_rate = 1.0
  run_folder.store_config(tmp_path, config.to_dict())  # Nothing is trained yet.
  (tmp_path / "checkpoints" / "3").mkdir(parents=True)
  config.optim.learning_rate = 2.0
  config.model.backbone.width = 64
  with pytest.raises(ValueError) as info:
    run_folder.store_config(tmp_path, config.to_dict())
  assert "model.backbone.width was 16, now 64" in str(info.value)
  assert "optim.learning_rate" in str(info.value)
  assert "num_steps" not in str(info.value)


def test_one_process_at_a_time_writes_in_a_run(tmp_path):
  with (
    files.locked(tmp_path / "run"),
    pytest.raises(ValueError, match="another process"),
    files.locked(tmp_path / "run"),
  ):
    pass
  with files.locked(tmp_path / "run"):
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
    train.check(config)


def test_a_finished_run_keeps_its_form_until_it_is_judged_anew(
  own, tmp_path, monkeypatch
):
  config, data = own
  spec = tmp_path / "reward.json"
  spec.write_text('{"form": "own_failures"}')

  def stop(*_):
    raise signals.StopRequested("in the evaluation")

  monkeypatch.setattr(datasets, "open_data", lambda *_, **__: data)
  monkeypatch.setattr(loop, "is_finished", lambda *_: True)
  monkeypatch.setattr(train, "_evaluate", stop)
  with pytest.raises(signals.StopRequested):
    train.run(config, tmp_path)
  assert json.loads(spec.read_text())["form"] == "own_failures"


@pytest.mark.slow
def test_the_smoke_run_trains_and_reports(launch, tmp_path):
  done = launch(
    "train",
    "--config=configs/envgen.py:smoke",
    f"--workdir={tmp_path}/run",
    f"--config.data.dir={tmp_path}/data",
  )
  assert done.code == 0, done.err
  assert "tabletop/test1" in done.out
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

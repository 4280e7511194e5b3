"""Training from the command line: mistakes in one line, data, first weights."""

import json
import os

import pytest

from a2r.core import checkpoint, files
from a2r.runs import run_folder
from configs import envgen


def test_a_mistake_is_one_line_and_exit_code_2(launch):
  for args, said in (
    ([], "--config is missing"),
    (["--config=configs/envgen.py:huge"], "known: small, paper, smoke"),
    (
      ["--config=configs/envgen.py", "--config.train.num_stepz=3"],
      "near it: train.num_steps",
    ),
  ):
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
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(3, {})
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

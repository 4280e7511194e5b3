import json
import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.slow
def test_the_paper_size_takes_steps_and_saves(tmp_path):
  """216 M parameters, 224 pixels, the smallest batch; minutes and 10 GB."""
  settings = {
    "data.dir": tmp_path / "datasets",
    "data.stored_frames": 4,
    "data.human.source": "procedural",
    "data.human.clips_per_template": 1,
    "data.robot.successes": 1,
    "data.robot.failures": 4,
    "data.validation.successes": 1,
    "data.validation.failures": 1,
    "train.batch.human": 1,
    "train.batch.robot": 1,
    "train.batch.failure": 1,
    "train.num_steps": 2,
    "train.log_every": 1,
    "optim.warmup_steps": 1,
    "eval.environments": "()",
  }
  workdir = tmp_path / "run"
  command = [sys.executable, "-m", "launch.train", f"--workdir={workdir}"]
  command += ["--config=configs/envgen.py:paper"]
  command += [f"--config.{key}={value}" for key, value in settings.items()]
  # One device: the session's eight would want batches of eight.
  environment = {"PATH": "/usr/bin:/bin", "JAX_PLATFORMS": "cpu"}
  subprocess.run(command, check=True, timeout=1800, env=environment)
  rows = [
    json.loads(line)
    for line in (workdir / "metrics.jsonl").read_text().splitlines()
  ]
  losses = [row["loss"] for row in rows if "loss" in row]
  assert len(losses) == 2
  assert np.isfinite(losses).all()
  assert (workdir / "checkpoints" / "2").is_dir()

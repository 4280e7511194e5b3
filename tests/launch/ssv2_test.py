"""Something-Something V2 from its download to a trained reward."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks import ssv2_mini

_ROOT = pathlib.Path(__file__).parents[2]
_SIZES = ("--num_frames=8", "--image_size=64")


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
  """48 training videos and 16 for validation, three of them bad."""
  folder = tmp_path_factory.mktemp("ssv2")
  ssv2_mini.make(folder)
  return folder


def _start(module, *args):
  path = os.pathsep.join([str(_ROOT), *sys.path])
  return subprocess.Popen(
    [sys.executable, "-m", f"launch.{module}", *map(str, args)],
    env=os.environ | {"PYTHONPATH": path, "XLA_FLAGS": ""},
    cwd=_ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _run(module, *args):
  program = _start(module, *args)
  out, err = program.communicate()
  return program.returncode, out, err


def _files(folder):
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob("*")
    if path.suffix in (".tfrecord", ".json", ".csv")
  }


def test_a_wrong_flag_is_told():
  code, _, err = _run("ssv2")
  assert code == 2 and err == "ssv2: --from is missing: the folder of the " + (
    "download\n"
  )


@pytest.mark.slow
def test_the_program_counts_what_it_stores(mini, tmp_path):
  args = (f"--from={mini}", f"--to={tmp_path}", *_SIZES)
  code, _, err = _run("ssv2", *args)
  assert code == 2 and "3 of 42 videos cannot be read" in err
  code, out, err = _run("ssv2", *args, "--max_bad_share=0.1")
  assert code == 0, err
  rows = [line[50:].split() for line in out.splitlines()[1:8]]
  np.testing.assert_array_equal(
    np.array(rows, int).sum(0), [42, 39, 3, 14, 14, 0]
  )
  assert "train: 39 of 42 clips in" in out and "made at" in out
  assert "Left out: the 8 videos of the test split." in out
  code, _, err = _run("ssv2", *args)
  assert code == 2 and "3 of 42 videos cannot be read (" in err
  code, out, _ = _run("ssv2", *args, "--max_bad_share=0.1")
  assert code == 0 and out.count("all were there") == 2


@pytest.mark.slow
def test_killed_and_started_again_with_the_same_bytes(mini, tmp_path):
  def args(name):
    return (
      f"--from={mini}", f"--to={tmp_path / name}", "--templates=all",
      "--max_bad_share=0.1", "--workers=2", *_SIZES
    )  # fmt: skip

  program = _start("ssv2", *args("a"))
  while not list((tmp_path / "a").rglob("*.tfrecord.*.partial")):
    assert program.poll() is None
    time.sleep(0.01)
  os.kill(program.pid, signal.SIGKILL)
  program.communicate()
  assert not list((tmp_path / "a").rglob("index.json"))
  assert _run("ssv2", *args("a"))[0] == 0
  assert _run("ssv2", *args("b"))[0] == 0
  assert _files(tmp_path / "a") == _files(tmp_path / "b")


@pytest.mark.slow
def test_a_reward_is_trained_on_it(mini, tmp_path):
  data = tmp_path / "data"
  args = (f"--from={mini}", f"--to={data}", "--max_bad_share=0.2", *_SIZES)
  templates = ssv2_mini.plain_templates()[:3]
  code, _, err = _run(
    "ssv2", *args, *(f"--templates={t}" for t in templates), "--per_template=4"
  )
  assert code == 0, err
  code, out, err = _run(
    "train",
    "--config=configs/envgen.py:smoke",
    f"--workdir={tmp_path / 'run'}",
    f"--config.data.dir={data}",
    "--config.data.human.source=ssv2",
    f"--config.data.human.path={mini}",
    "--config.train.num_steps=50",
    "--config.train.epoch_steps=25",
    "--config.train.log_every=10",
    "--config.train.checkpoint_every=25",
  )
  assert code == 0, err
  assert len(list(data.glob("ssv2-*/train/index.json"))) == 1
  lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
  metrics = [json.loads(line) for line in lines]
  losses = [row["loss"] for row in metrics if "loss" in row]
  assert len(losses) >= 5 and np.isfinite(losses).all()
  assert losses[-1] < losses[0]
  assert (tmp_path / "run" / "report.json").exists()


@pytest.mark.slow
def test_a_backbone_is_trained_on_it(mini, tmp_path):
  data = tmp_path / "data"
  code, _, err = _run(
    "ssv2", f"--from={mini}", f"--to={data}", "--templates=all",
    "--max_bad_share=0.1", *_SIZES,
  )  # fmt: skip
  assert code == 0, err
  code, _, err = _run(
    "finetune",
    "--config=configs/singularity_ssv2.py:smoke",
    f"--workdir={tmp_path / 'run'}",
    f"--config.data.dir={data}",
    "--config.data.human.source=ssv2",
    f"--config.data.human.path={mini}",
    "--config.data.human.templates=()",
    "--config.data.human.clips_per_template=0",
    "--config.train.num_epochs=10",
    "--config.train.checkpoint_every=25",
  )
  assert code == 0, err
  assert len(list(data.glob("ssv2-*/train/index.json"))) == 1
  report = json.loads((tmp_path / "run" / "report.json").read_text())
  assert report["num_steps"] == 50 and report["trained_on"] == 45
  assert report["held_out"]["clips"] == 16

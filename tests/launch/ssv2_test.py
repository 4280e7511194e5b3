"""Something-Something V2 from its download to a trained reward."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks import ssv2_mini
from tests import mistakes

_SIZES = ("--num_frames=8", "--image_size=64")


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
  """48 training videos and 16 for validation, three of them bad."""
  folder = tmp_path_factory.mktemp("ssv2")
  ssv2_mini.make(folder)
  return folder


def _files(folder):
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob("*")
    if path.suffix in (".tfrecord", ".json", ".csv", ".parquet")
  }


def test_the_download_is_asked_for(launch):
  done = launch("ssv2")
  assert done.code == 2 and "--from is missing" in done.err


def test_splits_are_known_before_one_is_stored(launch, mini, tmp_path):
  args = f"--from={mini}", f"--to={tmp_path}", "--split=train,dev"
  done = launch("ssv2", *args)
  assert done.code == 2 and "unknown --split 'dev'; known: train" in done.err
  assert not list(tmp_path.rglob("*.tfrecord"))


def test_all_annotations_are_read_before_a_video_is(launch, mini, tmp_path):
  folder = shutil.copytree(mini, tmp_path / "ssv2")
  (file,) = folder.rglob("validation.json")
  file.write_text("{")
  done = launch("ssv2", f"--from={folder}", f"--to={tmp_path / 'out'}", *_SIZES)
  assert done.code == 2
  mistakes.check_line(done.err, "validation.json JSON")
  assert not list(tmp_path.rglob("*.tfrecord"))


@pytest.mark.slow
def test_the_program_counts_what_it_stores(launch, mini, tmp_path):
  args = (f"--from={mini}", f"--to={tmp_path}", *_SIZES)
  done = launch("ssv2", *args)
  assert done.code == 2 and "3 of 42 videos cannot be read" in done.err
  done = launch("ssv2", *args, "--max_bad_share=0.1")
  assert done.code == 0, done.err
  rows = [line.split()[-6:] for line in done.out.splitlines()[2:9]]
  np.testing.assert_array_equal(
    np.array(rows, int).sum(0), [42, 39, 3, 14, 14, 0]
  )
  assert "train: 39 of 42 clips in" in done.out and "made at" in done.out
  assert "Left out: the 8 videos of the test split." in done.out
  done = launch("ssv2", *args)
  assert done.code == 2 and "3 of 42 videos cannot be read (" in done.err
  done = launch("ssv2", *args, "--max_bad_share=0.1")
  assert done.code == 0 and done.out.count("all were there") == 2


@pytest.mark.slow
def test_killed_and_started_again_with_the_same_bytes(launch, mini, tmp_path):
  def args(name):
    return (
      f"--from={mini}", f"--to={tmp_path / name}", "--templates=all",
      "--max_bad_share=0.1", "--workers=2", *_SIZES
    )  # fmt: skip

  with subprocess.Popen(
    [sys.executable, "-m", "launch.ssv2", *args("a")],
    cwd=pathlib.Path(__file__).parents[2],
  ) as program:
    while not list((tmp_path / "a").rglob("*.tfrecord.*.partial")):
      assert program.poll() is None
      time.sleep(0.01)
    os.kill(program.pid, signal.SIGKILL)
  assert not list((tmp_path / "a").rglob("index.json"))
  for name in ("a", "b"):
    assert launch("ssv2", *args(name)).code == 0
  assert _files(tmp_path / "a") == _files(tmp_path / "b")


@pytest.mark.slow
def test_a_reward_is_trained_on_it(launch, mini, tmp_path):
  data = tmp_path / "data"
  templates = [f"--templates={t}" for t in ssv2_mini.plain_templates()[:3]]
  done = launch(
    "ssv2", f"--from={mini}", f"--to={data}", "--max_bad_share=0.2", *_SIZES,
    *templates, "--per_template=4",
  )  # fmt: skip
  assert done.code == 0, done.err
  done = launch(
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
  assert done.code == 0, done.err
  assert len(list(data.glob("ssv2-*/train/index.json"))) == 1
  lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
  losses = [json.loads(line).get("loss") for line in lines]
  losses = [loss for loss in losses if loss is not None]
  assert len(losses) >= 5 and np.isfinite(losses).all()
  assert losses[-1] < losses[0]
  assert (tmp_path / "run" / "report.json").exists()


@pytest.mark.slow
def test_a_backbone_is_trained_on_it(launch, mini, tmp_path):
  data = tmp_path / "data"
  done = launch(
    "ssv2", f"--from={mini}", f"--to={data}", "--templates=all",
    "--max_bad_share=0.1", *_SIZES,
  )  # fmt: skip
  assert done.code == 0, done.err
  done = launch(
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
  assert done.code == 0, done.err
  assert len(list(data.glob("ssv2-*/train/index.json"))) == 1
  report = json.loads((tmp_path / "run" / "report.json").read_text())
  assert report["num_steps"] == 50 and report["trained_on"] == 45
  assert report["held_out"]["clips"] == 16

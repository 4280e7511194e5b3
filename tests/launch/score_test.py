"""Tests of the score and report commands, as their user meets them."""

import os
import pathlib
import subprocess
import sys

import av
import numpy as np
import pytest

from a2r.evaluation import scoring
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]


def python(*arguments):
  """Runs Python on one CPU device."""
  env = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env=env,
  )


def clip(num_frames=4):
  return np.zeros((num_frames, 4, 4, 3), np.uint8)


def test_description():
  model, _ = tiny.make_fake("softmax")
  text = scoring.describe(model, clip(), "Close the drawer")
  lines = text.splitlines()
  assert lines[:2] == [
    "Instruction: Close the drawer",
    "  read as: closing drawer",
  ]
  assert lines[2].startswith("Reward: 0.4046 (probability")
  assert lines[7].split() == [">", "closing", "drawer", "0.40", "1.00", "yes"]
  assert lines[8].split() == ["opening", "box", "0.21", "0.00", "no"]
  assert "failure mode 2" in text


def test_description_of_a_new_instruction():
  model, _ = tiny.make_fake()
  text = scoring.describe(model, clip(), "juggling")
  assert "not known to the run" in text
  assert "> juggling" in text
  assert "failure mode" not in text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  tiny.make_run(folder)
  with av.open(str(folder.parent / "clip.mp4"), "w") as container:
    stream = container.add_stream("mpeg4", rate=8)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for level in range(0, 180, 20):
      pixels = np.full((48, 64, 3), level, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return folder


def test_score_prints_and_draws(run, tmp_path):
  picture = tmp_path / "clip.png"
  done = python(
    "-m",
    "launch.score",
    f"--run={run}",
    f"--video={run.parent / 'clip.mp4'}",
    "--instruction=close the drawer",
    f"--figure={picture}",
  )
  assert done.returncode == 0, done.stderr
  assert "read as: closing drawer" in done.stdout
  assert "failure mode 2" in done.stdout
  assert "opening box" in done.stdout
  assert picture.stat().st_size > 1000
  assert done.stderr == ""


def test_mistakes_are_one_line(run, tmp_path):
  corrupt = tmp_path / "corrupt.mp4"
  corrupt.write_bytes(b"not a video" * 100)
  good = run.parent / "clip.mp4"
  mistakes = [
    ((run, corrupt, "closing drawer"), "corrupt.mp4: not a readable video"),
    ((run.parent / "none", good, "closing drawer"), "no trained run"),
    ((run, good, " "), "the instruction is empty"),
  ]
  names = ("run", "video", "instruction")
  lines = [
    ["score", *(f"--{n}={v}" for n, v in zip(names, values, strict=True))]
    for values, _ in mistakes
  ]
  # One process for all: most of its time is importing.
  code = (
    "import sys\nfrom launch import app, score\n"
    f"for sys.argv in {lines}:\n"
    "  try:\n    app.run(score.main)\n"
    "  except SystemExit as error:\n    assert error.code == 2\n"
    "  else:\n    raise AssertionError(sys.argv)\n"
  )
  done = python("-c", code)
  assert done.returncode == 0, done.stderr
  assert done.stdout == ""
  told = done.stderr.strip().splitlines()
  assert len(told) == len(mistakes), done.stderr
  for line, (_, message) in zip(told, mistakes, strict=True):
    assert message in line


def test_start_is_light():
  code = (
    "import sys, launch.score; heavy = {'tensorflow', 'mujoco', 'matplotlib',"
    " 'brax'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
  )
  done = python("-c", code)
  assert done.returncode == 0, done.stderr


def test_report_writes_a_page(tmp_path):
  (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
  done = python("-m", "launch.report", f"--run={tmp_path}")
  assert done.returncode == 0, done.stderr
  assert "<html" in (tmp_path / "report.html").read_text()

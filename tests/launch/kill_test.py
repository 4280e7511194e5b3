"""Programs that are killed or asked to stop, and started again.

Run as a program, this file runs `launch.train` and kills itself on the way, or
makes clips with a stand-in for the simulator.
"""

import os
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from a2r.core import checkpoint, writer

_SPEEDS = ("steps_per_second", "data_wait")
_MOMENTS = ("collection", "training", "saving")


def _run(*args, check=True):
  """Runs this file as a program."""
  path = os.pathsep.join(sys.path)
  return subprocess.run(
    [sys.executable, __file__, *map(str, args)],
    env=os.environ | {"PYTHONPATH": path, "XLA_FLAGS": ""},
    cwd=pathlib.Path(__file__).parents[2],
    capture_output=True,
    text=True,
    check=check,
  )


def _files(root):
  """Relative path -> bytes of the data sets under a folder."""
  return {
    path.relative_to(root): path.read_bytes()
    for path in pathlib.Path(root).rglob("*")
    if path.suffix in (".tfrecord", ".json")
  }


@pytest.mark.parametrize("moment", ["kill", "term"])
def test_a_stopped_collection_goes_on_to_the_same_bytes(tmp_path, moment):
  stopped = _run("collect", tmp_path / "a", moment, check=False)
  if moment == "kill":
    assert stopped.returncode == -signal.SIGKILL
  else:
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stderr.endswith("The same command goes on from there.\n")
  assert 0 < len(list((tmp_path / "a").rglob("*.tfrecord"))) < 4
  _collect(tmp_path / "a")
  _collect(tmp_path / "b")
  assert _files(tmp_path / "a") == _files(tmp_path / "b")


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_the_same(tmp_path):
  _run("train", tmp_path / "whole", "never")
  for moment in _MOMENTS:
    killed = _run("train", tmp_path / "killed", moment, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
  asked = _run("train", tmp_path / "killed", "asked")
  assert "Stopped (after step" in asked.stderr
  _run("train", tmp_path / "killed", "never")
  whole, killed = (tmp_path / name / "run" for name in ("whole", "killed"))
  parts = ("params", "opt_state", "extra")
  saved = [
    checkpoint.load(run, which="newest", parts=parts) for run in (whole, killed)
  ]
  assert saved[0].step == saved[1].step
  jax.tree.map(np.testing.assert_array_equal, saved[0].parts, saved[1].parts)
  assert _rows(whole) == _rows(killed)
  assert _files(tmp_path / "whole/data") == _files(tmp_path / "killed/data")
  reports = [(run / "reward.json").read_text() for run in (whole, killed)]
  assert reports[0] == reports[1]


def _rows(run):
  return [
    {k: v for k, v in row.items() if k not in _SPEEDS}
    for row in writer.read(run)
  ]


def _kill():
  os.kill(os.getpid(), signal.SIGKILL)


def _counted(function, at, do):
  """`function`, but `do` happens before call number `at`."""
  calls = []

  def wrapped(*args, **kwargs):
    calls.append(None)
    if len(calls) == at:
      do()
    return function(*args, **kwargs)

  return wrapped


def _train(folder, moment):
  """`launch.train` with the smoke settings, until the moment comes."""
  from orbax.checkpoint._src.path import atomicity

  from data import records
  from launch import app, train

  term = lambda: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
  temporary = atomicity.AtomicRenameTemporaryPath
  target, name, at, do = {
    "collection": (records, "encode", 40, _kill),
    "training": (writer.Writer, "write", 3, _kill),
    "saving": (temporary, "finalize", 2, _kill),
    "asked": (writer.Writer, "write", 2, term),
    "never": (writer.Writer, "write", -1, _kill),
  }[moment]
  setattr(target, name, _counted(getattr(target, name), at, do))
  sys.argv = [
    "launch.train",
    "--config=configs/envgen.py:smoke",
    f"--workdir={folder}/run",
    f"--config.data.dir={folder}/data",
  ]
  app.run(train.main)


def _collect(root, do=None):
  """Makes four shards of clips; `do` happens in the third."""
  from a2r import sim
  from a2r.runs.sources import tabletop

  def fake(
    environment, task, source, seed, num_clips, *, num_frames, image_size, want
  ):
    if do is not None and source == "near_miss":
      do()
    rng = np.random.default_rng(seed)
    shape = (num_clips, num_frames, image_size, image_size, 3)
    return sim.Clips(
      frames=rng.integers(0, 255, shape, np.uint8),
      success=np.full(num_clips, want),
      source=np.full(num_clips, source),
      seeds=np.arange(num_clips),
      states=np.zeros((num_clips, 3, 13), np.float32),
    )

  spec = tabletop.RobotSpec(
    environment="tabletop/train",
    tasks=("close_drawer",),
    successes=70,
    failures=4,
    num_frames=2,
    image_size=8,
  )
  tabletop.collect(spec, root, collect_fn=fake)


def _main():
  verb, folder, moment = sys.argv[1:]
  if verb == "train":
    return _train(folder, moment)
  from launch import app

  do = {
    "kill": _kill,
    "term": lambda: os.kill(os.getpid(), signal.SIGTERM),
  }[moment]
  sys.argv = ["collect"]
  app.run(lambda: _collect(folder, do))


if __name__ == "__main__":
  _main()

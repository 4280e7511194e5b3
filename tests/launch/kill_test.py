"""Programs that are killed or asked to stop, and started again.

Run as a program, this file runs `launch.train` or `launch.reproduce` and kills
itself on the way, or makes clips with a stand-in for the simulator.
"""

import functools
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

from a2r.core import checkpoint, writer

_SPEEDS = ("steps_per_second", "data_wait")
_ROOT = pathlib.Path(__file__).parents[2]
# What a run does when it is asked to stop, and for how many seconds at most it
# has done so by then; in the order in which a run that goes on comes there.
_PHASES = {
  "imports": 6.0,
  "clips": 0.5,
  "first batch": 1.0,
  "first compilation": 8.0,
  "step": 1.0,
  "validation": 3.0,
  "checkpoint": 0.2,
  "last evaluation": 1.0,
  "figures": 0.1,
  "end": 0.0,
}


def _start(verb, folder, *moment, **env):
  """Starts this file as a program."""
  path = os.pathsep.join(sys.path)
  return subprocess.Popen(
    [sys.executable, __file__, verb, str(folder), *moment],
    env=os.environ | {"PYTHONPATH": path, "XLA_FLAGS": ""} | env,
    cwd=_ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


def _end(process, code=0):
  """Waits for a program; returns what it said."""
  _, said = process.communicate()
  assert process.returncode == code, said
  return said


def _run(verb, folder, moment, code=0):
  return _end(_start(verb, folder, moment), code)


def _files(root, *endings):
  """Relative path -> bytes of the files under a folder."""
  return {
    path.relative_to(root): path.read_bytes()
    for path in pathlib.Path(root).rglob("*")
    if path.suffix in endings
  }


@pytest.mark.parametrize("moment", ["kill", "term"])
def test_a_stopped_collection_goes_on_to_the_same_bytes(tmp_path, moment):
  said = _run(
    "collect", tmp_path / "a", moment, -signal.SIGKILL * (moment == "kill")
  )
  goes_on = said.endswith("The same command goes on from there.\n")
  assert goes_on == (moment == "term")
  assert 0 < len(list((tmp_path / "a").rglob("*.tfrecord"))) < 4
  _collect(tmp_path / "a")
  _collect(tmp_path / "b")
  left, right = (
    _files(tmp_path / name, ".tfrecord", ".json") for name in ("a", "b")
  )
  assert left == right


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_the_same(tmp_path):
  _run("train", tmp_path / "whole", "never")
  for moment in ("collection", "training", "saving"):
    _run("train", tmp_path / "killed", moment, -signal.SIGKILL)
  assert "Stopped (after step" in _run("train", tmp_path / "killed", "asked")
  _run("train", tmp_path / "killed", "never")
  _assert_equal_runs(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def _assert_equal_runs(whole, killed):
  parts = ("params", "opt_state", "extra")
  left, right = (
    checkpoint.load(run, which="newest", parts=parts) for run in (whole, killed)
  )
  assert left.step == right.step
  jax.tree.map(np.testing.assert_array_equal, left.parts, right.parts)
  for read in (
    _rows,
    lambda run: (run / "reward.json").read_text(),
    lambda run: _files(run.parent / "data", ".tfrecord", ".json"),
  ):
    assert read(whole) == read(killed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_asked_at_any_moment_it_ends_well_and_in_time(tmp_path, seed):
  rng = random.Random(seed)
  for phase, most in _PHASES.items():
    seconds = rng.uniform(0, most)
    # In those every program is compiled anew.
    name = phase if phase in ("clips", "first compilation") else "warm"
    cache = {"JAX_COMPILATION_CACHE_DIR": f"{tmp_path}/{name}"}
    if phase == "imports":
      process = _start_module(tmp_path / "asked", **cache)
      time.sleep(seconds)
      process.terminate()
      began = time.time()
    else:
      moment = phase, str(seconds)
      process = _start("train", tmp_path / "asked", *moment, **cache)
    _, said = process.communicate()
    where = f"{phase}, {seconds:.1f} s: {said}"
    assert process.returncode == 0, where
    assert "\nStopped (" in f"\n{said}" or phase == "end", where
    if phase != "imports":
      began = float(re.search(r"^asked at (.*)$", said, re.MULTILINE)[1])
    assert time.time() - began < 30, where
  for name in ("asked", "whole"):
    _run("train", tmp_path / name, "never")
  _assert_equal_runs(tmp_path / "whole" / "run", tmp_path / "asked" / "run")


def _start_module(folder, **env):
  """Starts `launch.train`; returns when it handles SIGTERM itself."""
  process = subprocess.Popen(
    [sys.executable, "-m", "launch.train", *_arguments(folder)],
    env=os.environ | {"XLA_FLAGS": ""} | env,
    cwd=_ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )
  status = pathlib.Path(f"/proc/{process.pid}/status")
  caught = 0
  while not caught >> (signal.SIGTERM - 1) & 1:
    time.sleep(0.005)
    caught = int(status.read_text().partition("SigCgt:")[2].split()[0], 16)
  return process


def _rows(run):
  return [
    {k: v for k, v in row.items() if k not in _SPEEDS}
    for row in writer.read(run)
  ]


def _assert_equal_tables(*folders):
  left, right = (
    json.loads((folder / "results.json").read_text()) for folder in folders
  )
  for key in ("cells", "rows", "task_rows", "quality", "notes"):
    assert left[key] == right[key]
  assert left["quality"]
  played, again = (_read_trials(folder / "plan") for folder in folders)
  assert len(played) == len(left["cells"]) > 0
  assert played.keys() == again.keys()
  for path, arrays in played.items():
    # Trials that go on are a smaller batch, whose sums may round otherwise.
    rewards = arrays.pop("values"), again[path].pop("values")
    np.testing.assert_allclose(*rewards, rtol=1e-6)
    for name, array in arrays.items():
      np.testing.assert_array_equal(array, again[path][name])


def _read_trials(root):
  """Relative path -> arrays of the trials under a folder."""
  trials = {}
  for path in root.rglob("*.npz"):
    with np.load(path) as arrays:
      trials[path.relative_to(root)] = dict(arrays)
  return trials


@pytest.mark.slow
def test_killed_between_any_two_files_the_table_is_the_same(tmp_path):
  for number in (4, 10, 17):
    _run("reproduce", tmp_path / "killed", f"file {number}", -signal.SIGKILL)
  both = [_start("reproduce", tmp_path / "killed", "file -1") for _ in range(2)]
  whole = _start("reproduce", tmp_path / "whole", "file -1")
  for process in (*both, whole):
    _end(process)
  _assert_equal_tables(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_killed_in_training_and_planning_the_table_is_the_same(tmp_path):
  for moment in ("training", "planning"):
    _run("reproduce", tmp_path / "killed", moment, -signal.SIGKILL)
  for folder in ("killed", "whole"):
    _run("reproduce", tmp_path / folder, "never")
  _assert_equal_tables(tmp_path / "killed", tmp_path / "whole")


def _kill():
  os.kill(os.getpid(), signal.SIGKILL)


def _terminate():
  os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(target, name, at, do=_kill):
  """Makes a function do something else before its call number `at`."""
  function, calls = getattr(target, name), []

  def wrapped(*args, **kwargs):
    calls.append(None)
    if len(calls) == at:
      do()
    return function(*args, **kwargs)

  setattr(target, name, wrapped)


def _terminate_after(seconds):
  """Asks this process to stop in a while, and says when."""

  def ask():
    time.sleep(seconds)
    print("asked at", time.time(), file=sys.stderr, flush=True)
    _terminate()

  if seconds:
    threading.Thread(target=ask, daemon=True).start()
  else:
    ask()


def _arguments(folder):
  return (
    "--config=configs/envgen.py:smoke",
    f"--workdir={folder}/run",
    f"--config.data.dir={folder}/data",
    "--config.train.num_steps=15",
  )


def _train(folder, moment, seconds="0"):
  """`launch.train` with the smoke settings, until the moment comes."""
  from orbax.checkpoint._src.path import atomicity

  from a2r.core import parallel, signals
  from a2r.evaluation import figures
  from a2r.models import scorer
  from a2r.runs import train as runs
  from data import pipeline, records
  from launch import app, train

  ask = functools.partial(_terminate_after, float(seconds))
  temporary = atomicity.AtomicRenameTemporaryPath
  places = {
    "collection": (records, "encode", 40),
    "training": (writer.Writer, "write", 3),
    "saving": (temporary, "finalize", 2),
    "asked": (writer.Writer, "write", 2, _terminate),
    "clips": (records, "encode", 40, ask),
    "first batch": (pipeline, "_decode_in_order", 1, ask),
    "first compilation": (parallel, "pmap_step", 1, ask),
    "step": (writer.Writer, "write", 1, ask),
    "validation": (scorer, "encode", 1, ask),
    "checkpoint": (temporary, "finalize", 1, ask),
    "last evaluation": (runs, "_evaluate", 1, ask),
    "figures": (figures, "filmstrips", 1, ask),
    "end": (signals, "end", 1, ask),
  }
  if moment in places:
    _interrupt(*places[moment])
  sys.argv = ["launch.train", *_arguments(folder)]
  app.run(train.main)


def _reproduce(folder, moment):
  """The smoke size of figure 3 with two rows, until the moment comes.

  At 'file 5' it is killed before it puts its fifth file in place, with
  stand-ins for what takes long.
  """
  import reproduce_stand_ins  # It lies beside this file.

  from a2r.runs import trials
  from launch import app, reproduce

  kind, _, number = moment.partition(" ")
  places = {
    "file": (os, "replace", int(number or -1)),
    "training": (writer.Writer, "write", 4),
    "planning": (trials.TrialStore, "write", 2),
  }
  if kind in places:
    _interrupt(*places[kind])
  for stand_in in reproduce_stand_ins.make([]) if kind == "file" else ():
    setattr(*stand_in)
  sys.argv = [
    "launch.reproduce",
    "--figure=3",
    "--size=smoke",
    "--methods=random,adapt2reward",
    "--columns=tabletop/train",
    f"--workdir={folder}",
    f"--data_dir={folder}/data",
    "--batch=2",
  ]
  app.run(reproduce.main)


def _collect(root, do=None):
  """Makes four shards of clips; `do` happens in the third."""
  from a2r.runs.sources import worlds
  from tests import tiny

  def before(number, source):
    if do is not None and source == "near_miss":
      do()

  spec = worlds.RobotSpec(
    environment="tabletop/train",
    tasks=("close_drawer",),
    successes=70,
    failures=4,
    num_frames=2,
    image_size=8,
  )
  worlds.collect(spec, root, collect_fn=tiny.Simulator(before))


def _main():
  verb, folder, moment, *seconds = sys.argv[1:]
  if verb == "collect":
    from launch import app

    sys.argv = ["collect"]
    do = {"kill": _kill, "term": _terminate}[moment]
    app.run(lambda: _collect(folder, do))
  else:
    run = {"train": _train, "reproduce": _reproduce}[verb]
    run(folder, moment, *seconds)


if __name__ == "__main__":
  _main()

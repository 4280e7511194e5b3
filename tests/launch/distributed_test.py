"""Several processes as one run: the same run, whatever happens to one of them.

Two processes of four fake devices each meet on this machine. Run as a program,
this file is one of them; at a moment it kills itself, asks itself to stop, or
waits.
"""

import functools
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from a2r.core import checkpoint, hosts, last_line, writer
from tests import fixtures

ROOT = pathlib.Path(__file__).parents[2]
_SPEEDS = ("steps_per_second", "data_wait")
# Which exchange of the processes is that before their clips are compared, and
# that of the fourth step.
_CLIPS, _STEP_4 = 4, 12
_STARTED = []


class _Pair:
  """The commands of a run of two processes, those of WORKSPACE.md."""

  def __init__(self, data, folder, *, is_shared=True):
    self.folder, self.run = folder, folder / "run"
    self._runs = [self.run, self.run if is_shared else folder / "other"]
    self._data, self._port = data, _free_port()

  def start(self, index, moment="never", *, count=2, devices=4, by="flags"):
    """Starts a process; a `count` of 1 is a run without others.

    It gets its place by 'flags', by JAX's 'variables' or by 'slurm'.
    """
    variables, place = _command(by, min(index, 1), self._port)
    if count == 1:
      place = []
    elif count > 2:
      place[-2:] = [f"--num_processes={count}", f"--process_index={index}"]
    port = f"127.0.0.1:{self._port}"
    environ, place = (
      json.loads(json.dumps(words).replace("127.0.0.1:8476", port))
      for words in (variables, place)
    )
    flags = os.environ["XLA_FLAGS"].replace("count=8", f"count={devices}")
    process = subprocess.Popen(
      [
        sys.executable,
        __file__,
        moment,
        *_arguments(self._data, self._runs[index % 2]),
      ]
      + place,
      env=os.environ | environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": flags},
      cwd=self.folder,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    _STARTED.append(process)
    return process

  def start_both(self, first="never", second="never", *, by="flags"):
    self._port = _free_port()
    return [self.start(0, first, by=by), self.start(1, second, by=by)]


def _command(by, index, port):
  """The variables and the flags of a process's place in WORKSPACE.md."""
  text = (ROOT / "WORKSPACE.md").read_text("utf-8")
  text = text.partition("### Several hosts")[2]
  commands = [
    shlex.split(line) for line in text.split("\n") if " -m launch.train" in line
  ]
  clustered, first, second, first_set, second_set = commands
  if by == "slurm":
    # Names and values as Slurm sets them; JAX makes a port of the number.
    variables = {
      "SLURM_JOB_ID": str(port % 2**12),
      "SLURM_STEP_NODELIST": "127.0.0.1",
      "SLURM_NTASKS": "2",
      "SLURM_PROCID": str(index),
      "SLURM_LOCALID": str(index),
    }
    return variables, clustered[5:]
  words = [(first, second), (first_set, second_set)][by == "variables"][index]
  start = words.index("python")
  variables = dict(word.split("=", 1) for word in words[:start])
  return variables, words[start + 5 :]


def _free_port():
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    return free.getsockname()[1]


def _arguments(data, run):
  """The smoke settings, on clips that are stored."""
  settings = {
    "data.dir": data / "datasets",
    "data.robot.source": "records",
    "data.robot.path": data / "robot",
    "data.robot.tasks": "()",
    "data.human.source": "records",
    "data.human.path": data / "human",
    "data.human.templates": "()",
    "data.human.clips_per_template": 8,
    "data.validation.successes": 3,
    "data.validation.failures": 2,
    "data.validation.share": 0.5,
    # Attention's key biases have no gradient but what rounding leaves, which
    # Adam scales up to the learning rate.
    "optim.learning_rate": 1e-4,
    "model.backbone.image_size": 16,
    "model.backbone.stem_features": "(8,)",
  }
  return [
    f"--config={ROOT}/configs/envgen.py:smoke",
    f"--workdir={run}",
    *(f"--config.{key}={value}" for key, value in settings.items()),
  ]


def _end(*processes, codes=(0, 0)):
  """Waits for processes; returns what each said."""
  said = [process.communicate(timeout=500) for process in processes]
  found = [process.returncode for process in processes]
  assert found == list(codes), said
  return said


def _load(run):
  parts = ("params", "opt_state", "extra")
  return checkpoint.load(run, which="newest", parts=parts)


def _rows(run):
  return [
    {k: v for k, v in row.items() if k not in _SPEEDS}
    for row in writer.read(run)
  ]


def _assert_same_bits(run, other):
  left, right = _load(run), _load(other)
  assert left.step == right.step == 6
  for a, b in zip(
    jax.tree.leaves(left.parts), jax.tree.leaves(right.parts), strict=True
  ):
    assert a.tobytes() == b.tobytes()
  assert _rows(run) == _rows(other)
  assert _report(run) == _report(other)


def _report(run):
  """What a run's report says, but for where and when it was made."""
  report = json.loads((run / "report.json").read_text("utf-8"))
  return {k: report[k] for k in ("results", "form", "notes") if k in report}


def _wait_for(condition):
  end = time.monotonic() + 300
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.1)


@pytest.fixture(autouse=True)
def _leave_none():
  """Ends the processes that a test which fails leaves behind."""
  yield
  while _STARTED:
    _STARTED.pop().kill()


@pytest.fixture(name="data", scope="module")
def _data(tmp_path_factory):
  path = tmp_path_factory.mktemp("data")
  fixtures.write_clips(path)
  return path


@pytest.fixture(name="whole", scope="module")
def _whole(data, tmp_path_factory):
  """A run of two processes that nothing stopped, and what each printed."""
  pair = _Pair(data, tmp_path_factory.mktemp("whole"))
  return pair.run, _end(*pair.start_both())


@pytest.mark.slow
def test_two_processes_are_one_run_of_as_many_devices(data, whole, tmp_path):
  run, ((printed, first), (nothing, second)) = whole
  one = _Pair(data, tmp_path)
  ((expected, _),) = _end(one.start(0, count=1, devices=8), codes=[0])
  left, right = _load(run), _load(one.run)
  for a, b in zip(
    jax.tree.leaves(left.parts["params"]),
    jax.tree.leaves(right.parts["params"]),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
  # The tables; the paths below them differ.
  assert printed.split("Report:")[0] == expected.split("Report:")[0] != ""
  assert nothing == ""
  assert "Gloo" not in first + second
  (told,) = [line for line in second.split("\n") if str(run) in line]
  assert told.startswith("train: process 1 of 2;")
  # Nothing of process 1 is left, and process 0 wrote as one process does.
  names = [{p.name for p in r.iterdir()} for r in (run, one.run)]
  assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_one_is_killed_and_both_go_on(data, whole, tmp_path, index):
  pair = _Pair(data, tmp_path)
  moments = ["never", "never"]
  moments[index] = "kill"
  processes = pair.start_both(*moments)
  processes[index].wait(300)
  began = time.monotonic()
  _, said = processes[1 - index].communicate(timeout=60)
  seconds = time.monotonic() - began
  print(f"ended {seconds:.1f} s after: {said.splitlines()[-1]}")
  assert processes[index].returncode == -signal.SIGKILL
  assert processes[1 - index].returncode not in (0, -signal.SIGKILL)
  assert seconds < 30
  assert said.endswith(f"train: {last_line.LOST}\n")
  assert said.count(last_line.LOST) == 1
  assert "coordination" not in said and "Traceback" not in said
  _end(*pair.start_both(by=("variables", "slurm")[index]))
  _assert_same_bits(pair.run, whole[0])


@pytest.mark.slow
def test_one_dies_while_the_other_waits_for_it(data, tmp_path):
  # No connection between devices tells: it sends no signs of life any more.
  pair = _Pair(data, tmp_path)
  first, second = pair.start_both(second="stand still")
  _wait_for(pair.folder.joinpath("waits").exists)
  second.kill()
  began = time.monotonic()
  _, said = first.communicate(timeout=60)
  seconds = time.monotonic() - began
  print(f"ended {seconds:.1f} s after: {said.splitlines()[-1]}")
  assert seconds < 30 and first.returncode != 0
  assert said.endswith(f"train: {last_line.LOST}\n")
  assert "coordination" not in said


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_one_is_asked_to_stop_and_all_save(data, whole, tmp_path, index):
  pair = _Pair(data, tmp_path, is_shared=False)
  moments = ["never", "never"]
  moments[index] = "ask"
  for _, said in _end(*pair.start_both(*moments)):
    assert said.endswith("The same command goes on from there.\n")
  assert _load(pair.run).step == 4
  _end(*pair.start_both())
  _assert_same_bits(pair.run, whole[0])
  assert not pair.folder.joinpath("other").exists()


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_one_is_asked_to_stop_before_there_is_anything(data, tmp_path, index):
  pair = _Pair(data, tmp_path)
  moments = ["never", "never"]
  moments[index] = "ask early"
  for _, said in _end(*pair.start_both(*moments)):
    assert said.endswith("The same command goes on from there.\n")
    assert "Traceback" not in said and "coordination" not in said
  assert not checkpoint.exists(pair.run)


@pytest.mark.slow
def test_a_third_that_comes_late_is_told_and_harms_nobody(
  data, whole, tmp_path
):
  pair = _Pair(data, tmp_path)
  both = pair.start_both(second="stand still")
  _wait_for(pair.folder.joinpath("waits").exists)
  for index in (0, 1):
    ((_, said),) = _end(pair.start(index), codes=[2])
    assert said.count("\n") == 1
    assert f"process {index} of the run in" in said
  late = pair.start(2, count=3)
  _, said = late.communicate(timeout=100)
  assert late.returncode != 0
  assert said.count("\n") == 1 and "one too many" in said
  pair.folder.joinpath("go").touch()
  _end(*both)
  _assert_same_bits(pair.run, whole[0])


@pytest.mark.slow
def test_processes_that_do_not_fit_are_told(data, tmp_path):
  pair = _Pair(data, tmp_path)
  settings = "--config.seed=7"
  for second, name in (
    (functools.partial(pair.start, 1, settings), "seed was 0, now 7"),
    (functools.partial(pair.start, 1, devices=2), "number of devices"),
    (functools.partial(pair.start, 1, count=3), "--num_processes=3"),
  ):
    for _, said in _end(pair.start(0), second(), codes=(2, 2)):
      assert name in said.splitlines()[-1]
      assert "Traceback" not in said and "coordination" not in said
  assert not checkpoint.exists(pair.run)


def _main():
  """`launch.train`, until the moment comes."""
  from launch import app, train

  moment, *arguments = sys.argv[1:]
  exchange, calls = hosts.exchange, []

  def stand_still():
    pathlib.Path("waits").touch()
    _wait_for(pathlib.Path("go").exists)

  def ask():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(3)  # The other has heard of it and waits for this step.

  actions = {
    "kill": functools.partial(os.kill, os.getpid(), signal.SIGKILL),
    "ask": ask,
    "ask early": ask,
    "stand still": stand_still,
  }

  def exchange_until(value=None):
    calls.append(None)
    at = _CLIPS if moment == "ask early" else _STEP_4
    if len(calls) == at and moment in actions:
      actions[moment]()
    return exchange(value)

  hosts.exchange = exchange_until
  more = [moment] * moment.startswith("--")
  sys.argv = ["launch/train.py", *arguments, *more]
  app.run(train.main)


if __name__ == "__main__":
  _main()

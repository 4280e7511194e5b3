"""A reproduction that is killed, started again, and shared by processes.

Run as a program, this file reproduces the smoke size and kills itself on the
way.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest


def _start(folder, moment):
  """Starts this file as a program."""
  return subprocess.Popen(
    [sys.executable, __file__, str(folder), moment],
    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "XLA_FLAGS": ""},
    cwd=pathlib.Path(__file__).parents[2],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


def _end(process, code=0):
  _, said = process.communicate()
  assert process.returncode == code, said


def _assert_equal_tables(one, other):
  results = [
    json.loads((folder / "results.json").read_text()) for folder in (one, other)
  ]
  for key in ("cells", "rows", "task_rows", "quality", "notes"):
    assert results[0][key] == results[1][key]
  assert results[0]["quality"]
  files = [
    {
      str(path.relative_to(folder)): path.read_bytes()
      for path in (folder / "plan").rglob("*.npz")
    }
    for folder in (one, other)
  ]
  assert len(files[0]) == len(results[0]["cells"]) > 0
  assert files[0] == files[1]


@pytest.mark.slow
def test_killed_between_any_two_files_the_table_is_the_same(tmp_path):
  for number in (4, 10, 17):
    _end(_start(tmp_path / "killed", f"file {number}"), -signal.SIGKILL)
  both = [_start(tmp_path / "killed", "file -1") for _ in range(2)]
  whole = _start(tmp_path / "whole", "file -1")
  for process in (*both, whole):
    _end(process)
  _assert_equal_tables(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_killed_in_training_and_planning_the_table_is_the_same(tmp_path):
  for moment in ("training", "planning"):
    _end(_start(tmp_path / "killed", moment), -signal.SIGKILL)
  for folder in ("killed", "whole"):
    _end(_start(tmp_path / folder, "never"))
  _assert_equal_tables(tmp_path / "killed", tmp_path / "whole")


def _main():
  """The smoke size of figure 3 with two rows, until the moment comes.

  At 'file 5' it is killed before it puts its fifth file in place, with
  stand-ins for what takes long.
  """
  import reproduce_stand_ins  # It lies beside this file.

  from a2r.core import writer
  from a2r.runs import trials
  from launch import app, reproduce

  folder, moment = sys.argv[1:]

  def counted(function, at):
    calls = []

    def wrapped(*args, **kwargs):
      calls.append(None)
      if len(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
      return function(*args, **kwargs)

    return wrapped

  kind, _, number = moment.partition(" ")
  target, name, at = {
    "file": (os, "replace", int(number or -1)),
    "training": (writer.Writer, "write", 4),
    "planning": (trials.TrialStore, "write", 2),
    "never": (writer.Writer, "write", -1),
  }[kind]
  for stand_in in reproduce_stand_ins.make([]) if kind == "file" else ():
    setattr(*stand_in)
  setattr(target, name, counted(getattr(target, name), at))
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


if __name__ == "__main__":
  _main()

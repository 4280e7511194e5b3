"""The export command, as its user meets it."""

import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from a2r import reward
from a2r.runs import run_folder
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]


def python(*arguments, cwd=ROOT):
  """Runs Python on one CPU device, compiled as the tests are."""
  quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
  env = os.environ | quick | {"PYTHONPATH": str(ROOT)}
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    capture_output=True,
    text=True,
    cwd=cwd,
    env=env,
  )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  tiny.make_run(folder)
  return folder


def test_the_cards_code_in_the_folder(run, tmp_path):
  reward.load(run).save(tmp_path / "mine")
  card = (tmp_path / "mine" / "README.md").read_text()
  code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
  assert len(code.splitlines()) == 5
  code += (
    "import sys\nheavy = {'tensorflow', 'mujoco', 'orbax', 'brax', 'data'}\n"
    "print(sorted(heavy & set(sys.modules)))\n"
  )
  done = python("-c", code, cwd=tmp_path / "mine")
  assert done.returncode == 0, done.stderr
  score, heavy = done.stdout.splitlines()
  assert heavy == "[]"
  assert 0 < float(score.strip("[]")) < 1


def test_export_and_mistakes(launch, run, tmp_path):
  (tmp_path / "thesis").mkdir()
  (tmp_path / "thesis" / "thesis.tex").write_text("years")
  mine = tmp_path / "mine"
  for arguments, name in (
    ([f"--run={run}"], "--to"),
    (["--run=runs/none", f"--to={mine}"], "runs/none"),
    ([f"--run={run}", f"--to={tmp_path / 'thesis'}"], "thesis"),
    # Before the run is read.
    (["--run=runs/none", f"--to={tmp_path / 'thesis'}"], "thesis"),
    ([f"--run={run}", f"--to={mine}", "--dtype=int8"], "float32|bfloat16"),
  ):
    done = launch("export", *arguments)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert name in line
  done = launch("export", f"--run={run}", f"--to={mine}", "--dtype=bfloat16")
  assert (done.code, done.err) == (0, "")
  assert re.search(r"mine \(0\.\d MB, bfloat16\)", done.out)
  assert f"launch.score --run={mine} --video=" in done.out
  assert {path.name for path in tmp_path.iterdir()} == {"mine", "thesis"}


def test_the_command_to_copy_does_nothing_else(launch, run, tmp_path):
  spoiled = shutil.copytree(run, tmp_path / "run")
  path = spoiled / "reward.json"
  spec = json.loads(path.read_text())
  spec["instructions"][0] = 'it\'s "$(touch x)"; `touch x`\x1b[3m\n# close it'
  path.write_text(json.dumps(spec))
  (spoiled / "digests.json").unlink()
  done = launch("export", f"--run={spoiled}", f"--to={tmp_path / 'to'}")
  (line,) = [line for line in done.out.splitlines() if "launch.score" in line]
  assert shlex.split(line)[-1] == (
    '--instruction=it\'s "$(touch x)"; `touch x`\\x1b[3m # close it'
  )


def test_the_command_line_can_be_run_again(monkeypatch):
  main = sys.modules["__main__"]
  spec = importlib.util.find_spec("launch.train")
  monkeypatch.setattr(main, "__spec__", spec)
  arguments = ["/here/launch/train.py", "--config=a.py", "--x=two words"]
  monkeypatch.setattr(sys, "argv", arguments)
  assert run_folder.command_line() == (
    "python -m launch.train --config=a.py '--x=two words'"
  )

"""The README's commands, and the page on own clips, run as it is written."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
_PAGE = ROOT / "docs" / "own_robot.md"


def _blocks():
  """(language, code) of the page's blocks that are programs, in order."""
  blocks = re.findall(r"```(\w+)\n(.*?)```", _PAGE.read_text("utf-8"), re.S)
  return [block for block in blocks if block[0] in ("python", "bash")]


def test_the_readme_starts_and_tests_in_one_command_each():
  text = (ROOT / "README.md").read_text("utf-8")
  install = "pip install -r requirements.txt && python -m"
  assert re.findall(r"```bash\n(.*?)\n```", text) == [
    f"{install} launch.train --config=configs/envgen.py",
    f"{install} pytest",
  ]
  assert (ROOT / ".ci" / "run").read_text().endswith(f"\n{install} pytest\n")


def test_the_page_has_its_three_steps():
  languages = [language for language, _ in _blocks()]
  assert languages == ["python", "bash", "bash"]
  code = [block for _, block in _blocks()]
  compile(code[0], _PAGE.name, "exec")
  assert "launch.train" in code[1] and "launch.score" in code[2]


@pytest.mark.slow
def test_the_page_runs_as_it_stands(tmp_path):
  (tmp_path / "configs").symlink_to(ROOT / "configs")
  env = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
  bin_folder = pathlib.Path(sys.executable).parent
  env["PATH"] = f"{bin_folder}{os.pathsep}{env['PATH']}"
  printed = []
  for language, code in _blocks():
    command = ["bash", "-ec", code]
    if language == "python":
      command = [sys.executable, "-c", code]
    done = subprocess.run(
      command, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed.append(done.stdout)
  path = tmp_path / "runs" / "my_robot" / "report.json"
  report = json.loads(path.read_text())["report"]
  (row,) = [r for r in report["summary"] if r["form"] == report["form"]]
  assert (row["num_success"], row["num_failure"]) == (20, 20)
  assert row["auroc"] > 0.8
  assert len(report["clips"]) == 40
  assert "expert-0.mp4" in printed[1] and "read as" not in printed[2]
  assert "failure mode 1" in printed[2]

"""The README's section on own clips, run as it is written."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
_SECTION = "## Your own robot: ten clips\n"


def _blocks():
  """(language, code) of the section's blocks that are programs, in order."""
  text = (ROOT / "README.md").read_text(encoding="utf-8")
  section = text.split(_SECTION)[1].split("\n## ")[0]
  found = re.findall(r"```(\w+)\n(.*?)```", section, re.S)
  return [block for block in found if block[0] in ("python", "bash")]


def test_the_section_has_its_three_steps():
  languages = [language for language, _ in _blocks()]
  assert languages == ["python", "bash", "bash"]
  code = [block for _, block in _blocks()]
  compile(code[0], "README.md", "exec")
  assert "launch.train" in code[1] and "launch.score" in code[2]


@pytest.mark.slow
def test_the_section_runs_as_it_stands(tmp_path):
  (tmp_path / "configs").symlink_to(ROOT / "configs")
  env = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
  bin_folder = pathlib.Path(sys.executable).parent
  env["PATH"] = f"{bin_folder}{os.pathsep}{env['PATH']}"
  said = []
  for language, code in _blocks():
    command = ["bash", "-ec", code]
    if language == "python":
      command = [sys.executable, "-c", code]
    done = subprocess.run(
      command, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said.append(done.stdout)
  path = tmp_path / "runs" / "my_robot" / "report.json"
  report = json.loads(path.read_text())["report"]
  (row,) = [r for r in report["summary"] if r["form"] == report["form"]]
  assert (row["num_success"], row["num_failure"]) == (20, 20)
  assert row["auroc"] > 0.8
  assert len(report["clips"]) == 40
  assert "expert-0.mp4" in said[1] and "read as" not in said[2]
  assert "failure mode 1" in said[2]

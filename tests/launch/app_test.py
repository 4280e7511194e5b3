"""Every program: its help, and a wrong flag in one line and at once."""

import pathlib
import subprocess
import sys

import jax
import pytest

from a2r import reward
from a2r.core import checkpoint
from launch import app
from tests import mistakes

ROOT = pathlib.Path(__file__).parents[2]
MAINS = sorted(
  path.stem
  for path in (ROOT / "launch").glob("*.py")
  if "app.run(main)" in path.read_text("utf-8")
)
HEAVY = ("jax", "flax", "tensorflow", "mujoco", "matplotlib", "orbax", "scipy")


def _python(*arguments):
  return subprocess.run(
    [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True
  )


def test_a_program_starts_without_what_is_slow_to_import():
  assert len(MAINS) == 14
  # One process for all: flags of one name are those of the last.
  code = f"""
import sys
from absl import flags
for name in {MAINS}:
  __import__(f"launch.{{name}}")
  for flag in list(flags.FLAGS):
    delattr(flags.FLAGS, flag)
  sys.modules.pop("launch.planner_flags", None)
print(sorted(set({HEAVY}) & set(sys.modules)))
"""
  done = _python("-c", code)
  assert done.stdout == "[]\n", done.stderr


def test_a_wrong_flag_and_help():
  done = _python("-m", "launch.score", "--nonsense")
  assert (done.returncode, done.stdout) == (2, "")
  assert done.stderr == "score: Unknown command line flag 'nonsense'\n"
  done = _python("-m", "launch.train", "--help")
  assert done.returncode == 0
  assert "--config=configs/envgen.py" in done.stdout
  assert "--workdir" in done.stdout and "distributed" in done.stdout


@pytest.mark.parametrize("name", MAINS)
def test_a_mistake_is_one_line_and_exit_code_2(launch, name):
  done = launch(name, "--nonsense")
  assert done.code == 2
  assert done.err == f"{name}: Unknown command line flag 'nonsense'\n"
  assert launch(name, "stray").err.startswith(f"{name}: unexpected argument")


def test_numbers_of_a_config_are_told_before_a_folder_is_made(launch, tmp_path):
  for name, config in {
    "train": "envgen",
    "pretrain": "pretrain",
    "finetune": "singularity_ssv2",
  }.items():
    done = launch(
      name,
      f"--config={ROOT}/configs/{config}.py:smoke",
      "--config.optim.learning_rate=0",
      f"--workdir={tmp_path / name}",
    )
    assert done.code == 2
    assert done.err == f"{name}: optim.learning_rate=0.0 must be above 0\n"
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  "arguments, names",
  [
    (("score", "--run="), "--run empty"),
    (("gallery", "--tasks="), "--tasks empty"),
    (("rl", "--stop_at=nan"), "--stop_at=nan finite"),
    (("collect", "--near_miss_fraction=inf"), "--near_miss_fraction=inf"),
    (("collect", "--clips=1000001", "--source=random"), "clips 1000000"),
    (("collect", "--image_size=5000"), "image_size 4096"),
    (("plan", "--run=random", "--samples=1000001"), "num_samples 1000000"),
    (("convert", "--to=x", "--allow_missing=("), "allow_missing '(' regular"),
    (
      ("reproduce", "--figure=3", "--human_path=a"),
      "--human_path --size=paper",
    ),
  ],
)
def test_values_that_cannot_be_meant_are_told(launch, arguments, names):
  done = launch(*arguments)
  assert done.code == 2
  mistakes.check_line(done.err, names)


@pytest.mark.parametrize(
  "program, content, names",
  [
    ("train", "def get_config(:", "mine.py, line 1 SyntaxError"),
    ("train", "import no_such_module", "mine.py no_such_module"),
    ("train", "get_config = lambda: 1 / 0", "mine.py ZeroDivisionError"),
    ("train", "get_config = lambda: None", "mine.py NoneType ConfigDict"),
    ("collect", "get_config = dict", "mine.py dict ConfigDict"),
    ("pretrain", "x = 1", "mine.py get_config"),
  ],
)
def test_a_file_that_is_no_config_is_named(
  launch, tmp_path, monkeypatch, program, content, names
):
  file = tmp_path / "mine.py"
  file.write_text(content)
  # What a file that was loaded before has defined stays otherwise.
  monkeypatch.delitem(sys.modules, "config_config", raising=False)
  done = launch(program, f"--config={file}", "--traceback=false")
  assert done.code == 2
  mistakes.check_line(done.err, names)


@pytest.mark.parametrize(
  "program, config, lacks",
  [
    ("train", "pretrain", "data"),
    ("pretrain", "envgen", "data.idle"),
    ("finetune", "fitvid", "data.captions"),
    ("collect", "fitvid", "data.human"),
  ],
)
def test_settings_of_another_program_are_told(launch, program, config, lacks):
  done = launch(program, f"--config={ROOT}/configs/{config}.py:smoke")
  assert done.code == 2
  mistakes.check_line(done.err, f"{config}.py {lacks} takes configs/")


def test_a_misspelt_setting_is_named_with_those_near_it(launch):
  for key, near in {
    "optm.learning_rate": "optim.learning_rate",
    "train.batch.humans": "train.batch.human",
    "model.backbne.width": "model.backbone.width",
  }.items():
    config = f"--config={ROOT}/configs/envgen.py:smoke"
    done = launch("train", config, f"--config.{key}=1")
    assert done.code == 2
    mistakes.check_line(done.err, f"--config.{key} {near} envgen.py")


def test_a_place_among_processes_is_told_before_a_folder_is_made(
  launch, tmp_path, monkeypatch
):
  # As where no cluster is found.
  def initialize(*place, **options):
    raise ValueError("coordinator_address should be defined.")

  monkeypatch.setattr(jax.distributed, "initialize", initialize)
  for flags, names in (
    (["--coordinator=here"], "--coordinator=here"),
    (["--num_processes=2", "--process_index=2"], "--process_index=2"),
    (["--nodistributed", "--process_index=1"], "--nodistributed"),
    (["--distributed"], "--coordinator JAX_NUM_PROCESSES Slurm"),
    (["--coordinator=a:1"], "--num_processes --process_index JAX_PROCESS_ID"),
  ):
    for name, config in (("train", "envgen"), ("pretrain", "pretrain")):
      done = launch(
        name,
        f"--config={ROOT}/configs/{config}.py:smoke",
        f"--workdir={tmp_path / name}",
        *flags,
      )
      assert done.code == 2 and done.err.startswith(f"{name}: ")
      assert done.err.count("\n") == 1
      assert all(part in done.err for part in names.split()), done.err
  assert not list(tmp_path.iterdir())


def test_64_bits_are_named(launch, tmp_path):
  with jax.enable_x64(True):
    done = launch("score", f"--run={tmp_path}")
    assert done.code == 2 and done.err.startswith("score: JAX_ENABLE_X64 is ")
    for load in (reward.load, checkpoint.load):
      mistakes.check(
        lambda load=load: load(tmp_path), ValueError, "JAX_ENABLE_X64"
      )


def test_a_full_disk_is_one_line_whoever_says_so(monkeypatch, capsys):
  class OfALibraryError(Exception):
    pass

  def main():
    raise OfALibraryError("/data/a; No space left on device")

  monkeypatch.setattr(sys, "argv", ["launch/a.py"])
  assert app.call(main) == 2
  assert capsys.readouterr().err == "a: /data/a; No space left on device\n"


def test_a_mistake_with_its_traceback(launch):
  with pytest.raises(ValueError, match="--config is missing"):
    launch("train", "--traceback")


def test_default_workdir_is_named_after_settings_and_size():
  for argument, workdir in {
    "configs/envgen.py": "runs/envgen",
    "configs/envgen.py:smoke": "runs/envgen_smoke",
    "a/taskgen.py:plus3,smoke": "runs/taskgen_plus3_smoke",
  }.items():
    assert app.default_workdir(argument) == workdir


def test_a_blank_may_stand_for_the_equals_sign(launch, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  config = f"{ROOT}/configs/envgen.py:smoke"
  done = launch("train", "--config", config, "--config.train.crap", "1")
  assert done.code == 2
  mistakes.check_line(done.err, "--config.train.crap envgen.py train.crop")
  (tmp_path / "runs").write_text("")
  done = launch("train", "--config", config)
  mistakes.check_line(done.err, "runs/envgen_smoke file")


def test_a_config_that_is_not_there_is_named(launch):
  for program in ("train", "collect"):
    done = launch(program, "--config=configs/envgem.py:smoke")
    assert done.code == 2
    mistakes.check_line(done.err, "configs/envgem.py such configs/envgen.py")

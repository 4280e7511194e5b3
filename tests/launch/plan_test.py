"""Planning from the command line, with a stand-in for the trials."""

import json
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from a2r.planning import trials
from launch import cells, plan, planning


@pytest.fixture
def played(monkeypatch):
  """The trials that were played, `(environment, task, seed)`, as they grow."""
  rows = []

  def run(environment, tasks, seeds, dynamics, objective, settings, **_):
    assert (dynamics is None) == (objective is None)
    rows.extend((environment, t, s) for t, s in zip(tasks, seeds, strict=True))
    draws = [np.random.default_rng(seed) for seed in seeds]
    steps = settings.horizon * settings.num_plans
    return trials.Trials(
      log=np.float32([rng.normal(size=(61, 13)) for rng in draws]),
      qpos=np.zeros((len(seeds), 61, 19), np.float32),
      actions=np.float32([rng.normal(size=(steps, 5)) for rng in draws]),
      success=np.array([rng.random() < 0.5 for rng in draws]),
      values=np.zeros((len(seeds), settings.num_plans), np.float32),
      frames=None,
    )

  monkeypatch.setattr(trials, "run", run)
  monkeypatch.setattr(planning, "_animate", lambda *_: b"picture")
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(["plan"])
  return rows


def _run(workdir, **values):
  given = {
    "run": "random",
    "envs": ["tabletop/train"],
    "tasks": ["close_drawer", "poke_cup"],
    "trials": 3,
    "batch": 2,
  }
  with flagsaver.flagsaver(workdir=str(workdir), **given | values):
    plan.main()


def _files(root):
  return {
    path.relative_to(root): path.read_bytes() for path in root.rglob("*.npz")
  }


def test_what_was_played_is_kept_and_grows(played, tmp_path, capsys):
  _run(tmp_path / "a")
  assert len(played) == 6
  assert len(set(played)) == 6
  table = capsys.readouterr().out
  assert "mean of all" in table
  assert "close_drawer" in table
  _run(tmp_path / "a")
  assert len(played) == 6
  _run(tmp_path / "a", trials=5)
  assert len(played) == 10
  assert {seed for _, _, seed in played} == set(range(5))
  _run(tmp_path / "b", trials=5)
  assert _files(tmp_path / "a") == _files(tmp_path / "b")
  rows = (tmp_path / "a/plan/metrics.jsonl").read_text().splitlines()
  assert [json.loads(row)["num_trials"] for row in rows] == [5, 5]


def test_a_cell_says_what_was_played(played, tmp_path):
  _run(tmp_path, seeds=2, trials=2)
  (folder,) = (tmp_path / "plan").glob("*/tabletop-train")
  cell = json.loads((folder / "poke_cup-seed1.json").read_text())
  assert cell["task"] == "poke_cup"
  assert cell["environment"] == "tabletop/train"
  assert (cell["seed"], cell["num_trials"]) == (1, 2)
  assert cell["settings"]["method"] == "random"
  assert (folder / "poke_cup-seed1-0.webp").read_bytes() == b"picture"
  store = cells.Store(tmp_path / "plan", cell["settings"])
  records = store.records("tabletop/train", "poke_cup", 1)
  assert records.seed.tolist() == [10_000, 10_001]
  assert records.success.sum() == cell["num_successes"]
  assert records.log.shape == (2, 61, 13)
  assert records.actions.shape == (2, 60, 5)


def test_other_settings_have_a_folder_of_their_own(played, tmp_path):
  _run(tmp_path)
  _run(tmp_path, samples=7)  # Who acts at random draws no candidates.
  assert len(played) == 6
  _run(tmp_path, repeat=2)
  assert len(played) == 12
  _run(tmp_path, run="clock", trials=1)
  _run(tmp_path, run="clock", trials=1, clip="future")
  assert len(played) == 16
  assert len(list((tmp_path / "plan").glob("*/settings.json"))) == 4


@pytest.mark.parametrize("batch", [2, 100])
def test_killed_between_two_files_it_goes_on(
  played, tmp_path, monkeypatch, batch
):
  _run(tmp_path / "whole", trials=4, batch=batch)

  class Killed(BaseException):
    pass

  def die(*_):
    raise Killed

  del played[:]
  write = cells.common.write_json
  monkeypatch.setattr(
    cells.common,
    "write_json",
    lambda path, value: (
      write(path, value) if path.name == "settings.json" else die()
    ),
  )
  with pytest.raises(Killed):
    _run(tmp_path / "killed", trials=4, batch=batch)
  monkeypatch.setattr(cells.common, "write_json", write)
  _run(tmp_path / "killed", trials=4, batch=batch)
  assert _files(tmp_path / "whole") == _files(tmp_path / "killed")
  counts = {
    path.stem: json.loads(path.read_text())["num_trials"]
    for path in (tmp_path / "killed").rglob("*-seed0.json")
  }
  assert counts == {"close_drawer-seed0": 4, "poke_cup-seed0": 4}


def test_a_broken_cell_is_told(played, tmp_path):
  _run(tmp_path)
  (path,) = tmp_path.rglob("poke_cup-seed0.npz")
  path.write_bytes(path.read_bytes()[:100])
  with pytest.raises(ValueError, match="poke_cup-seed0.npz is broken"):
    _run(tmp_path, trials=4)


@pytest.mark.parametrize(
  "values, said",
  [
    ({"run": "runs/nothing"}, "known: random, clock, ground_truth"),
    ({"envs": ["moon"]}, "unknown 'moon'; known: all, tabletop/train"),
    ({"tasks": ["fly", "poke_cup"]}, "unknown 'fly'; known: all, close_drawer"),
    ({"dynamics": "fitvid"}, "--fitvid=.* go together"),
    ({"plans": 4}, "got 4 plans of 20"),
    ({"run": None}, "--run is missing"),
  ],
)
def test_a_mistake_is_told_before_anything_is_made(
  played, tmp_path, values, said
):
  with pytest.raises(ValueError, match=said):
    _run(tmp_path / "new", **values)
  assert not (tmp_path / "new").exists()


def test_help_tells_how_to_start():
  done = subprocess.run(
    [sys.executable, "-m", "launch.plan", "--help"],
    capture_output=True,
    text=True,
    check=True,
  )
  for flag in ("--run", "--planner", "--trials", "--clip"):
    assert flag in done.stdout


@pytest.mark.slow
def test_the_true_state_does_the_task_and_chance_does_not(tmp_path, capsys):
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(["plan"])
  real = {"tasks": ["push_cup_left_to_right"], "batch": 10, "trials": 10}
  for run in ("random", "ground_truth"):
    _run(tmp_path, run=run, samples=40, **real)
  counts = {
    json.loads(path.read_text())["method"]: json.loads(path.read_text())
    for path in tmp_path.rglob("*-seed0.json")
  }
  capsys.readouterr()
  assert counts["ground_truth"]["num_successes"] == 10
  assert counts["random"]["num_successes"] < 8

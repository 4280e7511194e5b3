"""Reproducing a table, with stand-ins for clips, training and trials."""

import json

import numpy as np
import pytest

from a2r import sim
from a2r.core import checkpoint, files
from a2r.planning import config
from a2r.runs import (
  players,
  reproduction,
  reproduction_results,
  settings,
  video,
)
from a2r.runs import train as training


@pytest.fixture
def log(monkeypatch, load_module):
  """What was done, a list that grows."""
  done = []
  for stand_in in load_module("launch/reproduce_stand_ins.py").make(done):
    monkeypatch.setattr(*stand_in)
  return done


def _experiment(folder, **changes):
  values = {
    "name": "figure3",
    "size": "smoke",
    "num_seeds": 1,
    "num_trials": 2,
    "methods": ("random", "dvd"),
    "settings": config.PlannerConfig(num_samples=4, num_elites=1),
    "dynamics": players.DynamicsSpec(),
    "batch": {},
  } | changes
  columns = reproduction.find_columns(values["name"], values["size"])
  return reproduction.Experiment(folder=folder, **{"columns": columns} | values)


def _run(folder, **changes):
  experiment = _experiment(folder, **changes)
  reproduction_results.reproduce(experiment, "the command")
  return json.loads((folder / "results.json").read_text())


def _counts(results):
  return {
    (c["method"], c["column"], c["task"], c["seed"]): c["num_trials"]
    for c in results["cells"]
  }


def test_all_is_done_once_and_more_adds_to_it(log, tmp_path):
  results = _run(tmp_path)
  assert [row[0] for row in log] == (
    ["play", "play", "clips", "train", "judge", "play", "play"]
  )
  assert len(results["cells"]) == 2 * 2 * 2
  assert set(_counts(results).values()) == {2}
  assert "dvd" in (tmp_path / "results.md").read_text().lower()
  del log[:]
  again = _run(tmp_path)
  assert not log
  assert again["cells"] == results["cells"]
  assert again["quality"] == results["quality"]
  assert list(results["quality"]) == ["dvd"]
  more = _run(
    tmp_path, num_trials=3, num_seeds=2, methods=("random", "dvd", "bce")
  )
  assert set(_counts(more).values()) == {3}
  assert len(more["cells"]) == 3 * 2 * 2 * 2
  trained = [row[1:] for row in log if row[0] == "train"]
  assert trained == [
    ("bce-seed0", "adapt2reward", 0),
    ("dvd-seed1", "dvd", 1),
    ("bce-seed1", "adapt2reward", 1),
  ]
  assert ("play", "some", "tabletop/train", (2,)) in log
  assert ("play", "some", "tabletop/test1", (10000, 10001, 10002)) in log


def test_what_is_gone_or_changed_is_done_anew(log, tmp_path):
  before = _run(tmp_path)
  trained = tmp_path / "runs/dvd-seed0"
  (trained / "finished.json").unlink()
  del log[:]
  _run(tmp_path)
  # The weights came out the same: their trials are there.
  assert [row[0] for row in log] == ["train", "judge"]
  for file in tmp_path.glob("plan/dvd-seed0/*/tabletop-train/close*-seed0.*"):
    file.unlink()
  del log[:]
  assert _run(tmp_path)["cells"] == before["cells"]
  assert [row[0] for row in log] == ["play"]
  del log[:]
  planner = config.PlannerConfig(clip="future")
  results = _run(tmp_path, methods=("dvd",), settings=planner)
  assert [row[0] for row in log] == ["play", "play"]
  assert len(results["cells"]) == 4
  settings = json.loads((trained / "config.json").read_text())
  settings["optim"]["learning_rate"] = 1.0
  settings["something_new"] = 3
  files.write_json(trained / "config.json", settings, recorded=True)
  with pytest.raises(ValueError, match="optim.learning_rate was 1.0, now"):
    _run(tmp_path)
  file = tmp_path / "played/random-seed0-plan-train.json"
  file.write_text("{")
  with pytest.raises(ValueError, match=f"{file} is broken .*: delete it"):
    _run(tmp_path, methods=("random",))


def test_what_fails_is_told_and_stops_nothing_else(log, tmp_path, monkeypatch):
  train = training.run

  def fail(config, folder):
    if config.method == "dvd":
      raise FloatingPointError("loss is nan")
    train(config, folder)

  monkeypatch.setattr(training, "run", fail)
  with pytest.raises(ValueError, match="1 of .* failed.*dvd-seed0-train: loss"):
    _run(tmp_path, methods=("random", "dvd", "liv"))
  results = json.loads((tmp_path / "results.json").read_text())
  assert {c["method"] for c in results["cells"]} == {"random", "liv"}
  told = "\n".join(results["notes"])
  assert "dvd-seed0-train: FloatingPointError: loss is nan" in told
  assert "Unfinished" in told
  monkeypatch.setattr(training, "run", train)
  results = _run(tmp_path, methods=("random", "dvd", "liv"))
  assert {c["method"] for c in results["cells"]} == {"random", "dvd", "liv"}
  assert "Failed" not in "\n".join(results["notes"])


def test_notes_say_what_outcomes_are_the_same(log, tmp_path):
  blind = ("random", "clock", "ground_truth")
  one = {"columns": ("tabletop/train",)}
  notes = _run(tmp_path, methods=blind, **one)["notes"]
  told = "\n".join(notes)
  assert "same for random actions, the clock and the true state." in told
  assert "judged for all tasks of random actions and the clock, which" in told
  assert "more draws" not in told
  _run(tmp_path, methods=("clock",), num_trials=3, **one)
  notes = _run(tmp_path, methods=("clock", "ground_truth"), **one)["notes"]
  assert "from 2 to 3: rows with more of them" in "\n".join(notes)


def test_table_1_has_its_columns(log, tmp_path):
  every = _experiment(tmp_path, name="table1", methods=reproduction.METHODS)
  columns = {}
  for run in every.runs():
    columns.setdefault(run.method, []).append(run.column)
  several = {"dvd", "liv", "adapt2reward"}
  assert set(columns) == set(reproduction.METHODS) > several
  for method, found in columns.items():
    known = ["plus6", "robot_only", "plus3", "plus9"]
    assert found == (known if method in several else ["plus6"])
  results = _run(tmp_path, name="table1", columns=("plus3",))
  assert {c["environment"] for c in results["cells"]} == {"tabletop/train"}
  found = {(c["method"], c["column"]) for c in results["cells"]}
  assert found == {("random", "plus6"), ("dvd", "plus3")}
  with pytest.raises(ValueError, match="bce: not in .*plus3; known: plus6$"):
    _experiment(tmp_path, name="table1", methods=("bce",), columns=("plus3",))


def test_video_models_are_trained_first_one_per_environment(
  log, tmp_path, monkeypatch
):
  def train(config, folder):
    log.append(("video", config.data.environment))
    parts = {"params": {"w": np.ones(2)}, "extra": {"mean": np.ones(2)}}
    with checkpoint.Checkpoints(folder) as checkpoints:
      checkpoints.save(3, parts, {"config": {"model": {}}})

  monkeypatch.setattr(video, "run", train)
  loaded = []
  monkeypatch.setattr(
    players.DynamicsSpec,
    "make_dynamics",
    lambda self, *_: loaded.append(self.fitvid),
  )
  changes = {"dynamics": players.DynamicsSpec("fitvid")}
  experiment = _experiment(tmp_path, **changes)
  jobs = experiment.make_jobs()
  needs = {job.name: job.needs for job in jobs}
  assert needs["random-seed0-plan-train"] == ()
  assert needs["dvd-seed0-plan-train"] == ("dvd-seed0-train", "fitvid-train")
  results = _run(tmp_path, **changes)
  assert log[:2] == [("video", "tabletop/train"), ("video", "tabletop/test1")]
  assert [path for (path,) in loaded] == [
    str(tmp_path / "runs/fitvid-train"), str(tmp_path / "runs/fitvid-test1")
  ]  # fmt: skip
  assert {c["dynamics"] for c in results["cells"]} == {"fitvid"}
  del log[:]
  _run(tmp_path, **changes)
  _run(tmp_path, methods=("random",))
  assert not log


def test_a_video_model_is_found_by_its_environment(tmp_path):
  for name, where in (("a", "tabletop/train,tabletop/test1"), ("b", "x")):
    (tmp_path / name).mkdir()
    config = json.dumps({"data": {"environment": where}})
    (tmp_path / name / "config.json").write_text(config)
  dynamics = players.DynamicsSpec(
    "fitvid", fitvid=(str(tmp_path / "b"), str(tmp_path / "a"))
  )
  assert dynamics.find_video_model("tabletop/test1") == tmp_path / "a"
  with pytest.raises(ValueError, match="b of x.*tabletop/train,tabletop/test1"):
    dynamics.find_video_model("tabletop/test2")
  with pytest.raises(ValueError, match="no video model of tabletop/test2"):
    _run(tmp_path / "new", dynamics=dynamics, columns=("tabletop/test2",))
  assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
  "args, said",
  [
    ([], "one of --figure=3 and --table=1"),
    (["--table=1", "--columns=plus"], "'plus'; known: all, robot_only, plus3"),
    (["--figure=3", "--table=1"], "one of --figure=3 and --table=1"),
    (["--figure=3", "--fitvid=runs/a"], "no use without --dynamics=fitvid"),
    (["--figure=3", "--methods=vip"], "unknown 'vip'; known: all, random"),
  ],
)
def test_a_mistake_is_one_line_and_exit_code_2(launch, args, said, tmp_path):
  done = launch("reproduce", f"--workdir={tmp_path}/a", *args)
  assert done.code == 2
  assert said in done.err
  assert done.err.count("\n") == 1
  assert not (tmp_path / "a").exists()


def test_the_paper_s_size_has_its_clips_and_weights(log, tmp_path):
  paper = {"size": "paper", "columns": ("tabletop/train",)}
  results = _run(tmp_path / "a", **paper, methods=("random", "clock"))
  assert "First weights: random" in "\n".join(results["notes"])
  with pytest.raises(ValueError, match="--size=paper needs --human_path="):
    _run(tmp_path / "b", **paper)
  with pytest.raises(FileNotFoundError, match="data.human.path: .*b/none"):
    _run(tmp_path / "b", **paper, human_path=f"{tmp_path}/b/none")
  with pytest.raises(FileNotFoundError, match="model.init: 'none'"):
    _run(tmp_path / "b", **paper, human_path=f"{tmp_path}", init="none")
  assert not (tmp_path / "b").exists()
  weights = tmp_path / "weights.safetensors"
  for name in ("figure3", "table1"):
    experiment = _experiment(
      tmp_path, name=name, size="paper", human_path="ssv2", init=f"{weights}"
    )
    for run in experiment.runs():
      config = experiment.config(run)
      assert config.model.init == str(weights)
      shown = config.data.human.source == "ssv2"
      assert config.data.human.path == "ssv2" * shown


@pytest.mark.parametrize("name", ["figure3", "table1"])
def test_settings_of_every_run_make_sense(name, tmp_path):
  experiment = _experiment(
    tmp_path, name=name, size="small", methods=reproduction.TRAINED
  )
  assert experiment.tasks == sim.TARGETS
  runs = experiment.runs()
  assert len({run.name for run in runs}) == len(runs) > 0
  losses = {
    "adapt2reward": (True, True),
    "no_failures": (False, False),
    "bce": (False, True),
  }
  for run in runs:
    config = experiment.config(run)
    settings.read(config)
    uses = bool(config.loss.weights.fvlc), bool(config.loss.weights.bce)
    assert uses == losses.get(run.method, uses)
    method = "adapt2reward" if run.method in losses else run.method
    assert config.method == method

"""Planning from the command line, with a stand-in for the trials."""

import contextlib
import json
import threading

import jax
import numpy as np
import pytest

from a2r import sim
from a2r.planning import acting, config
from a2r.runs import players
from a2r.runs import trials as planning
from tests import tiny


@pytest.fixture
def played(monkeypatch):
  """The trials that were played, `(environment, task, seed)`, as they grow."""
  rows = []

  def run(environment, tasks, seeds, dynamics, objective, settings, **_):
    assert (dynamics is None) == (objective is None)
    rows.extend((environment, t, s) for t, s in zip(tasks, seeds, strict=True))
    return tiny.make_trials(seeds, settings)

  monkeypatch.setattr(acting, "run", run)
  monkeypatch.setattr(planning, "_animate", lambda *_: b"picture")
  return rows


def _run(
  workdir,
  *,
  name="random",
  tasks=("close_drawer", "poke_cup"),
  trials=3,
  seeds=1,
  batch=2,
  dynamics="sim",
  **settings,
):
  spec = planning.TrialSpec(
    players.make_player(name, config.PlannerConfig(**settings), tasks),
    ("tabletop/train",),
    tasks,
    tuple(range(seeds)),
    trials,
    players.DynamicsSpec(dynamics),
    batch_size=batch,
  )
  root = workdir / "plan"
  store = planning.open_store(root, spec)
  planning.play_all(store, spec)
  rows = store.counts(spec)
  planning.write_metrics(root / "metrics.jsonl", rows, store.folder.name)
  return planning.make_table(rows).text()


def _files(root):
  return {
    path.relative_to(root): path.read_bytes() for path in root.rglob("*.npz")
  }


def test_what_was_played_is_kept_and_grows(played, tmp_path):
  table = _run(tmp_path / "a")
  assert len(played) == 6
  assert len(set(played)) == 6
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


@pytest.mark.parametrize("backend, num_run", [("cpu", 6), ("gpu", 8)])
def test_a_short_last_part_is_filled_up_on_an_accelerator(
  played, tmp_path, monkeypatch, backend, num_run
):
  monkeypatch.setattr(jax, "default_backend", lambda: backend)
  _run(tmp_path, batch=4)
  assert len(played) == num_run
  assert len(set(played)) == 6
  rows = (tmp_path / "plan/metrics.jsonl").read_text().splitlines()
  assert [json.loads(row)["num_trials"] for row in rows] == [3, 3]


def test_rows_that_another_process_adds_are_kept(tmp_path, monkeypatch):
  path = tmp_path / "metrics.jsonl"
  rows = [
    {"environment": "x", "task": "close", "seed": seed} for seed in (0, 1)
  ]
  write = planning.files.write_text
  other = threading.Thread(
    target=planning.write_metrics, args=(path, rows[1:], "key")
  )

  def pause(path, text):
    monkeypatch.setattr(planning.files, "write_text", write)
    other.start()
    other.join(0.1)  # Enough to add its row, if nothing keeps it from that.
    write(path, text)

  monkeypatch.setattr(planning.files, "write_text", pause)
  planning.write_metrics(path, rows[:1], "key")
  other.join()
  seeds = [json.loads(row)["seed"] for row in path.read_text().splitlines()]
  assert seeds == [0, 1]


def test_a_cell_says_what_was_played(played, tmp_path):
  _run(tmp_path, seeds=2, trials=2)
  (folder,) = (tmp_path / "plan").glob("*/tabletop-train")
  cell = json.loads((folder / "poke_cup-seed1.json").read_text())
  assert cell["task"] == "poke_cup"
  assert cell["environment"] == "tabletop/train"
  assert (cell["seed"], cell["num_trials"]) == (1, 2)
  assert cell["settings"]["method"] == "random"
  assert (folder / "poke_cup-seed1-0.webp").read_bytes() == b"picture"
  store = planning.TrialStore(tmp_path / "plan", cell["settings"])
  records = store.read("tabletop/train", "poke_cup", 1)
  assert records.seed.tolist() == [10_000, 10_001]
  assert records.success.sum() == cell["num_successes"]
  assert records.states.shape == (2, 61, 13)
  assert records.actions.shape == (2, 60, 5)


def test_other_settings_have_a_folder_of_their_own(played, tmp_path):
  _run(tmp_path)
  # Who acts at random draws no candidates and predicts nothing.
  _run(tmp_path, num_samples=7, dynamics="fitvid")
  assert len(played) == 6
  _run(tmp_path, action_repeat=2)
  assert len(played) == 12
  _run(tmp_path, name="clock", trials=1)
  _run(tmp_path, name="clock", trials=1, clip="future")
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
  write = planning.files.write_json
  monkeypatch.setattr(
    planning.files,
    "write_json",
    lambda path, value: (
      write(path, value) if path.name == "settings.json" else die()
    ),
  )
  with pytest.raises(Killed):
    _run(tmp_path / "killed", trials=4, batch=batch)
  monkeypatch.setattr(planning.files, "write_json", write)
  _run(tmp_path / "killed", trials=4, batch=batch)
  assert _files(tmp_path / "whole") == _files(tmp_path / "killed")
  counts = {
    path.stem: json.loads(path.read_text())["num_trials"]
    for path in (tmp_path / "killed").rglob("*-seed0.json")
  }
  assert counts == {"close_drawer-seed0": 4, "poke_cup-seed0": 4}


def test_no_damage_to_a_cell_is_a_traceback(tmp_path):
  store = planning.TrialStore(tmp_path, {})
  seed, success = np.arange(2), np.ones(2, bool)
  states, actions, values = np.zeros((3, 2, 1, 1), np.float32)
  records = planning.Records(seed, success, states, actions, values)
  store.write("x", "poke_cup", 0, records)
  path = store.folder / "x/poke_cup-seed0.npz"
  whole = path.read_bytes()
  for place, byte in enumerate(whole):
    path.write_bytes(whole[:place] + bytes([byte ^ 0xFF]) + whole[place + 1 :])
    with contextlib.suppress(ValueError):
      store.read("x", "poke_cup", 0)
  path.write_bytes(whole[:100])
  with pytest.raises(ValueError, match="poke_cup-seed0.npz is broken"):
    store.read("x", "poke_cup", 0)


@pytest.mark.parametrize("num_trials", [10**12, -1, 2.5, "3", None, []])
def test_counts_that_cannot_be_are_told(played, tmp_path, num_trials):
  _run(tmp_path)
  (file,) = tmp_path.rglob("poke_cup-seed0.json")
  counts = json.loads(file.read_text())
  file.write_text(json.dumps(counts | {"num_trials": num_trials}))
  with pytest.raises(ValueError, match=f"{file.name} is broken .*num_trials"):
    _run(tmp_path)


@pytest.mark.parametrize(
  "args, said",
  [
    ([], "--run is missing"),
    (["--run=clock", "--dynamics=fitvid"], "--fitvid=<a run of launch.train"),
    (["--run=clock", "--plans=4"], "got 4 plans of 20"),
    (["--run=runs/none", "--envs=moon"], "--envs: unknown 'moon'"),
  ],
)
def test_a_mistake_is_one_line_and_exit_code_2(launch, args, said, tmp_path):
  done = launch("plan", *args, f"--workdir={tmp_path}/new")
  assert done.code == 2
  assert said in done.err
  assert done.err.count("\n") == 1
  assert not (tmp_path / "new").exists()


def test_unknown_names_list_the_known():
  with pytest.raises(ValueError, match="--envs: unknown 'moon'; known: all, t"):
    players.choose("--envs", ["moon"], sim.ENVIRONMENTS)
  with pytest.raises(ValueError, match="known: random, clock, ground_truth"):
    players.make_player("runs/nothing", config.PlannerConfig(), ["poke_cup"])
  for names in ([], ["all"]):
    assert players.choose("--tasks", names, sim.TARGETS) == sim.TARGETS
  asked = players.choose("--tasks", ["b", "a"], "xa", "b")
  assert asked == ("a", "b")


@pytest.mark.slow
def test_the_true_state_does_the_task_and_chance_does_not(tmp_path):
  for name in ("random", "ground_truth"):
    _run(
      tmp_path,
      name=name,
      tasks=("push_cup_left_to_right",),
      trials=10,
      batch=10,
      num_samples=40,
    )
  cells = [json.loads(p.read_text()) for p in tmp_path.rglob("*-seed0.json")]
  counts = {cell["method"]: cell["num_successes"] for cell in cells}
  assert counts["ground_truth"] == 10
  assert counts["random"] < 8

"""Tests of launch.rl with a stand-in for the training."""

import json
import signal

import numpy as np
import pytest
from safetensors import numpy as safetensors

from a2r.sim.behavior import stopped, stopping


@pytest.fixture
def trained(monkeypatch):
  """The names of the tasks that were trained, in a list that grows."""
  names = []

  def train(task, *, seed, stop_at, num_steps, report_fn):
    report_fn(num_steps, {"success": stop_at})
    names.append(task)
    weights = np.full((62, 5), len(names), np.float32)
    policy = stopped.Policy(
      mean=weights[:, 0],
      std=weights[:, 0],
      kernels=(weights,),
      biases=(weights[0],),
      noise=weights[0],
    )
    return stopping.EarlyStopped(
      policy, num_steps, stopping.Evaluation(stop_at, 0.5, 0.01 * seed)
    )

  monkeypatch.setattr(stopping, "train", train)
  monkeypatch.setattr(
    stopping,
    "evaluate_everywhere",
    lambda *_: {"tabletop/train": stopping.Evaluation(0.5, 0.5, 0.02)},
  )
  return names


def test_tasks_that_are_there_are_kept_and_skipped(launch, trained, tmp_path):
  path = tmp_path / "new" / "mine.safetensors"
  assert launch("rl", f"--out={path}", "--tasks=poke_cup").code == 0
  done = launch("rl", f"--out={path}", "--tasks=open_drawer,poke_cup")
  assert trained == ["poke_cup", "open_drawer"]
  assert "poke_cup is in" in done.out
  launch("rl", f"--out={path}", "--tasks=poke_cup", "--seed=3")
  assert trained[2:] == ["poke_cup"]
  policies = stopped.from_arrays(safetensors.load_file(path))
  assert {name: row.noise[0] for name, row in policies.items()} == {
    "open_drawer": 2,
    "poke_cup": 3,
  }
  card = json.loads(path.with_suffix(".json").read_text())
  assert card["poke_cup"]["settings"]["seed"] == 3
  assert card["open_drawer"]["judged"]["tabletop/train"]["success"] == 0.5
  assert set(card["poke_cup"]["versions"]) >= {"brax", "mujoco"}
  assert {file.name for file in path.parent.iterdir()} == {
    "mine.safetensors",
    "mine.json",
    "digests.json",
  }


def test_being_asked_to_stop_keeps_the_tasks_that_are_done(
  launch, trained, tmp_path, monkeypatch
):
  plain = stopping.train

  def train(task, **kwargs):
    if task == "open_drawer":
      signal.raise_signal(signal.SIGTERM)
    return plain(task, **kwargs)

  monkeypatch.setattr(stopping, "train", train)
  path = tmp_path / "mine.safetensors"
  done = launch("rl", f"--out={path}", "--tasks=poke_cup,open_drawer")
  assert done.code == 0 and "Stopped (SIGTERM)" in done.err
  assert trained == ["poke_cup"]
  assert list(stopped.from_arrays(safetensors.load_file(path))) == ["poke_cup"]


def test_mistakes_are_reported_before_training(launch, trained, tmp_path):
  done = launch("rl", f"--out={tmp_path}/x.safetensors", "--tasks=juggle")
  assert done.code == 2 and "'juggle'" in done.err and "open_drawer" in done.err
  done = launch("rl", f"--out={tmp_path}/x.npz")
  assert done.code == 2 and ".safetensors" in done.err
  assert not trained

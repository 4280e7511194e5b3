"""Tests of launch.rl with a stand-in for the training."""

import json
import signal

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from a2r.core import signals
from a2r.sim.behavior import stopped, stopping
from launch import rl


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
    return stopping.Stopped(
      policy, num_steps, stopping.Judgment(stop_at, 0.5, 0.01 * seed)
    )

  monkeypatch.setattr(stopping, "train", train)
  monkeypatch.setattr(
    stopping,
    "judge_everywhere",
    lambda *_: {"tabletop/train": stopping.Judgment(0.5, 0.5, 0.02)},
  )
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(["rl"])
  return names


def _run(path, **values):
  with flagsaver.flagsaver(out=str(path), **values):
    rl.main()


def test_tasks_that_are_there_are_kept_and_skipped(trained, tmp_path, capsys):
  path = tmp_path / "new" / "mine.safetensors"
  _run(path, tasks=["poke_cup"])
  _run(path, tasks=["open_drawer", "poke_cup"])
  assert trained == ["poke_cup", "open_drawer"]
  assert "poke_cup is in" in capsys.readouterr().out
  _run(path, tasks=["poke_cup"], seed=3)
  assert trained[2:] == ["poke_cup"]
  policies = stopped.from_arrays(_load(path))
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
  }


def test_being_asked_to_stop_ends_between_two_epochs(
  trained, tmp_path, monkeypatch
):
  plain = stopping.train

  def train(task, **kwargs):
    if task == "open_drawer":
      signal.raise_signal(signal.SIGTERM)
    return plain(task, **kwargs)

  monkeypatch.setattr(stopping, "train", train)
  path = tmp_path / "mine.safetensors"
  with pytest.raises(signals.StopRequested, match="during open_drawer"):
    _run(path, tasks=["poke_cup", "open_drawer"])
  assert trained == ["poke_cup"]
  assert list(stopped.from_arrays(_load(path))) == ["poke_cup"]


def test_mistakes_are_told_before_training(trained, tmp_path):
  with pytest.raises(KeyError, match="'juggle'.*close_drawer"):
    _run(tmp_path / "x.safetensors", tasks=["juggle"])
  with pytest.raises(ValueError, match="must end in .safetensors"):
    _run(tmp_path / "x.npz")
  assert not trained


def _load(path):
  from safetensors import numpy as safetensors

  return safetensors.load_file(path)

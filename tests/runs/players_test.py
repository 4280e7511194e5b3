"""Who plans, and what tells one from another."""

import json
import shutil

import numpy as np
import pytest

from a2r.core import checkpoint
from a2r.learners import registry
from a2r.planning import config
from a2r.runs import players
from tests import tiny


def _save_video_model(folder, level, stride=4):
  parts = {
    "params": {"w": np.full(2, level)},
    "extra": {"batch_stats": {"mean": np.zeros(2)}},
  }
  config = {"model": {"stride": stride}, "data": {"dir": folder.name}}
  with checkpoint.Checkpoints(folder) as checkpoints:
    checkpoints.save(3, parts, {"config": config})


def test_a_video_model_trained_anew_is_another(tmp_path):
  world = players.DynamicsSpec("fitvid", fitvid=(str(tmp_path / "a"),))
  _save_video_model(tmp_path / "a", 1.0)
  before = world.identity()
  _save_video_model(tmp_path / "b", 1.0)
  other = world._replace(fitvid=(str(tmp_path / "b"),))
  assert other.identity() == before
  for change in ({"level": 2.0}, {"level": 1.0, "stride": 2}):
    shutil.rmtree(tmp_path / "a")
    _save_video_model(tmp_path / "a", **change)
    assert world.identity() != before


@pytest.mark.parametrize("method", ["concept2robot", "dvd"])
def test_what_decides_scores_tells_rewards_apart(tmp_path, monkeypatch, method):
  stand_in = tiny.make_blank_scorer(name=method)
  monkeypatch.setattr(registry, "load_scorer", lambda *_: stand_in)

  def identity(score="log_odds", demos=b"some"):
    stored = {"concept2robot": {"score": score}}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    if method == "dvd":
      (tmp_path / "demos.npz").write_bytes(demos)
    settings = config.PlannerConfig()
    return players.make_player(str(tmp_path), settings, ["poke_cup"]).identity

  assert identity() == identity()
  same = identity("published") == identity(), identity(demos=b"") == identity()
  assert same == ((False, True) if method == "concept2robot" else (True, False))

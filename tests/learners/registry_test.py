"""Run folders as scorers."""

import json

import numpy as np
import pytest

from a2r import reward
from a2r.core import checkpoint
from a2r.learners import registry
from a2r.models import scorer


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, load_module):
  """Folder of an untrained Adapt2Reward run."""
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  load_module("reward_test.py").make_run(folder)
  return folder


@pytest.fixture(scope="module")
def clips():
  draw = np.random.default_rng(0)
  return draw.integers(0, 256, (5, 5, 24, 20, 3), np.uint8)


@pytest.mark.parametrize("which", ["best", "newest"])
@pytest.mark.parametrize("form", ["cosine", "softmax", "own_failures"])
def test_scores_are_those_of_the_reward(tiny, clips, form, which):
  path = tiny / "reward.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | {"form": form}))
  model = reward.load(tiny, which)
  judge = registry.load_scorer(tiny, which)
  assert (judge.name, judge.num_frames, judge.image_size) == (
    "adapt2reward",
    model.num_frames,
    16,
  )
  texts = ["Close the drawer", "opening box", "opening jar"]
  np.testing.assert_allclose(
    scorer.scores(judge, clips, texts), model.scores(clips, texts), atol=1e-6
  )


def test_equal_models_share_their_programs(tiny, tmp_path):
  one = registry.load_scorer(tiny)
  reward.load(tiny).save(tmp_path / "exported")
  for other in (
    registry.load_scorer(tiny, "newest"),
    registry.load_scorer(tmp_path / "exported"),
  ):
    assert (one.encode_fn, one.score_fn) == (other.encode_fn, other.score_fn)
    assert hash(one.encode_fn) == hash(other.encode_fn)
    assert hash(one.score_fn) == hash(other.score_fn)


def test_what_is_no_run_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match="no trained run"):
    registry.load_scorer(tmp_path / "nothing")
  (tmp_path / "config.json").write_text(json.dumps({"method": "magic"}))
  with pytest.raises(ValueError, match="'magic'; known: adapt2reward"):
    registry.load_scorer(tmp_path)
  assert not checkpoint.exists(tmp_path)

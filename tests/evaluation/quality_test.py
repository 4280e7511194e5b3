"""A reward's quality on made clips whose figures are known.

Channel 0 of a made clip holds how far its task is, channel 1 which task it is.
"""

import json

import numpy as np
import pytest

from a2r.evaluation import labeled, over_time, quality
from tests import tiny

TEXTS = ["close drawer", "move faucet", "open drawer"]
# How far the clips of each kind come.
ENDS = {"expert": 200, "near_miss": 120, "random": 10}


class Exact:
  """Scores how far the own task is, and 0 for any other text."""

  def scores(self, clips, texts):
    last = clips[:, -1, 0, 0].astype(float)
    tasks = [TEXTS.index(text) for text in texts]
    return np.where(last[:, 1:2] == tasks, last[:, :1] + 1, 0.0)


class Deaf(Exact):
  """Does not read the text."""

  def scores(self, clips, texts):
    best = super().scores(clips, texts).max(1, keepdims=True)
    return np.repeat(best, len(texts), 1)


def make_clips(num=4):
  parts = []
  for environment in ("train", "test1"):
    for task in (0, 1):
      frames = np.zeros((3 * num, 5, 2, 2, 3), np.uint8)
      source = np.repeat(list(ENDS), num).astype(object)
      ends = np.array([ENDS[s] for s in source])
      ends += np.tile(np.arange(num), 3)
      steps = np.linspace(0, 1, 5)
      frames[..., 0] = (ends[:, None] * steps)[..., None, None]
      frames[..., 1] = task
      parts.append(
        labeled.LabeledClips(
          frames=frames,
          success=source == "expert",
          source=source,
          task=f"task{task}",
          instruction=TEXTS[task],
          environment=environment,
        )
      )
  return labeled.concatenate(parts)


@pytest.fixture(scope="module")
def result():
  return quality.quality(Exact(), make_clips(), TEXTS)


def test_exact_reward(result):
  assert [row["environment"] for row in result["summary"]] == ["train", "test1"]
  for row in (*result["rows"], *result["summary"]):
    assert row["auroc"] == row["auroc_near_miss"] == row["somers_d"] == 1
    assert row["auroc_wrong_text"] == 0.5
    assert row["wrong_text_higher"] == 0
    # Ends 200 to 203, and 1: a mean of 202.5 above the others' 0.
    assert row["wrong_text_margin"] == 202.5
    np.testing.assert_allclose(row["voc_spearman"], 1)
    np.testing.assert_allclose(row["voc_pearson_failure"], 1, atol=1e-3)
  assert result["confusion"]["train"] == {
    "tasks": ["task0", "task1"],
    "instructions": TEXTS[:2],
    "share": [[1, 0, 0], [0, 1, 0]],
  }
  # Of 4 of 12 clips per task two kinds, at 5 points in time.
  assert result["num_prefix_clips"] == {"train": 80, "test1": 80}
  assert result["rows"][0]["num_curves"] == 4


def test_reward_that_does_not_read_is_found_out():
  result = quality.quality(Deaf(), make_clips(), TEXTS)
  row = result["summary"][0]
  assert row["auroc"] == row["auroc_wrong_text"] == 1
  assert (row["wrong_text_margin"], row["wrong_text_higher"]) == (0, 0.5)
  np.testing.assert_allclose(result["confusion"]["train"]["share"], 1 / 3)


def test_clock_orders_time_and_nothing_else(result):
  scorer = tiny.make_blank_scorer(num_frames=5, image_size=2)
  blank = quality.quality(scorer, make_clips(), TEXTS)["summary"]
  for row in result["clock"]:
    np.testing.assert_allclose(row["voc_spearman"], 1)
    np.testing.assert_allclose(row["voc_pearson_failure"], 1)
  for row in (*result["clock"], *blank):
    assert row["auroc"] == row["auroc_wrong_text"] == 0.5
    assert row["somers_d"] == 0
    assert row["wrong_text_higher"] == 0.5


def test_all_random_exploration_is_alike(result):
  clips = make_clips()
  clips.source[clips.source == "random"] = "explore"
  summary = quality.quality(Exact(), clips, TEXTS)["summary"]
  assert summary == result["summary"] and summary[0]["reward_random"] == 12.5
  clips.source[clips.near_miss] = "unknown"
  row, _ = quality.quality(Exact(), clips, TEXTS)["summary"]
  assert row["somers_d"] == 1


def sample(clips):
  return over_time.sample_curves(Exact().scores, clips, TEXTS)


def test_curves_are_of_prefixes_held_still(monkeypatch):
  monkeypatch.setattr(over_time, "_NUM_TIMES", 3)
  curves = sample(make_clips(1))
  assert curves.frames.tolist() == [0, 2, 4]
  # A success ends at 200: 0, half and all of it, and 1.
  np.testing.assert_allclose(curves.values[0], [1, 101, 201])
  entry = over_time.mean_curves(curves, make_clips(1))["train"]["task0"]
  assert entry["times"] == [0, 0.5, 1]
  assert entry["success"] == [1, 101, 201]
  assert entry["failure"] == [1, 61, 121]
  assert entry["success_std"] == [0, 0, 0]


def test_prefixes_are_bounded_and_always_the_same(monkeypatch):
  monkeypatch.setattr(over_time, "_MAX_PREFIXES", 40)
  clips = make_clips(6)
  index = sample(clips).index
  # 40 / 5 clips in two environments over two tasks and two kinds: two of each.
  groups = zip(clips.environment, clips.task, clips.source, strict=True)
  _, rows = np.unique([*groups], axis=0, return_inverse=True)
  counts = np.bincount(rows[index], minlength=12)
  assert sorted(counts) == [0] * 4 + [2] * 8
  np.testing.assert_array_equal(index, sample(clips).index)


def test_several_chunks_are_one(monkeypatch):
  whole = sample(make_clips())
  monkeypatch.setattr(over_time, "_CHUNK", 15)
  np.testing.assert_array_equal(whole.values, sample(make_clips()).values)


def test_clips_of_one_outcome_and_one_text():
  clips = make_clips()
  clips = clips[clips.success & (clips.task == "task0")]
  (row, _) = quality.quality(Exact(), clips, TEXTS[:1])["summary"]
  keys = ("auroc", "somers_d", "wrong_text_margin", "voc_spearman_failure")
  assert [row[key] for key in keys] == [None] * 4
  np.testing.assert_allclose(row["voc_spearman"], 1)


def test_clips_of_other_texts():
  with pytest.raises(ValueError, match="instructions .'move faucet'."):
    quality.quality(Exact(), make_clips(), TEXTS[:1])
  with pytest.raises(ValueError, match="got no clips"):
    quality.quality(Exact(), make_clips()[[]], TEXTS)


def test_results_stored_under_an_earlier_name_are_read(result):
  result = json.loads(json.dumps(result))
  old = json.loads(json.dumps(result).replace("somers_d", "kendall_tau_a"))
  assert quality.from_json(old) == quality.from_json(result) == result

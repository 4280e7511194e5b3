"""The figures of a reward, on a scorer whose answers are known."""

import dataclasses

import numpy as np
import pytest

from a2r.evaluation import (
  by_task,
  evaluate,
  forms,
  labeled,
  over_time,
)
from a2r.sim.behavior import policies

TEXTS = ["closing drawer", "moving cup", "opening box"]
SUCCESS = [True, True, False, False, False]
SOURCE = ["expert", "random", "noise", "near_miss", "explore"]
# Successes .9 .5; near-misses .6 .2; random .3: 5 of 6 pairs are right.
REWARDS = [0.9, 0.5, 0.6, 0.2, 0.3]


def make_clips(
  rewards=REWARDS, success=SUCCESS, source=SOURCE, *, task=0, place="train"
):
  """Clips whose first pixel is their reward in percent, two frames each."""
  frames = np.zeros((len(rewards), 2, 4, 4, 3), np.uint8)
  frames[:, -1, 0, 0, 0] = np.round(100 * np.array(rewards))
  frames[:, :, 0, 0, 1] = task
  return labeled.LabeledClips(
    frames=frames,
    success=np.array(success, bool),
    source=np.resize(np.array(source, object), len(rewards)),
    task=["close", "move"][task],
    instruction=TEXTS[task],
    environment=place,
  )


class FakeModel:
  """Reads the reward off the pixels; knows one instruction too few."""

  instructions = TEXTS[:1] + TEXTS[2:]
  form = "good"

  def form_scores(self, frames, texts):
    frames = frames.astype(float)
    reward = frames[:, -1, 0, 0, 0] / 100
    task = frames[:, -1, 0, 0, 1]
    own = np.array([[TEXTS.index(t) for t in texts]]) == task[:, None]
    good = np.where(own, reward[:, None], 0.1)
    return {"bad": 1 - good, "good": good}


def run(clips, model=None, **datasets):
  return evaluate.evaluate_run(model or FakeModel(), {"test": clips} | datasets)


def task_rows(*parts):
  clips = labeled.concatenate(parts)
  scores = FakeModel().form_scores(clips.frames, TEXTS)["good"]
  return by_task.task_rows(scores, clips, TEXTS)


def test_figures_of_a_task_by_hand():
  (row,) = task_rows(make_clips())
  assert row == pytest.approx(
    {
      "environment": "train",
      "task": "close",
      "num_success": 2,
      "num_failure": 3,
      "num_failure_near_miss": 2,
      "num_failure_random": 1,
      "auroc": 5 / 6,
      "auroc_near_miss": 3 / 4,
      "auroc_random": 1.0,
      "retrieval": 1.0,
      "retrieval_tasks": 1.0,
      "reward_success": 0.7,
      "reward_failure": 1.1 / 3,
      "reward_near_miss": 0.4,
      "reward_random": 0.3,
      "reward_other_text": None,
    }
  )
  # What is not there is None.
  (row,) = task_rows(make_clips([0.9, 0.4], [True] * 2, ["expert"]))
  assert row["auroc"] is row["auroc_near_miss"] is row["reward_random"] is None
  (row,) = task_rows(make_clips([0.9, 0.4], [False] * 2, ["random"]))
  assert row["auroc"] is row["retrieval"] is row["reward_success"] is None


def test_retrieval_and_other_text():
  first = make_clips([0.05, 0.3], [True, True], ["expert"])
  second = make_clips([0.4], [True], ["expert"], task=1)
  close, move = task_rows(first, second)
  assert close["retrieval"] == close["retrieval_tasks"] == 0.5
  assert move["retrieval_tasks"] == 1.0
  assert close["reward_other_text"] == pytest.approx(0.1)


def test_tasks_and_environments_apart_and_in_order():
  keys = [(place, task) for place in ("train", "test1") for task in (1, 0)]
  rows = task_rows(*(make_clips(task=t, place=place) for place, t in keys))
  names = [(row["environment"], row["task"]) for row in rows]
  assert names == [(place, ["close", "move"][task]) for place, task in keys]


def test_mean_over_tasks_and_interval():
  other = make_clips([0.9, 0.1], [True, False], ["expert", "random"], task=1)
  clips = labeled.concatenate([make_clips(), other])
  *_, row = run(clips).summary
  assert row["auroc"] == pytest.approx((5 / 6 + 1) / 2)
  assert (row["num_success"], row["num_tasks"]) == (3, 2)
  low, high = row["auroc_interval"]
  assert low < row["auroc"] and high <= 1
  assert run(clips).summary[-1] == row


class Other(FakeModel):
  """Scores clips of one task, all of them or not, in the other form."""

  def __init__(self, bad, num=None):
    self.form, self.num = bad, num

  def form_scores(self, frames, texts):
    scores = super().form_scores(frames, texts)
    turned = self.num is None or len(frames) == self.num
    names = ("bad", "good") if turned else ("good", "bad")
    return {self.form: scores[names[0]], "good": scores[names[1]]}


def test_form_is_chosen_on_validation_alone():
  # In the test environments the form is best that is worst on validation.
  places = [make_clips(task=1, place=place) for place in ("test1", "test2")]
  result = run(
    labeled.concatenate(places),
    Other("bad", num=5),
    validation=make_clips(task=1),
  )
  assert result.form == "good"
  assert result.validation == pytest.approx({"good": 5 / 6, "bad": 1 / 6})
  aurocs = {(r["form"], r["environment"]): r["auroc"] for r in result.summary}
  assert aurocs["good", "test2"] == pytest.approx(1 / 6)
  # The instruction that the model does not know is among those scored.
  assert result.instructions == [TEXTS[0], TEXTS[2], TEXTS[1]]


def test_thresholds_and_probabilities_are_of_validation_clips():
  apart = make_clips([0.9, 0.7, 0.3, 0.1], [True, True, False, False])
  turned = make_clips([0.9, 0.2, 0.6, 0.1], [True, True, False, False])
  result = run(turned, Other("softmax"), validation=apart)
  (row,) = result.thresholds
  assert row.pop("instruction") == TEXTS[0]
  assert row == pytest.approx(
    {
      "threshold": 0.5,
      "misses": 0,
      "false_alarms": 0,
      "test_misses": 0.5,
      "test_false_alarms": 0.5,
    }
  )
  assert result.calibration == {}  # Of a form that is none of the reward's.
  result = run(turned, Cosine(), validation=apart)
  assert result.calibration["scale"] > 0
  assert 0 <= result.calibration["error"] <= 1
  assert run(turned).thresholds == []
  (one,) = run(turned, validation=apart).thresholds
  assert one["threshold"] == pytest.approx(0.5)


class Cosine(FakeModel):
  form = "cosine"

  def form_scores(self, frames, texts):
    return {"cosine": super().form_scores(frames, texts)["good"]}


def test_what_the_reward_started_from_stands_beside_it():
  parts = [make_clips(task=t, place=place) for place in "ab" for t in (0, 1)]
  clips = labeled.concatenate(parts)
  before = Other("softmax")  # Turned around.
  result = evaluate.evaluate_run(FakeModel(), {"test": clips}, before=before)
  for row in (*result.rows, *result.summary):
    assert row["auroc_before"] == pytest.approx(1 / 6)
  assert all(row["auroc_before"] is None for row in run(clips).rows)


def test_form_for_instructions_that_validation_lacks():
  validation = make_clips(task=1)
  result = run(make_clips(), Other("softmax"), validation=validation)
  assert result.form == "softmax"
  assert "no validation clip shows" in forms.explain(result)
  result = run(validation, Other("softmax"), validation=validation)
  assert result.form == "good"
  assert "chosen on the validation clips" in forms.explain(result)


def test_without_validation_the_form_is_the_model_s():
  for clips in (make_clips(), make_clips()[:0]):
    result = run(clips)
    assert (result.form, result.validation) == ("good", {})
  assert (result.rows, result.notes) == ([], [])
  assert "no clips" in forms.explain(result)


def test_first_form_wins_ties():
  assert forms.best_form({"a": 0.5, "b": 0.7, "c": 0.7}) == "b"


@pytest.mark.parametrize(
  "sets, name",
  [
    ({"tests": make_clips()}, "'tests'"),
    ({"validation": make_clips()[:0]}, "'validation'"),
    ({"validation": make_clips()[[0, 1]]}, "validation"),
  ],
)
def test_errors_name_the_set(sets, name):
  with pytest.raises(ValueError, match=name):
    run(make_clips(), **sets)


def test_prefixes_hold_the_last_frame():
  clip = np.arange(3, dtype=np.uint8)[:, None, None, None]
  held = over_time.prefixes(clip)[..., 0, 0, 0]
  np.testing.assert_array_equal(held, [[0, 0, 0], [0, 1, 1], [0, 1, 2]])


def test_median_clips_and_their_curves():
  rewards = [0.9, 0.2, 0.6, 0.1, 0.5, 0.4]
  success = [True, True, True, False, False, False]
  clips = make_clips(rewards, success, ["expert"] * 3 + ["near_miss"] * 3)
  (example,) = run(clips).examples
  assert example.kinds == ("success", "near-miss")
  np.testing.assert_allclose(example.curves[0], [0, 0.6])
  np.testing.assert_allclose(example.curves[1], [0, 0.4])
  np.testing.assert_array_equal(example.frames[0], clips.frames[2])
  # Failures of no known source are shown too.
  (example,) = run(make_clips([0.9, 0.1], [True, False], ["video"])).examples
  assert example.kinds == ("success", "failure")


def test_environments_take_turns_over_tasks():
  parts = [make_clips(task=t, place=place) for place in "ab" for t in (0, 1)]
  parts.append(make_clips([0.5], [True], ["expert"], place="c"))
  examples = run(labeled.concatenate(parts)).examples
  assert [(e.environment, e.instruction) for e in examples] == [
    ("a", TEXTS[0]),
    ("b", TEXTS[1]),
  ]


def test_named_clips_are_listed_highest_first():
  clips = make_clips([0.2, 0.9, 0.5], [True, False, True], ["video"])
  named = dataclasses.replace(clips, name=np.array(["a", "b", ""], object))
  rows = run(named).clips
  assert [tuple(row.values()) for row in rows] == [
    ("b", TEXTS[0], "close", "train", False, 0.9, 1.0),
    ("a", TEXTS[0], "close", "train", True, 0.2, 1.0),
  ]
  # Those of the simulator have no names.
  assert run(clips).clips == []


def test_the_worst_clips_are_few_of_a_task():
  # Of every task three failures outrank a success, and one of them two.
  rewards, success = [0.9, 0.5, 0.6, 0.7, 0.95], [True, True] + [False] * 3
  parts = [
    make_clips(rewards, success, task=task, place=place)
    for place in "abc"
    for task in (0, 1)
  ]
  worst = run(labeled.concatenate(parts)).worst
  assert len(worst) == 8
  places = [(e.environment, e.instruction) for e in worst]
  assert max(places.count(place) for place in places) <= 2
  assert {e.kinds for e in worst} == {("success",), ("failure",)}
  np.testing.assert_allclose(worst[0].curves[0][-1], 0.5)
  assert run(make_clips([0.9, 0.1], [True, False])).worst == []


def test_training_clips_are_counted():
  rows = evaluate.count_training(make_clips())
  assert rows == [
    {
      "instruction": TEXTS[0],
      "num_success": 2,
      "num_failure": 3,
      "num_near_miss": 2,
    }
  ]


def test_sources_are_the_simulator_s():
  assert labeled.NEAR_SOURCES == policies.NEAR_SOURCES
  assert labeled.RANDOM_SOURCES == policies.RANDOM_SOURCES
  sources = np.array([*policies.SOURCES, "video", "rl"])
  success = [False] * (len(sources) - 1) + [True]
  clips = make_clips([0.5] * len(sources), success, sources)
  assert tuple(sources[clips.near_miss]) == policies.NEAR_SOURCES
  assert tuple(sources[clips.explored]) == policies.RANDOM_SOURCES


def test_a_text_stands_for_all_clips():
  clips = make_clips()
  assert clips.instruction.tolist() == [TEXTS[0]] * len(clips)
  assert clips[[1, 2]].name.tolist() == ["", ""]
  with pytest.raises(ValueError, match="'success': 1"):
    labeled.LabeledClips(np.zeros((2, 1, 4, 4, 3)), [True], *[["a", "b"]] * 4)

"""Tests of the figures of a reward, on a scorer whose answers are known."""

import dataclasses

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from a2r.evaluation import evaluate, labeled, over_time, report
from a2r.sim.behavior import policies

TEXTS = ["closing drawer", "moving cup", "opening box"]


def make_clips(rewards, success, source, *, task=0, environment="train"):
  """Clips whose first pixel is their reward in percent, two frames each."""
  frames = np.zeros((len(rewards), 2, 4, 4, 3), np.uint8)
  frames[:, -1, 0, 0, 0] = np.round(100 * np.array(rewards))
  frames[:, :, 0, 0, 1] = task
  return labeled.LabeledClips(
    frames=frames,
    success=np.array(success, bool),
    source=np.array(source, object),
    task=np.full(len(rewards), ["close", "move"][task], object),
    instruction=np.full(len(rewards), TEXTS[task], object),
    environment=np.full(len(rewards), environment, object),
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


SUCCESS = [True, True, False, False, False]
SOURCE = ["expert", "random", "noise", "near_miss", "explore"]
# Successes .9 .5; near-misses .6 .2; random .3: 5 of 6 pairs are right.
REWARDS = [0.9, 0.5, 0.6, 0.2, 0.3]


class TaskRowsTest(parameterized.TestCase):
  def _rows(self, clips):
    scores = FakeModel().form_scores(clips.frames, TEXTS)["good"]
    return evaluate.task_rows(scores, clips, TEXTS)

  def test_figures_by_hand(self):
    (row,) = self._rows(make_clips(REWARDS, SUCCESS, SOURCE))
    self.assertEqual(row["num_success"], 2)
    self.assertEqual(row["num_failure"], 3)
    self.assertEqual(row["num_failure_near_miss"], 2)
    expected = {
      "auroc": 5 / 6,
      "auroc_near_miss": 3 / 4,
      "auroc_random": 1.0,
      "retrieval": 1.0,
      "reward_success": 0.7,
      "reward_near_miss": 0.4,
      "reward_random": 0.3,
    }
    for key, value in expected.items():
      np.testing.assert_allclose(row[key], value, rtol=1e-6, err_msg=key)

  def test_what_is_not_there_is_none(self):
    (row,) = self._rows(make_clips([0.9, 0.4], [True, True], ["expert"] * 2))
    for key in ("auroc", "auroc_near_miss", "reward_random"):
      self.assertIsNone(row[key])
    (row,) = self._rows(make_clips([0.3], [False], ["random"]))
    for key in ("auroc", "retrieval", "reward_success"):
      self.assertIsNone(row[key])

  def test_retrieval_and_other_text(self):
    clips = labeled.concatenate(
      [
        make_clips([0.05, 0.3], [True, True], ["expert"] * 2),
        make_clips([0.4], [True], ["expert"], task=1),
      ]
    )
    close, move = self._rows(clips)
    self.assertEqual(close["retrieval"], 0.5)
    self.assertEqual(close["retrieval_tasks"], 0.5)
    self.assertEqual(move["retrieval_tasks"], 1.0)
    self.assertAlmostEqual(close["reward_other_text"], 0.1)

  def test_tasks_and_environments_apart_and_in_order(self):
    parts = [
      make_clips(REWARDS, SUCCESS, SOURCE, task=task, environment=place)
      for place in ("train", "test1")
      for task in (1, 0)
    ]
    rows = self._rows(labeled.concatenate(parts))
    self.assertEqual(
      [(r["environment"], r["task"]) for r in rows],
      [("train", "move"), ("train", "close")]
      + [("test1", "move"), ("test1", "close")],
    )


class EnvironmentRowsTest(absltest.TestCase):
  def test_mean_over_tasks_and_interval(self):
    clips = labeled.concatenate(
      [
        make_clips(REWARDS, SUCCESS, SOURCE),
        make_clips([0.9, 0.1], [True, False], ["expert", "random"], task=1),
      ]
    )
    scores = FakeModel().form_scores(clips.frames, TEXTS)["good"]
    (row,) = evaluate.environment_rows(scores, clips, TEXTS, num_resamples=200)
    self.assertAlmostEqual(row["auroc"], (5 / 6 + 1) / 2)
    self.assertEqual(row["num_success"], 3)
    self.assertEqual(row["num_tasks"], 2)
    low, high = row["auroc_interval"]
    self.assertLess(low, row["auroc"])
    self.assertLessEqual(high, 1.0)
    again = evaluate.environment_rows(scores, clips, TEXTS, num_resamples=200)
    self.assertEqual(again[0], row)

  def test_interval_narrows_with_clips(self):
    rng = np.random.default_rng(0)
    widths = []
    for num in (20, 500):
      success = np.arange(2 * num) < num
      scores = rng.normal(size=2 * num) + success
      low, high = evaluate._auroc_interval(
        scores, success, np.zeros(2 * num), 300, 0
      )
      self.assertBetween(0.76, low, high)  # The true value, Phi(1 / sqrt 2).
      widths.append(high - low)
    # The square root of 25 times as many clips.
    self.assertBetween(widths[0] / widths[1], 3.5, 7)


class EvaluateRunTest(absltest.TestCase):
  def _clips(self, place):
    return make_clips(REWARDS, SUCCESS, SOURCE, task=1, environment=place)

  def test_form_is_chosen_on_validation_alone(self):
    class Contrary(FakeModel):
      """The bad form is best in the test environment."""

      form = "bad"

      def form_scores(self, frames, texts):
        scores = super().form_scores(frames, texts)
        if len(frames) == 5:
          return scores
        return {"bad": scores["good"], "good": scores["bad"]}

    test = labeled.concatenate([self._clips("test1"), self._clips("test2")])
    model = Contrary()
    result = evaluate.evaluate_run(
      model, {"validation": self._clips("train"), "test": test}
    )
    self.assertEqual(result.form, "good")
    self.assertAlmostEqual(result.validation["good"], 5 / 6)
    self.assertAlmostEqual(result.validation["bad"], 1 / 6)
    found = {(r["form"], r["environment"]): r["auroc"] for r in result.summary}
    self.assertAlmostEqual(found["good", "test2"], 1 / 6)
    # The instruction that the model does not know is among those scored.
    self.assertEqual(result.instructions, [TEXTS[0], TEXTS[2], TEXTS[1]])

  def test_form_for_instructions_that_validation_lacks(self):
    class Softmax(FakeModel):
      """The form of unseen instructions is worse on validation."""

      def form_scores(self, frames, texts):
        scores = super().form_scores(frames, texts)
        return {"good": scores["good"], "softmax": scores["bad"]}

    validation = self._clips("train")
    test = make_clips(REWARDS, SUCCESS, SOURCE, task=0, environment="train")
    result = evaluate.evaluate_run(
      Softmax(), {"validation": validation, "test": test}
    )
    self.assertEqual(result.form, "softmax")
    self.assertIn("no validation clip shows", report.form_line(result))
    again = evaluate.evaluate_run(
      Softmax(), {"validation": validation, "test": validation}
    )
    self.assertEqual(again.form, "good")
    self.assertIn("chosen on the validation clips", report.form_line(again))

  def test_without_validation_the_form_is_the_model_s(self):
    result = evaluate.evaluate_run(FakeModel(), {"test": self._clips("train")})
    self.assertEqual(result.form, "good")
    self.assertEqual(result.validation, {})

  def test_first_form_wins_ties(self):
    clips = self._clips("train")
    same = np.ones((5, 3))
    form, _ = evaluate.choose_form({"a": same, "b": same}, clips, TEXTS)
    self.assertEqual(form, "a")

  def test_faults_are_named(self):
    clips = self._clips("train")
    with pytest.raises(ValueError, match="expected 'test'"):
      evaluate.evaluate_run(FakeModel(), {"tests": clips})
    with pytest.raises(ValueError, match="'test' has no clips"):
      evaluate.evaluate_run(FakeModel(), {"test": clips[:0]})
    with pytest.raises(ValueError, match="cannot be chosen"):
      evaluate.evaluate_run(
        FakeModel(), {"test": clips, "validation": clips[clips.success]}
      )


class ExamplesTest(absltest.TestCase):
  def test_prefixes_hold_the_last_frame(self):
    clip = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * np.ones(
      (1, 1, 1, 3), np.uint8
    )
    held = over_time.prefixes(clip)[..., 0, 0, 0]
    np.testing.assert_array_equal(held, [[0, 0, 0], [0, 1, 1], [0, 1, 2]])

  def test_median_clips_and_their_curves(self):
    rewards = [0.9, 0.2, 0.6, 0.1, 0.5, 0.4]
    success = [True, True, True, False, False, False]
    clips = make_clips(rewards, success, ["expert"] * 3 + ["near_miss"] * 3)
    (example,) = evaluate.evaluate_run(FakeModel(), {"test": clips}).examples
    self.assertEqual(example.kinds, ("success", "near-miss"))
    np.testing.assert_allclose(example.curves[0], [0, 0.6])
    np.testing.assert_allclose(example.curves[1], [0, 0.4])
    np.testing.assert_array_equal(example.frames[0], clips.frames[2])

  def test_failures_of_no_known_source_are_shown_too(self):
    clips = make_clips([0.9, 0.1], [True, False], ["video", "video"])
    (example,) = evaluate.evaluate_run(FakeModel(), {"test": clips}).examples
    self.assertEqual(example.kinds, ("success", "failure"))

  def test_environments_take_turns_over_tasks(self):
    parts = [
      make_clips(REWARDS, SUCCESS, SOURCE, task=task, environment=place)
      for place in ("a", "b")
      for task in (0, 1)
    ]
    parts.append(make_clips([0.5], [True], ["expert"], environment="c"))
    clips = labeled.concatenate(parts)
    shown = evaluate.evaluate_run(FakeModel(), {"test": clips}).examples
    self.assertEqual(
      [(e.environment, e.instruction) for e in shown],
      [("a", TEXTS[0]), ("b", TEXTS[1])],
    )


class ClipRowsTest(absltest.TestCase):
  def test_named_clips_are_listed_highest_first(self):
    clips = make_clips([0.2, 0.9, 0.5], [True, False, True], ["video"] * 3)
    named = dataclasses.replace(clips, name=np.array(["a", "b", ""], object))
    result = evaluate.evaluate_run(FakeModel(), {"test": named}, notes=["few"])
    self.assertEqual(
      result.clips,
      [
        {
          "name": name,
          "instruction": TEXTS[0],
          "success": success,
          "score": score,
        }
        for name, success, score in (("b", False, 0.9), ("a", True, 0.2))
      ],
    )
    self.assertEqual(result.notes, ["few"])

  def test_clips_of_the_simulator_have_no_names(self):
    clips = make_clips([0.2, 0.9], [True, False], ["expert", "random"])
    self.assertEqual(
      evaluate.evaluate_run(FakeModel(), {"test": clips}).clips, []
    )


class LabeledTest(absltest.TestCase):
  def test_sources_are_the_simulator_s(self):
    self.assertEqual(labeled.NEAR_SOURCES, policies.NEAR_SOURCES)
    sources = [*policies.SOURCES, "video", "rl"]
    success = [False] * (len(sources) - 1) + [True]
    clips = make_clips([0.5] * len(sources), success, sources)
    found = [sources[row] for row in np.flatnonzero(clips.near_miss)]
    self.assertEqual(found, list(policies.NEAR_SOURCES))
    self.assertEqual(labeled.RANDOM_SOURCES, policies.RANDOM_SOURCES)
    found = [sources[row] for row in np.flatnonzero(clips.explored)]
    self.assertEqual(found, list(policies.RANDOM_SOURCES))

  def test_a_text_stands_for_all_clips(self):
    frames = np.zeros((2, 3, 4, 4, 3), np.uint8)
    clips = labeled.LabeledClips(
      frames, [True, False], ["expert", "random"], "close", TEXTS[0], "train"
    )
    self.assertLen(clips, 2)
    self.assertEqual(clips.instruction.tolist(), [TEXTS[0]] * 2)
    self.assertEqual(clips[[1]].name.tolist(), [""])

  def test_columns_of_other_length_are_named(self):
    with pytest.raises(ValueError, match="'success': 1"):
      labeled.LabeledClips(np.zeros((2, 1, 4, 4, 3)), [True], *[["a", "b"]] * 4)


if __name__ == "__main__":
  absltest.main()

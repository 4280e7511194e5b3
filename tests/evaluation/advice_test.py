"""What to film next, of reports whose lack is known."""

import types

import pytest

from a2r.evaluation import advice

ROW = {
  "form": "cosine",
  "environment": "front",
  "task": "close",
  "auroc": 1.0,
  "auroc_near_miss": None,
  "retrieval_tasks": None,
}
ENOUGH = {"num_success": 9, "num_failure": 9, "num_near_miss": 3}


def film_next(rows=(ROW,), clips=(), training=()):
  result = types.SimpleNamespace(
    form="cosine", rows=list(rows), clips=list(clips), training=list(training)
  )
  return advice.film_next(result)


def make_clips(scores, success, task="close"):
  return [
    {
      "name": f"{task}-{n}.mp4",
      "instruction": task,
      "task": task,
      "environment": "front",
      "success": done,
      "score": score,
    }
    for n, (score, done) in enumerate(zip(scores, success, strict=True))
  ]


def test_nothing_is_asked_for_where_all_is_well():
  rows = [ROW, ROW | {"environment": "side", "auroc": 0.97}]
  training = [{"instruction": "close"} | ENOUGH]
  clips = make_clips(
    [0.9, 0.8, 0.9, 0.8, 0.1, 0.2, 0.1, 0.2], [True] * 4 + [False] * 4
  )
  assert film_next(rows, clips, training) == []


@pytest.mark.parametrize("wrong", [0, 4])
def test_a_clip_with_the_wrong_label_is_found(wrong):
  scores = [0.9, 0.8, 0.85, 0.88, 0.95, 0.1, 0.2, 0.15, 0.3, 0.25]
  success = [True] * 5 + [False] * 5
  success[wrong] = False
  (sentence,) = film_next(clips=make_clips(scores, success))
  assert f"labels of close-{wrong}.mp4 (failure of 'close'):" in sentence
  turned = make_clips([1 - s for s in scores], [not x for x in success])
  (sentence,) = film_next(clips=turned)
  assert f"close-{wrong}.mp4 (success of 'close')" in sentence
  # Where the reward tells nothing, no label is doubted.
  mixed = make_clips(
    [0.1, 0.9] * 5, [True, True, False, False] * 2 + [True] * 2
  )
  assert film_next(clips=mixed) == []


def test_outcomes_that_are_missing_or_few():
  training = [
    {"instruction": "close"} | ENOUGH,
    {"instruction": "open"} | ENOUGH | {"num_failure": 2, "num_near_miss": 0},
  ]
  few, near = film_next(training=training)
  assert few == "Film more failures of 'open' (2)."
  assert near.startswith("Film tries that nearly succeed at 'open', and say so")
  many = [
    {"instruction": f"task {n}"} | ENOUGH | {"num_success": 1} for n in range(6)
  ]
  (few,) = film_next(training=many)
  assert few.endswith("'task 3' (1) and 2 more.")


def test_a_camera_that_is_told_worse():
  side = ROW | {"environment": "side", "auroc": 0.7}
  back = side | {"task": "open", "auroc": 0.6}
  sentence = film_next([ROW, side, back])[0]
  assert sentence == (
    "Film successes and failures from side: the AUROC is 0.65 there and 1.00 "
    "from front, least for 'open' (0.60)."
  )


def test_texts_that_are_mistaken_and_tasks_that_are_weak():
  rows = [
    ROW | {"retrieval_tasks": 0.2},
    ROW | {"task": "open", "auroc": 0.9, "auroc_near_miss": 0.8},
  ]
  text, weak = film_next(rows)
  assert "80% of them fit another task's instruction better" in text
  assert weak.startswith("Film more tries that nearly succeed of 'open'")
  (weak,) = film_next([ROW | {"auroc": 0.8}])
  assert weak.startswith("Film more successes and failures of 'close'")
  assert film_next([ROW | {"auroc": None}]) == []


def test_three_are_enough():
  training = [{"instruction": "a", "num_success": 1, "num_failure": 1,
               "num_near_miss": 0}]  # fmt: skip
  rows = [ROW, ROW | {"environment": "side", "auroc": 0.5}]
  assert len(film_next(rows, training=training)) == 3

"""Which clips are held out: how many, which together, and for how long."""

import numpy as np
import pytest

from a2r.runs import split
from a2r.runs.data_settings import ValidationSettings


class _Clips:
  """The columns of a data set that the choice looks at."""

  def __init__(self, task, success):
    self.task, self.success = np.array(task), np.array(success)
    self.instruction = self.task

  def __len__(self):
    return len(self.task)

  def select(self, rows):
    return np.flatnonzero(rows)


def _split(task, success, crcs, seed=0, **changes):
  limits = {"share": 0.2, "successes": 30, "failures": 30} | changes
  return split.split_validation(
    _Clips(task, success), np.array(crcs), ValidationSettings(**limits), seed
  )


_CRCS = np.random.default_rng(0).integers(0, 1 << 32, 42)
_SUCCESS = np.arange(42) % 2 == 0


def test_a_share_of_each_outcome():
  kept, chosen, notes = _split(["a"] * 40, _SUCCESS[:40], _CRCS[:40])
  assert sorted([*kept, *chosen]) == list(range(40))
  assert _SUCCESS[chosen].sum() == 4 and len(chosen) == 8
  assert notes == [
    "held out of training: 4 of 20 successes and 4 of 20 failures of 'a'"
  ]
  _, other, _ = _split(["a"] * 40, _SUCCESS[:40], _CRCS[:40], seed=1)
  assert set(other) != set(chosen)
  _, few, _ = _split(["a"] * 40, _SUCCESS[:40], _CRCS[:40], failures=1)
  assert _SUCCESS[few].sum() == 4 and len(few) == 5


def test_too_few_to_choose_anything_are_not_held_out():
  task, success = ["a"] * 20 + ["b"] * 20, _SUCCESS[:40]
  clips, crcs = _Clips(task, success), _CRCS[:40]
  limits = ValidationSettings(share=0.2, successes=30, failures=30)
  # Pooled over both tasks there are four of each.
  for least, num in ((4, 8), (5, 0)):
    kept, chosen, notes = split.split_validation(
      clips, crcs, limits, 0, least=least
    )
    assert (len(kept), len(chosen)) == (40 - num, num)
    assert notes[0].startswith("no clip is held out" * (not num) or "held out")


def test_clips_that_are_added_move_few_others():
  before, chosen, _ = _split(["a"] * 40, _SUCCESS[:40], _CRCS[:40])
  _, again, _ = _split(["a"] * 42, _SUCCESS, _CRCS)
  assert len(again) == 8
  assert len(set(again) & set(before)) == 0  # None that was trained on.
  assert len(set(again) & set(chosen)) >= 6
  order = np.arange(40)[::-1]
  _, turned, _ = _split(["a"] * 40, _SUCCESS[order], _CRCS[order])
  assert set(order[turned]) == set(chosen)


def test_one_video_is_on_one_side():
  task = ["a", "b"] * 20
  crcs = np.repeat(_CRCS[:20], 2)
  kept, chosen, _ = _split(task, [True] * 40, crcs)
  assert len(chosen) == 8 and not set(crcs[kept]) & set(crcs[chosen])
  _, chosen, _ = _split(["a", "a"], [True, True], [7, 7])
  assert not len(chosen)  # Nothing would be left.


def test_the_same_pictures_as_success_and_failure_are_told():
  *_, notes = _split(["a", "b", "a", "a"], [1, 0, 0, 1], [5, 5, 5, 6])
  assert notes[-1].startswith("TWO LABELS: 1 clips of ['a']")
  *_, notes = _split(["a", "b"], [True, False], [5, 5])
  assert not any("TWO LABELS" in note for note in notes)


def test_extreme_shares():
  for share, count in ((0, 0), (0.01, 1), (0.999, 2)):
    _, chosen, _ = _split(["a"] * 3, [True] * 3, [1, 2, 3], share=share)
    assert len(chosen) == count
    _, chosen, notes = _split(["a"], [False], [1], share=share)
    assert not len(chosen)
    assert "0 of 0 successes and 0 of 1 failures" in notes[0]
  for share in (-0.1, 1, float("nan")):
    with pytest.raises(ValueError, match=r"validation.share=.*less than 1"):
      ValidationSettings(share=share)


def test_a_digest_tells_what_clips_say_not_where_they_stand():
  clips = _Clips(["a", "b"], [True, False])
  same = split.digest(clips, [1, 2])
  assert split.digest(_Clips(["b", "a"], [False, True]), [2, 1]) == same
  for task, success, crcs in (
    (["a", "b"], [True, True], [1, 2]),
    (["a", "a"], [True, False], [1, 2]),
    (["a", "b"], [True, False], [1, 3]),
  ):
    assert split.digest(_Clips(task, success), crcs) != same

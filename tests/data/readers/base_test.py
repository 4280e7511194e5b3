"""Labels of episodes from what data sets say, and what is left out."""

import numpy as np
import pytest

from data.readers import base

EPISODES = range(4)


def _label(fields, **options):
  options = base.Options(num_frames=3, **options)
  fields = {key: dict(enumerate(values)) for key, values in fields.items()}
  return base.label_episodes(fields, EPISODES, options, "set")


@pytest.mark.parametrize(
  "values, expected",
  [
    ([[np.nan, 1], [np.nan, 0], [0, np.nan], [1, np.nan]], [1, 0, 0, 1]),
    ([[None, True], [None, False], [[], [True]], False], [1, 0, 1, 0]),
    (["failure", "Success", b"failed", ["no", "yes"]], [0, 1, 0, 1]),
    ([np.nan, 1, [None], np.inf], [None, 1, None, None]),
    ([None, "", "nan", np.array([[0], [1]])], [None, None, None, 1]),
  ],
)
def test_values_become_labels(values, expected):
  labels, _ = _label({"success": values})
  assert [labels.get(episode) for episode in EPISODES] == expected


def test_fields_that_disagree_are_told():
  flat, reward = [False] * 4, [[0, 1], 0, 1, 0]
  _, notes = _label({"next.success": flat, "next.reward": reward})
  assert len(notes) == 2
  said = "'next.success' is False in all 4; 'next.reward' reaches 1 in 2 of 4"
  assert said in notes[1] and "success_key=next.reward" in notes[1]
  assert len(_label({"next.success": reward, "reward": reward})[1]) == 1


@pytest.mark.parametrize(
  "values", ([4, 1, 2, 4], [0, -1, -1, 0], [1.2345678, 0, 1.2345678, 1])
)
def test_a_scaled_field_is_told(values):
  _, notes = _label({"reward": values})
  low, high = min(values), max(values)
  assert f"(from {low:g} to {high:g})" in notes[0]
  assert (
    f"is reached in 2: --config.data.robot.success_threshold={high}" in notes[1]
  )
  assert len(_label({"reward": values}, success_threshold=high)[1]) == 1


def test_fields_without_a_value():
  labels, notes = _label({"success": [np.nan] * 4, "reward": [0, 1, 0, 1]})
  assert list(labels.values()) == [False, True, False, True]
  assert notes[-1] == "'success' has no value in any episode"
  for fields in ({"success": [None] * 4}, {"success": [None], "reward": [1]}):
    with pytest.raises(ValueError, match="set: 'success' has no value in any"):
      _label(fields, success_key="success")
  words = {"success": [1, 0, "partly", 1]}
  with pytest.raises(ValueError, match="episode 2: 'success' is 'partly', no"):
    _label(words)
  labels, notes = _label({"is_success": [1, 0, 0, 1]} | words)
  assert sum(labels.values()) == 2
  assert "not compared with: set, episode 2: 'success' is 'partly'" in notes[-1]


def _bad(*reasons):
  return [base.BadClip(f"clip {n}", said) for n, said in enumerate(reasons)]


def test_what_is_left_out_is_counted():
  assert not base.tell_left_out([], 4, "bad.csv")
  bad = _bad("it is empty", "no such file: b", "it is empty")
  (note,) = base.tell_left_out(bad, 9, "bad.csv")
  for part in ("3 of 9", "2 x it is empty (clip 0, clip 2)", "bad.csv"):
    assert part in note
  assert note.index("it is empty") < note.index("1 x no such file: b (clip 1)")
  (note,) = base.tell_left_out(_bad(*["it is empty"] * 9), 99, "bad.csv")
  assert (
    "it is empty (clip 0, clip 1, clip 2, clip 3, clip 4, ...); all" in note
  )
  (note,) = base.tell_left_out(_bad(*"abcdefgh"), 99, "bad.csv")
  assert note.count(" x ") == 5 and "; ...; all are listed" in note


def test_half_of_the_clips_may_be_left_out():
  base.check_left_out(_bad("a", "b"), 4, "set")
  for bad, num in ((_bad("a", "b"), 3), (_bad("a"), 1)):
    with pytest.raises(
      ValueError, match=f"set: {len(bad)} of {num} clips .* a"
    ):
      base.check_left_out(bad, num, "set")


def test_what_takes_long_shows_its_progress(monkeypatch, capsys):
  assert list(base.watch(iter("abc"), 3, "episodes opened")) == list("abc")
  assert not capsys.readouterr().err
  monkeypatch.setattr(base, "_PATIENCE", 0.0)
  assert list(base.watch(iter("abcd"), 4, "episodes opened")) == list("abcd")
  assert "episodes opened: 3/4" in capsys.readouterr().err

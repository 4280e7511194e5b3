"""What is told of decisions, by hand."""

import numpy as np
import pytest


@pytest.fixture
def decisions(benchmark_module):
  return benchmark_module("decisions")


def _make(decisions, success, value):
  success, value = np.array(success, bool), np.array(value, np.float32)
  number, candidates = success.shape
  pictures = np.arange(number * (3 + 2 * candidates), dtype=np.uint8)
  taken, frames = np.split(pictures, [3 * number])
  return decisions.Decisions(
    task=np.array(["close_drawer"] * number),
    plan=np.arange(number) % 3,
    taken=taken.reshape(number, 3, 1, 1, 1).repeat(3, axis=-1),
    frames=frames.reshape(number, candidates, 2, 1, 1, 1).repeat(3, axis=-1),
    source=np.array([[0, 3, 4]] * number, np.int32),
    success=success,
    value=value,
  )


def test_figures_by_hand(decisions):
  made = _make(
    decisions,
    [[True, False], [True, False], [False, True], [False, True]],
    [[12, 0], [11, 13], [1, 1], [2, 10]],
  )
  scores = np.array([[0.9, 0.1], [0.2, 0.1], [0.0, 0.5], [0.7, 0.7]])
  figures = decisions.measure(made, scores)
  np.testing.assert_array_equal(figures["done"], [1, 1, 1, 0])
  # Where all candidates are equal, a choice shows nothing.
  np.testing.assert_allclose(figures["gain"], [1, -1, np.nan, -1])
  best = decisions.measure(made, made.value)
  assert np.nanmin(best["gain"]) == 1
  low, high = decisions.interval(figures["done"])
  assert low == 0.25 and high == 1


def test_clips_are_the_past_and_what_is_ahead(decisions):
  made = _make(decisions, [[True, False]] * 2, [[1, 0]] * 2)
  # Decision 1 has pictures 3 to 5 so far; its candidates 10 11 and 12 13.
  levels = made.clips(1)[..., 0].reshape(2, 3)
  np.testing.assert_array_equal(levels, [[3, 10, 11], [3, 12, 13]])

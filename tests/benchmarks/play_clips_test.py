"""How often the best of some clips is a success."""

import numpy as np
import pytest

from benchmarks import play_clips


def test_best_of_by_hand_with_a_tie():
  # Two of four clips, six pairs. The success at 3 wins its three; of the other
  # three a tie at 1 wins two, half of them a success, and both of it the third.
  scores, labels = [3.0, 1.0, 1.0, 0.0], [1, 1, 0, 0]
  assert play_clips.best_of(scores, labels, 2) == pytest.approx((3 + 3 / 2) / 6)


def test_best_of_limits():
  scores, labels = np.arange(10.0), np.arange(10) % 5 == 4
  assert play_clips.best_of(scores, labels, 1) == pytest.approx(0.2)
  assert play_clips.best_of(scores, labels, 10) == pytest.approx(1.0)
  assert play_clips.best_of(-scores, labels, 10) == pytest.approx(0.0)
  assert play_clips.best_of(0 * scores, labels, 7) == pytest.approx(0.2)


def test_best_of_is_the_share_of_draws_won():
  rng = np.random.default_rng(0)
  scores, labels = rng.integers(0, 20, 60).astype(float), rng.random(60) < 0.3
  wins = []
  for _ in range(4000):
    drawn = rng.permutation(60)[:5]
    wins.append(labels[drawn[scores[drawn].argmax()]])
  assert play_clips.best_of(scores, labels, 5) == pytest.approx(
    np.mean(wins), abs=0.03
  )


@pytest.mark.parametrize("count", [0, 4])
def test_best_of_more_than_there_are(count):
  with pytest.raises(ValueError, match=f"best of {count} clips .* got 3"):
    play_clips.best_of(np.zeros(3), np.ones(3), count)

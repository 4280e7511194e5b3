"""Windows of episodes: pictures and the actions between them."""

import numpy as np
import pytest

from data import windows


@pytest.fixture
def episodes():
  """Picture t of episode n says 10 n + t; its action 10 n + t + 0.5."""
  number = 10 * np.arange(3)[:, None] + np.arange(6)
  frames = np.broadcast_to(
    number[:, :, None, None, None], (3, 6, 2, 2, 3)
  ).astype(np.uint8)
  actions = np.float32(number[:, :-1, None] + 0.5)
  return windows.Episodes(frames, actions)


def test_take(episodes):
  # Before its start an episode stands still.
  batch = windows.take(episodes, [2, 0, 1], [1, 3, -1], 3)
  expected = [[21, 22, 23], [3, 4, 5], [10, 10, 11]]
  np.testing.assert_array_equal(batch["frames"][..., 0, 0, 0], expected)
  expected = [[21.5, 22.5], [3.5, 4.5], [0, 10.5]]
  np.testing.assert_array_equal(batch["actions"][..., 0], expected)
  assert batch["actions"].dtype == np.float32
  for start in (-2, 4):
    with pytest.raises(ValueError, match="start from -1 to 3"):
      windows.take(episodes, [0], [start], 3)


def test_sample(episodes):
  rng = np.random.default_rng(0)
  batch = windows.sample(episodes, rng, 400, 3, start_fraction=0.25)
  first = batch["frames"][:, 0, 0, 0, 0]
  held = first == batch["frames"][:, 1, 0, 0, 0]
  assert 0.15 < held.mean() < 0.35
  assert set(first % 10) == {0, 1, 2, 3}
  assert set(first // 10) == {0, 1, 2}
  np.testing.assert_array_equal(
    batch["actions"][~held][:, 0, 0], first[~held] + 0.5
  )
  again = windows.sample(
    episodes, np.random.default_rng(0), 400, 3, start_fraction=0.25
  )
  np.testing.assert_array_equal(batch["frames"], again["frames"])


def test_tiled_windows_start_where_planning_does(episodes):
  batch = windows.tiled_windows(episodes, num_past=2, num_future=2)
  now = batch["frames"][:, 1, 0, 0, 0]
  np.testing.assert_array_equal(now, [0, 2, 10, 12, 20, 22])
  np.testing.assert_array_equal(batch["frames"][:, 3, 0, 0, 0], now + 2)

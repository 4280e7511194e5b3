"""Windows of episodes: some pictures in a row and the actions between them.

An episode that has not begun yet stands still: a window that starts at -1 has
the first picture twice, with an action of zeros between. So a model learns to
go on from a start, where there is no picture before.

Letters: N episodes, T pictures of each, L of a window, B windows, A numbers in
the actions between two pictures.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Episodes:
  """Episodes of equal length."""

  frames: np.ndarray  # uint8 `[N, T, H, W, 3]`.
  actions: np.ndarray  # float32 `[N, T-1, A]`.

  def __len__(self) -> int:
    return len(self.frames)

  @property
  def num_frames(self) -> int:
    """Returns T."""
    return self.frames.shape[1]


def take(
  episodes: Episodes, rows: np.ndarray, starts: np.ndarray, length: int
) -> dict[str, np.ndarray]:
  """Returns windows at given places.

  Args:
    episodes: where from.
    rows: `[B]` int, which episode.
    starts: `[B]` int, place of the first picture, from -1 on.
    length: L.

  Returns:
    `frames` uint8 `[B, L, H, W, 3]` and `actions` float32 `[B, L-1, A]`.

  Raises:
    ValueError: a window that reaches out of its episode.
  """
  rows, starts = np.asarray(rows), np.asarray(starts)
  last = episodes.num_frames - length
  if (starts < -1).any() or (starts > last).any():
    raise ValueError(
      f"windows of {length} pictures start from -1 to {last}, got "
      f"{starts.min()} to {starts.max()}"
    )
  places = starts[:, None] + np.arange(length)
  steps = places[:, :-1, None]
  actions = episodes.actions[rows[:, None], places[:, :-1].clip(0)]
  return {
    "frames": episodes.frames[rows[:, None], places.clip(0)],
    "actions": np.where(steps < 0, np.float32(0), actions),
  }


def sample(
  episodes: Episodes,
  rng: np.random.Generator,
  num: int,
  length: int,
  *,
  start_fraction: float,
) -> dict[str, np.ndarray]:
  """Returns `num` random windows of random episodes, as `take` does.

  `rng` is consumed; a share of `start_fraction` begins before its episode does.
  """
  rows = rng.integers(len(episodes), size=num)
  starts = rng.integers(episodes.num_frames - length + 1, size=num)
  starts = np.where(rng.random(num) < start_fraction, -1, starts)
  return take(episodes, rows, starts, length)


def tiled_windows(
  episodes: Episodes, num_past: int, num_future: int
) -> dict[str, np.ndarray]:
  """Returns all windows that planning would meet, `num_future` apart.

  The picture of now is the first of an episode, then the one `num_future`
  later, and so on as long as a whole future follows; before the first one the
  episode stands still.

  Args:
    episodes: where from.
    num_past: pictures up to now, now included; 2 at most.
    num_future: pictures after it.

  Returns:
    As `take`, windows of an episode next to each other.
  """
  length = num_past + num_future
  nows = np.arange(0, episodes.num_frames - num_future, num_future)
  rows = np.repeat(np.arange(len(episodes)), len(nows))
  starts = np.tile(nows - (num_past - 1), len(episodes))
  return take(episodes, rows, starts, length)

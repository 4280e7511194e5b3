"""Which frames are taken."""

import numpy as np
import pytest

from a2r.core import frames


@pytest.mark.parametrize(
  "num_available, mode, expected",
  [
    (8, "ends", [0, 2, 5, 7]),
    (61, "ends", [0, 20, 40, 60]),
    (4, "ends", [0, 1, 2, 3]),
    (3, "ends", [0, 1, 2, 2]),
    (1, "ends", [0, 0, 0, 0]),
    (8, "middle", [0, 2, 4, 6]),
    (12, "middle", [1, 4, 7, 10]),
    (10, "middle", [0, 3, 5, 8]),  # Segments [0, 2, 5, 7, 10].
    (5, "middle", [0, 1, 2, 3]),  # Segments [0, 1, 2, 3, 5].
    (3, "middle", [0, 1, 2, 2]),
    (1, "middle", [0, 0, 0, 0]),
  ],
)
def test_indices(num_available, mode, expected):
  indices = frames.frame_indices(num_available, 4, mode)
  assert indices.dtype == np.int32
  np.testing.assert_array_equal(indices, expected)


def test_random_frames_stay_in_their_segments():
  rng = np.random.default_rng(0)
  drawn = np.array(
    [frames.frame_indices(20, 4, "rand", rng) for _ in range(200)]
  )
  # Segments of five; the last index of each is never drawn.
  np.testing.assert_array_equal(drawn.min(axis=0), [0, 5, 10, 15])
  np.testing.assert_array_equal(drawn.max(axis=0), [3, 8, 13, 18])


def test_every_frame_but_a_segments_last_is_as_likely():
  rng = np.random.default_rng(0)
  drawn = np.array(
    [frames.frame_indices(11, 4, "rand", rng) for _ in range(3000)]
  )
  # Segments [0, 2, 5, 8, 11]: of the first only its first frame is left.
  for column, allowed in zip(
    drawn.T, ([0], [2, 3], [5, 6], [8, 9]), strict=True
  ):
    found, counts = np.unique(column, return_counts=True)
    np.testing.assert_array_equal(found, allowed)
    np.testing.assert_allclose(counts / 3000, 1 / len(allowed), atol=0.04)


def test_random_frames_of_a_video_with_a_segment_of_one_frame():
  # Segments [0, 1, 3, 5, 7] leave the first no frame: any four of the seven.
  rng = np.random.default_rng(0)
  drawn = np.array(
    [frames.frame_indices(7, 4, "rand", rng) for _ in range(3000)]
  )
  assert (np.diff(drawn, axis=1) > 0).all()
  _, counts = np.unique(drawn, return_counts=True)
  np.testing.assert_allclose(counts / 3000, 4 / 7, atol=0.05)


@pytest.mark.parametrize("num_available", [1, 3, 4])
def test_random_frames_of_a_video_of_few_are_all_of_them(num_available):
  rng = np.random.default_rng(0)
  indices = frames.frame_indices(num_available, 4, "rand", rng)
  np.testing.assert_array_equal(
    indices, np.minimum(np.arange(4), num_available - 1)
  )


def test_random_frames_of_a_short_video_are_distinct():
  rng = np.random.default_rng(0)
  for _ in range(20):
    indices = frames.frame_indices(6, 4, "rand", rng)
    assert (np.diff(indices) > 0).all() and indices.max() < 6


def test_errors():
  with pytest.raises(ValueError, match="unknown mode 'all'; known: "):
    frames.frame_indices(8, 4, "all")
  with pytest.raises(ValueError, match="of a video of 0"):
    frames.frame_indices(0, 4)
  with pytest.raises(ValueError, match="needs an rng"):
    frames.frame_indices(8, 4, "rand")

"""What the convolutional stem is shown."""

import numpy as np

from a2r.models.singularity import stems


def _clip():
  """One clip of three frames of one pixel, all channels equal."""
  levels = np.array([1.0, 4.0, 9.0], np.float32)
  return np.broadcast_to(levels[None, :, None, None, None], (1, 3, 1, 1, 3))


def test_motion_of_the_whole_clip():
  actual = stems.as_motion(_clip())[0, 0, 0]
  np.testing.assert_array_equal(actual, np.repeat([1, 3, 5, 8], 3))


def test_squares_hold_their_pixels_row_by_row():
  picture = np.arange(2 * 4 * 3).reshape(1, 2, 4, 3)
  squares = stems._squares(picture, 2)
  assert squares.shape == (1, 1, 2, 12)
  np.testing.assert_array_equal(squares[0, 0, 1], picture[0, :, 2:].reshape(-1))

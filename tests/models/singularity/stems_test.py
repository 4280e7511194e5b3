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

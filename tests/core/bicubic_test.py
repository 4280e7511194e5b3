"""The bicubic's weights."""

import numpy as np
import pytest

from a2r.core import bicubic


@pytest.mark.parametrize("old, new", [(64, 48), (5, 17), (1, 4), (7, 7)])
def test_matrix_and_taps_agree(old, new):
  index, weights = bicubic.taps(old, new)
  matrix = bicubic.matrix(old, new)
  assert matrix.shape == (new, old) and matrix.dtype == np.float32
  np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
  signal = np.random.default_rng(0).normal(size=old)
  mixed = (weights * signal[index]).sum(1)
  np.testing.assert_allclose(matrix @ signal, mixed, atol=1e-6)


def test_weights_between_two_pixels():
  # Twice as many pixels: a quarter past and a quarter before each center.
  # Keys' kernel with a = -0.75 at 1.25, 0.25, 0.75 and 1.75.
  weights = [-0.10546875, 0.87890625, 0.26171875, -0.03515625]
  _, found = bicubic.taps(8, 16)
  np.testing.assert_allclose(found[1], weights)
  np.testing.assert_allclose(found[2], weights[::-1])


def test_same_size_is_the_identity():
  np.testing.assert_array_equal(bicubic.matrix(6, 6), np.eye(6))


def test_shared_arrays_cannot_be_written_to():
  for array in (*bicubic.taps(4, 8), bicubic.matrix(4, 8)):
    with pytest.raises(ValueError, match="read-only"):
      array[:] = 0

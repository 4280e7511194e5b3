"""BEiT's relative positions by hand; the golden arrays have their values."""

import numpy as np

from a2r.models.singularity import beit


def test_index_of_two_by_two():
  # Offsets (dr, dc) of query minus key, each in -1..1, row-major from 0; then
  # CLS to any 9, any to CLS 10, CLS to CLS 11.
  expected = [
    [11, 9, 9, 9, 9],
    [10, 4, 3, 1, 0],
    [10, 5, 4, 2, 1],
    [10, 7, 6, 4, 3],
    [10, 8, 7, 5, 4],
  ]
  np.testing.assert_array_equal(beit.relative_position_index(2), expected)

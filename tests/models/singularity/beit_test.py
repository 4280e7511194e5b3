"""BEiT's relative positions against the published code."""

import numpy as np

from a2r.models.singularity import beit


def test_relative_position_bias_equals_published_code(golden):
  layer = "sd/vision_encoder.encoder.layer.0.attention.attention."
  table = golden[f"{layer}relative_position_bias.relative_position_bias_table"]
  index = beit.relative_position_index(4)
  expected = golden["out/beit_relpos_bias_layer0"]
  np.testing.assert_array_equal(table.T[:, index], expected)


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

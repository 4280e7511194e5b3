"""Temporal embeddings for clips of other lengths."""

import numpy as np
import pytest

from a2r.models.singularity import temporal


@pytest.mark.parametrize("num_frames", [6, 8, 12])
def test_longer_clips_interpolate_as_published_code(golden, num_frames):
  old = golden["aux/temporal/old"]
  actual = temporal.resample_embeddings(old, num_frames)
  expected = golden[f"aux/temporal/interp{num_frames}"]
  np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_shorter_clips_take_the_first_rows(golden):
  old = golden["aux/temporal/old"]
  actual = temporal.resample_embeddings(old, 2)
  np.testing.assert_array_equal(actual, golden["aux/temporal/load2"])

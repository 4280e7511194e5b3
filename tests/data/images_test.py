"""Resizing in numpy."""

import numpy as np
import pytest

from a2r.models import frames as model_frames
from data import images


@pytest.mark.parametrize("shape", [(40, 56), (8, 8), (16, 20)])
def test_equals_the_models_resize(shape):
  pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3))
  pictures = pictures.astype(np.uint8)
  ours = images.resize(pictures, 16).astype(int)
  theirs = np.asarray(model_frames.resize(pictures, 16)).astype(int)
  assert ours.shape == (2, 16, 16, 3)
  assert np.abs(ours - theirs).max() <= 1  # Rounding of sums in float32.


def test_rows_of_the_matrix_sum_to_one():
  for sizes in ((64, 48), (5, 17), (1, 4)):
    np.testing.assert_allclose(images.bicubic_matrix(*sizes).sum(1), 1, 1e-6)


def test_same_size_is_untouched():
  pictures = np.zeros((3, 16, 16, 3), np.uint8)
  assert images.resize(pictures, 16) is pictures

"""Resizing in numpy."""

import numpy as np
import pytest

from a2r.core import images as core_images
from data import images


@pytest.mark.parametrize("shape", [(40, 56), (8, 8), (16, 20)])
def test_equals_the_models_resize(shape):
  pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
  ours = images.resize(pictures, 16)
  assert ours.shape == (2, 16, 16, 3)
  np.testing.assert_array_equal(ours, core_images.resize(pictures, 16))


def test_same_size_is_untouched():
  pictures = np.zeros((3, 16, 16, 3), np.uint8)
  assert images.resize(pictures, 16) is pictures

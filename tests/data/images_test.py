"""Resizing in numpy."""

import pathlib

import numpy as np
import pytest

from a2r.core import images as core_images
from data import images

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("size", [32, 64])
def test_equals_torchvision(size):
  with np.load(GOLDEN / "singularity_tiny.npz") as golden:
    pictures = golden["aux/resize/in_uint8"].transpose(0, 2, 3, 1)
    expected = golden[f"aux/resize/out{size}_uint8"].transpose(0, 2, 3, 1)
  resized = images.resize(pictures, size)
  assert resized.dtype == np.uint8
  np.testing.assert_array_equal(resized, expected)


@pytest.mark.parametrize("shape", [(40, 56), (8, 8), (16, 20)])
def test_equals_the_models_resize(shape):
  pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
  ours = images.resize(pictures, 16)
  assert ours.shape == (2, 16, 16, 3)
  np.testing.assert_array_equal(ours, core_images.resize(pictures, 16))


def test_same_size_is_untouched():
  pictures = np.zeros((3, 16, 16, 3), np.uint8)
  assert images.resize(pictures, 16) is pictures

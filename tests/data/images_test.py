"""Resizing in numpy, and what is no picture of 8 bits."""

import io

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pictures_of_more_bits_are_refused(dtype):
  stream = io.BytesIO()
  Image.fromarray(np.full((8, 8), 900, dtype)).save(stream, "TIFF")
  with pytest.raises(ValueError, match="not of 8 bits a channel"):
    images.load_rgb(stream.getvalue())


def test_what_is_no_picture_is_told_alike(tmp_path):
  faults = set()
  for content in (b"no", b"none"):
    with pytest.raises(ValueError) as caught:
      images.load_rgb(content)
    faults.add(str(caught.value))
  assert len(faults) == 1
  (tmp_path / "a.png").write_bytes(b"no")
  with pytest.raises(ValueError, match="a.png"):
    images.load_rgb(tmp_path / "a.png")


def test_a_picture_of_any_size_is_one_error(monkeypatch):
  stream = io.BytesIO()
  Image.fromarray(np.zeros((40, 40), np.uint8)).save(stream, "PNG")
  assert images.load_rgb(stream.getvalue()).shape == (40, 40, 3)
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
  with pytest.raises(ValueError, match="decompression bomb"):
    images.load_rgb(stream.getvalue())

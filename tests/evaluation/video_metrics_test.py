"""PSNR and SSIM, by hand and beside TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from a2r.evaluation import video_metrics


@pytest.fixture(scope="module")
def pairs():
  """Two videos of three pictures, and others that differ more and more."""
  rng = np.random.default_rng(0)
  smooth = np.linspace(0, 1, 24)[None, :, None, None] * np.ones((3, 24, 20, 3))
  noisy = smooth + rng.normal(0, [[[[0.01]]], [[[0.1]]], [[[0.5]]]])
  pair = np.float32([smooth, noisy.clip(0, 1)])
  return pair, pair[::-1]


def test_psnr_by_hand():
  ones = np.ones((2, 4, 4, 3), np.float32)
  others = np.stack([ones[0] - 0.1, ones[0]])
  np.testing.assert_allclose(
    video_metrics.psnr(ones, others), [20, 100], rtol=1e-5
  )


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_figures_are_those_of_tensorflow(pairs, name):
  figures = getattr(video_metrics, name)(*pairs)
  assert figures.shape == (2, 3)
  expected = getattr(tf.image, name)(*pairs, 1.0)
  np.testing.assert_allclose(figures, expected, rtol=1e-5, atol=3e-5)


def test_ssim_of_equal_pictures_is_one(pairs):
  equal = video_metrics.ssim(pairs[0], pairs[0])
  np.testing.assert_allclose(equal, 1, atol=1e-5)


def test_too_small_for_the_window():
  with pytest.raises(ValueError, match="11 pixels, got 8x8"):
    video_metrics.ssim(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)))

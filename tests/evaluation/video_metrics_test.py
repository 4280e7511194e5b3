"""PSNR and SSIM, by hand and beside TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from a2r.evaluation import video_metrics


@pytest.fixture(scope="module")
def pairs():
  rng = np.random.default_rng(0)
  smooth = np.linspace(0, 1, 24)[None, :, None, None] * np.ones((3, 24, 20, 3))
  noisy = (smooth + rng.normal(0, [[[[0.01]]], [[[0.1]]], [[[0.5]]]])).clip(
    0, 1
  )
  noisy = noisy + 0.05 * rng.random(noisy.shape) * (1 - noisy)
  return np.float32(smooth), np.float32(noisy)


def test_psnr_by_hand():
  ones = np.ones((2, 4, 4, 3), np.float32)
  others = np.stack([ones[0] - 0.1, ones[0]])
  np.testing.assert_allclose(
    video_metrics.psnr(ones, others), [20, 100], rtol=1e-5
  )


def test_psnr_is_that_of_tensorflow(pairs):
  np.testing.assert_allclose(
    video_metrics.psnr(*pairs), tf.image.psnr(*pairs, 1.0), rtol=1e-5
  )


def test_ssim_is_that_of_tensorflow(pairs):
  np.testing.assert_allclose(
    video_metrics.ssim(*pairs), tf.image.ssim(*pairs, 1.0), atol=3e-5
  )


def test_ssim_of_equal_pictures_is_one(pairs):
  np.testing.assert_allclose(
    video_metrics.ssim(pairs[1], pairs[1]), 1, atol=1e-5
  )


def test_leading_axes_are_kept(pairs):
  video = np.stack([pairs[0], pairs[1]])
  assert video_metrics.ssim(video, video[::-1]).shape == (2, 3)


def test_too_small_for_the_window():
  with pytest.raises(ValueError, match="11 pixels, got 8x8"):
    video_metrics.ssim(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)))

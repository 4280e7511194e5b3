"""Resize against torchvision; augmentation by its properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models import boxes as boxes_lib
from a2r.models import frames
from data import images


@pytest.mark.parametrize("size", [32, 64])
def test_resize_equals_torchvision(golden, size):
  pictures = golden["aux/resize/in_uint8"].transpose(0, 2, 3, 1)
  resized = frames.resize(pictures, size)
  assert resized.dtype == jnp.uint8
  expected = golden[f"aux/resize/out{size}_uint8"].transpose(0, 2, 3, 1)
  np.testing.assert_array_equal(resized, expected)
  expected = golden[f"aux/resize/out{size}_normalised"].transpose(0, 2, 3, 1)
  np.testing.assert_allclose(frames.normalize(resized), expected, atol=2e-7)


def test_resize_to_the_same_size_is_the_identity():
  clip = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(1, 2, 8, 8, 3)
  np.testing.assert_array_equal(frames.resize(clip, 8), clip)


@pytest.fixture(scope="module")
def clips():
  """Four copies of one clip of two equal frames."""
  rng = np.random.default_rng(0)
  picture = rng.integers(0, 256, (1, 1, 8, 8, 3), np.uint8)
  return np.tile(picture, (4, 2, 1, 1, 1))


_augment = jax.jit(frames.augment, static_argnames=("crop", "color"))


@pytest.mark.parametrize("crop, color", [(0.3, 0.0), (0.0, 0.5), (0.3, 0.5)])
def test_one_draw_per_clip(clips, crop, color):
  out = _augment(jax.random.key(0), clips, crop=crop, color=color)
  assert out.shape == clips.shape and out.dtype == jnp.float32
  assert out.min() >= 0 and out.max() <= 255
  np.testing.assert_allclose(out[:, 0], out[:, 1], atol=1e-3)
  assert np.abs(out[0] - out[1]).max() > 1
  again = _augment(jax.random.key(0), clips, crop=crop, color=color)
  np.testing.assert_array_equal(out, again)


def test_no_augmentation_leaves_the_frames(clips):
  out = frames.augment(jax.random.key(0), clips, crop=0.0, color=0.0)
  np.testing.assert_array_equal(out, clips)


def test_crop_of_a_ramp_is_a_stretched_ramp():
  ramp = np.arange(16, dtype=np.uint8) * 8
  clip = np.broadcast_to(ramp[None, None, None, :, None], (3, 1, 16, 16, 3))
  out = _augment(jax.random.key(0), clip, crop=0.5, color=0.0)
  np.testing.assert_allclose(out, jnp.broadcast_to(out[:, :, :1], out.shape))
  # Away from the clamped ends the slope is the side of the crop.
  slope = np.diff(out[:, 0, 0, 1:-1, 0], axis=-1)
  np.testing.assert_allclose(slope, slope[:, :1].repeat(13, 1), atol=1e-2)
  assert (slope > 4 - 1e-2).all() and (slope < 8 + 1e-2).all()


def test_color_keeps_flat_pictures_flat():
  clip = np.full((6, 2, 4, 4, 3), 100, np.uint8)
  out = _augment(jax.random.key(0), clip, crop=0.0, color=0.4)
  np.testing.assert_allclose(
    out, jnp.broadcast_to(out[:, :1, :1, :1, :1], out.shape), rtol=1e-5
  )
  # On gray only the brightness, in 1 +- color, is left.
  assert (out >= 60 - 1e-3).all() and (out <= 140 + 1e-3).all()
  assert np.ptp(out) > 1


@pytest.mark.parametrize("name", ["crop", "color"])
def test_strength_out_of_range_is_named(clips, name):
  strengths = {"crop": 0.0, "color": 0.0} | {name: 1.5}
  with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\)"):
    frames.augment(jax.random.key(0), clips, **strengths)


_crop_and_resize = jax.jit(frames.crop_and_resize, static_argnames="size")


@pytest.mark.parametrize("size", [12, 24])
def test_crop_equals_cutting_and_resizing(size):
  clips = np.random.default_rng(0).integers(0, 256, (6, 2, 20, 28, 3), np.uint8)
  boxes = np.array(
    [
      [0, 0, 20, 28],  # All of it.
      [3, 5, 13, 11],
      [0, 17, 7, 11],  # At the right edge: clamped there, not beyond.
      [19, 27, 1, 1],  # A single pixel.
      [8, 2, 12, 24],
      [5, 9, 1, 17],
    ]
  )
  out = _crop_and_resize(clips, boxes, size=size)
  assert out.dtype == jnp.uint8
  for clip, box, cropped in zip(clips, boxes, out, strict=True):
    top, left, height, width = box
    cut = clip[:, top : top + height, left : left + width]
    np.testing.assert_array_equal(cropped, images.resize(cut, size))


def test_random_resized_crop_cuts_its_boxes():
  clips = np.random.default_rng(0).integers(0, 256, (6, 2, 20, 28, 3), np.uint8)
  clips[:, 1] = clips[:, 0]
  ranges = {"scale": (0.5, 1.0), "ratio": (3 / 4, 4 / 3)}
  rng = jax.random.key(1)

  @jax.jit
  def crop(rng, clips):
    boxes = boxes_lib.random_boxes(rng, 6, (20, 28), **ranges)
    return frames.random_resized_crop(rng, clips, size=12, **ranges), boxes

  out, boxes = crop(rng, clips)
  np.testing.assert_array_equal(out, _crop_and_resize(clips, boxes, size=12))
  np.testing.assert_array_equal(out[:, 0], out[:, 1])
  assert len(np.unique(boxes, axis=0)) == 6


@pytest.mark.parametrize(
  "ranges", [{"scale": (0.0, 1.0)}, {"scale": (0.5, 2.0)}, {"ratio": (2, 1)}]
)
def test_wrong_ranges_of_a_crop_are_named(clips, ranges):
  with pytest.raises(ValueError, match=r"0 < scale\[0\] <= scale\[1\] <= 1"):
    frames.random_resized_crop(jax.random.key(0), clips, size=8, **ranges)


def test_flip_mirrors_half_of_the_allowed():
  clips = np.random.default_rng(0).integers(0, 256, (400, 1, 2, 3, 3), np.uint8)
  allowed = np.arange(400) % 4 > 0
  out, flipped = jax.device_get(
    jax.jit(frames.flip)(jax.random.key(0), clips, allowed)
  )
  assert out.dtype == np.uint8 and flipped.dtype == bool
  assert not flipped[~allowed].any()
  assert 0.4 < flipped[allowed].mean() < 0.6
  for clip, mirrored, seen in zip(clips, flipped, out, strict=True):
    expected = clip[:, :, ::-1] if mirrored else clip
    np.testing.assert_array_equal(seen, expected)

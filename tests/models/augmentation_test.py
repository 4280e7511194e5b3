"""Training pictures: augmentation by its properties, crops by torchvision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models import augmentation
from data import images


@pytest.fixture(scope="module")
def clips():
  """Four copies of one clip of two equal frames."""
  rng = np.random.default_rng(0)
  picture = rng.integers(0, 256, (1, 1, 8, 8, 3), np.uint8)
  return np.tile(picture, (4, 2, 1, 1, 1))


_augment = jax.jit(
  augmentation.augment, static_argnames=("crop", "color", "warp")
)


@pytest.mark.parametrize(
  "crop, color, warp",
  [(0.3, 0.0, 0.0), (0.0, 0.5, 0.0), (0.3, 0.5, 0.0), (0.0, 0.0, 0.2)],
)
def test_one_draw_per_clip(clips, crop, color, warp):
  strengths = {"crop": crop, "color": color, "warp": warp}
  out = _augment(jax.random.key(0), clips, **strengths)
  assert out.shape == clips.shape and out.dtype == jnp.float32
  assert out.min() >= 0 and out.max() <= 255
  np.testing.assert_allclose(out[:, 0], out[:, 1], atol=1e-3)
  assert np.abs(out[0] - out[1]).max() > 1
  again = _augment(jax.random.key(0), clips, **strengths)
  np.testing.assert_array_equal(out, again)
  none = _augment(jax.random.key(0), clips, crop=0.0, color=0.0)
  np.testing.assert_array_equal(none, clips)


def test_crop_of_a_ramp_is_a_stretched_ramp():
  ramp = np.arange(16, dtype=np.uint8) * 8
  clip = np.broadcast_to(ramp[None, None, None, :, None], (3, 1, 16, 16, 3))
  out = _augment(jax.random.key(0), clip, crop=0.5, color=0.0)
  out = np.asarray(out)
  np.testing.assert_allclose(out, np.broadcast_to(out[:, :, :1], out.shape))
  # Away from the clamped ends the slope is the side of the crop.
  slope = np.diff(out[:, 0, 0, 1:-1, 0], axis=-1)
  np.testing.assert_allclose(slope, slope[:, :1].repeat(13, 1), atol=1e-2)
  assert (slope > 4 - 1e-2).all() and (slope < 8 + 1e-2).all()


def test_warp_keeps_straight_lines_straight():
  # Two halves, dark left and light right: their border is a line in every
  # warped picture, not the one it was.
  halves = np.zeros((4, 1, 32, 32, 3), np.uint8)
  halves[:, :, :, 16:] = 200
  out = _augment(jax.random.key(0), halves, crop=0.0, color=0.0, warp=0.2)
  border = 32 - np.asarray(out)[:, 0, :, :, 0].sum(axis=2) / 200
  rows = np.arange(32)
  for line in border:
    straight = np.polyval(np.polyfit(rows, line, 1), rows)
    np.testing.assert_allclose(line, straight, atol=0.35)
    assert np.abs(line - 16).max() > 1
  still = _augment(jax.random.key(0), halves, crop=0.0, color=0.0, warp=1e-7)
  np.testing.assert_allclose(still, halves, atol=0.01)


def test_color_keeps_flat_pictures_flat():
  clip = np.full((6, 2, 4, 4, 3), 100, np.uint8)
  out = _augment(jax.random.key(0), clip, crop=0.0, color=0.4)
  out = np.asarray(out)
  np.testing.assert_allclose(
    out, np.broadcast_to(out[:, :1, :1, :1, :1], out.shape), rtol=1e-5
  )
  # On gray only the brightness, in 1 +- color, is left.
  assert (out >= 60 - 1e-3).all() and (out <= 140 + 1e-3).all()
  assert np.ptp(out) > 1


@pytest.mark.parametrize(
  "function, changes, message",
  [
    ("augment", {"crop": 1.5}, r"crop must be in \[0, 1\)"),
    ("augment", {"color": -0.5}, r"color must be in \[0, 1\)"),
    ("augment", {"warp": 0.25}, r"warp must be in \[0, 0.25\)"),
    ("random_resized_crop", {"scale": (0.0, 1.0)}, r"0 < scale\[0\] <= scale"),
    ("random_resized_crop", {"scale": (0.5, 2.0)}, r"0 < scale\[0\] <= scale"),
    ("random_resized_crop", {"ratio": (2, 1)}, r"0 < scale\[0\] <= scale"),
  ],
)
def test_wrong_strengths_and_ranges_are_named(
  clips, function, changes, message
):
  given = {"crop": 0.0, "color": 0.0} if function == "augment" else {"size": 8}
  with pytest.raises(ValueError, match=message):
    getattr(augmentation, function)(jax.random.key(0), clips, **given | changes)


_crop_and_resize = jax.jit(augmentation.crop_and_resize, static_argnames="size")


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
    boxes = augmentation.random_boxes(rng, 6, (20, 28), **ranges)
    out = augmentation.random_resized_crop(rng, clips, size=12, **ranges)
    return out, boxes

  out, boxes = crop(rng, clips)
  np.testing.assert_array_equal(out, _crop_and_resize(clips, boxes, size=12))
  np.testing.assert_array_equal(out[:, 0], out[:, 1])
  assert len(np.unique(boxes, axis=0)) == 6


def test_flip_mirrors_half_of_the_allowed():
  clips = np.random.default_rng(0).integers(0, 256, (400, 1, 2, 3, 3), np.uint8)
  allowed = np.arange(400) % 4 > 0
  out, flipped = jax.device_get(
    jax.jit(augmentation.flip)(jax.random.key(0), clips, allowed)
  )
  assert out.dtype == np.uint8 and flipped.dtype == bool
  assert not flipped[~allowed].any()
  assert 0.4 < flipped[allowed].mean() < 0.6
  for clip, mirrored, seen in zip(clips, flipped, out, strict=True):
    expected = clip[:, :, ::-1] if mirrored else clip
    np.testing.assert_array_equal(seen, expected)


_random_boxes = jax.jit(
  augmentation.random_boxes,
  static_argnums=(1, 2),
  static_argnames=("scale", "ratio"),
)


def torchvision_boxes(rng, num, height, width, scale, ratio):
  """The rule, one box after another."""
  boxes = []
  for _ in range(num):
    for _ in range(10):
      area = height * width * rng.uniform(*scale)
      aspect = np.exp(rng.uniform(*np.log(ratio)))
      w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
      if 0 < w <= width and 0 < h <= height:
        top = rng.integers(0, height - h + 1)
        boxes.append((top, rng.integers(0, width - w + 1), h, w))
        break
    else:
      h, w = height, width
      if width / height < ratio[0]:
        h = round(width / ratio[0])
      elif width / height > ratio[1]:
        w = round(height * ratio[1])
      boxes.append(((height - h) // 2, (width - w) // 2, h, w))
  return np.array(boxes)


@pytest.mark.parametrize(
  "height, width, scale",
  [
    (48, 64, (0.5, 1.0)),
    (50, 90, (0.5, 1.0)),  # Many boxes do not fit, some clips have none.
    (64, 24, (0.5, 1.0)),  # None fits at all: the middle.
    (40, 40, (0.08, 0.3)),
  ],
)
def test_boxes_are_distributed_as_torchvisions(height, width, scale):
  num, ratio = 4000, (3 / 4, 4 / 3)
  boxes = np.asarray(
    _random_boxes(
      jax.random.key(0), num, (height, width), scale=scale, ratio=ratio
    )
  )
  top, left, h, w = boxes.T
  assert (top >= 0).all() and (top + h <= height).all()
  assert (left >= 0).all() and (left + w <= width).all()
  rng = np.random.default_rng(0)
  expected = torchvision_boxes(rng, num, height, width, scale, ratio)

  def measures(boxes):
    top, left, h, w = boxes.T.astype(float)
    free = np.maximum(np.array([height - h, width - w]), 1)
    area = h * w / (height * width)
    return area, np.log(w / h), top / free[0], left / free[1]

  # The largest gap of two distribution functions: 0.043 is one draw in 1000.
  for ours, theirs in zip(measures(boxes), measures(expected), strict=True):
    places = np.unique(np.concatenate([ours, theirs]))
    gap = [np.searchsorted(np.sort(x), places, "right") for x in (ours, theirs)]
    assert np.abs(gap[0] - gap[1]).max() / num < 0.045


def test_box_in_the_middle_when_none_fits():
  draw = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
  for shape, box in (
    ((10, 31), [0, 10, 10, 10]),
    ((31, 10), [10, 0, 10, 10]),
    ((10, 10), [0, 0, 10, 10]),
  ):
    boxes = _random_boxes(jax.random.key(0), 2, shape, **draw)
    np.testing.assert_array_equal(boxes, [box, box])

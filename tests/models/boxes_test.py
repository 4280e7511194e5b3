"""Where crops are cut, against torchvision's rule."""

import jax
import numpy as np
import pytest

from a2r.models import boxes as boxes_lib

_random_boxes = jax.jit(
  boxes_lib.random_boxes,
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

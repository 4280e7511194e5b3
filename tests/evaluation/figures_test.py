"""Tests of the pictures: they are drawn, and show what they are given."""

import io

import numpy as np
import pytest
from PIL import Image

from a2r.evaluation import figures, over_time


def make_example(num_frames=4, **changes):
  green = np.zeros((num_frames, 16, 24, 3), np.uint8)
  green[..., 1] = 201
  purple = np.zeros((num_frames, 16, 24, 3), np.uint8)
  purple[..., ::2] = 99
  fields = {
    "environment": "tabletop/train",
    "instruction": "closing drawer",
    "kinds": ("success", "near-miss"),
    "frames": (green, purple),
    "curves": (np.linspace(0, 1, num_frames), np.zeros(num_frames)),
  }
  return over_time.Example(**fields | changes)


def _share(pixels, color):
  return (pixels == np.array(color)).all(-1).mean()


@pytest.mark.parametrize("count", [1, 3])
def test_filmstrips_show_the_frames(count):
  picture = figures.filmstrips([make_example()] * count, form="softmax")
  pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
  assert _share(pixels, (0, 201, 0)) > 0.15
  assert _share(pixels, (99, 0, 99)) > 0.15
  # Nothing is cut off: the picture's border is empty.
  edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
  assert all((edge == 255).all() for edge in edges)


def test_one_clip_and_a_flat_curve():
  example = make_example()
  example = make_example(
    kinds=("clip",), frames=example.frames[:1], curves=(np.full(4, 0.3),)
  )
  picture = figures.filmstrips([example], form="cosine", title="A clip")
  assert Image.open(io.BytesIO(picture)).width > 500


def test_nothing_to_show():
  with pytest.raises(ValueError, match="no example"):
    figures.filmstrips([], form="cosine")
  assert figures.training_curves([{"step": 1, "loss": 1.0}]) is None
  assert figures.training_curves([]) is None


def test_training_curves():
  rows = [{"step": i, "loss": 1 / i, "gap": None} for i in (1, 2)]
  picture = figures.training_curves(rows)
  assert b"<svg" in picture
  assert picture == figures.training_curves(rows)

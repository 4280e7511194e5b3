"""Tests of the pictures: they are drawn, and show what they are given."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from a2r.evaluation import figures, over_time


def make_example(num_clips):
  frames = np.zeros((2, 4, 16, 24, 3), np.uint8)
  frames[0, ..., 1] = 201
  frames[1, ..., ::2] = 99
  return over_time.Example(
    environment="tabletop/train",
    instruction="closing drawer",
    kinds=("success", "near-miss")[:num_clips],
    frames=tuple(frames[:num_clips]),
    curves=(np.linspace(0, 1, 4), np.full(4, 0.3))[-num_clips:],
  )


def test_filmstrips_show_the_frames():
  picture = figures.filmstrips([make_example(2)] * 3, form="softmax")
  pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
  for color in ((0, 201, 0), (99, 0, 99)):
    assert (pixels == color).all(-1).mean() > 0.15
  # Nothing is cut off: the picture's border is empty.
  edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
  assert all((edge == 255).all() for edge in edges)


def test_one_clip_and_a_flat_curve():
  picture = figures.filmstrips([make_example(1)], form="cosine", title="A clip")
  assert Image.open(io.BytesIO(picture)).width > 500


@pytest.mark.parametrize("text", ["for $5, not $\\frac$", "a_b^{"])
def test_texts_are_no_formulas(text):
  example = dataclasses.replace(make_example(1), instruction=text)
  figures.filmstrips([example], form="cosine", title=text)
  figures.training_curves([{"step": step, text: 1.0} for step in (1, 2)])


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

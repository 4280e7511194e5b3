import json
import pathlib

import jax
import numpy as np
import pytest

from a2r.sim import human_templates, humans, props

ALL = np.arange(len(humans.TEMPLATES))


@pytest.fixture(scope="module")
def clips():
  """Two frames more than needed of every template, and their nouns."""
  return jax.device_get(
    humans.sample_clips(jax.random.key(0), ALL, num_frames=4, image_size=32)
  )


def test_the_same_key_draws_the_same_clips(clips):
  again = humans.sample_clips(
    jax.random.key(0), ALL, num_frames=4, image_size=32
  )
  np.testing.assert_array_equal(clips[0], again[0])


def test_a_clip_depends_on_its_own_key_alone(clips):
  keys = jax.random.split(jax.random.key(0), len(ALL))
  turned = humans.sample_clips(
    keys[::-1], ALL[::-1], num_frames=4, image_size=32
  )
  np.testing.assert_array_equal(clips[0], turned[0][::-1])


def test_pictures_show_something_that_moves(clips):
  frames = clips[0].astype(np.float32)
  assert frames.shape == (len(ALL), 4, 32, 32, 3)
  assert (frames.std(axis=(1, 2, 3)).max(axis=-1) > 5).all()
  change = np.abs(frames[:, 1:] - frames[:, :-1]).mean(axis=(1, 2, 3, 4))
  assert (change > 0.2).mean() > 0.9


def test_captions_name_the_subject(clips):
  for template, nouns in enumerate(clips[1]):
    text = humans.caption(template, nouns)
    assert "something" not in text
    assert humans.NOUNS[nouns[0]] in text
    row = human_templates.ROWS[template]
    if row.subject == human_templates.THING:
      assert props.THINGS[nouns[0]] in row.things


def test_caption_of_the_tabletop_tasks():
  index = humans.TEMPLATES.index("Pushing something from left to right")
  cup = humans.NOUNS.index("cup")
  assert humans.caption(index, [cup, 0]) == "pushing cup from left to right"


def test_templates_are_those_of_something_something_v2():
  path = pathlib.Path(__file__).parents[1] / "golden" / "ssv2_labels.json"
  known = set(json.loads(path.read_text()))
  assert len(humans.TEMPLATES) == len(set(humans.TEMPLATES)) >= 24
  assert set(humans.TEMPLATES) <= known
  assert {name for pair in humans.OPPOSITES for name in pair} <= known

"""Scorers: chunks, frame choice, equality, and the clock."""

import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models import adapt2reward as net
from a2r.models import scorer


def first_and_last(params, frames):
  del params
  level = frames[:, :, 0, 0, 0].astype(jnp.float32)
  return {"first": level[:, 0], "last": level[:, -1]}


def difference(params, features, context):
  change = features["last"] - features["first"]
  return params * change[:, None] + context[None]


def make_scorer():
  return scorer.Scorer(
    name="difference",
    params=jnp.float32(2),
    encode_fn=first_and_last,
    score_fn=difference,
    context_fn=lambda texts: jnp.array([float(len(t)) for t in texts]),
    num_frames=3,
    image_size=4,
  )


@pytest.mark.parametrize("num", [1, 7, 40, 93])
def test_scores_of_chunks(num):
  levels = np.arange(num) % 50
  clips = np.zeros((num, 9, 8, 6, 3), np.uint8)
  clips[:, -1] = levels[:, None, None, None]
  clips[:, 3] = 255  # None of the three frames that are looked at.
  scores = scorer.scores(make_scorer(), clips, ["ab", "abcd"])
  assert scores.dtype == np.float32
  expected = 2 * levels[:, None] + np.array([2, 4])
  np.testing.assert_allclose(scores, expected)


def test_clips_of_another_type_are_an_error():
  with pytest.raises(ValueError, match="clips are uint8 RGB"):
    scorer.scores(make_scorer(), np.zeros((2, 3, 4, 4, 3)), ["a"])


def test_cosine_and_forms():
  video = jnp.array([[1.0, 0], [0.6, 0.8]])
  text = jnp.array([[0.0, 1], [1, 0], [-1, 0]])
  values = scorer.CosineScore()({}, video, text)
  np.testing.assert_allclose(values, [[0, 1, -1], [0.8, 0.6, -0.6]], rtol=1e-6)
  texts = net.Texts(
    text, text, jnp.arange(3), jnp.zeros((3, 1, 2)), jnp.zeros(3, bool)
  )
  params = {"temperature": jnp.float32(0.5)}
  for form, fn in net.FORMS.items():
    np.testing.assert_array_equal(
      scorer.FormScore(form)(params, video, texts), fn(video, texts, 0.5)
    )

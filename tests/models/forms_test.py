"""Tests of the reward's forms."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from a2r.models import forms

TEMPERATURE = 0.5

# Unit vectors of the plane: their products are 1, .8, .6, 0, -1.
EAST = [1.0, 0.0]
NORTH = [0.0, 1.0]
TILTED = [0.8, 0.6]
WEST = [-1.0, 0.0]


def _texts(**changes):
  """Known EAST and NORTH; asked for NORTH (trained) and TILTED (unknown)."""
  fields = {
    "text": jnp.array([NORTH, TILTED]),
    "known": jnp.array([EAST, NORTH]),
    "index": jnp.array([1, -1]),
    "failure": jnp.array([[WEST, TILTED], [[7.0, 7.0], [7.0, 7.0]]]),
    "has_failure": jnp.array([True, False]),
  }
  return forms.Texts(**fields | changes)


class FormsTest(parameterized.TestCase):
  """The clip is EAST; exp(v.t / tau) is e^2, e^1.6, e^0, e^-2."""

  video = jnp.array([EAST])

  def test_cosine(self):
    scores = forms.cosine(self.video, _texts(), TEMPERATURE)
    np.testing.assert_allclose(scores, [[0.0, 0.8]], atol=1e-7)

  def test_softmax(self):
    scores = forms.softmax(self.video, _texts(), TEMPERATURE)
    e = np.exp
    north = 1 / (1 + e(2) + e(-2) + e(1.6))
    tilted = e(1.6) / (e(1.6) + e(2) + 1)
    np.testing.assert_allclose(scores, [[north, tilted]], rtol=1e-5)

  def test_own_failures(self):
    scores = forms.own_failures(self.video, _texts(), TEMPERATURE)
    e = np.exp
    north = 1 / (1 + e(-2) + e(1.6))
    fallback = e(1.6) / (e(1.6) + e(2) + 1)
    np.testing.assert_allclose(scores, [[north, fallback]], rtol=1e-5)

  def test_failure_modes(self):
    texts = _texts()
    modes = forms.failure_modes(
      self.video, texts.text[0], texts.failure[0], TEMPERATURE
    )
    expected = np.exp([[0.0, -2.0, 1.6]])
    np.testing.assert_allclose(modes, expected / expected.sum(), rtol=1e-5)
    own = forms.own_failures(self.video, texts, TEMPERATURE)
    np.testing.assert_allclose(modes[:, 0], own[:, 0], rtol=1e-5)

  def test_softmax_over_known_sums_to_one_without_failures(self):
    texts = _texts(
      text=jnp.array([EAST, NORTH]),
      index=jnp.array([0, 1]),
      has_failure=jnp.zeros(2, bool),
    )
    scores = forms.softmax(jnp.array([TILTED]), texts, TEMPERATURE)
    np.testing.assert_allclose(scores.sum(), 1, rtol=1e-6)

  @parameterized.parameters(*forms.FORMS)
  def test_nothing_to_compete_with(self, form):
    texts = _texts(
      known=jnp.zeros((0, 2)),
      index=jnp.array([-1, -1]),
      has_failure=jnp.zeros(2, bool),
    )
    scores = forms.FORMS[form](self.video, texts, TEMPERATURE)
    expected = [[0.0, 0.8]] if form == "cosine" else [[1.0, 1.0]]
    np.testing.assert_allclose(scores, expected, atol=1e-7)

  @parameterized.parameters(*forms.FORMS)
  def test_better_clip_gets_more(self, form):
    """Among clips that turn towards the instruction the reward grows."""
    angles = np.linspace(0, np.pi / 2, 5)
    video = jnp.array(np.stack([np.cos(angles), np.sin(angles)], 1))
    scores = forms.FORMS[form](video, _texts(), 0.05)
    self.assertTrue(np.all(np.diff(np.asarray(scores[:, 0])) > 0))


if __name__ == "__main__":
  absltest.main()

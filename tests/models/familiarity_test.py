"""How near clips are to those of training, on points with known distances."""

import numpy as np
import pytest

from a2r.models import familiarity


def features(rng, num, *, center=0, tokens=0.0):
  """Clips about an axis of the frames' features, tokens about a value."""
  frames = 0.1 * rng.normal(size=(num, 2, 4))
  frames[..., center] += 1
  frames /= np.linalg.norm(frames, axis=-1, keepdims=True)
  return {
    "frames": frames.astype(np.float32),
    "tokens": (tokens + rng.normal(size=(num, 2, 3))).astype(np.float32),
  }


@pytest.mark.parametrize("num_held_out", [0, 5, 40])
def test_clips_like_those_of_training_are_familiar_and_others_not(num_held_out):
  rng = np.random.default_rng(0)
  held_out = features(rng, num_held_out) if num_held_out else None
  reference = familiarity.fit(features(rng, 100), held_out)
  assert reference["frames"].dtype == np.float16
  assert reference["limits"].shape == (2,)

  def share(**changes):
    near = familiarity.measure(reference, features(rng, 50, **changes))
    assert near.dtype == np.float32 and (near >= 0).all() and (near <= 1).all()
    return (near >= familiarity.TRUSTED).mean()

  assert share() > 0.9
  # Another deed or robot, and another picture: either space tells alone.
  assert share(center=1) == 0
  assert share(tokens=10.0) == 0


def test_one_half_is_the_limit():
  one = {"frames": np.ones((3, 1, 2)), "tokens": np.zeros((3, 1, 1))}
  reference = familiarity.fit(one) | {"limits": np.array([1 / 1.5, 1.0])}
  asked = {"frames": np.array([[[1.0, -1]]]), "tokens": np.zeros((1, 1, 1))}
  # Orthogonal to all: a distance of 1.
  np.testing.assert_allclose(familiarity.measure(reference, asked), 0.5)
  same = {"frames": np.ones((1, 1, 2)), "tokens": np.zeros((1, 1, 1))}
  np.testing.assert_allclose(familiarity.measure(reference, same), 1, rtol=1e-5)


def test_training_clips_do_not_count_as_their_own_neighbors():
  rng = np.random.default_rng(1)
  training = features(rng, 30)
  alone, apart = (familiarity.fit(training, x) for x in (None, training))
  assert (alone["limits"] > apart["limits"]).all()

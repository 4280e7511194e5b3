"""FitVid's learner: learns, and its moments are those of all devices."""

import jax
import numpy as np
import optax
import pytest

from a2r.learners import fitvid
from a2r.models.fitvid import fitvid as model
from tests import tiny

TINY = model.Config(
  image_size=8,
  patch=2,
  filters=(4,),
  num_blocks=1,
  expansion=1,
  decoder_kernel=3,
  code_size=4,
  rnn_size=4,
  predictor_layers=1,
  latent_size=2,
)
BATCH = 8


@pytest.fixture(scope="module")
def batch():
  rng = np.random.default_rng(0)
  return {
    "frames": rng.integers(0, 256, (BATCH, 3, 8, 8, 3), np.uint8),
    "actions": np.float32(rng.normal(size=(BATCH, 2, 5))),
  }


OPTIMIZER = optax.sgd(1.0, momentum=0.9)
LEARNER = fitvid.make_learner(TINY, beta=1e-4)


def run(batch, num_devices, num_steps):
  start = LEARNER.init(jax.random.key(0))
  runner = tiny.make_runner(LEARNER, *start, batch, num_devices, OPTIMIZER)
  history, state = runner(num_steps)
  return state, [float(row["loss"]) for row in history]


@pytest.mark.slow
def test_equal_on_one_device_and_on_two(batch):
  """Loss, weights and running moments are those of the whole batch."""
  one, losses_one = run(batch, 1, 2)
  two, losses_two = run(batch, 2, 2)
  np.testing.assert_allclose(losses_one, losses_two, rtol=1e-4)
  for part in ("params", "extra"):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x[0], y[0], atol=2e-5),
      *(getattr(s, part) for s in (one, two)),
    )
  # The devices hold the same.
  jax.tree.map(lambda x: np.testing.assert_array_equal(x[0], x[1]), two.extra)


def test_learns_and_moves_its_moments(batch):
  now, losses = run(batch, 1, 30)
  assert losses[-1] < 0.9 * losses[0]
  means = {
    str(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(now.extra)
    if "mean" in str(path)
  }
  assert means and all(np.abs(x).max() > 0 for x in means.values())

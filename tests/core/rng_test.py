"""Keys depend on the seed and the place alone."""

import jax
import numpy as np

from a2r.core import parallel, rng


def data(keys):
  return np.asarray(jax.random.key_data(keys))


def test_step_keys_differ_by_seed_and_step_only():
  keys = [data(rng.step_key(s, n)).tolist() for s in (0, 1) for n in (0, 1)]
  assert len({tuple(key) for key in keys}) == 4
  np.testing.assert_array_equal(
    data(rng.step_key(3, 5)), data(rng.step_key(3, 5))
  )


def test_row_keys_are_the_same_on_any_number_of_devices():
  key = rng.step_key(0, 7)
  one = data(rng.row_keys(key, 16, None))
  assert len({tuple(row) for row in one.tolist()}) == 16

  def step(state, batch):
    keys = rng.row_keys(key, len(batch), parallel.AXIS)
    return state, jax.random.key_data(keys)

  _, eight = parallel.pmap_step(step)(
    parallel.replicate(np.float32(0)), parallel.shard(np.zeros(16))
  )
  np.testing.assert_array_equal(eight.reshape(one.shape), one)

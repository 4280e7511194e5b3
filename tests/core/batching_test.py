import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import batching

ROWS = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
KERNEL = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)


def loss(kernel, size):
  """A contrast between all rows, whatever the size of the parts."""

  def encode(part, rows):
    del part
    return jnp.tanh(rows @ kernel)

  features = batching.map_micro_batches(encode, size, ROWS)
  return jax.nn.logsumexp(features @ features.T)


@pytest.mark.parametrize("size", [2, 6])
def test_parts_have_the_loss_and_gradients_of_the_whole(size):
  whole = jax.value_and_grad(loss)(KERNEL, None)
  parts = jax.value_and_grad(loss)(KERNEL, size)
  chex.assert_trees_all_close(parts, whole, rtol=1e-6)


def test_parts_are_numbered_and_keep_their_order():
  def number(part, rows):
    return part + 10 * rows

  out = batching.map_micro_batches(number, 2, jnp.arange(6))
  np.testing.assert_array_equal(out, [0, 10, 21, 31, 42, 52])


def test_a_part_that_does_not_fit_is_named():
  with pytest.raises(ValueError, match="6 clips .* micro_batch=4"):
    loss(KERNEL, 4)


@pytest.mark.parametrize(
  "num, size, calls",
  [(7, 3, [3, 3, 3]), (2, 3, [2]), (3, (1, 4, 16), [4]), (20, (1, 4), [4] * 5)],
)
def test_chunks_have_one_size_and_keep_their_order(num, size, calls):
  sizes = []

  def double(rows):
    sizes.append(len(rows["x"]))
    return 2 * rows["x"]

  out = batching.map_chunks(double, size, {"x": np.arange(num)})
  np.testing.assert_array_equal(out, 2 * np.arange(num))
  assert sizes == calls


@pytest.mark.parametrize("num, calls", [(1, [1]), (3, [4]), (9, [4, 4, 4])])
def test_a_stream_is_read_a_chunk_at_a_time(num, calls):
  read, sizes = [], []

  def rows():
    for row in range(num):
      read.append(row)
      yield np.full(2, row)

  def double(chunk):
    sizes.append(len(chunk))
    assert len(read) <= 4 * len(sizes)
    return {"x": 2 * chunk}

  out = batching.map_stream(double, (1, 4), rows())["x"]
  np.testing.assert_array_equal(out, np.stack([2 * np.arange(num)] * 2, 1))
  assert sizes == calls

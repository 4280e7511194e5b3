"""Large batches through a function some rows at a time.

`map_chunks` is for evaluation: chunks of one size, so one program is compiled;
`map_stream` is the same for rows that are made one by one.
`map_micro_batches` is for training, with exact gradients.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PyTree = Any


def map_micro_batches(
  function: Callable[..., PyTree], size: int | None, *rows: PyTree
) -> PyTree:
  """Returns `function(part, *rows)`, computed `size` rows at a time.

  Contrastive losses need the features of the whole batch at once, so a batch
  cannot be cut into smaller ones whose gradients are summed: each would see
  fewer negatives. Here the network alone goes through the batch in parts. Its
  activations are dropped after each part and made again when the gradients pass
  (Chen et al., https://arxiv.org/abs/1604.06174): memory is that of one part,
  the price one forward pass more, and loss and gradients are those of the
  whole.

  Args:
    function: `function(part, *rows)`, each row of its result of the same row
      of `rows` alone; `part` is the number of the part, for random keys.
    size: rows of a part; None or 0 is all rows at once.
    *rows: trees of arrays `[B, ...]`.

  Raises:
    ValueError: B is not a multiple of `size`.
  """
  num_rows = jax.tree.leaves(rows)[0].shape[0]
  if not size or size == num_rows:
    return function(0, *rows)
  if num_rows % size:
    raise ValueError(
      f"{num_rows} clips on a device are not a multiple of micro_batch={size}"
    )
  num_parts = num_rows // size

  def split(x):
    return x.reshape(num_parts, size, *x.shape[1:])

  def merge(x):
    return x.reshape(num_rows, *x.shape[2:])

  parts = (jnp.arange(num_parts), *jax.tree.map(split, rows))
  part_fn = jax.checkpoint(function)
  return jax.tree.map(merge, jax.lax.map(lambda x: part_fn(*x), parts))


def map_chunks(
  function: Callable[[PyTree], PyTree],
  size: int | Sequence[int],
  rows: PyTree,
  *,
  num_threads: int = 1,
) -> PyTree:
  """Returns `function(rows)` in numpy, computed `size` rows at a time.

  The last chunk is filled up with its last row, so that every call has one
  shape; fewer rows than `size` are one chunk of their number.

  Args:
    function: a chunk `[size, ...]` to a tree of arrays `[size, ...]`, each row
      of the same row alone.
    size: rows of a chunk, at least 1; or several, rising: the least of them
      that holds all rows is taken, else the last.
    rows: a tree of arrays `[N, ...]`, N at least 1.
    num_threads: chunks at a time. The first is alone: it compiles the programs.

  Returns:
    A tree of numpy arrays `[N, ...]`.
  """
  num = jax.tree.leaves(rows)[0].shape[0]
  size = min(num, size) if isinstance(size, int) else _choose(size, num)

  def take(start):
    index = np.minimum(np.arange(start, start + size), num - 1)
    return jax.tree.map(lambda x: x[index], rows)

  chunks = map(take, range(0, num, size))
  results = [jax.device_get(function(next(chunks)))]
  if num_threads == 1:
    results += map(jax.device_get, map(function, chunks))
  else:
    with futures.ThreadPoolExecutor(num_threads) as pool:
      results += map(jax.device_get, pool.map(function, chunks))
  return jax.tree.map(lambda *x: np.concatenate(x)[:num], *results)


def map_stream(
  function: Callable[[np.ndarray], PyTree],
  sizes: Sequence[int],
  rows: Iterable[np.ndarray],
) -> PyTree:
  """Returns `map_chunks` of rows that come one by one: one chunk is held.

  Args:
    function: a chunk `[size, ...]` to a tree of arrays `[size, ...]`, each row
      of the same row alone.
    sizes: rows of a chunk, rising, see `map_chunks`.
    rows: arrays of one shape, at least one.
  """
  rows, results, size = iter(rows), [], None
  while chunk := list(itertools.islice(rows, sizes[-1])):
    num = len(chunk)
    size = size or _choose(sizes, num)
    chunk += chunk[-1:] * (size - num)
    result = jax.device_get(function(np.stack(chunk)))
    results.append(jax.tree.map(lambda x, num=num: x[:num], result))
  return jax.tree.map(lambda *x: np.concatenate(x), *results)


def _choose(sizes: Sequence[int], num: int) -> int:
  """The least of rising sizes that holds all rows, else the last."""
  return next((size for size in sizes if size >= num), sizes[-1])

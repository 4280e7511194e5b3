"""JPEG files to pictures by tf.data: in order, in parallel, on few threads.

Letters: S new picture size.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from a2r.core import images

_MAX_THREADS = 8  # By default; one core decodes some 1,500 pictures a second.
_NUM_PREFETCH = 4  # Elements ready before they are asked for.


def decode_in_order(
  elements: range,
  read_fn: Callable[[int], Sequence[bytes]],
  sizes: Sequence[tuple[int, tuple[int, int]]],
  *,
  fault_fn: Callable[[int], object],
  image_size: int,
  num_threads: int = 0,
) -> Iterator[np.ndarray]:
  """Yields the pictures of one element after another.

  Args:
    elements: numbers, a range of step 1; one item is yielded for each.
    read_fn: number to JPEG files, group after group; called from threads.
    sizes: for each group of files, how many there are and the (height, width)
      they are stored in.
    fault_fn: called with the number of an element that could not be read or
      decoded; raises what says why.
    image_size: S.
    num_threads: threads that read and decode; 0 takes one for each core, eight
      at most.

  Yields:
    `[F, S, S, 3]` uint8, F the files of all groups.

  Raises:
    tf.errors.OpError: where reading or decoding failed and `fault_fn` does not
      know why.
  """
  tf.config.set_visible_devices([], "GPU")  # A GPU's memory is for JAX.
  counts = [count for count, _ in sizes]
  num_cores = len(os.sched_getaffinity(0))
  num_threads = num_threads or min(_MAX_THREADS, num_cores)

  def read(element):
    return np.array(list(read_fn(int(element))), object)

  def load(element):
    jpegs = tf.numpy_function(read, [element], tf.string, stateful=False)
    jpegs = tf.split(tf.ensure_shape(jpegs, [sum(counts)]), counts)
    pictures = [
      _resize(_decode(group, stored), stored, image_size)
      for group, (count, stored) in zip(jpegs, sizes, strict=True)
      if count
    ]
    return tf.concat(pictures, 0)

  options = tf.data.Options()
  options.deterministic = True
  options.threading.private_threadpool_size = num_threads
  options.threading.max_intra_op_parallelism = 1
  dataset = tf.data.Dataset.range(elements.start, elements.stop)
  dataset = dataset.map(load, num_parallel_calls=num_threads)
  dataset = dataset.prefetch(_NUM_PREFETCH).with_options(options)
  decoded = dataset.as_numpy_iterator()
  for element in elements:
    try:
      pictures = next(decoded)
    except tf.errors.OpError:
      fault_fn(element)
      raise
    yield pictures


def _decode(jpegs, stored):
  """JPEG files `[F]` to `[F, H, W, 3]` uint8."""

  def decode(jpeg):
    picture = tf.io.decode_jpeg(jpeg, 3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(picture, [*stored, 3])

  spec = tf.TensorSpec([*stored, 3], tf.uint8)
  return tf.map_fn(decode, jpegs, fn_output_signature=spec)


def _resize(pictures, stored, image_size):
  """`[F, H, W, 3]` to `[F, S, S, 3]`, as `images.resize` does in numpy."""
  if tuple(stored) == (image_size, image_size):
    return pictures
  rows, columns = (images.bicubic_matrix(n, image_size) for n in stored)
  pixels = tf.cast(pictures, tf.float32)
  pixels = tf.tensordot(columns, pixels, [[1], [2]])
  pixels = tf.tensordot(rows, pixels, [[1], [2]])
  pixels = tf.transpose(pixels, [2, 0, 1, 3])
  return tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 255.0)), tf.uint8)

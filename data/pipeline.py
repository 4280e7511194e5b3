"""Batches `{human, robot, failure}` of clips and their labels, by tf.data.

What step n holds depends on (seed, n) alone: a run that starts at step n sees
what an unbroken run sees there, without reading what came before.

Letters: B clips, T frames, S picture size, N clips of a data set.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from a2r.core import images
from data import samplers
from data.dataset import Dataset, label_rows

PARTS = ("human", "robot", "failure")
_MAX_THREADS = 8  # By default; one core decodes some 1,500 pictures a second.
_NUM_PREFETCH = 4  # Elements ready before they are asked for.
Batch = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchSpec:
  """What batches hold."""

  # What `task` in a batch is an index into, robot tasks first.
  labels: Sequence[str]
  # Clips of 'human', 'robot', 'failure' over all hosts. A part of size 0, or
  # without one, has arrays without rows.
  batch_sizes: Mapping[str, int]
  num_frames: int  # T.
  image_size: int  # S; clips stored in another size are resized.
  seed: int  # Of the run.
  mode: str = "ends"  # Which frames: a rule of `core.images.frame_indices`.
  # 'instruction', or 'template' where `labels` are templates and clips with
  # different objects count as one task.
  label_by: str = "instruction"
  process_index: int = 0  # This host.
  process_count: int = 1  # Hosts; each has its share of every part.
  # That read and decode; 0 takes one for each core, eight at most.
  num_threads: int = 0


def make_batches(
  robot: Dataset | None,
  human: Dataset | None,
  spec: BatchSpec,
  *,
  num_steps: int,
  start_step: int = 0,
) -> Iterator[Batch]:
  """Returns an iterator of the batches start_step, ..., num_steps - 1.

  Robot clips and failures are balanced over tasks; human clips are shuffled
  as a whole. `record` is a row of `human`, of the robot's successes, or of its
  failures: of the two data sets of `robot.split()`.

  Args:
    robot: robot clips, successes and failures; may be None where the batch
      sizes of both are 0.
    human: human clips; may be None where their batch size is 0.
    spec: what a batch holds.
    num_steps: one past the last step.
    start_step: the first step.

  Yields:
    For each part: frames `[B, T, S, S, 3]` uint8, task and record `[B]` int32.

  Raises:
    ValueError: an empty part, a clip whose label is not in `labels`, a batch
      that the hosts cannot divide.
    RecordError: a clip that cannot be read, when its turn comes.
  """
  successes, failures = (None, None) if robot is None else robot.split()
  parts = {
    name: _Part(name, dataset, spec)
    for name, dataset in zip(PARTS, (human, successes, failures), strict=True)
  }
  draws = {}  # Step to the clips of each part, from drawn to decoded.

  def read(step):
    draws[step] = {name: part.draw(step) for name, part in parts.items()}
    return [
      jpeg
      for name, part in parts.items()
      for row, indices in zip(*draws[step][name], strict=True)
      for jpeg in _load_jpegs(part.dataset, row, indices)
    ]

  def read_again(step):
    for name, (rows, _) in draws.get(step, {}).items():
      for row in rows:
        parts[name].dataset.read(row)

  decoded = _decode_in_order(
    range(start_step, num_steps),
    read,
    [(p.share * spec.num_frames, p.picture_size) for p in parts.values()],
    fault_fn=read_again,
    image_size=spec.image_size,
    num_threads=spec.num_threads,
  )

  def batches():
    for step, pictures in enumerate(decoded, start_step):
      clips = pictures.reshape(-1, spec.num_frames, *pictures.shape[1:])
      ends = np.cumsum([part.share for part in parts.values()])
      groups = np.split(clips, ends[:-1])
      draw, batch = draws.pop(step), {}
      for (name, part), frames in zip(parts.items(), groups, strict=True):
        rows, _ = draw[name]
        task = part.labels[rows]
        batch[name] = {"frames": frames, "task": task, "record": rows}
      yield batch

  return batches()


class _Part:
  """One part of the batches on this host."""

  def __init__(self, name: str, dataset: Dataset | None, spec: BatchSpec):
    size = spec.batch_sizes.get(name, 0)
    if size and not (dataset is not None and len(dataset)):
      raise ValueError(f"no {name} clip to fill a batch of {size} with")
    self._spec, self._stream = spec, PARTS.index(name)
    self.dataset = dataset if size else None
    self.labels = np.zeros([0], np.int32)  # `[N]`, of each clip.
    self.picture_size = 0, 0  # (height, width) as stored.
    if size:
      self.picture_size = dataset.picture_size()
      self.labels = label_rows(dataset, spec.labels, spec.label_by)
    groups = np.zeros_like(self.labels) if name == "human" else self.labels
    self._sample_fn = samplers.make_sampler(
      groups, seed=spec.seed, stream=self._stream
    )
    self._places_fn = functools.partial(
      samplers.batch_places,
      batch_size=size,
      process_index=spec.process_index,
      process_count=spec.process_count,
    )
    self.share = len(self._places_fn(0))  # Clips of a batch on this host.

  def draw(self, step: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns the rows `[B]` of a step and the frame indices `[T]` of each."""
    places, seed = self._places_fn(step), self._spec.seed
    rows = self._sample_fn(places)
    return rows, [
      images.frame_indices(
        int(self.dataset.num_frames[row]),
        self._spec.num_frames,
        self._spec.mode,
        rng=samplers.frame_rng(seed, self._stream, place),
      )
      for row, place in zip(rows, places, strict=True)
    ]


def load_frames(
  dataset: Dataset, *, num_frames: int, image_size: int, mode: str = "ends"
) -> np.ndarray:
  """Returns all clips, decoded and resized as `make_batches` does.

  `mode` says which frames: a rule without randomness.

  Returns:
    `[N, T, S, S, 3]` uint8.
  """

  def read(row):
    available = int(dataset.num_frames[row])
    indices = images.frame_indices(available, num_frames, mode)
    return _load_jpegs(dataset, row, indices)

  shape = (len(dataset), num_frames, image_size, image_size, 3)
  frames = np.empty(shape, np.uint8)
  stored = dataset.picture_size() if len(dataset) else (image_size, image_size)
  decoded = _decode_in_order(
    range(len(dataset)),
    read,
    [(num_frames, stored)],
    fault_fn=dataset.read,
    image_size=image_size,
  )
  for row, pictures in enumerate(decoded):
    frames[row] = pictures
  return frames


def _load_jpegs(dataset, row, indices) -> list[bytes]:
  """The chosen JPEG files of one clip."""
  jpegs = dataset.frames(row)
  return [jpegs[index] for index in indices]


def _decode_in_order(
  elements: range,
  read_fn: Callable[[int], Sequence[bytes]],
  sizes: Sequence[tuple[int, tuple[int, int]]],
  *,
  fault_fn: Callable[[int], object],
  image_size: int,
  num_threads: int = 0,
) -> Iterator[np.ndarray]:
  """Yields F pictures of one element after another, `[F, S, S, 3]` uint8.

  `read_fn`, called from threads, gives the F JPEG files of an element, in
  groups of `sizes`: how many, and the (height, width) that they are stored in.
  `fault_fn` raises what is wrong with an element that could not be decoded.
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
  # Nothing here is left to it, and an iterator's end waits for its thread, up
  # to a minute.
  options.autotune.enabled = False
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

"""Batches `{human, robot, failure}` of clips and token ids, by tf.data.

What step n holds depends on (seed, n) alone: a run that starts at step n sees
what an unbroken run sees there, without reading what came before.

Letters: B clips, T frames, S picture size, L tokens, N clips of a data set.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from a2r.core import images, text
from data import decoding, samplers
from data.dataset import Dataset, label_rows

PARTS = ("human", "robot", "failure")
Batch = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class _Part:
  """One part of the batches on this host.

  Attributes:
    dataset: its clips; None where the part is not used.
    share: clips of a batch that this host has.
    columns: what a batch holds of each clip besides its frames, `[N, ...]`.
    draw_fn: step to rows `[B]` and frame indices `[B, T]`.
  """

  dataset: Dataset | None
  share: int
  columns: dict[str, np.ndarray]
  draw_fn: Callable[[int], tuple[np.ndarray, list[np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class Clips:
  """Clips in memory; every field has N entries, in the data set's order.

  Attributes:
    frames: `[N, T, S, S, 3]` uint8.
    success: `[N]` bool.
    source: `[N]` str.
    task: `[N]` str, name of the task.
    instruction: `[N]` str.
    template: `[N]` str.
    environment: `[N]` str.
    name: `[N]` str, as the clip's user calls it, or ''.
  """

  frames: np.ndarray
  success: np.ndarray
  source: np.ndarray
  task: np.ndarray
  instruction: np.ndarray
  template: np.ndarray
  environment: np.ndarray
  name: np.ndarray


def make_batches(
  robot: Dataset | None,
  human: Dataset | None,
  *,
  instructions: Sequence[str],
  tokenizer: text.Tokenizer,
  batch_sizes: Mapping[str, int],
  num_frames: int,
  image_size: int,
  seed: int,
  num_steps: int,
  start_step: int = 0,
  max_length: int = 32,
  mode: str = "ends",
  label_by: str = "instruction",
  process_index: int = 0,
  process_count: int = 1,
  num_threads: int = 0,
) -> Iterator[Batch]:
  """Yields the batches of steps start_step, ..., num_steps - 1.

  Robot clips and failures are balanced over tasks; human clips are shuffled
  as a whole. `record` is a row of `human`, of the robot's successes, or of its
  failures: of the two data sets of `robot.split()`.

  Args:
    robot: robot clips, successes and failures; may be None where the batch
      sizes of both are 0.
    human: human clips; may be None where their batch size is 0.
    instructions: what `task` in a batch is an index into, robot tasks first.
    tokenizer: texts to ids.
    batch_sizes: clips of 'human', 'robot', 'failure' over all hosts. A part of
      size 0 has arrays without rows.
    num_frames: T.
    image_size: S; clips stored in another size are resized.
    seed: of the run.
    num_steps: one past the last step.
    start_step: the first step.
    max_length: L.
    mode: which frames, a rule of `a2r.core.images.frame_indices`.
    label_by: 'instruction', or 'template' where `instructions` holds templates
      and clips with different objects count as one task.
    process_index: this host.
    process_count: number of hosts; each has its share of every part.
    num_threads: threads that read and decode; 0 leaves it to `decoding`.

  Yields:
    For each part: frames `[B, T, S, S, 3]` uint8, input_ids and
    attention_mask `[B, L]`, task and record `[B]`, all int32.

  Raises:
    ValueError: an empty part, a clip whose instruction is not in
      `instructions`, a batch that the hosts cannot divide.
    RecordError: a clip that cannot be read, when its turn comes.
  """
  successes, failures = (None, None) if robot is None else robot.split()
  host = {"process_index": process_index, "process_count": process_count}
  parts = {}
  for name, dataset in (
    ("human", human),
    ("robot", successes),
    ("failure", failures),
  ):
    size = batch_sizes[name]
    if size and not (dataset is not None and len(dataset)):
      raise ValueError(f"no {name} clip to fill a batch of {size} with")
    used = dataset if size else None
    columns = _columns(used, instructions, tokenizer, max_length, label_by)
    places_fn = functools.partial(
      samplers.batch_places, batch_size=size, **host
    )
    draw_fn = _make_draw(
      used, places_fn, columns["task"], name, seed, num_frames, mode
    )
    parts[name] = _Part(used, len(places_fn(0)), columns, draw_fn)

  frames = decoding.decode_in_order(
    range(start_step, num_steps),
    functools.partial(_read, parts),
    [(p.share * num_frames, _picture_size(p.dataset)) for p in parts.values()],
    image_size=image_size,
    num_threads=num_threads,
  )
  return _assemble(parts, frames, start_step, num_frames)


def load_clips(
  dataset: Dataset,
  *,
  num_frames: int,
  image_size: int,
  mode: str = "ends",
  num_threads: int = 0,
) -> Clips:
  """All clips of a data set, decoded and resized as `make_batches` does.

  Args:
    dataset: N clips; choose some by `dataset.select`.
    num_frames: T.
    image_size: S.
    mode: which frames; a rule without randomness.
    num_threads: threads that read and decode; 0 leaves it to `decoding`.
  """

  def read(row):
    available = int(dataset.num_frames[row])
    indices = images.frame_indices(available, num_frames, mode)
    return _select(dataset, row, indices)

  shape = (len(dataset), num_frames, image_size, image_size, 3)
  frames = np.empty(shape, np.uint8)
  size = dataset.picture_size() if len(dataset) else (image_size, image_size)
  decoded = decoding.decode_in_order(
    range(len(dataset)),
    read,
    [(num_frames, size)],
    image_size=image_size,
    num_threads=num_threads,
  )
  for row in range(len(dataset)):
    try:
      frames[row] = next(decoded)
    except tf.errors.OpError:
      _name_fault(dataset, [row])
      raise
  names = [field.name for field in dataclasses.fields(Clips)][1:]
  return Clips(frames, *(getattr(dataset, name) for name in names))


def _columns(dataset, instructions, tokenizer, max_length, label_by):
  """What a batch holds of each clip besides its frames, for all N clips."""
  if dataset is None:
    labels, texts, inverse = np.zeros([0], np.int32), [""], []
  else:
    labels = label_rows(dataset, instructions, label_by)
    texts, inverse = np.unique(dataset.instruction, return_inverse=True)
  ids, mask = tokenizer([str(text) for text in texts], max_length)
  inverse = np.asarray(inverse, np.int32)
  return {
    "input_ids": ids[inverse],
    "attention_mask": mask[inverse],
    "task": labels,
  }


def _make_draw(dataset, places_fn, labels, name, seed, num_frames, mode):
  """The function from a step to its rows and to the frames of each."""
  stream = PARTS.index(name)
  groups = np.zeros_like(labels) if name == "human" else labels
  sample = samplers.make_sampler(groups, seed=seed, stream=stream)

  def draw(step):
    places = places_fn(step)
    rows = sample(places)
    indices = [
      images.frame_indices(
        int(dataset.num_frames[row]),
        num_frames,
        mode,
        rng=samplers.frame_rng(seed, stream, place),
      )
      for row, place in zip(rows, places, strict=True)
    ]
    return rows, indices

  return draw


def _picture_size(dataset):
  return (0, 0) if dataset is None else dataset.picture_size()


def _select(dataset, row, indices):
  """The chosen JPEG files of one clip."""
  jpegs = dataset.frames(row)
  return [jpegs[index] for index in indices]


def _read(parts, step):
  """The JPEG files of a step, part by part, clip by clip."""
  jpegs = []
  for part in parts.values():
    for row, indices in zip(*part.draw_fn(step), strict=True):
      jpegs += _select(part.dataset, row, indices)
  return jpegs


def _assemble(parts, frames, step, num_frames):
  """Joins decoded frames with the columns of their clips, batch by batch."""
  while True:
    rows = {name: part.draw_fn(step)[0] for name, part in parts.items()}
    try:
      pictures = next(frames)
    except StopIteration:
      return
    except tf.errors.OpError:
      for name, part in parts.items():
        _name_fault(part.dataset, rows[name])
      raise
    batch, begin = {}, 0
    for name, part in parts.items():
      end = begin + part.share * num_frames
      shape = (part.share, num_frames, *pictures.shape[1:])
      batch[name] = {
        "frames": pictures[begin:end].reshape(shape),
        **{key: column[rows[name]] for key, column in part.columns.items()},
        "record": rows[name],
      }
      begin = end
    yield batch
    step += 1


def _name_fault(dataset, rows):
  """Reads clips one by one: the one that cannot be read raises its error."""
  for row in rows:
    dataset.read(row)

"""Which clips a batch holds, as a pure function of its number.

A part of the batches (human, robot or failure) is one endless row of clips.
Place p of it depends on the seed alone, so any batch can be had without those
before it, on any number of hosts. Letters: N clips, B places.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

_ORDER, _TURNS, _FRAMES = range(3)  # What a random stream is for.


def make_sampler(
  groups: Sequence[int] | np.ndarray, *, seed: int, stream: int
) -> Callable[[np.ndarray], np.ndarray]:
  """Returns a function from places `[B]` to rows `[B]`, balanced over groups.

  Groups take turns: each run of G places, G the number of groups, has every
  group once, in an order drawn anew. Within a group every epoch is a
  permutation: no clip comes again before all others of its group did. With
  one group this is plain epoch-wise shuffling.

  Args:
    groups: `[N]` the group of each clip, such as its task.
    seed: of the run.
    stream: tells the parts of a batch apart.
  """
  groups = np.asarray(groups)
  members = [np.flatnonzero(groups == g) for g in np.unique(groups)]

  @functools.lru_cache(maxsize=2 * len(members) + 2)
  def order(group, epoch):
    key = (seed, stream, _ORDER, group, epoch)
    return np.random.default_rng(key).permutation(members[group])

  @functools.lru_cache(maxsize=64)
  def turns(turn):
    key = (seed, stream, _TURNS, turn)
    return np.random.default_rng(key).permutation(len(members))

  def sample(places):
    rows = []
    for place in places:
      turn, slot = divmod(int(place), len(members))
      group = int(turns(turn)[slot]) if len(members) > 1 else 0
      epoch, index = divmod(turn, len(members[group]))
      rows.append(order(group, epoch)[index])
    return np.array(rows, np.int32)

  return sample


def batch_places(
  step: int, batch_size: int, *, process_index: int = 0, process_count: int = 1
) -> np.ndarray:
  """Returns the places that a host has of the batch of a step.

  These are `[batch_size / process_count]` int.

  Raises:
    ValueError: the batch cannot be divided among the hosts.
  """
  if batch_size % process_count:
    raise ValueError(
      f"a batch of {batch_size} clips cannot be divided among "
      f"{process_count} hosts"
    )
  share = batch_size // process_count
  return step * batch_size + process_index * share + np.arange(share)


def frame_rng(seed: int, stream: int, place: int) -> np.random.Generator:
  """Returns the generator for a random choice of frames at one place."""
  return np.random.default_rng((seed, stream, _FRAMES, int(place)))

"""Procedural human clips, made where they are not at hand yet.

See `a2r.runs.sources.stores` for what happens when a set is there already or
half made.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from a2r.core import checks
from a2r.runs.sources import stores
from a2r.sim.humans import human_clips, people
from data.dataset import Dataset
from data.records import Record

_CLIPS_PER_SHARD = 256
_CLIPS_PER_CALL = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class HumanSpec(stores.Spec):
  """Procedural human clips of some templates.

  Attributes:
    templates: of `people.TEMPLATES`.
    clips_per_template: clips of each.
  """

  templates: tuple[str, ...]
  clips_per_template: int

  def __post_init__(self):
    super().__post_init__()
    checks.each_of("templates", self.templates, people.TEMPLATES)
    checks.count("clips_per_template", self.clips_per_template, 1)


def collect(
  spec: HumanSpec,
  root,
  *,
  sample_fn: Callable[..., Any] = people.sample_clips,
) -> Dataset:
  """Opens the human clips of a spec, made under `root` if they are not there.

  Raises:
    RecordError: stored clips that are damaged.
  """
  labels = np.array([people.TEMPLATES.index(t) for t in spec.templates])
  # Without acts, the code of theirs does not count.
  has_acts = set(spec.templates) - set(human_clips.TEMPLATES)
  module = (people if has_acts else human_clips).__name__
  num_clips = spec.clips_per_template * len(labels)
  starts = range(0, num_clips, _CLIPS_PER_SHARD)
  counts = [min(_CLIPS_PER_SHARD, num_clips - start) for start in starts]

  def make(shard: int) -> Iterator[Record]:
    for first in range(0, counts[shard], _CLIPS_PER_CALL):
      begin = starts[shard] + first
      clips = np.arange(begin, begin + _CLIPS_PER_CALL)
      template = labels[clips % len(labels)]
      rng = jax.random.fold_in(jax.random.key(spec.seed), begin)
      frames, nouns, *_ = jax.device_get(
        sample_fn(
          rng,
          template.astype(np.int32),
          num_frames=spec.num_frames,
          image_size=spec.image_size,
        )
      )
      for row in range(min(_CLIPS_PER_CALL, counts[shard] - first)):
        yield Record(
          frames=frames[row],
          instruction=people.caption(template[row], nouns[row]),
          template=people.TEMPLATES[template[row]],
          source="human",
          environment="human",
          seed=int(clips[row]),
        )

  return stores.make_dataset(root, "human", spec, module, counts, make)

"""Data sets of play: episodes to learn dynamics from, made where missing.

Letters: N episodes, T pictures.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from a2r import sim
from a2r.core import checks
from a2r.models.fitvid import fitvid
from a2r.runs.sources import stores
from a2r.sim.behavior import clips
from a2r.sim.tabletop import physics
from data import store, windows

_EPISODES_PER_SHARD = 64


@dataclasses.dataclass(frozen=True)
class Spec:
  """What to play.

  Attributes:
    environments: such as 'tabletop/train'; episodes are shared evenly.
    sources: name in `clips.PLAY_SOURCES` to its share of the episodes.
    episodes: N, of all environments.
    purpose: 'train', 'validation' or 'test': no two share a draw.
    seed: of the experiment.
    stride: control steps between two pictures.
    image_size: side of the pictures.

  Raises:
    ValueError: says what is wrong, and what is known.
  """

  environments: tuple[str, ...]
  sources: Mapping[str, float]
  episodes: int
  purpose: str
  seed: int
  stride: int
  image_size: int

  def __post_init__(self):
    environments = self.environments
    checks.each_of("data.environment", environments, sim.ENVIRONMENTS)
    checks.each_of("data.sources", self.sources, clips.PLAY_SOURCES)
    shares = list(self.sources.values())
    if min(shares) < 0 or not np.isclose(sum(shares), 1):
      raise ValueError(
        f"data.sources must be shares that add up to 1, got {sum(shares):g}"
      )
    if self.episodes < len(environments):
      raise ValueError(
        f"expected an episode per environment at least, got {self.episodes} "
        f"({self.purpose})"
      )
    if physics.NUM_STEPS % self.stride:
      raise ValueError(
        f"model.stride={self.stride} does not divide the {physics.NUM_STEPS} "
        "steps of an episode"
      )


def open_episodes(spec: Spec, root) -> tuple[windows.Episodes, str]:
  """The episodes of a spec, made under `root` if missing, and their digest.

  The actions of every `stride` steps are side by side, scaled to the unit box,
  as the video model takes them.

  Raises:
    RecordError: stored episodes that are damaged.
  """
  planned = shards(spec)

  def make(number):
    environment, source, first, count = planned[number]
    episodes = clips.collect_play(
      environment,
      source,
      spec.seed * len(stores.PURPOSES) + stores.PURPOSES.index(spec.purpose),
      range(first, first + count),
      stride=spec.stride,
      image_size=spec.image_size,
    )
    return {
      "frames": episodes.frames,
      "actions": episodes.actions,
      "log": episodes.states,
    }

  shares = {k: float(v) for k, v in spec.sources.items()}
  values = stores.identify(spec, "a2r.sim.behavior.clips") | {"sources": shares}
  folder = store.write_arrays(root, "play", values, len(planned), make)
  arrays = store.load_arrays(folder)
  actions = np.asarray(physics.scale_actions(arrays["actions"]))
  ticks = fitvid.group(actions, spec.stride)
  return windows.Episodes(arrays["frames"], ticks), store.arrays_digest(folder)


def shards(spec: Spec) -> list[tuple[str, str, int, int]]:
  """Environment, source, first draw and number of episodes of every shard."""
  planned = []
  shares = np.cumsum([0.0, *spec.sources.values()])
  for index, environment in enumerate(spec.environments):
    share, left = divmod(spec.episodes, len(spec.environments))
    total = share + (index < left)
    ends = np.rint(shares / shares[-1] * total).astype(int)
    for source, count in zip(spec.sources, np.diff(ends), strict=True):
      for first in range(0, count, _EPISODES_PER_SHARD):
        num = min(_EPISODES_PER_SHARD, int(count) - first)
        planned.append((environment, source, first, num))
  return planned

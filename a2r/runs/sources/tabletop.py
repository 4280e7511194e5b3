"""Robot clips of the tabletop, made where they are not at hand yet.

See `a2r.runs.sources.stores` for what happens when a set is there already or
half made, and `a2r.sim.behavior.policies` for who may act in a robot clip.

Letters: T frames, S picture size.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from a2r import sim
from a2r.runs.sources import stores
from a2r.sim.behavior import policies, stopped
from data.dataset import Dataset
from data.records import Record

WANTS = {"success": True, "failure": False, "all": None}
# What is wanted of a source: successes, anything, else failures.
_USUAL = {"expert": True, "random": None, "explore": None}
_CLIPS_PER_SHARD = 64
_DRAW_BITS = 20  # A clip's seed is its shard's, and below it the draw's number.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Robot:
  """What all robot specs say; they check themselves.

  Attributes:
    environment: such as 'tabletop/train'.
    tasks: names in `sim.TASKS`.
    purpose: of `stores.PURPOSES`: no two share a draw.
    seed: of the experiment.
    num_frames: T, frames stored.
    image_size: S, stored.

  Raises:
    ValueError: a spec that cannot be met.
  """

  environment: str
  tasks: tuple[str, ...]
  purpose: str = "train"
  seed: int = 0
  num_frames: int = 8
  image_size: int = 64

  def __post_init__(self):
    stores.check_names("purpose", [self.purpose], stores.PURPOSES)
    stores.check_names("environment", [self.environment], sim.ENVIRONMENTS)
    stores.check_names("tasks", self.tasks, sim.TASKS)

  def shares(self) -> list[tuple[str, bool | None, int]]:
    """Per task: source, wanted outcome (None: any), and number of clips."""
    raise NotImplementedError

  def _check_counts(self, **counts):
    """Checks that clips are asked for, and that there are policies for them."""
    if min(counts.values()) < 0 or not any(counts.values()):
      raise ValueError(f"no clips asked for: {counts}")
    if any(source == "rl" and count for source, _, count in self.shares()):
      known = stopped.load()
      missing = ", ".join(task for task in self.tasks if task not in known)
      if missing:
        raise ValueError(
          f"no policy (source 'rl') of {missing}; of: {', '.join(known)}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobotSpec(_Robot):
  """Successes and failures of some tasks in one environment.

  Attributes:
    successes: clips per task that do the task.
    failures: clips per task that do not.
    near_miss_fraction: share of the failures that nearly do; the others are
      random exploration.
    near_miss_sources: of `policies.NEAR_SOURCES`, which share these evenly.
    random_sources: of `policies.RANDOM_SOURCES`, which share the others.
    success_sources: of `policies.SOURCES`, which share the successes.
  """

  successes: int
  failures: int
  near_miss_fraction: float = 0.5
  near_miss_sources: tuple[str, ...] = policies.NEAR_SOURCES
  random_sources: tuple[str, ...] = ("random",)
  success_sources: tuple[str, ...] = ("expert",)

  def __post_init__(self):
    super().__post_init__()
    for key, known in (
      ("near_miss_sources", policies.NEAR_SOURCES),
      ("random_sources", policies.RANDOM_SOURCES),
      ("success_sources", policies.SOURCES),
    ):
      stores.check_names(key, getattr(self, key), known)
    if not 0 <= self.near_miss_fraction <= 1:
      raise ValueError(
        f"near_miss_fraction must be in [0, 1], got {self.near_miss_fraction}"
      )
    self._check_counts(successes=self.successes, failures=self.failures)

  def shares(self) -> list[tuple[str, bool | None, int]]:
    """See the base class."""
    near = round(self.failures * self.near_miss_fraction)
    shares = []
    for sources, want, count in (
      (self.success_sources, True, self.successes),
      (self.near_miss_sources, False, near),
      (self.random_sources, False, self.failures - near),
    ):  # As many of each source but for what is left over.
      each, left = divmod(count, len(sources))
      shares += [(s, want, each + (i < left)) for i, s in enumerate(sources)]
    return shares


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceSpec(_Robot):
  """Clips of given sources, as many of each task and source.

  Attributes:
    sources: of `policies.SOURCES`.
    clips: per task and source.
    want: 'success', 'failure', 'all' (as they come), or 'usual': successes of
      the expert, failures of the sources that nearly succeed, all of random.
  """

  sources: tuple[str, ...]
  clips: int
  want: str = "usual"

  def __post_init__(self):
    super().__post_init__()
    stores.check_names("sources", self.sources, policies.SOURCES)
    stores.check_names("want", [self.want], ["usual", *WANTS])
    self._check_counts(clips=self.clips)

  def shares(self) -> list[tuple[str, bool | None, int]]:
    """See the base class."""
    return [
      (source, WANTS.get(self.want, _USUAL.get(source, False)), self.clips)
      for source in self.sources
    ]


@dataclasses.dataclass(frozen=True)
class _Shard:
  """Clips of one task and one source, made by one call of the simulator."""

  task: str
  source: str
  want: bool | None
  num_clips: int
  seed: int


def collect(
  spec: RobotSpec | SourceSpec,
  root,
  *,
  collect_fn: Callable[..., Any] = sim.collect,
) -> Dataset:
  """Opens the robot clips of a spec, made if they are not there.

  Args:
    spec: what to collect.
    root: folder of all data sets.
    collect_fn: the simulator, `sim.collect`.

  Raises:
    RecordError: stored clips that are damaged.
  """
  shards = _plan_shards(spec)

  def make(shard: _Shard) -> Iterator[Record]:
    task = sim.TASKS[shard.task]
    clips = collect_fn(
      spec.environment,
      shard.task,
      shard.source,
      shard.seed,
      shard.num_clips,
      num_frames=spec.num_frames,
      image_size=spec.image_size,
      want=shard.want,
    )
    for row in range(shard.num_clips):
      yield Record(
        frames=np.asarray(clips.frames[row]),
        instruction=task.instruction,
        template=task.template,
        task=shard.task,
        success=bool(clips.success[row]),
        source=str(clips.source[row]),
        environment=spec.environment,
        seed=(shard.seed << _DRAW_BITS) + int(clips.seeds[row]),
        states=np.asarray(clips.states[row]),
      )

  return stores.make_dataset(
    root,
    "robot",
    spec,
    "a2r.sim.behavior.clips",
    [shard.num_clips for shard in shards],
    lambda number: make(shards[number]),
  )


def _plan_shards(spec: RobotSpec | SourceSpec) -> list[_Shard]:
  """One shard or more per task and source, with seeds of their own."""
  shards = []
  for task in spec.tasks:
    for source, want, count in spec.shares():
      for part, first in enumerate(range(0, count, _CLIPS_PER_SHARD)):
        seed = _mix(
          spec.seed, spec.environment, spec.purpose, task, source, part
        )
        num = min(_CLIPS_PER_SHARD, count - first)
        shards.append(_Shard(task, source, want, num, seed))
  return shards


def _mix(*parts) -> int:
  """A seed below 2**31 from numbers and names; other parts, other seed."""
  words = [
    p if isinstance(p, int) else int.from_bytes(str(p).encode(), "big")
    for p in parts
  ]
  return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)

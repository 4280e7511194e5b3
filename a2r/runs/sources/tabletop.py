"""Robot clips of the tabletop, made where they are not at hand yet.

See `a2r.runs.sources.stores` for what happens when a set is there already or
half made, and `a2r.sim.behavior.policies` for who may act in a robot clip.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from a2r import sim
from a2r.core import checks
from a2r.runs.sources import stores
from a2r.sim.behavior import policies, stopped
from data.dataset import Dataset
from data.records import Record

_WANTS = {"success": True, "failure": False, "all": None}
# What is wanted of a source: successes, anything, else failures.
_USUAL = {"expert": True, "random": None, "explore": None}
_CLIPS_PER_SHARD = 64
_DRAW_BITS = 20  # A clip's seed is its shard's, and below it the draw's number.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Spec(stores.Spec):
  """What all robot specs say.

  Attributes:
    environment: such as 'tabletop/train'.
    tasks: names in `sim.TASKS`.
    purpose: of `stores.PURPOSES`: no two share a draw.
  """

  environment: str
  tasks: tuple[str, ...]
  purpose: str = "train"

  def __post_init__(self):
    super().__post_init__()
    checks.one_of("purpose", self.purpose, stores.PURPOSES)
    checks.one_of("environment", self.environment, sim.ENVIRONMENTS)
    checks.each_of("tasks", self.tasks, sim.TASKS)

  def shares(self) -> list[tuple[str, bool | None, int]]:
    """Per task: source, wanted outcome (None: any), and number of clips."""
    raise NotImplementedError

  def _check_counts(self, **counts):
    """Checks that clips are asked for, and that there are policies for them."""
    if min(counts.values()) < 0 or not any(counts.values()):
      raise ValueError(f"no clips asked for: {counts}")
    for name, count in counts.items():
      checks.count(name, count, 0)
    if any(source == "rl" and count for source, _, count in self.shares()):
      known = stopped.load()
      missing = ", ".join(task for task in self.tasks if task not in known)
      if missing:
        raise ValueError(
          f"no policy (source 'rl') of {missing}; of: {', '.join(known)}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobotSpec(_Spec):
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
      checks.each_of(key, getattr(self, key), known)
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
class SourceSpec(_Spec):
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
    checks.each_of("sources", self.sources, policies.SOURCES)
    checks.one_of("want", self.want, ["usual", *_WANTS])
    self._check_counts(clips=self.clips)

  def shares(self) -> list[tuple[str, bool | None, int]]:
    """See the base class."""
    return [
      (source, _WANTS.get(self.want, _USUAL.get(source, False)), self.clips)
      for source in self.sources
    ]


def collect(
  spec: RobotSpec | SourceSpec,
  root,
  *,
  collect_fn: Callable[..., Any] = sim.collect,
) -> Dataset:
  """Opens the robot clips of a spec, made under `root` if they are not there.

  Raises:
    RecordError: stored clips that are damaged.
  """
  # One call of the simulator each: task, source, what is wanted, clips, seed.
  shards = []
  for task in spec.tasks:
    for source, want, count in spec.shares():
      for number, first in enumerate(range(0, count, _CLIPS_PER_SHARD)):
        words = (spec.environment, spec.purpose, task, source)
        words = [int.from_bytes(word.encode(), "big") for word in words]
        mixed = np.random.SeedSequence([spec.seed, *words, number])
        seed = int(mixed.generate_state(1)[0] >> 1)  # Below 2**31.
        num_clips = min(_CLIPS_PER_SHARD, count - first)
        shards.append((task, source, want, num_clips, seed))

  def make(shard: int) -> Iterator[Record]:
    name, source, want, num_clips, seed = shards[shard]
    task = sim.TASKS[name]
    clips = collect_fn(
      spec.environment,
      name,
      source,
      seed,
      num_clips,
      num_frames=spec.num_frames,
      image_size=spec.image_size,
      want=want,
    )
    for row in range(num_clips):
      yield Record(
        frames=np.asarray(clips.frames[row]),
        instruction=task.instruction,
        template=task.template,
        task=name,
        success=bool(clips.success[row]),
        source=str(clips.source[row]),
        environment=spec.environment,
        seed=(seed << _DRAW_BITS) + int(clips.seeds[row]),
        states=np.asarray(clips.states[row]),
      )

  counts = [num_clips for _, _, _, num_clips, _ in shards]
  return stores.make_dataset(
    root, "robot", spec, "a2r.sim.behavior.clips", counts, make
  )

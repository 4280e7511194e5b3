"""Robot clips of the simulated worlds, made where they are not at hand yet.

See `a2r.runs.sources.stores` for what happens when a set is there already or
half made, and `a2r.sim.behavior.policies` and `a2r.sim.concept.policies` for
who may act in a robot clip.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from a2r import sim
from a2r.core import checks
from a2r.runs.sources import stores
from a2r.sim.behavior import policies, stopped
from a2r.sim.concept import policies as concept_policies
from a2r.sim.concept import tasks as concept_tasks
from a2r.sim.concept import variants as concept_variants
from data.dataset import Dataset
from data.records import Record

_WANTS = {"success": True, "failure": False, "all": None}
# What is wanted of a source: successes, anything, else failures.
_USUAL = {"expert": True, "random": None, "explore": None}
_CLIPS_PER_SHARD = 64
_DRAW_BITS = 20  # A clip's seed is its shard's, and below it the draw's number.


class World(NamedTuple):
  """A simulator: what there is in it, and what makes its clips."""

  environments: tuple[str, ...]
  tasks: Mapping[str, Any]  # By name; each has `instruction` and `template`.
  sources: tuple[str, ...]  # Who may act.
  near_sources: tuple[str, ...]  # Whose failures are near misses.
  random_sources: tuple[str, ...]
  module: str


WORLDS = (
  World(
    sim.ENVIRONMENTS,
    sim.TASKS,
    policies.SOURCES,
    policies.NEAR_SOURCES,
    policies.RANDOM_SOURCES,
    "a2r.sim.behavior.clips",
  ),
  World(
    tuple(concept_variants.ENVIRONMENTS),
    concept_tasks.NAMES,
    concept_policies.SOURCES,
    ("near_miss",),
    ("random",),
    "a2r.sim.concept.clips",
  ),
)


def find_world(environment: str) -> World:
  """Returns the world of an environment.

  Raises:
    ValueError: an unknown environment; the known are listed.
  """
  known = {name: world for world in WORLDS for name in world.environments}
  checks.one_of("environment", environment, known)
  return known[environment]


def find(environment: str, tasks: Sequence[str]) -> tuple[str, tuple[str, ...]]:
  """Returns an environment and the names of its tasks, as specs have them.

  Args:
    environment: of a world; 'concept/5' is 'concept' with that task alone.
    tasks: names, or numbers of Concept2Robot's; none stand for the tabletop's
      targets, or for Concept2Robot's that are trained on.

  Raises:
    KeyError: a task of Concept2Robot that is not known; the known are listed.
    ValueError: tasks besides an environment that names one.
  """
  place, _, task = environment.partition("/")
  if place not in concept_variants.ENVIRONMENTS:
    return environment, tuple(tasks) or tuple(sim.TARGETS)
  if task and tasks:
    raise ValueError(f"tasks do not go with {environment}, which names its own")
  names = [task] if task else tasks or map(str, concept_tasks.TRAINED)
  return place, tuple(concept_tasks.get(name).name for name in names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Spec(stores.Spec):
  """What all robot specs say.

  Attributes:
    environment: such as 'tabletop/train' or 'concept'.
    tasks: names of tasks there.
    purpose: of `stores.PURPOSES`: no two share a draw.
  """

  environment: str
  tasks: tuple[str, ...]
  purpose: str = "train"

  def __post_init__(self):
    super().__post_init__()
    checks.one_of("purpose", self.purpose, stores.PURPOSES)
    checks.each_of("tasks", self.tasks, self.world.tasks)

  @property
  def world(self) -> World:
    """Where its environment is."""
    return find_world(self.environment)

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
    near_miss_sources: of the world's, which share these evenly.
    random_sources: of the world's, which share the others.
    success_sources: of the world's, which share the successes.
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
      ("near_miss_sources", self.world.near_sources),
      ("random_sources", self.world.random_sources),
      ("success_sources", self.world.sources),
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
    sources: of the world's.
    clips: per task and source.
    want: 'success', 'failure', 'all' (as they come), or 'usual': successes of
      the expert, failures of the sources that nearly succeed, all of random.
  """

  sources: tuple[str, ...]
  clips: int
  want: str = "usual"

  def __post_init__(self):
    super().__post_init__()
    checks.each_of("sources", self.sources, self.world.sources)
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
    task = spec.world.tasks[name]
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
    root, "robot", spec, spec.world.module, counts, make
  )

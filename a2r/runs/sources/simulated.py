"""Data sets of clips, made in the simulator where they are not at hand yet.

The simulator is introduced to the TFRecords here; see `a2r.runs.sources.stores`
for what happens when a set is there already or half made, and
`a2r.sim.behavior.policies` for who may act in a robot clip.

Letters: T frames, S picture size.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from a2r import sim
from a2r.runs.sources import stores
from a2r.sim.behavior import policies, stopped
from a2r.sim.humans import human_clips
from data.dataset import Dataset
from data.records import Record

PURPOSES = ("train", "validation", "test")
WANTS = {"success": True, "failure": False, "all": None}
# What is wanted of a source: successes, anything, else failures.
_USUAL = {"expert": True, "random": None, "explore": None}
_CLIPS_PER_SHARD = 64
_HUMANS_PER_SHARD = 256
_HUMANS_PER_CALL = 16
_DRAW_BITS = 20  # A clip's seed is its shard's, and below it the draw's number.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Robot:
  """What all robot specs say.

  Attributes:
    environment: such as 'tabletop/train'.
    tasks: names in `sim.TASKS`.
    purpose: 'train', 'validation' or 'test': no two share a draw.
    seed: of the experiment.
    num_frames: T, frames stored.
    image_size: S, stored.
  """

  environment: str
  tasks: tuple[str, ...]
  purpose: str = "train"
  seed: int = 0
  num_frames: int = 8
  image_size: int = 64


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


@dataclasses.dataclass(frozen=True)
class HumanSpec:
  """Procedural human clips of some templates.

  Attributes:
    templates: of `human_clips.TEMPLATES`.
    clips_per_template: clips of each.
    seed: of the experiment.
    num_frames: T, frames stored.
    image_size: S, stored.
  """

  templates: tuple[str, ...]
  clips_per_template: int
  seed: int = 0
  num_frames: int = 8
  image_size: int = 64


@dataclasses.dataclass(frozen=True)
class _Shard:
  """Clips of one task and one source, made by one call of the simulator."""

  task: str
  source: str
  want: bool | None
  num_clips: int
  seed: int


def collect_robot(
  spec: RobotSpec | SourceSpec,
  root,
  *,
  collect_fn: Callable[..., Any] = sim.collect,
) -> Dataset:
  """The robot clips of a spec, made if they are not there.

  Args:
    spec: what to collect.
    root: folder of all data sets.
    collect_fn: the simulator, `sim.collect`.

  Raises:
    ValueError: a spec that cannot be met.
    RecordError: stored clips that are damaged.
  """
  _check_robot(spec)
  shards = _robot_shards(spec)

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


def collect_human(
  spec: HumanSpec,
  root,
  *,
  sample_fn: Callable[..., Any] = human_clips.sample_clips,
) -> Dataset:
  """The human clips of a spec, made if they are not there.

  Args:
    spec: what to make.
    root: folder of all data sets.
    sample_fn: the generator, `human_clips.sample_clips`.

  Raises:
    ValueError: an unknown template.
    RecordError: stored clips that are damaged.
  """
  _check_names("templates", spec.templates, human_clips.TEMPLATES)
  labels = np.array([human_clips.TEMPLATES.index(t) for t in spec.templates])
  num_clips = spec.clips_per_template * len(labels)
  if num_clips < 1:
    raise ValueError("no clips asked for: clips_per_template is 0")
  starts = range(0, num_clips, _HUMANS_PER_SHARD)
  counts = [min(_HUMANS_PER_SHARD, num_clips - start) for start in starts]

  def make(shard: int) -> Iterator[Record]:
    for first in range(0, counts[shard], _HUMANS_PER_CALL):
      begin = starts[shard] + first
      clips = np.arange(begin, begin + _HUMANS_PER_CALL)
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
      for row in range(min(_HUMANS_PER_CALL, counts[shard] - first)):
        yield Record(
          frames=frames[row],
          instruction=human_clips.caption(template[row], nouns[row]),
          template=human_clips.TEMPLATES[template[row]],
          source="human",
          environment="human",
          seed=int(clips[row]),
        )

  return stores.make_dataset(
    root, "human", spec, "a2r.sim.humans.human_clips", counts, make
  )


def _check_robot(spec: RobotSpec | SourceSpec):
  _check_names("purpose", [spec.purpose], PURPOSES)
  _check_names("environment", [spec.environment], sim.ENVIRONMENTS)
  _check_names("tasks", spec.tasks, sim.TASKS)
  if isinstance(spec, SourceSpec):
    _check_names("sources", spec.sources, policies.SOURCES)
    _check_names("want", [spec.want], ["usual", *WANTS])
    counts = {"clips": spec.clips}
  else:
    share = spec.near_miss_fraction
    for key, known in (
      ("near_miss_sources", policies.NEAR_SOURCES),
      ("random_sources", policies.RANDOM_SOURCES),
      ("success_sources", policies.SOURCES),
    ):
      _check_names(key, getattr(spec, key), known)
    if not 0 <= share <= 1:
      raise ValueError(f"near_miss_fraction must be in [0, 1], got {share}")
    counts = {"successes": spec.successes, "failures": spec.failures}
  if min(counts.values()) < 0 or not any(counts.values()):
    raise ValueError(f"no clips asked for: {counts}")
  if any(source == "rl" and count for source, _, count in _shares(spec)):
    known = ", ".join(stopped.load())
    missing = ", ".join(t for t in spec.tasks if t not in stopped.load())
    if missing:
      raise ValueError(f"no policy (source 'rl') of {missing}; of: {known}")


def _check_names(key: str, names: Sequence[str], known: Iterable[str]):
  unknown = [repr(name) for name in names if name not in known]
  if unknown or not names:
    what = f"unknown {key} {', '.join(unknown)}" if names else f"no {key} named"
    raise ValueError(f"{what}; known: {', '.join(known)}")
  if len(set(names)) < len(names):
    raise ValueError(f"{key}: a name comes twice in {', '.join(names)}")


def _shares(spec: RobotSpec | SourceSpec) -> list[tuple[str, Any, int]]:
  """Per task: source, wanted outcome (None: any), and number of clips."""
  if isinstance(spec, SourceSpec):
    usual = {source: _USUAL.get(source, False) for source in spec.sources}
    return [
      (source, WANTS.get(spec.want, usual[source]), spec.clips)
      for source in spec.sources
    ]
  near = round(spec.failures * spec.near_miss_fraction)
  return [
    *_even(spec.success_sources, True, spec.successes),
    *_even(spec.near_miss_sources, False, near),
    *_even(spec.random_sources, False, spec.failures - near),
  ]


def _even(sources, want, count) -> list[tuple[str, bool, int]]:
  """`count` clips, as many of each source but for what is left over."""
  each, left = divmod(count, len(sources))
  return [
    (source, want, each + (number < left))
    for number, source in enumerate(sources)
  ]


def _robot_shards(spec: RobotSpec | SourceSpec) -> list[_Shard]:
  """One shard or more per task and source, with seeds of their own."""
  shards = []
  for task in spec.tasks:
    for source, want, count in _shares(spec):
      for part in range(math.ceil(count / _CLIPS_PER_SHARD)):
        seed = _mix(
          spec.seed, spec.environment, spec.purpose, task, source, part
        )
        num = min(_CLIPS_PER_SHARD, count - part * _CLIPS_PER_SHARD)
        shards.append(_Shard(task, source, want, num, seed))
  return shards


def _mix(*parts) -> int:
  """A seed below 2**31 from numbers and names; other parts, other seed."""
  words = [
    p if isinstance(p, int) else int.from_bytes(str(p).encode(), "big")
    for p in parts
  ]
  return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)

"""Planning trials of a player, cell by cell.

Letters: E trials.
"""

import dataclasses
import functools
import importlib.metadata
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import images, progress
from a2r.planning import acting, config
from a2r.runs import animation, jobs, players, trial_store
from a2r.sim.tabletop import drawing, physics

_SEED_STRIDE = 10_000  # Trials of a seed, so that no two share a number.
_VIDEO_SIZE, _VIDEO_FRAMES, _VIDEO_SAMPLES = 128, 31, 2
_PACKAGES = ("jax", "jaxlib", "flax", "mujoco", "mujoco-mjx", "numpy")


class Batch(NamedTuple):
  """What is asked of one environment and seed.

  Attributes:
    environment: where.
    tasks: names of `sim.TASKS`.
    seed: of all randomness.
    num_trials: of each task.
    batch_size: trials at a time.
    num_videos: trials of each task that are shown.
    fields: what the cells say besides, such as 'experiment'.
  """

  environment: str
  tasks: tuple[str, ...]
  seed: int
  num_trials: int
  batch_size: int = 20
  num_videos: int = 1
  fields: Mapping[str, Any] = {}


def open_store(
  root: pathlib.Path, player: players.Player, world: players.World
) -> trial_store.Store:
  """Where the cells of a player are; what does not bear on them has no part."""
  settings = plain_settings(player.settings)
  key = {
    "method": player.name,
    "reward": player.identity,
    "physics": physics.resolve(world.physics),
  }
  if player.make_objective is None:
    names = "horizon", "num_plans", "action_repeat"
    key["planner"] = {name: settings[name] for name in names}
  else:
    key |= {
      "planner": settings,
      "dynamics": world.dynamics,
      "fitvid": world.identity(),
    }
  return trial_store.Store(root, key)


def plain_settings(settings: config.PlannerConfig) -> dict[str, Any]:
  """What of a planner's settings bears on the trials."""
  values = dataclasses.asdict(settings)
  del values["micro_batch"]
  return values


def play(
  store: trial_store.Store,
  player: players.Player,
  world: players.World,
  batch: Batch,
  *,
  bar: progress.Progress | None = None,
):
  """Plays the trials that the cells of a batch lack.

  Args:
    store: of the player and the world.
    player: acts.
    world: where, and what predicts.
    batch: what is asked for.
    bar: is told of every trial.
  """
  found = {
    task: store.records(batch.environment, task, batch.seed)
    for task in batch.tasks
  }
  for task, records in found.items():
    # Killed between a cell's two files.
    place = batch.environment, task, batch.seed
    if records is not None and store.count(*place) != len(records):
      _store(store, player, batch, task, records, None)
  missing = sorted(
    (trial, batch.tasks.index(task))
    for task, records in found.items()
    for trial in range(len(records or ()), batch.num_trials)
  )
  if not missing:
    return
  objective = dynamics = None
  if player.make_objective is not None:
    objective = player.make_objective(batch.environment)
    dynamics = world.make_dynamics(batch.environment, player.image_size)
  size = min(batch.batch_size, batch.num_trials * len(batch.tasks))
  # An accelerator would compile its programs anew for a part of another size;
  # a CPU's large programs have sizes of their own, and a part that is filled up
  # takes it longer.
  fills = jax.default_backend() != "cpu"
  for start in range(0, len(missing), size):
    part = missing[start : start + size]
    filled = part + [part[-1]] * (fills * (size - len(part)))
    began = time.monotonic()
    result = acting.run(
      batch.environment,
      [batch.tasks[index] for _, index in filled],
      [trial_seed(batch.seed, trial) for trial, _ in filled],
      dynamics,
      objective,
      player.settings,
      physics=world.physics,
    )
    seconds = (time.monotonic() - began) / len(part)
    _keep(store, player, batch, found, part, result, seconds)
    if bar is not None:
      for _ in part:
        bar.advance()
      success = float(result.success[: len(part)].mean())
      bar.report({"s/trial": seconds, "success": success})


def is_played(store: trial_store.Store, batch: Batch) -> bool:
  """Whether the cells of a batch have all that is asked for."""
  return all(
    store.count(batch.environment, task, batch.seed) >= batch.num_trials
    for task in batch.tasks
  )


def num_played(store: trial_store.Store, batch: Batch) -> int:
  """Trials of a batch that are there."""
  counts = (
    store.count(batch.environment, task, batch.seed) for task in batch.tasks
  )
  return sum(min(count, batch.num_trials) for count in counts)


def play_all(
  store: trial_store.Store,
  player: players.Player,
  world: players.World,
  batches: Sequence[Batch],
):
  """`play` of all batches, with progress; shared with other processes."""
  there = sum(num_played(store, batch) for batch in batches)
  total = sum(batch.num_trials * len(batch.tasks) for batch in batches)
  with progress.Progress(total, start=there, name="plan") as bar:
    jobs.work(
      [
        jobs.Part(
          f"{b.environment.replace('/', '-')}-seed{b.seed}",
          functools.partial(is_played, store, b),
          functools.partial(play, store, player, world, b, bar=bar),
        )
        for b in batches
      ],
      store.folder,
      keep_going=False,
      say=bar.say,
    )


def trial_seed(seed: int, trial: int) -> int:
  """The number that all randomness of a trial comes from.

  The same for every method and task: they are compared on the same draws.
  """
  return seed * _SEED_STRIDE + trial


def _keep(store, player, batch, found, part, result, seconds):
  """Adds what was played to its cells; `found` grows with them."""
  for index in dict.fromkeys(index for _, index in part):
    task = batch.tasks[index]
    rows = np.array([row for row, (_, i) in enumerate(part) if i == index])
    numbers = [part[row][0] for row in rows]
    new = trial_store.Records(
      seed=np.int64([trial_seed(batch.seed, trial) for trial in numbers]),
      success=np.asarray(result.success[rows], bool),
      states=np.float32(result.states[rows]),
      actions=np.float32(result.actions[rows]),
      values=np.float32(result.values[rows]),
    )
    old = found[task]
    found[task] = new if old is None else old + new
    place = batch.environment, task, batch.seed
    for row, trial in zip(rows, numbers, strict=True):
      if trial < batch.num_videos:
        data = _animate(batch.environment, result.qpos[row])
        store.write_animation(*place, trial, data)
    _store(store, player, batch, task, found[task], round(seconds, 3))


def _store(store, player, batch, task, records, seconds):
  """Writes a cell."""
  fields = {
    "method": player.name,
    "column": batch.environment,
    "environment": batch.environment,
    "task": task,
    "seed": batch.seed,
    "dynamics": store.settings.get("dynamics", "none"),
    "seconds_per_trial": seconds,
    "versions": {n: importlib.metadata.version(n) for n in _PACKAGES},
    **batch.fields,
  }
  store.write(batch.environment, task, batch.seed, records, fields)


def _animate(environment: str, qpos: np.ndarray) -> bytes:
  """A trial `[61, nq]` as an animation."""
  model = physics.load(environment)
  shown = images.frame_indices(len(qpos), _VIDEO_FRAMES, "ends")
  pictures = drawing.draw_frames(
    drawing.SceneRenderer(model.variant, model.mj),
    model.mj,
    qpos[shown],
    image_size=_VIDEO_SIZE,
    samples=_VIDEO_SAMPLES,
  )
  return animation.encode(pictures, "webp")

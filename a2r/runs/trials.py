"""Planning trials of a player: what was played is kept and not played again.

A `TrialStore` is a folder for one way of planning; settings.json says which. In
it is a set of trials for every task, environment and seed:

  <environment>/<task>-seed0.npz      each trial's record, see `Records`
  <environment>/<task>-seed0.json     what was counted, and by what
  <environment>/<task>-seed0-0.webp   the first trials as animations

A set grows: asked for more trials, it keeps those that it has. Every file is
written all or nothing and a set's trials first, so a process may be killed at
any time.

Letters: E trials, P plans of a trial, A action size.
"""

import dataclasses
import functools
import importlib.metadata
import itertools
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import checks, files, images, progress
from a2r.evaluation import animation, success, tables
from a2r.planning import acting
from a2r.planning import config as config_lib
from a2r.runs import jobs, players
from a2r.sim.tabletop import drawing, physics

SETTINGS_FILE = "settings.json"
_SEED_STRIDE = 10_000  # Trials of a seed, so that no two share a number.
_VIDEO_SIZE, _VIDEO_FRAMES, _VIDEO_SAMPLES = 128, 31, 2
_PACKAGES = ("jax", "jaxlib", "flax", "mujoco", "mujoco-mjx", "numpy")
_KEYS = {"states": "log"}  # Names of fields in a file, where they differ.


@dataclasses.dataclass(frozen=True)
class TrialSpec:
  """Which trials are asked for, and how they are played.

  Attributes:
    player: acts.
    environments: where.
    tasks: names of `sim.TASKS`.
    seeds: of all randomness.
    num_trials: of each task, environment and seed.
    dynamics: what predicts, and the physics of the trials.
    batch_size: trials at a time.
    num_videos: trials of each set to keep as animations.
  """

  player: players.Player
  environments: tuple[str, ...]
  tasks: tuple[str, ...]
  seeds: tuple[int, ...]
  num_trials: int
  dynamics: players.DynamicsSpec = players.DynamicsSpec()
  batch_size: int = 20
  num_videos: int = 1


class Records(NamedTuple):
  """The trials of a set, in order; every field has E entries.

  Attributes:
    seed: `[E]` int64, of all randomness of a trial.
    success: `[E]` bool.
    states: `[E, 61, 13]` float32, DVD's state at every timestep.
    actions: `[E, steps, A]` float32 as executed.
    values: `[E, P]` float32, what was expected of each plan; NaN for none.
  """

  seed: np.ndarray
  success: np.ndarray
  states: np.ndarray
  actions: np.ndarray
  values: np.ndarray


class TrialStore:
  """The trials of one way of planning, on disk."""

  def __init__(self, root: pathlib.Path, settings: Mapping[str, Any]):
    """Opens the folder of these settings, made where missing.

    Args:
      root: where the folders of all settings are.
      settings: plain values, all that decides the trials.
    """
    self.settings = json.loads(json.dumps(settings))
    self.folder = root / players.digest(self.settings)
    self.folder.mkdir(parents=True, exist_ok=True)
    path = self.folder / SETTINGS_FILE
    if not path.exists():
      files.write_json(path, self.settings)

  def read(self, environment: str, task: str, seed: int) -> Records | None:
    """Returns a set's trials, or None where it has none.

    Raises:
      ValueError: the file is broken.
    """
    path = _path(self.folder, environment, task, seed, ".npz")
    if not path.exists():
      return None
    try:
      with np.load(path) as arrays:
        return Records(*(arrays[_KEYS.get(k, k)] for k in Records._fields))
    except MemoryError:
      raise
    except Exception as error:  # As many kinds as there are places of damage.
      text = checks.one_line(error)
      raise ValueError(f"{path} is broken ({text}): delete it") from error

  def write(
    self,
    environment: str,
    task: str,
    seed: int,
    records: Records,
    seconds: float | None = None,
  ):
    """Replaces a set's trials, then what was counted of them.

    Args:
      environment: a name of the set's column.
      task: its task.
      seed: its seed.
      records: all of its trials.
      seconds: that a trial took.
    """
    path = _path(self.folder, environment, task, seed, ".npz")
    path.parent.mkdir(exist_ok=True)
    arrays = {_KEYS.get(k, k): v for k, v in records._asdict().items()}
    with files.atomic_write(path) as partial, open(partial, "wb") as stream:
      np.savez_compressed(stream, **arrays)
    counts = {
      "method": self.settings.get("method"),
      "column": environment,
      "environment": environment,
      "task": task,
      "seed": seed,
      "dynamics": self.settings.get("dynamics", "none"),
      "seconds_per_trial": seconds,
      "versions": {
        name: importlib.metadata.version(name) for name in _PACKAGES
      },
      "num_trials": len(records.seed),
      "num_successes": int(records.success.sum()),
      "settings": self.settings,
    }
    files.write_json(path.with_suffix(".json"), counts)

  def counts(self, spec: TrialSpec) -> list[dict]:
    """Returns what the JSON files say of the sets of a spec that are there."""
    counts = (
      read_counts(self.folder, environment, task, seed)
      for seed in spec.seeds
      for environment in spec.environments
      for task in spec.tasks
    )
    return [{"experiment": "plan", **x} for x in counts if x is not None]

  def num_played(self, spec: TrialSpec) -> int:
    """Returns how many trials of a spec are there."""
    return sum(min(x["num_trials"], spec.num_trials) for x in self.counts(spec))


def read_counts(
  folder: pathlib.Path, environment: str, task: str, seed: int
) -> dict | None:
  """Returns what was counted of a set in a store's folder, None if nothing.

  Raises:
    ValueError: the file is broken.
  """
  path = _path(folder, environment, task, seed, ".json")
  counts = files.read_json(path)
  if counts is not None:
    try:
      num_trials = counts["num_trials"]
      checks.count("num_trials", num_trials, 1)
      checks.count("num_successes", counts["num_successes"], 0, num_trials)
    except (KeyError, TypeError, ValueError) as error:
      text = checks.one_line(error)
      raise ValueError(f"{path} is broken ({text}): delete it") from error
  return counts


def open_store(root: pathlib.Path, spec: TrialSpec) -> TrialStore:
  """Returns where a spec's trials are; what does not bear on them is left out.

  Args:
    root: where the folders of all ways of planning are.
    spec: its player and dynamics count.
  """
  player, settings = spec.player, plain_settings(spec.player.settings)
  key = {
    "method": player.name,
    "reward": player.identity,
    "physics": physics.resolve(spec.dynamics.physics),
  }
  if player.make_objective is None:
    names = "horizon", "num_plans", "action_repeat"
    key["planner"] = {name: settings[name] for name in names}
  else:
    key |= {
      "planner": settings,
      "dynamics": spec.dynamics.dynamics,
      "fitvid": spec.dynamics.identity(),
    }
  return TrialStore(root, key)


def plain_settings(settings: config_lib.PlannerConfig) -> dict[str, Any]:
  """Returns what of a planner's settings bears on the trials."""
  values = dataclasses.asdict(settings)
  del values["micro_batch"]
  return values


def play_all(store: TrialStore, spec: TrialSpec):
  """Plays what is missing, with progress; shared with other processes."""
  parts = [
    dataclasses.replace(spec, environments=(environment,), seeds=(seed,))
    for seed, environment in itertools.product(spec.seeds, spec.environments)
  ]
  num_each = spec.num_trials * len(spec.tasks)
  total, start = len(parts) * num_each, store.num_played(spec)
  with progress.Progress(total, start=start, name="plan") as bar:
    work = [
      jobs.Job(
        f"{part.environments[0].replace('/', '-')}-seed{part.seeds[0]}",
        lambda part=part: store.num_played(part) >= num_each,
        functools.partial(play, store, part, bar),
      )
      for part in parts
    ]
    for job in jobs.claim(work, store.folder, print_fn=bar.say):
      job.run()


def play(store: TrialStore, spec: TrialSpec, bar: progress.Progress):
  """Plays the trials that are missing of one environment and seed.

  Args:
    store: of the player and the dynamics.
    spec: what is asked for, in one environment with one seed.
    bar: shows every trial.
  """
  (environment,), (seed,) = spec.environments, spec.seeds
  player = spec.player
  sets = {task: store.read(environment, task, seed) for task in spec.tasks}
  for task, records in sets.items():
    counts = read_counts(store.folder, environment, task, seed)
    num = counts["num_trials"] if counts else 0
    if records is not None and num != len(records.seed):
      # Killed between a set's two files.
      store.write(environment, task, seed, records)
  missing = sorted(
    (trial, index)
    for index, records in enumerate(sets.values())
    for trial in range(len(records.seed) if records else 0, spec.num_trials)
  )
  if not missing:
    return
  objective = dynamics = None
  if player.make_objective is not None:
    objective = player.make_objective(environment)
    dynamics = spec.dynamics.make_dynamics(environment, player.image_size)
  size = min(spec.batch_size, spec.num_trials * len(spec.tasks))
  # An accelerator would compile its programs anew for a batch of another size;
  # a CPU's large programs have sizes of their own, and a batch that is filled
  # up takes it longer.
  fills = jax.default_backend() != "cpu"
  for start in range(0, len(missing), size):
    batch = missing[start : start + size]
    filled = batch + [batch[-1]] * (fills * (size - len(batch)))
    # The same for every method and task: they are compared on the same draws.
    seeds = [seed * _SEED_STRIDE + trial for trial, _ in filled]
    began = time.monotonic()
    result = acting.run(
      environment,
      [spec.tasks[index] for _, index in filled],
      seeds,
      dynamics,
      objective,
      player.settings,
      physics=spec.dynamics.physics,
    )
    seconds = (time.monotonic() - began) / len(batch)
    for index in dict.fromkeys(index for _, index in batch):
      task = spec.tasks[index]
      rows = np.array([row for row, (_, i) in enumerate(batch) if i == index])
      numbers = [batch[row][0] for row in rows]
      new = Records(
        seed=np.int64([seeds[row] for row in rows]),
        success=np.asarray(result.success[rows], bool),
        states=np.float32(result.states[rows]),
        actions=np.float32(result.actions[rows]),
        values=np.float32(result.values[rows]),
      )
      if sets[task] is not None:
        new = Records(*map(np.concatenate, zip(sets[task], new, strict=True)))
      sets[task] = new
      for row, trial in zip(rows, numbers, strict=True):
        if trial < spec.num_videos:
          data = _animate(environment, result.qpos[row])
          path = _path(store.folder, environment, task, seed, f"-{trial}.webp")
          path.parent.mkdir(exist_ok=True)
          files.write_bytes(path, data)
      store.write(environment, task, seed, new, round(seconds, 3))
    for _ in batch:
      bar.advance()
    rate = float(result.success[: len(batch)].mean())
    bar.report({"s/trial": seconds, "success": rate})


def write_metrics(path: pathlib.Path, rows: Sequence[Mapping], key: str):
  """Adds sets to metrics.jsonl, in place of older rows of the same sets.

  Args:
    path: of the file, which gets a row per set.
    rows: of `TrialStore.counts`.
    key: tells their way of planning from others.
  """
  names = ("environment", "task", "seed")
  mine = {tuple(row[name] for name in names) for row in rows}
  # What another process adds between reading and writing would be lost.
  with files.locked(path.parent / "locks" / path.stem, wait=True):
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    where = f"a line of {path}"
    kept = [
      line
      for line in (checks.parse_json(line, where, dict) for line in lines)
      if line["settings"] != key or tuple(line[n] for n in names) not in mine
    ]
    kept += [{**row, "settings": key} for row in rows]
    files.write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def make_table(rows: Sequence[Mapping]) -> tables.Table:
  """Returns success rates per environment and task, and their means.

  Args:
    rows: of `TrialStore.counts`, of one method.
  """
  sets = [success.TrialSet.read(row) for row in rows]
  lines = [
    [
      row["column"],
      row.get("task", "mean of all"),
      row["num_trials"],
      row["num_seeds"],
      row["rate_so_far"],
      f"{row['low']:.1f}-{row['high']:.1f}",
    ]
    for per_task in (True, False)
    for row in success.summarize(sets, per_task=per_task)
    if row["num_trials"]
  ]
  lines.sort(key=lambda line: (line[0], line[1] == "mean of all"))
  return tables.Table(
    "Success of planning, in %, with 95 % Wilson intervals over trials",
    ["environment", "task", "trials", "seeds", "success", "interval"],
    lines,
  )


def _path(folder, environment, task, seed, ending) -> pathlib.Path:
  name = f"{task}-seed{seed}{ending}"
  return folder / environment.replace("/", "-") / name


def _animate(environment: str, qpos: np.ndarray) -> bytes:
  """A trial `[61, nq]` as an animation."""
  index = images.frame_indices(len(qpos), _VIDEO_FRAMES, "ends")
  pictures = drawing.draw_frames(
    physics.load(environment),
    qpos[index],
    image_size=_VIDEO_SIZE,
    samples=_VIDEO_SAMPLES,
  )
  return animation.encode(pictures, "webp")

"""Who acts in a robot clip: an expert, four kinds of failure, per task.

Every episode starts alike, so a script is open loop: a path of the mocap body
drawn from a random generator, differentiated to actions `[60, 5]`. Success is
never assumed, it is read off the state afterwards. Experts, near-misses and
noise share the distribution of pauses, speeds and gripper commands, so that
timing tells nothing about success.

An expert plays a `tasks.Stroke`: approach, touch, act, leave. The sources of
failures are those of Adapt2Reward (https://arxiv.org/abs/2407.14872), random
exploration and near-success:

* near_miss: the stroke spoiled on purpose, that is stopped short, passed beside
  or above, or a good stroke of another task (the wrong direction, or the wrong
  object);
* noise: an expert's actions with noise on the hand's path;
* rl: a policy trained by reinforcement learning and stopped early, which is
  closed loop and lives in `a2r.sim.behavior.stopped`;
* random: half smooth random waypoints, a quarter DVD's scripted noise (three
  random goals of 20 constant actions), a quarter DVD's uniform random actions;
* explore: uniform random actions for one, two or three plans of DVD's length,
  then rest: what the candidates of a random shooting planner look like.

B is the batch.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from a2r.core import checks
from a2r.sim.behavior import stopped
from a2r.sim.tabletop import physics, scene, tasks, variants

Rng = np.random.Generator
SOURCES = ("expert", "near_miss", "noise", "rl", "random", "explore")
RANDOM_SOURCES = ("random", "explore")
NEAR_SOURCES = ("near_miss", "noise", "rl")
_START = np.array([0.0, 0.5, 0.02])
_LOW, _HIGH = np.array(scene.HAND_LOW), np.array(scene.HAND_HIGH)
_JITTER = 0.003  # Meters, per control step.
_WIDEST = 1.5  # Deviations; wider noise would look like another motion.
_PLAN_ENDS = (20, 40, 60)  # Control steps, where DVD plans anew.
_MISSES = ("short", "beside", "above", "other")


def expert(rng: Rng, task: str, variant: variants.Variant) -> np.ndarray:
  """Returns actions `[60, 5]` that do the task; `rng` is consumed."""
  return _play(rng, tasks.get(task).stroke(rng, variant.layout))


def near_miss(rng: Rng, task: str, variant: variants.Variant) -> np.ndarray:
  """Returns actions `[60, 5]` that almost do the task; `rng` is consumed."""
  kind = rng.choice(_MISSES)
  if kind == "other":
    other = rng.choice(tasks.get(task).others)
    return _play(rng, tasks.get(other).stroke(rng, variant.layout))
  stroke = tasks.get(task).stroke(rng, variant.layout)
  if kind == "short":
    back = stroke.ready - stroke.touch
    back /= np.linalg.norm(back)
    stroke.end = stroke.touch + rng.uniform(0.015, 0.04) * back
    stroke.ready = stroke.ready + rng.uniform(0.02, 0.05) * back
  else:
    shift = stroke.aside if kind == "beside" else np.array([0.0, 0.0, 0.1])
    shift = shift * rng.uniform(1.0, 1.3)
    stroke.ready, stroke.end = stroke.ready + shift, stroke.end + shift
  return _play(rng, stroke)


def noise(rng: Rng, task: str, variant: variants.Variant) -> np.ndarray:
  """Returns an expert's actions `[60, 5]` with noise on its path; uses `rng`.

  The expert is the one that `expert` draws from the same `rng`. Its path is
  bent smoothly, by knots of clipped Gaussian noise, and shakes a little. The
  deviation is drawn around one that the task often does not tolerate.
  """
  clean = expert(rng, task, variant)
  deviation = rng.uniform(0.6, 1.4) * tasks.get(task).tolerance
  num_knots = rng.integers(2, 6)
  knots = np.clip(rng.normal(0, 1, (num_knots, 3)), -_WIDEST, _WIDEST)
  knots = np.concatenate([np.zeros([1, 3]), deviation * knots])
  times = np.linspace(0, physics.NUM_STEPS, num_knots + 1)
  bend = _interpolate(knots, times)
  bend[1:] += rng.normal(0, _JITTER, bend[1:].shape)
  path = itertools.accumulate(clean, physics.move_mocap, initial=_START)
  return _actions(np.array(list(path)) + bend, clean[0, 4])


def random(rng: Rng, task: str, variant: variants.Variant) -> np.ndarray:
  """Returns actions `[60, 5]` of a hand that explores; `rng` is consumed."""
  del task, variant
  kind = rng.choice(["uniform", "goals", "waypoints", "waypoints"])
  if kind == "uniform":
    return uniform(rng)
  gripper = rng.choice([tasks.OPEN, tasks.CLOSED])
  num_points = 3 if kind == "goals" else rng.integers(2, 6)
  points = rng.uniform(_LOW, _HIGH, (num_points, 3))
  if kind == "goals":
    corners = np.concatenate([[_START], points])
    times = np.linspace(0, physics.NUM_STEPS, num_points + 1)
    clock = np.arange(physics.NUM_STEPS + 1)
    path = np.stack([np.interp(clock, times, x) for x in corners.T], axis=-1)
    return _actions(path, gripper)
  durations = rng.uniform(0.5, 1.5, num_points)
  durations *= rng.uniform(45, 60) / durations.sum()
  return _actions(_path(rng, points, durations), gripper)


def uniform(rng: Rng) -> np.ndarray:
  """Returns DVD's uniform random actions `[60, 5]`; `rng` is consumed."""
  size = (physics.NUM_STEPS, physics.ACTION_SIZE)
  actions = rng.uniform(physics.ACTION_LOW, physics.ACTION_HIGH, size)
  return np.float32(actions)


def explore(rng: Rng, task: str, variant: variants.Variant) -> np.ndarray:
  """Returns actions `[60, 5]` of uniform noise, then of rest; uses `rng`."""
  del task, variant
  stop = rng.choice(_PLAN_ENDS)
  actions = uniform(rng)
  actions[stop:, :3] = 0.0
  actions[stop:, 4] = actions[stop - 1, 4]
  return actions


def sample(
  rng: Rng, source: str, task: str, variant: variants.Variant
) -> np.ndarray:
  """Returns actions `[60, 5]` of a scripted source; `rng` is consumed.

  Raises:
    KeyError: if the source or the task is unknown; the known are listed.
    ValueError: if the source is 'rl', which needs the physics: `sample_batch`.
  """
  tasks.get(task)
  source_index(source)
  if source == "rl":
    raise ValueError("source 'rl' is no script: use policies.sample_batch")
  scripts = {
    "expert": expert,
    "near_miss": near_miss,
    "noise": noise,
    "random": random,
    "explore": explore,
  }
  return scripts[source](rng, task, variant)


def sample_batch(
  model: physics.Model, source: str, task: str, seeds: Sequence[Sequence[int]]
) -> np.ndarray:
  """Returns actions `[B, 60, 5]` of any source, row b of `seeds[b]` alone.

  Args:
    model: the environment, from `physics.load`.
    source: of `SOURCES`.
    task: a name of `sim.TASKS`.
    seeds: B lists of integers.

  Raises:
    KeyError: if the source or the task is unknown, or the source is 'rl' and
      the task has no trained policy; the known are listed.
  """
  if source == "rl":
    return stopped.play(model, task, seeds)
  rngs = map(np.random.default_rng, seeds)
  return np.stack([sample(rng, source, task, model.variant) for rng in rngs])


def _play(rng, stroke):
  """Returns actions of a stroke with a drawn tempo."""
  points = [*stroke.via, stroke.ready, stroke.end, stroke.end + stroke.leave]
  num_reaches = len(stroke.via) + 1
  durations = [rng.uniform(12, 20) / num_reaches] * num_reaches
  durations += [rng.uniform(12, 22), rng.uniform(6, 12)]
  return _actions(_path(rng, points, durations), stroke.gripper)


def _path(rng, points, durations):
  """Leads the mocap `[61, 3]` through `points`, slow at each, with a pause."""
  times = [float(rng.integers(0, 6))]
  corners = [_START]
  hold = rng.integers(0, len(points))
  for index, (point, duration) in enumerate(
    zip(points, durations, strict=True)
  ):
    corners.append(np.asarray(point))
    times.append(times[-1] + duration)
    if index == hold:
      corners.append(np.asarray(point))
      times.append(times[-1] + rng.uniform(0, 4))
  scale = min(1.0, physics.NUM_STEPS / times[-1])
  return _interpolate(np.array(corners), np.array(times) * scale)


def _interpolate(corners, times):
  """Draws a curve `[61, D]` through `corners` `[K, D]`, at rest at each."""
  clock = np.arange(physics.NUM_STEPS + 1.0)
  segment = np.clip(
    np.searchsorted(times, clock, side="right") - 1, 0, len(times) - 2
  )
  share = (clock - times[segment]) / np.maximum(
    times[segment + 1] - times[segment], 1e-6
  )
  share = np.clip(share, 0.0, 1.0)[:, None]
  ease = share * share * (3 - 2 * share)
  return corners[segment] * (1 - ease) + corners[segment + 1] * ease


def _actions(path, gripper):
  """Returns actions `[60, 5]` with which the mocap follows `path` `[61, 3]`."""
  path = np.clip(path, _LOW, _HIGH)
  actions = np.zeros((len(path) - 1, 5), np.float32)
  actions[:, 4] = gripper
  mocap = path[0]
  for action, goal in zip(actions, path[1:], strict=True):
    action[:3] = np.clip((goal - mocap) / physics.ACTION_SCALE, -1, 1)
    mocap = physics.move_mocap(mocap, action)
  return actions


def source_index(source: str) -> int:
  """Returns the number of a source, for seeding.

  Raises:
    KeyError: if it is unknown; the known are listed.
  """
  checks.one_of("source", source, SOURCES, KeyError)
  return SOURCES.index(source)

"""Who acts at Concept2Robot's table: optimized, spoiled and random motions.

One decision makes an episode, so a success is found by the cross-entropy method
on the reward made by hand, in the simulator itself (Rubinstein, "The
Cross-Entropy Method for Combinatorial and Continuous Optimization", 1999). A
near miss is a success that is spoiled until it fails.

Letters: B episodes, N candidates of each.
"""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from etils import epy

from a2r.core import batching, checks
from a2r.sim.concept import distractors, physics
from a2r.sim.concept import scene as scene_lib

with epy.lazy_imports():
  from a2r.sim.concept import env as env_lib

SOURCES = ("expert", "near_miss", "random")
_CANDIDATES, _ELITES, _ROUNDS = 16, 4, 15
_SPREAD, _LEAST_SPREAD = 0.5, 0.02
# Who does not succeed on a straight way is pushed off it, early and in x, y, z.
_BENDS, _EARLY, _BEND = 3, 16, 0.3
_STRAIGHT_ROUNDS = 3
# Starts of a task, the same for all, whose successes every search tries first.
_EXAMPLES, _EXAMPLES_SEED = 8, 2**31 - 1
_EXAMPLE_ROUNDS, _NEAR = 3, 0.15
_EFFORT = 0.002  # Reward that a goal at its bounds costs: short ways are taken.
_SPOILED = (0.3, 0.9)  # Least and most of the way that near misses go.
_NUM_SPOILED = 8
_CHUNKS = (1, 32)  # Starts of one call, so that few shapes are compiled.


def sample_start(scene: scene_lib.Scene, seeds: np.ndarray) -> scene_lib.Start:
  """Returns B starts, each drawn from its own seed, numbers `[B, ...]`."""
  rngs = [np.random.default_rng(np.atleast_1d(seed)) for seed in seeds]
  draws = [rng.uniform(-1, 1, scene_lib.DRAWS) for rng in rngs]
  place = functools.partial(scene_lib.place, scene)
  start = batching.map_chunks(place, _CHUNKS, np.float32(draws))
  if not scene.distractors:
    return start
  shape = distractors.draws_shape(scene)
  draws = np.stack([rng.uniform(-1, 1, shape) for rng in rngs])
  poses = distractors.place(scene, start, draws)
  return start._replace(distractors=poses)


def random_actions(rngs: Sequence[np.random.Generator]) -> np.ndarray:
  """Returns actions `[B, 350]` of uniform goals and no forces."""
  goals = [rng.uniform(-1, 1, physics.GOAL_SIZE) for rng in rngs]
  return _with_forces(np.array(goals))


def optimize(
  env: "env_lib.Concept",
  start: scene_lib.Start,
  rngs: Sequence[np.random.Generator],
) -> np.ndarray:
  """Returns actions `[B, 350]` that the cross-entropy method found.

  A search first tries what is near to successes from eight other starts of the
  task, and ends with the round of its first success.

  Args:
    env: with the reward 'manual'.
    start: of B episodes.
    rngs: B, of the candidates of each.
  """
  return _with_forces(_search(env, start, rngs, _find_examples(env.task))[0])


@functools.cache
def _find_examples(task):
  """Goals and bends `[E, 10]` of successes, searched for without examples."""
  env = env_lib.Concept(task, reward="manual", view="first", engine="c")
  seeds = [[_EXAMPLES_SEED, task.number, n] for n in range(_EXAMPLES)]
  start = sample_start(task.scene, seeds)
  rngs = [np.random.default_rng([*seed, 1]) for seed in seeds]
  goals, success = _search(env, start, rngs)
  return goals[success]


def _search(env, start, rngs, examples=()):
  """Goals and bends `[B, 10]`, and whether they succeed, bool `[B]`."""
  num, size = len(start.arm), physics.GOAL_SIZE + _BENDS
  mean, std = np.zeros((num, size)), np.zeros((num, size))
  std[:, : physics.GOAL_SIZE] = _SPREAD
  best, success = np.zeros((num, size)), np.zeros(num, bool)

  def attempt(rows, goals):
    """Plays goals `[R, N, 10]`, and returns the `_ELITES` best."""
    goals = np.clip(goals, -1, 1)
    actions = _with_forces(goals.reshape(-1, size))
    played = env.play(_take(start, rows.repeat(goals.shape[1])), actions)
    reward = played.reward.reshape(goals.shape[:2])
    value = reward - _EFFORT * np.abs(goals).mean(axis=-1)
    # A success comes first, however far its way is.
    order = np.lexsort((-value, reward <= 0))[:, :_ELITES]
    elites = np.take_along_axis(goals, order[..., None], axis=1)
    best[rows], success[rows] = elites[:, 0], reward.max(axis=1) > 0
    return elites

  def noise(rows, count):
    return np.stack([rngs[row].normal(size=(count, size)) for row in rows])

  def left():
    return np.flatnonzero(~success)

  for _ in range(_EXAMPLE_ROUNDS if len(examples) else 0):
    if len(rows := left()):
      near = _NEAR * noise(rows, len(examples))
      near[..., physics.GOAL_SIZE :] *= examples[:, physics.GOAL_SIZE :] != 0
      attempt(rows, examples + near)
  for number in range(_ROUNDS):
    if not len(rows := left()):
      break
    if number == _STRAIGHT_ROUNDS:
      std[rows, physics.GOAL_SIZE :] = _BEND
    goals = mean[rows, None] + std[rows, None] * noise(rows, _CANDIDATES)
    goals[:, 0] = best[rows]
    elites = attempt(rows, goals)
    mean[rows] = elites.mean(axis=1)
    std[rows] = elites.std(axis=1) + _LEAST_SPREAD
  return best, success


def spoil(
  env: "env_lib.Concept",
  start: scene_lib.Start,
  actions: np.ndarray,
  rngs: Sequence[np.random.Generator],
) -> np.ndarray:
  """Returns actions `[B, 350]` that come nearly as far and fail, if any do.

  Args:
    env: of the task.
    start: of B episodes.
    actions: `[B, 350]` that succeed.
    rngs: B, of what is spoiled in each.
  """
  chosen, left = actions.copy(), np.arange(len(actions))
  for share in np.linspace(*_SPOILED[::-1], _NUM_SPOILED):
    goals = actions[left, : physics.GOAL_SIZE]
    noise = np.stack([rngs[n].normal(size=physics.GOAL_SIZE) for n in left])
    goals = share * goals + 0.3 * (1 - share) * noise
    tried = _with_forces(np.clip(goals, -1, 1))
    fails = ~env.play(_take(start, left), tried).success
    chosen[left[fails]] = tried[fails]
    left = left[~fails]
    if not len(left):
      break
  return chosen


def sample(
  env: "env_lib.Concept",
  source: str,
  start: scene_lib.Start,
  seeds: Sequence[int | Sequence[int]],
) -> np.ndarray:
  """Returns actions `[B, 350]`.

  Args:
    env: with the reward 'manual'.
    source: of `SOURCES`.
    start: of B episodes.
    seeds: B, of all randomness besides the start of each.

  Raises:
    KeyError: an unknown source; the known are listed.
  """
  checks.one_of("source", source, SOURCES, KeyError)
  rngs = [np.random.default_rng(seed) for seed in seeds]
  if source == "random":
    return random_actions(rngs)
  actions = optimize(env, start, rngs)
  return spoil(env, start, actions, rngs) if source == "near_miss" else actions


def _take(start, rows):
  return jax.tree.map(lambda x: np.asarray(x)[rows], start)


def _with_forces(goals):
  """Actions `[N, 350]` of goals `[N, 7]` and perhaps early forces `[N, 3]`."""
  forces = np.zeros((len(goals), physics.NUM_STEPS, physics.GOAL_SIZE))
  goals, early = np.split(goals, [physics.GOAL_SIZE], axis=1)
  forces[:, :_EARLY, : early.shape[1]] = early[:, None]
  forces = forces.reshape(len(goals), -1)
  return np.float32(np.concatenate([goals, forces], axis=1))

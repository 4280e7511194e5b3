"""Who acts at Concept2Robot's table: optimized, spoiled and random motions.

One decision makes an episode, so a success is found by the cross-entropy method
on the reward made by hand, in the simulator itself (Rubinstein, "The
Cross-Entropy Method for Combinatorial and Continuous Optimization", 1999). A
near miss is a success that is spoiled until it fails.

Letters: B episodes, N candidates of each.
"""

import jax
import numpy as np

from a2r.core import checks
from a2r.sim.concept import env as env_lib
from a2r.sim.concept import physics
from a2r.sim.concept import scene as scene_lib

SOURCES = ("expert", "near_miss", "random")
_CANDIDATES, _ELITES, _ROUNDS = 24, 4, 5
_SPREAD, _LEAST_SPREAD = 0.5, 0.02
_EFFORT = 0.002  # Reward that a goal at its bounds costs: short ways are taken.
_SPOILED = (0.3, 0.9)  # Least and most of the way that near misses go.
_NUM_SPOILED = 8


def sample_start(scene: scene_lib.Scene, seeds: np.ndarray) -> scene_lib.Start:
  """Returns B starts, each drawn from its own seed, numbers `[B, ...]`."""
  draws = [
    np.random.default_rng(np.atleast_1d(seed)).uniform(-1, 1, scene_lib.DRAWS)
    for seed in seeds
  ]
  return scene_lib.place(scene, np.float32(draws))


def random_actions(rng: np.random.Generator, num: int) -> np.ndarray:
  """Returns actions `[num, 350]` of uniform goals and no forces."""
  goals = rng.uniform(-1, 1, (num, physics.GOAL_SIZE))
  return _with_forces(goals)


def optimize(
  env: env_lib.Concept, start: scene_lib.Start, rng: np.random.Generator
) -> np.ndarray:
  """Returns actions `[B, 350]` that the cross-entropy method found.

  Args:
    env: with the reward 'manual'.
    start: of B episodes.
    rng: of the candidates.
  """
  num, size = len(start.arm), physics.GOAL_SIZE
  many = jax.tree.map(lambda x: np.repeat(x, _CANDIDATES, axis=0), start)
  mean, std = np.zeros((num, size)), np.full((num, size), _SPREAD)
  best = np.zeros((num, size))
  for _ in range(_ROUNDS):
    noise = rng.normal(size=(num, _CANDIDATES, size))
    goals = np.clip(mean[:, None] + std[:, None] * noise, -1, 1)
    goals[:, 0] = best
    actions = _with_forces(goals.reshape(-1, size))
    reward = env.play(many, actions).reward.reshape(num, _CANDIDATES)
    reward = reward - _EFFORT * np.abs(goals).mean(axis=-1)
    order = np.argsort(-reward, axis=1)[:, :_ELITES]
    elites = np.take_along_axis(goals, order[..., None], axis=1)
    mean, std = elites.mean(axis=1), elites.std(axis=1) + _LEAST_SPREAD
    best = elites[:, 0]
  return _with_forces(best)


def spoil(
  env: env_lib.Concept,
  start: scene_lib.Start,
  actions: np.ndarray,
  rng: np.random.Generator,
) -> np.ndarray:
  """Returns actions `[B, 350]` that come nearly as far and fail, if any do.

  Args:
    env: of the task.
    start: of B episodes.
    actions: `[B, 350]` that succeed.
    rng: of what is spoiled.
  """
  chosen, found = actions.copy(), np.zeros(len(actions), bool)
  for share in np.linspace(*_SPOILED[::-1], _NUM_SPOILED):
    goals = actions[:, : physics.GOAL_SIZE]
    noise = (1 - share) * rng.normal(size=goals.shape)
    tried = _with_forces(np.clip(share * goals + 0.3 * noise, -1, 1))
    fails = ~env.play(start, tried).success & ~found
    chosen[fails] = tried[fails]
    found |= fails
  return chosen


def sample(
  env: env_lib.Concept, source: str, start: scene_lib.Start, seed: int
) -> np.ndarray:
  """Returns actions `[B, 350]`.

  Args:
    env: with the reward 'manual'.
    source: of `SOURCES`.
    start: of B episodes.
    seed: of all randomness besides the starts.

  Raises:
    KeyError: an unknown source; the known are listed.
  """
  checks.one_of("source", source, SOURCES, KeyError)
  rng = np.random.default_rng(seed)
  if source == "random":
    return random_actions(rng, len(start.arm))
  actions = optimize(env, start, rng)
  return spoil(env, start, actions, rng) if source == "near_miss" else actions


def _with_forces(goals):
  """Actions `[N, 350]` of goals `[N, 7]`, without forces."""
  forces = np.zeros((len(goals), physics.ACTION_SIZE - physics.GOAL_SIZE))
  return np.float32(np.concatenate([goals, forces], axis=1))

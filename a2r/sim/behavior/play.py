"""Episodes to learn dynamics from: who cares what they do, all is recorded.

DVD trains its video models on uniformly random actions. These hardly move an
object, so hands that explore, and strokes that do or nearly do a task, can be
mixed in.

Letters: N episodes, T pictures, S picture side.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.behavior import policies
from a2r.sim.tabletop import drawing, physics, tasks, variants

# Uniformly random actions; such actions held for a while; and `policies`.
SOURCES = ("uniform", "held", *policies.SOURCES)
_HOLDS = (2, 4, 5, 10, 20)  # Steps that 'held' holds an action, all episode.


class Episodes(NamedTuple):
  """Episodes of one environment, numpy arrays.

  Attributes:
    frames: uint8 `[N, T, S, S, 3]`, one every `stride` steps, first included.
    actions: float32 `[N, 60, 5]`.
    states: float32 `[N, 61, 13]`, DVD's state at every control step.
    qpos: float32 `[N, 61, nq]`.
  """

  frames: np.ndarray
  actions: np.ndarray
  states: np.ndarray
  qpos: np.ndarray


def collect(
  environment: str,
  source: str,
  seed: int,
  draws: Sequence[int],
  *,
  stride: int,
  image_size: int,
  engine: str = "c",
) -> Episodes:
  """Plays and draws episodes; each depends on its draw, not on the others.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    source: of `SOURCES`; those of `policies` do their thing to a random task.
    seed: of all randomness.
    draws: N numbers.
    stride: control steps between two pictures, a divisor of 60.
    image_size: S.
    engine: 'c', 'mjx' or 'auto', see `physics.rollout`; C by default, so that
      every machine makes the same episodes.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: a stride that does not divide the episode.
  """
  if source not in SOURCES:
    raise KeyError(f"unknown source {source!r}; known: {', '.join(SOURCES)}")
  if stride < 1 or physics.NUM_STEPS % stride:
    raise ValueError(
      f"stride must divide the {physics.NUM_STEPS} steps of an episode, got "
      f"{stride}"
    )
  model = physics.load(environment)
  place = variants.ENVIRONMENTS.index(environment)
  seeds = [[seed, place, SOURCES.index(source), int(draw)] for draw in draws]
  actions = np.concatenate([_actions(model, source, one) for one in seeds])
  states, qpos = (
    np.asarray(x)
    for x in _states(physics.rollout(model, actions, physics=engine))
  )
  frames = drawing.draw_frames(
    drawing.SceneRenderer(model.variant, model.mj),
    model.mj,
    qpos[:, ::stride],
    image_size=image_size,
  )
  return Episodes(frames, np.float32(actions), states, qpos)


def scaled(actions: jax.Array) -> jax.Array:
  """Actions `[..., 5]` in the unit box; what is outside is clipped to it."""
  return jnp.clip(actions / physics.ACTION_HIGH, -1.0, 1.0)


def _states(trajectory):
  return trajectory.states, trajectory.qpos


def _actions(model, source, seed):
  """Actions `[1, 60, 5]` of one episode; `seed` is a list of numbers."""
  if source in policies.SOURCES:
    # A stream of its own: the script's first draw must not follow the task.
    rng = np.random.default_rng([*seed, 1])
    task = rng.choice(list(tasks.TASKS))
    return policies.sample_batch(model, source, task, [seed])
  rng = np.random.default_rng(seed)
  actions = policies.uniform(rng)
  if source == "held":
    step = np.arange(physics.NUM_STEPS)
    actions = actions[step // rng.choice(_HOLDS)]
  return actions[None]

"""A world that is one number, and a reward by hand, for tests of the planner.

The state is `sim.mocap[..., 0]`, the first action is added to it at every
step, a picture shows it as brightness, and the best candidate is known.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from a2r.models import scorer
from a2r.planning import base
from a2r.sim.tabletop import episodes

TRACES = []  # A row per trace of a toy's function, to count compilations.


@dataclasses.dataclass(frozen=True)
class Predict:
  """Adds up actions; `on_host` in numpy."""

  on_host: bool = False
  noise: float = 0.0

  def __call__(self, params, rows, actions, timing, keys):
    TRACES.append("predict")
    xp = np if self.on_host else jnp
    start = rows.sim.mocap[:, :1]
    path = xp.concatenate(
      [start, start + params["gain"] * xp.cumsum(actions[..., 0], axis=1)],
      axis=1,
    )
    if self.noise:
      path = path + self.noise * jax.vmap(jax.random.normal)(keys)[:, None]
    states = xp.broadcast_to(path[..., None], (*path.shape, 13))
    seen = path[:, xp.asarray(timing.offsets)]
    level = xp.clip(100 + 10 * seen, 0, 255).astype(xp.uint8)
    frames = xp.broadcast_to(
      level[..., None, None, None], (*level.shape, 2, 2, 3)
    )
    return base.Future(states, frames)


@dataclasses.dataclass(frozen=True)
class Value:
  """Nearness of the last state, or of the last picture, to the task's."""

  pictures: bool = False

  def __call__(self, params, rows, future, timing, task):
    TRACES.append("value")
    last = future.states[:, -1, 0]
    if self.pictures:
      clip = jnp.concatenate([rows.clip, future.frames], axis=1)
      last = (clip[:, timing.source[-1], 0, 0, 0] - 100.0) / 10
    return -jnp.abs(last - params["goals"][task])


@dataclasses.dataclass(frozen=True)
class Encode:
  """The first pixel of each frame is a digit."""

  size: int

  def __call__(self, params, frames):
    assert frames.shape[1:] == (4, self.size, self.size, 3)
    return jnp.float32(frames[..., 0, 0, 0]) @ params["weights"]


@dataclasses.dataclass(frozen=True)
class Score:
  """The number that the digits are, times the text's length."""

  def __call__(self, params, features, context):
    return features[:, None] * context


def make_scorer(size=2):
  return scorer.Scorer(
    name="scores",
    params={"weights": jnp.array([1.0, 10.0, 100.0, 1000.0])},
    encode_fn=Encode(size),
    score_fn=Score(),
    context_fn=lambda texts: jnp.array([float(len(t)) for t in texts]),
    num_frames=4,
    image_size=size,
  )


def keys(seeds):
  return jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))


def make_dynamics(on_host=False, noise=0.0):
  predict_fn = Predict(on_host, noise)
  params = {"gain": np.float32(1.0)}
  return base.Dynamics("toy", params, predict_fn, 2, on_host=on_host)


def make_objective(num_frames=0):
  params = {"goals": jnp.linspace(-3.0, 3.0, 7)}
  return base.Objective(
    "toy",
    params,
    Value(num_frames > 0),
    num_frames,
    needs_states=not num_frames,
  )


def make_state(starts, num_frames=0):
  """A PlanState of environments at the numbers `starts`."""
  size = len(starts)
  zeros = np.zeros((size, 1), np.float32)
  mocap = np.float32(starts)[:, None]
  shape = (size, num_frames, 2, 2, 3)
  return base.PlanState(
    sim=episodes.SimState(zeros, zeros, mocap, zeros),
    states=np.zeros((size, base.NUM_STATES, 13), np.float32),
    clip=np.zeros(shape, np.uint8),
    context=np.zeros((size, 0, 2, 2, 3), np.uint8),
    past=np.zeros((size, 0, 5), np.float32),
  )

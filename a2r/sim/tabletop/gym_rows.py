"""Rows of tabletops on the host: stepped, reset and drawn together.

What the single and the vector environment of `a2r.sim.tabletop.gym_env` share.
The Brax environment computes; here its states are kept and handed out as new
numpy arrays.

Letters: N rows, S entries of an observed state, H W image.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from brax.envs import base
from gymnasium import spaces

from a2r.sim.tabletop import env as tabletop
from a2r.sim.tabletop import physics
from a2r.sim.tabletop.engines import c_engine

OBSERVATIONS = ("state", "pixels", "both")
RENDER_MODES = (None, "rgb_array")
# Gymnasium asks for a finite box; no joint comes near these.
_STATE_BOUND = 1000.0


class Rows:
  """N tabletops and the steps that each has made since its start.

  Attributes:
    observation_space, action_space: of one row.
  """

  def __init__(
    self,
    name: str,
    num_rows: int,
    *,
    obs: str,
    render_mode: str | None,
    max_episode_steps: int | None,
    options: dict[str, Any],
  ):
    """See `gym_env.make_gym`; `options` are those of `sim.make`."""
    _check_known("obs", obs, OBSERVATIONS)
    _check_known("render_mode", render_mode, RENDER_MODES)
    _check_count("num_envs", num_rows)
    if max_episode_steps is not None:
      _check_count("max_episode_steps", max_episode_steps)
    self._programs = _programs(name, **options)
    self._obs, self._render_mode = obs, render_mode
    self._max_episode_steps = max_episode_steps
    self._num_steps = np.zeros(num_rows, int)
    self._state = None
    self.observation_space = _observation_space(self._programs.env, obs)
    self.action_space = spaces.Box(
      -1.0, 1.0, (self._programs.env.action_size,), np.float32
    )

  def reset(self, mask: np.ndarray, rngs: Sequence[np.random.Generator]):
    """Starts the rows of `mask`, bool `[N]`; only their `rngs` are used.

    Raises:
      ResetNeeded: if other rows have never been started.
    """
    seeds = np.zeros(len(mask), np.uint32)
    for row in np.flatnonzero(mask):
      seeds[row] = rngs[row].integers(2**32, dtype=np.uint32)
    fresh = self._programs.reset(seeds)
    if not mask.all():
      fresh = jax.tree.map(
        lambda new, old: jnp.where(_along(mask, new), new, old),
        fresh,
        self._started(),
      )
    self._state = fresh
    self._num_steps[mask] = 0

  def step(self, actions: np.ndarray):
    """Moves all rows by `actions` `[N, 5]`."""
    self._state = self._programs.step(self._started(), actions)
    self._num_steps += 1

  def observe(self) -> np.ndarray | dict[str, np.ndarray]:
    """What the rows observe, `[N, ...]` as in `observation_space`."""
    if self._obs == "pixels":
      return self._draw()
    obs = np.asarray(self._started().obs)
    obs = obs.clip(-_STATE_BOUND, _STATE_BOUND)
    return (
      obs if self._obs == "state" else {"state": obs, "pixels": self._draw()}
    )

  def reward(self) -> np.ndarray:
    """Float64 `[N]`."""
    return np.array(self._started().reward, np.float64)

  def truncated(self) -> np.ndarray:
    """Bool `[N]`, the rows whose episode is over."""
    if self._max_episode_steps is None:
      return np.zeros(len(self._num_steps), bool)
    return self._num_steps >= self._max_episode_steps

  def info(self) -> dict[str, np.ndarray]:
    """`success` bool `[N]` and `low_dim_state` float32 `[N, 13]`."""
    state = self._started()
    success = np.asarray(state.metrics["success"]) > 0
    return {
      "success": success,
      "low_dim_state": np.array(state.info["low_dim_state"]),
    }

  def render(self) -> tuple[np.ndarray, ...] | None:
    """N pictures uint8 `[H, W, 3]`; None, and a warning, without a mode."""
    if self._render_mode is None:
      gymnasium.logger.warn("render() has no render_mode; try 'rgb_array'")
      return None
    return tuple(self._draw())

  def _draw(self):
    return np.array(self._programs.draw(self._started()))

  def _started(self) -> base.State:
    if self._state is None:
      raise gymnasium.error.ResetNeeded("call reset() first, of all rows")
    return self._state


def check_action(action, space: spaces.Box) -> np.ndarray:
  """Returns `action` as float32, clipped to `space`.

  Raises:
    ValueError: if it is not numbers of that shape or has a NaN.
  """
  try:
    numbers = np.asarray(action)
    if numbers.dtype.kind in "OSUcmM":
      raise TypeError(f"dtype {numbers.dtype}")
    numbers = numbers.astype(np.float64)
  except (TypeError, ValueError, RuntimeError) as error:
    raise ValueError(
      f"action must be numbers of shape {space.shape}: {error}"
    ) from error
  if numbers.shape != space.shape:
    raise ValueError(
      f"action must have shape {space.shape}, got {numbers.shape}"
    )
  if np.isnan(numbers).any():
    where = np.argwhere(np.isnan(numbers))[0].tolist()
    raise ValueError(f"action has a NaN, the first at {where}")
  return np.clip(numbers, space.low, space.high).astype(np.float32)


class _Programs(NamedTuple):
  """Compiled functions of batches; `env` is the Brax environment.

  reset: seeds uint32 `[N]` to a state. step: a state and actions `[N, 5]` to a
  state. draw: a state to pictures `[N, H, W, 3]`.
  """

  env: tabletop.Tabletop
  reset: Callable
  step: Callable
  draw: Callable


@functools.cache
def _programs(name: str, **options) -> _Programs:
  """Shared by all environments of these arguments."""
  env = tabletop.make(name, **options)
  reset = jax.jit(jax.vmap(lambda seed: env.reset(jax.random.key(seed))))
  if env.backend == "c":
    return _Programs(env, reset, *_host_programs(env))
  draw = jax.jit(lambda state: env.draw(*jax.vmap(env.poses)(state)))
  return _Programs(env, reset, jax.jit(jax.vmap(env.step)), draw)


def _host_programs(env):
  """`step` and `draw` with C physics outside of XLA.

  They start sooner and run faster than programs that call back.
  """
  advance, draw_poses = jax.jit(jax.vmap(env.advance)), jax.jit(env.draw)

  def step(state, actions):
    sim = jax.tree.map(np.asarray, state.pipeline_state)
    return advance(state, physics.step_c(env.model, sim, actions))

  def draw(state):
    qpos = np.asarray(state.pipeline_state.qpos)
    return draw_poses(*c_engine.geom_poses(env.model.mj, qpos, env.geom_ids))

  return step, draw


def _observation_space(env, obs):
  shape = (env.observation_size,)
  state = spaces.Box(-_STATE_BOUND, _STATE_BOUND, shape, np.float32)
  if obs == "state":
    return state
  start = jax.eval_shape(env.reset, jax.random.key(0))
  pixels = spaces.Box(0, 255, jax.eval_shape(env.render, start).shape, np.uint8)
  if obs == "pixels":
    return pixels
  return spaces.Dict({"state": state, "pixels": pixels})


def _along(mask, array):
  """`mask` `[N]`, shaped to select rows of `array` `[N, ...]`."""
  return mask.reshape(-1, *[1] * (array.ndim - 1))


def _check_known(what, value, known):
  if value not in known:
    known = ", ".join(map(repr, known))
    raise ValueError(f"unknown {what} {value!r}; known: {known}")


def _check_count(what, value):
  if not isinstance(value, (int, np.integer)) or value < 1:
    raise ValueError(f"{what} must be a whole number above 0, got {value!r}")

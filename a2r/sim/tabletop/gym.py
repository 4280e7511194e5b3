"""The tabletop as Gymnasium environments, as torch users know them.

They wrap the Brax environment: the same observations, rewards and pictures, as
new numpy arrays. An action `[5]` is that of `a2r.sim.tabletop.physics` with
every entry in [-1, 1]; its rotation has no effect. An episode never terminates,
success included: it is truncated after DVD's 60 steps. `info` holds `success`,
whether the task is done in this state, and `low_dim_state`, DVD's 13-D state.

Letters: N environments, S entries of an observed state, H W image.
"""

import functools
from collections.abc import Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from gymnasium.envs import registration
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector import utils as vector_utils

from a2r.core import checks
from a2r.sim import spaces as spaces_lib
from a2r.sim.tabletop import env as tabletop
from a2r.sim.tabletop import tasks, variants
from a2r.sim.tabletop.physics import NUM_STEPS

OBSERVATIONS = ("state", "pixels", "both")
RENDER_MODES = (None, "rgb_array")
_METADATA = {"render_modes": ["rgb_array"], "render_fps": 12}
# Gymnasium asks for a finite box; no joint comes near these.
_STATE_BOUND = 1000.0


class TabletopVectorEnv(gymnasium.vector.VectorEnv):
  """N tabletops in one call of the physics; arguments as in `make_gym`.

  A row that was truncated is reset by the next `step`, which disregards its
  action and returns reward 0 (`AutoresetMode.NEXT_STEP`). Row n with seed s is
  the single environment with seed s + n, as in `SyncVectorEnv`.
  """

  def __init__(
    self,
    name: str,
    num_envs: int = 1,
    *,
    obs: str = "state",
    render_mode: str | None = None,
    max_episode_steps: int | None = NUM_STEPS,
    autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    **options,
  ):
    checks.one_of("obs", obs, OBSERVATIONS)
    checks.one_of("render_mode", render_mode, RENDER_MODES)
    checks.count("num_envs", num_envs, 1)
    if max_episode_steps is not None:
      checks.count("max_episode_steps", max_episode_steps, 1)
    self.metadata = _METADATA | {"autoreset_mode": autoreset_mode}
    self.num_envs, self.render_mode = num_envs, render_mode
    self._env = _make(name, **options)
    self.task = self._env.task.name
    self._obs, self._max_episode_steps = obs, max_episode_steps
    size, image_size = self._env.observation_size, self._env.image_size
    box = {
      "state": spaces.Box(-_STATE_BOUND, _STATE_BOUND, (size,), np.float32),
      "pixels": spaces.Box(0, 255, (image_size, image_size, 3), np.uint8),
    }
    self.single_observation_space = box[obs] if obs in box else spaces.Dict(box)
    self.single_action_space = spaces.Box(
      -1.0, 1.0, (self._env.action_size,), np.float32
    )
    self.observation_space, self.action_space = (
      vector_utils.batch_space(space, num_envs)
      for space in (self.single_observation_space, self.single_action_space)
    )
    self._random = [seeding.np_random() for _ in range(num_envs)]
    self._state = None
    self._num_steps = np.zeros(num_envs, int)
    self._ended = np.zeros(num_envs, bool)  # To be reset by the next step.

  def reset(
    self,
    *,
    seed: int | Sequence[int | None] | None = None,
    options: dict[str, Any] | None = None,
  ):
    """Starts the rows: (observations, infos).

    Args:
      seed: of row 0, the others follow; or one for each row; None goes on with
        the row's random numbers.
      options: `reset_mask`, bool `[N]`, names the rows to reset; all else is
        not used.

    Raises:
      ValueError: if `seed` or the mask has a wrong length.
      ResetNeeded: if the first reset has a mask that leaves rows out.
    """
    size = self.num_envs
    seed = spaces_lib.row_seeds(seed, size)
    mask = np.asarray((options or {}).get("reset_mask", np.ones(size, bool)))
    if mask.shape != (size,) or mask.dtype != bool:
      raise ValueError(
        f"reset_mask must be bool [{size}], got {mask.dtype} {mask.shape}"
      )
    for row in np.flatnonzero(mask):
      if seed[row] is not None:
        self._random[row] = seeding.np_random(seed[row])
    self._restart(mask)
    self._ended &= ~mask
    return self._observe(), self._infos(mask)

  def step(self, actions):
    """Steps all rows: (obs, rewards, terminated, truncated, infos) `[N, ...]`.

    Args:
      actions: `[N, 5]`.

    Raises:
      ValueError: if `actions` are not [N, 5] numbers or have a NaN.
      ResetNeeded: before the first reset.
    """
    actions = spaces_lib.check_action(actions, self.action_space)
    env = self._env
    self._state = tabletop.step_many(
      env.config, env.params, self._started(), actions
    )
    self._num_steps += 1
    rewards = np.where(self._ended, 0.0, np.float64(self._state.reward))
    if self._ended.any():
      self._restart(self._ended)
    never = np.zeros(self.num_envs, bool)
    truncated = never.copy()
    if self._max_episode_steps is not None:
      truncated = self._num_steps >= self._max_episode_steps
    if self.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP:
      self._ended = truncated.copy()
    return self._observe(), rewards, never, truncated, self._infos(~never)

  def render(self):
    """Draws N pictures uint8 `[H, W, 3]`; warns without a mode: None."""
    if self.render_mode is None:
      gymnasium.logger.warn("render() has no render_mode; try 'rgb_array'")
      return None
    return tuple(self._draw())

  @property
  def np_random(self) -> tuple[np.random.Generator, ...]:
    """The random numbers of each row."""
    return tuple(rng for rng, _ in self._random)

  @property
  def np_random_seed(self) -> tuple[int, ...]:
    """The seed of each row's random numbers."""
    return tuple(seed for _, seed in self._random)

  def _started(self):
    if self._state is None:
      raise gymnasium.error.ResetNeeded("call reset() first, of all rows")
    return self._state

  def _restart(self, mask):
    """Starts the rows of `mask`, bool `[N]`; only their numbers are used."""
    seeds = np.zeros(self.num_envs, np.uint32)
    for row in np.flatnonzero(mask):
      seeds[row] = self._random[row][0].integers(2**32, dtype=np.uint32)
    fresh = tabletop.reset_many(self._env.params, _keys(seeds))
    if not mask.all():
      fresh = jax.tree.map(
        lambda new, old: jnp.where(
          mask.reshape(-1, *[1] * (new.ndim - 1)), new, old
        ),
        fresh,
        self._started(),
      )
    self._state = fresh
    self._num_steps[mask] = 0

  def _observe(self):
    if self._obs == "pixels":
      return self._draw()
    state = np.asarray(self._state.obs).clip(-_STATE_BOUND, _STATE_BOUND)
    if self._obs == "state":
      return state
    return {"state": state, "pixels": self._draw()}

  def _draw(self):
    qpos = self._started().pipeline_state.qpos
    env = self._env
    return np.array(tabletop.draw_many(env.config, env.params, qpos))

  def _infos(self, mask):
    """Gives each entry with `_<its name>`, the rows that have it."""
    info = {
      "success": np.asarray(self._state.metrics["success"]) > 0,
      "low_dim_state": np.array(self._state.info["low_dim_state"]),
    }
    return info | {f"_{name}": mask.copy() for name in info}


class TabletopEnv(gymnasium.Env):
  """One tabletop; arguments as in `make_gym`, `options` those of `sim.make`.

  It is row 0 of a `TabletopVectorEnv` that nobody resets but its user.
  """

  metadata = _METADATA

  def __init__(
    self,
    name: str,
    *,
    render_mode: str | None = None,
    max_episode_steps: int | None = None,
    **options,
  ):
    self._row = TabletopVectorEnv(
      name,
      render_mode=render_mode,
      max_episode_steps=max_episode_steps,
      autoreset_mode=AutoresetMode.DISABLED,
      **options,
    )
    self.render_mode, self.task = render_mode, self._row.task
    self.observation_space = self._row.single_observation_space
    self.action_space = self._row.single_action_space

  def reset(self, *, seed=None, options=None):
    """Starts anew: (observation, info); `options` is not used."""
    super().reset(seed=seed)
    del options
    # One generator, which the row draws from and a user may look at.
    self._row._random[0] = (self.np_random, self.np_random_seed)
    return self._first(*self._row.reset())

  def step(self, action):
    """Steps by `action` `[5]`: (obs, reward, terminated, truncated, info).

    Raises:
      ValueError: if `action` is not five numbers or has a NaN.
    """
    action = spaces_lib.check_action(action, self.action_space)
    obs, rewards, terminated, truncated, infos = self._row.step(action[None])
    obs, info = self._first(obs, infos)
    ends = bool(terminated[0]), bool(truncated[0])
    return obs, float(rewards[0]), *ends, info

  def render(self):
    """Draws the picture uint8 `[H, W, 3]`; None without a `render_mode`."""
    frames = self._row.render()
    return frames and frames[0]

  def _first(self, obs, infos):
    """Returns the row's observation and info."""
    info = {"success": bool(infos["success"][0])}
    info["low_dim_state"] = infos["low_dim_state"][0]
    return jax.tree.map(lambda x: x[0], obs), info


def make_gym(
  name: str,
  *,
  num_envs: int | None = None,
  max_episode_steps: int = NUM_STEPS,
  **options,
) -> TabletopEnv | TabletopVectorEnv:
  """Returns the environment of that name for Gymnasium.

  Args:
    name: one of `sim.ENVIRONMENTS`.
    num_envs: None for a `gymnasium.Env`, N for a `gymnasium.vector.VectorEnv`
      whose rows are stepped together.
    max_episode_steps: steps until an episode is truncated.
    **options: `obs`: 'state' for float32 `[S]` (the default), 'pixels' for
      uint8 `[H, W, 3]`, or 'both' for a dict of the two; `render_mode`: None or
      'rgb_array'; `task`, `image_size`, `samples`, `reward`, `noise` and
      `physics`: as in `sim.make`.

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if another argument is; the known are listed.
  """
  options = {"max_episode_steps": max_episode_steps} | options
  if num_envs is not None:
    return TabletopVectorEnv(name, num_envs, **options)
  env = TabletopEnv(name, **options)
  env.spec = registration.EnvSpec(
    _id(name, env.task),
    entry_point=_ENTRY_POINT,
    order_enforce=False,
    disable_env_checker=True,
    kwargs={"name": name} | options,
  )
  return env


def register_gym() -> list[str]:
  """Makes all environments known to `gymnasium.make` and `make_vec`.

  Returns:
    Their ids, 'a2r/tabletop-test2-close_drawer-v0' and so on. `gymnasium.make`
    and `make_vec` take the other arguments of `make_gym`.
  """
  ids = []
  for name in variants.ENVIRONMENTS:
    for task in tasks.TASKS:
      ids.append(_id(name, task))
      if ids[-1] not in gymnasium.registry:
        gymnasium.register(
          ids[-1],
          entry_point=_ENTRY_POINT,
          vector_entry_point=f"{__name__}:TabletopVectorEnv",
          max_episode_steps=NUM_STEPS,
          kwargs={"name": name, "task": task},
        )
  return ids


_ENTRY_POINT = f"{__name__}:TabletopEnv"


def _id(name, task):
  return f"a2r/{name.replace('/', '-')}-{task}-v0"


# Shared by all of the same arguments.
_make = functools.cache(tabletop.make)
_keys = jax.jit(jax.vmap(jax.random.key))

"""The tabletop as Gymnasium environments, as torch users know them.

They wrap the Brax environment: the same observations, rewards and pictures, as
numpy arrays. An action `[5]` is that of `a2r.sim.tabletop.physics` with every
entry in [-1, 1]; its rotation has no effect. An episode never terminates,
success included: it is truncated after DVD's 60 steps. `info` holds `success`,
whether the task is done in this state, and `low_dim_state`, DVD's 13-D state.

Letters: N environments, S entries of an observed state, H W image.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs import registration
from gymnasium.utils import seeding
from gymnasium.vector import utils as vector_utils

from a2r.sim.tabletop import gym_rows, tasks, variants
from a2r.sim.tabletop.physics import NUM_STEPS

_METADATA = {"render_modes": ["rgb_array"], "render_fps": 12}


class TabletopEnv(gymnasium.Env):
  """One tabletop; arguments as in `make_gym`, `options` those of `sim.make`."""

  metadata = _METADATA

  def __init__(
    self,
    name: str,
    *,
    obs: str = "state",
    render_mode: str | None = None,
    max_episode_steps: int | None = None,
    **options,
  ):
    self._rows = gym_rows.Rows(
      name,
      1,
      obs=obs,
      render_mode=render_mode,
      max_episode_steps=max_episode_steps,
      options=options,
    )
    self.render_mode = render_mode
    self.observation_space = self._rows.observation_space
    self.action_space = self._rows.action_space

  def reset(self, *, seed=None, options=None):
    """The start as (observation, info); `options` is not used."""
    super().reset(seed=seed)
    del options
    self._rows.reset(np.ones(1, bool), [self.np_random])
    return self._observe(), self._info()

  def step(self, action):
    """(observation, reward, terminated, truncated, info) after `action` `[5]`.

    Raises:
      ValueError: if `action` is not five numbers or has a NaN.
    """
    self._rows.step(gym_rows.check_action(action, self.action_space)[None])
    (reward,), (truncated,) = self._rows.reward(), self._rows.truncated()
    ends = (False, bool(truncated))
    return self._observe(), float(reward), *ends, self._info()

  def render(self):
    """The picture uint8 `[H, W, 3]`; None without a `render_mode`."""
    frames = self._rows.render()
    return frames and frames[0]

  def _observe(self):
    batch = self._rows.observe()
    if isinstance(batch, dict):
      return {name: rows[0] for name, rows in batch.items()}
    return batch[0]

  def _info(self):
    info = self._rows.info()
    return {
      "success": bool(info["success"][0]),
      "low_dim_state": info["low_dim_state"][0],
    }


class TabletopVectorEnv(gymnasium.vector.VectorEnv):
  """N tabletops in one call of the physics; arguments as in `make_gym`.

  A row that was truncated is reset by the next `step`, which disregards its
  action and returns reward 0 (`AutoresetMode.NEXT_STEP`). Row n with seed s is
  the single environment with seed s + n, as in `SyncVectorEnv`.
  """

  metadata = _METADATA | {
    "autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP
  }

  def __init__(
    self,
    name: str,
    num_envs: int = 1,
    *,
    obs: str = "state",
    render_mode: str | None = None,
    max_episode_steps: int | None = NUM_STEPS,
    **options,
  ):
    self._rows = gym_rows.Rows(
      name,
      num_envs,
      obs=obs,
      render_mode=render_mode,
      max_episode_steps=max_episode_steps,
      options=options,
    )
    self.num_envs = num_envs
    self.render_mode = render_mode
    self.single_observation_space = self._rows.observation_space
    self.single_action_space = self._rows.action_space
    self.observation_space, self.action_space = (
      vector_utils.batch_space(space, num_envs)
      for space in (self._rows.observation_space, self._rows.action_space)
    )
    self._random = [seeding.np_random() for _ in range(num_envs)]
    self._ended = np.zeros(num_envs, bool)

  def reset(
    self,
    *,
    seed: int | Sequence[int | None] | None = None,
    options: dict[str, Any] | None = None,
  ):
    """The starts as (observations, infos).

    Args:
      seed: of row 0, the others follow; or one for each row; None goes on with
        the row's random numbers.
      options: `reset_mask`, bool `[N]`, names the rows to reset; all else is
        not used.

    Raises:
      ValueError: if `seed` or the mask has a wrong length, or the first reset
        has a mask.
    """
    size = self.num_envs
    if seed is None or isinstance(seed, (int, np.integer)):
      seed = [None if seed is None else int(seed) + n for n in range(size)]
    mask = np.asarray((options or {}).get("reset_mask", np.ones(size, bool)))
    if len(seed) != size:
      raise ValueError(f"expected {size} seeds, got {len(seed)}")
    if mask.shape != (size,) or mask.dtype != bool:
      raise ValueError(
        f"reset_mask must be bool [{size}], got {mask.dtype} {mask.shape}"
      )
    for row in np.flatnonzero(mask):
      if seed[row] is not None:
        self._random[row] = seeding.np_random(seed[row])
    self._rows.reset(mask, self.np_random)
    self._ended &= ~mask
    return self._rows.observe(), self._infos(mask)

  def step(self, actions):
    """(observations, rewards, terminated, truncated, infos), all `[N, ...]`.

    Args:
      actions: `[N, 5]`.

    Raises:
      ValueError: if `actions` are not [N, 5] numbers or have a NaN.
    """
    self._rows.step(gym_rows.check_action(actions, self.action_space))
    rewards = np.where(self._ended, 0.0, self._rows.reward())
    if self._ended.any():
      self._rows.reset(self._ended, self.np_random)
    self._ended = self._rows.truncated()
    never = np.zeros(self.num_envs, bool)
    everyone = np.ones(self.num_envs, bool)
    infos = self._infos(everyone)
    return self._rows.observe(), rewards, never, self._ended.copy(), infos

  def render(self):
    """N pictures uint8 `[H, W, 3]`; None without a `render_mode`."""
    return self._rows.render()

  @property
  def np_random(self) -> tuple[np.random.Generator, ...]:
    """The random numbers of each row."""
    return tuple(rng for rng, _ in self._random)

  @property
  def np_random_seed(self) -> tuple[int, ...]:
    """The seed of each row's random numbers."""
    return tuple(seed for _, seed in self._random)

  def _infos(self, mask):
    """Each entry with `_<its name>`, the rows that have it."""
    info = self._rows.info()
    return info | {f"_{name}": mask.copy() for name in info}


def make_gym(
  name: str,
  *,
  task: str = "close_drawer",
  num_envs: int | None = None,
  obs: str = "state",
  image_size: int = 64,
  render_mode: str | None = None,
  max_episode_steps: int = NUM_STEPS,
  reward: str = "sparse",
  noise: float = 0.0,
  physics: str = "auto",
) -> TabletopEnv | TabletopVectorEnv:
  """Returns the environment of that name for Gymnasium.

  Args:
    name: one of `sim.ENVIRONMENTS`.
    task: one of `sim.TASKS`.
    num_envs: None for a `gymnasium.Env`, N for a `gymnasium.vector.VectorEnv`
      whose rows are stepped together.
    obs: 'state' for float32 `[S]`, 'pixels' for uint8 `[H, W, 3]`, or 'both'
      for a dict of the two.
    image_size: H = W of pictures.
    render_mode: None or 'rgb_array'.
    max_episode_steps: steps until an episode is truncated.
    reward, noise, physics: as in `sim.make`.

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if another argument is; the known are listed.
  """
  options = dict(
    task=task,
    obs=obs,
    image_size=image_size,
    render_mode=render_mode,
    max_episode_steps=max_episode_steps,
    reward=reward,
    noise=noise,
    physics=physics,
  )
  if num_envs is not None:
    return TabletopVectorEnv(name, num_envs, **options)
  env = TabletopEnv(name, **options)
  env.spec = registration.EnvSpec(
    _id(name, task),
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

"""Concept2Robot's table as Gymnasium environments.

They wrap the Brax environment: the same starts, rewards and pictures, as numpy
arrays. An episode is one step, so each step terminates (in NEXT_STEP every
other one starts anew). The pixels after a step are those of the episode's end,
an observed state is still that of its start. `info` holds `success` and
`length`, the control steps until the episode's end.

Letters: N environments, S entries of an observed state, H W image.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs import registration
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector import utils as vector_utils

from a2r.core import checks
from a2r.sim import spaces as spaces_lib
from a2r.sim.concept import drawing, physics, policies
from a2r.sim.concept import env as env_lib
from a2r.sim.concept import tasks as tasks_lib

OBSERVATIONS = ("pixels", "state")
_STATE_BOUND = 1000.0  # Gymnasium asks for a finite box.
_METADATA = {"render_modes": ["rgb_array"], "render_fps": 1}


class ConceptVectorEnv(gymnasium.vector.VectorEnv):
  """N tables in one call of the physics.

  By default a step returns the first observations of the next episodes, and
  those after the step as `info['final_obs']` (`AutoresetMode.SAME_STEP`). Row n
  with seed s is the single environment with seed s + n.
  """

  def __init__(
    self,
    name: str,
    num_envs: int = 1,
    *,
    obs: str = "pixels",
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
    render_mode: str | None = None,
    **options,
  ):
    """Makes N tables.

    Args:
      name: as of `env.make`.
      num_envs: N.
      obs: 'pixels', uint8 `[120, 160, 3]`, or 'state', float32 `[S]`.
      autoreset_mode: SAME_STEP; NEXT_STEP: the step after an episode starts
        the next, disregards its action and has reward 0; or DISABLED: resets
        are the user's.
      render_mode: None or 'rgb_array'.
      **options: of `env.make`.

    Raises:
      KeyError: an unknown name; the known are listed.
      ValueError: another argument that makes no sense.
    """
    checks.one_of("obs", obs, OBSERVATIONS)
    checks.one_of("render_mode", render_mode, (None, "rgb_array"))
    checks.count("num_envs", num_envs, 1)
    checks.one_of("autoreset_mode", autoreset_mode, AutoresetMode)
    self.metadata = _METADATA | {"autoreset_mode": autoreset_mode}
    self.num_envs, self.render_mode = num_envs, render_mode
    self.env, self._obs = env_lib.make(name, **options), obs
    shape = (drawing.HEIGHT, drawing.WIDTH, 3)
    self.single_observation_space = (
      spaces.Box(0, 255, shape, np.uint8)
      if obs == "pixels"
      else spaces.Box(
        -_STATE_BOUND, _STATE_BOUND, (self.env.observation_size,), np.float32
      )
    )
    self.single_action_space = spaces.Box(
      -1.0, 1.0, (physics.ACTION_SIZE,), np.float32
    )
    self.observation_space, self.action_space = (
      vector_utils.batch_space(space, num_envs)
      for space in (self.single_observation_space, self.single_action_space)
    )
    self._random = [seeding.np_random()[0] for _ in range(num_envs)]
    self._start = self._frames = None
    self._starts_anew = False  # By the next step.

  def reset(
    self,
    *,
    seed: int | Sequence[int | None] | None = None,
    options: dict[str, Any] | None = None,
  ):
    """Starts all rows: (observations, infos).

    Args:
      seed: of row 0, the others follow; or one for each row; None goes on with
        the row's random numbers.
      options: not used.

    Raises:
      ValueError: if there is not a seed for each row.
    """
    del options
    for row, number in enumerate(spaces_lib.row_seeds(seed, self.num_envs)):
      if number is not None:
        self._random[row] = seeding.np_random(number)[0]
    return self._restart(), {}

  def step(self, actions):
    """Plays all rows: (obs, rewards, terminated, truncated, infos) `[N, ...]`.

    Or starts them anew, see `autoreset_mode`.

    Args:
      actions: `[N, 350]`.

    Raises:
      ValueError: if they are not that many numbers, or have a NaN.
      ResetNeeded: before the first reset.
    """
    actions = spaces_lib.check_action(actions, self.action_space)
    ends = np.ones(self.num_envs, bool)
    if self._starts_anew:
      return self._restart(), np.zeros(self.num_envs), ~ends, ~ends, {}
    if self._start is None:
      raise gymnasium.error.ResetNeeded("call reset() first")
    seen = self._obs == "pixels" or self.render_mode is not None
    at = np.array([physics.NUM_STEPS]) if seen else None
    played = self.env.play(self._start, actions, frames_at=at)
    infos = {"success": played.success, "length": played.length}
    infos |= {f"_{name}": ends.copy() for name in infos}
    self._frames = played.frames[:, 0] if seen else None
    obs = self._frames if self._obs == "pixels" else self._observe()
    self._start, mode = None, self.metadata["autoreset_mode"]
    self._starts_anew = mode == AutoresetMode.NEXT_STEP
    if mode == AutoresetMode.SAME_STEP:
      infos |= {"final_obs": obs, "_final_obs": ends.copy()}
      obs = self._restart()
    rewards = played.reward.astype(np.float64)
    return obs, rewards, ends, ~ends, infos

  def render(self):
    """Returns N pictures uint8 `[120, 160, 3]`; None without a mode.

    Raises:
      ResetNeeded: before the first reset.
    """
    if self.render_mode is None:
      return None
    if self._start is None and self._frames is None:
      raise gymnasium.error.ResetNeeded("call reset() first")
    return tuple(self._draw())

  def _restart(self):
    seeds = [rng.integers(2**32, size=2) for rng in self._random]
    self._start = policies.sample_start(self.env.task.scene, seeds)
    self._frames, self._starts_anew = None, False
    return self._draw() if self._obs == "pixels" else self._observe()

  def _draw(self):
    if self._frames is None:
      self._frames = self.env.draw(self._start)
    return self._frames

  def _observe(self):
    return np.asarray(self.env.observe(self._start))


class ConceptEnv(gymnasium.Env):
  """One table; arguments as of `ConceptVectorEnv`."""

  metadata = _METADATA

  def __init__(self, name: str, *, render_mode: str | None = None, **options):
    """Makes a table, row 0 of a `ConceptVectorEnv` that nobody resets."""
    self._row = ConceptVectorEnv(
      name,
      render_mode=render_mode,
      autoreset_mode=AutoresetMode.DISABLED,
      **options,
    )
    self.render_mode = render_mode
    self.observation_space = self._row.single_observation_space
    self.action_space = self._row.single_action_space

  def reset(self, *, seed=None, options=None):
    """Starts anew: (observation, info); `options` is not used."""
    super().reset(seed=seed)
    obs, info = self._row.reset(seed=seed, options=options)
    return obs[0], info

  def step(self, action):
    """Plays the episode: (obs, reward, terminated, truncated, info).

    Raises:
      ValueError: if `action` is not 350 numbers or has a NaN.
    """
    action = spaces_lib.check_action(action, self.action_space)
    obs, rewards, _, _, infos = self._row.step(action[None])
    info = {"success": bool(infos["success"][0])}
    info["length"] = int(infos["length"][0])
    return obs[0], float(rewards[0]), True, False, info

  def render(self):
    """Returns the picture uint8 `[120, 160, 3]`; None without a mode."""
    frames = self._row.render()
    return frames and frames[0]


def make_gym(name: str, *, num_envs: int | None = None, **options):
  """Returns a `ConceptEnv`, or a `ConceptVectorEnv` of N rows.

  Args:
    name: 'concept/' and a task's number or name.
    num_envs: None, or N.
    **options: as of `ConceptVectorEnv`.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: another argument that makes no sense.
  """
  if num_envs is not None:
    return ConceptVectorEnv(name, num_envs, **options)
  env = ConceptEnv(name, **options)
  env.spec = registration.EnvSpec(
    _id(tasks_lib.get(name.removeprefix(env_lib.PREFIX))),
    entry_point=_ENTRY_POINT,
    order_enforce=False,
    disable_env_checker=True,
    kwargs={"name": name} | options,
  )
  return env


def register_gym() -> list[str]:
  """Makes all tasks known to `gymnasium.make` and `make_vec`.

  Returns:
    Their ids, 'a2r/concept-closing_something-v0' and so on. `gymnasium.make`
    and `make_vec` take the other arguments of `ConceptVectorEnv`.
  """
  ids = []
  for task in tasks_lib.NAMES.values():
    ids.append(_id(task))
    if ids[-1] not in gymnasium.registry:
      gymnasium.register(
        ids[-1],
        entry_point=_ENTRY_POINT,
        vector_entry_point=f"{__name__}:ConceptVectorEnv",
        kwargs={"name": f"{env_lib.PREFIX}{task.name}"},
      )
  return ids


_ENTRY_POINT = f"{__name__}:ConceptEnv"


def _id(task):
  return f"a2r/concept-{task.name}-v0"

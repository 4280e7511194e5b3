"""A learned reward for Gymnasium environments, single and vector.

  env = RewardWrapper(env, reward.load("runs/envgen"), "close the drawer")

The environment's own reward is replaced, and stands in `info["env_reward"]`.
What is scored is what the environment renders, so it needs the render mode
'rgb_array'; or pictures made of its observations by `frame_fn`.

Frames are kept as small as the model looks at them, and at most `2 * _KEPT` of
an episode, however long: then each second one is dropped, and from there on as
few are taken. The first and the last are always among them.

Letters: N environments, H W image.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from a2r import reward as reward_lib
from a2r.core import checks
from a2r.models import scorer

MODES = ("terminal", "dense")
_KEPT = 64


class Film:
  """The frames of an episode so far, of a bounded number."""

  def __init__(self):
    self._frames, self._last = [], None
    self._num, self._stride = 0, 1

  def __len__(self) -> int:
    """Frames of the episode, kept or not."""
    return self._num

  def append(self, frame: np.ndarray):
    """Adds the frame `[S, S, 3]` that comes next."""
    if self._num % self._stride == 0:
      self._frames.append(frame)
      if len(self._frames) == 2 * _KEPT:
        self._frames, self._stride = self._frames[::2], 2 * self._stride
    self._last, self._num = frame, self._num + 1

  def clip(self, length: int | None = None) -> np.ndarray:
    """Returns what was kept, `[T, S, S, 3]`, the last frame in the end.

    Args:
      length: frames of a whole episode; if there are fewer, the last one stands
        still for the rest of the time (see `over_time.prefixes`).
    """
    left = max((length or 0) - self._num, 0) // self._stride
    return np.stack([*self._frames, *[self._last] * (1 + left)])


def RewardWrapper(  # noqa: N802  It makes the one of two classes that fits.
  env: gymnasium.Env | gymnasium.vector.VectorEnv,
  model: reward_lib.Reward,
  instruction: str | Sequence[str],
  mode: str = "terminal",
  every: int = 1,
  *,
  horizon: int | None = None,
  frame_fn: Callable[[Any], np.ndarray] | None = None,
) -> "SingleRewardWrapper | VectorRewardWrapper":
  """Returns the environment with the reward of a model in place of its own.

  Args:
    env: a single or a vector environment.
    model: what `reward.load` returns.
    instruction: what is to be done; of a vector environment also N texts.
    mode: 'terminal': 0 until the step that terminates or truncates the episode,
      which gets its score; 'dense': every so many steps, and at the end, what
      the score of the episode so far has changed by. Either way an episode's
      rewards add up to its score (of 'dense', less that of its first frame).
    every: steps between two scores in mode 'dense'.
    horizon: frames of a whole episode, for 'dense': the rest of it is taken to
      be still. Found of `max_episode_steps` in the environment's spec; where
      neither is there, an episode so far is scored like a whole one.
    frame_fn: from an observation (of a vector environment a batch of them) to
      the picture `[H, W, 3]` uint8 (`[N, H, W, 3]`), instead of `env.render()`.

  Raises:
    ValueError: an environment that draws nothing, an unknown mode, or a number
      of instructions that is not N.
  """
  is_vector = isinstance(env, gymnasium.vector.VectorEnv)
  kind = VectorRewardWrapper if is_vector else SingleRewardWrapper
  options = {"horizon": horizon, "frame_fn": frame_fn}
  return kind(env, model, instruction, mode, every, **options)


class _Judge:
  """The films of N episodes, and what the steps of each are worth."""

  def __init__(
    self, env, num, model, instruction, mode, every, *, horizon, frame_fn
  ):
    checks.one_of("mode", mode, MODES)
    checks.count("every", every, 1)
    if frame_fn is None and env.render_mode != "rgb_array":
      raise ValueError(
        f"render_mode is {env.render_mode!r}: make the environment with "
        "render_mode='rgb_array', or give frame_fn"
      )
    texts = [instruction] * num
    if not isinstance(instruction, str):
      texts = list(instruction)
    if len(texts) != num:
      raise ValueError(f"got {len(texts)} instructions for {num} environments")
    model.scorer.context_fn(texts)  # A text that cannot be read is told here.
    if horizon is None and env.spec and env.spec.max_episode_steps:
      horizon = env.spec.max_episode_steps + 1
    self._model, self._texts, self._mode = model, texts, mode
    self._every, self._horizon = every, horizon
    self._films = [Film() for _ in texts]
    self._scores = np.zeros(len(texts))

  def begin(self, frames: Sequence[np.ndarray], rows: Sequence[int]):
    """Starts the episodes of rows with their first frames."""
    for row in rows:
      self._films[row] = Film()
      self._add(row, frames[row])
    if self._mode == "dense":
      self._scores[rows] = self._score(rows, np.zeros(len(rows), bool))

  def step(
    self,
    frames: Sequence[np.ndarray] | None,
    rows: Sequence[int],
    done: np.ndarray,
  ) -> np.ndarray:
    """Returns the rewards `[N]` of a step of the episodes of rows, 0 of others.

    Args:
      frames: of all rows; None adds none.
      rows: whose episodes go on.
      done: `[N]` bool, whose end.
    """
    rewards = np.zeros(len(self._films))
    for row in rows if frames is not None else ():
      self._add(row, frames[row])
    if self._mode == "terminal":
      due = [row for row in rows if done[row]]
      if due:
        rewards[due] = self._score(due, done[due])
      return rewards
    due = [
      row
      for row in rows
      if done[row] or (len(self._films[row]) - 1) % self._every == 0
    ]
    if due:
      scores = self._score(due, done[due])
      rewards[due] = scores - self._scores[due]
      self._scores[due] = scores
    return rewards

  def _add(self, row, frame):
    size = self._model.scorer.image_size
    self._films[row].append(scorer.shrink([np.asarray(frame)], size)[0])

  def _score(self, rows, whole):
    """The scores of episodes, whole or so far."""
    clips = [
      self._films[row].clip(None if is_whole else self._horizon)
      for row, is_whole in zip(rows, whole, strict=True)
    ]
    texts = [self._texts[row] for row in rows]
    return self._model.score(clips, texts).astype(np.float64)


class SingleRewardWrapper(
  gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs
):
  """See `RewardWrapper`."""

  def __init__(self, env, *args, **options):
    # What it takes to make it again, which `env.spec` holds.
    names = ("model", "instruction", "mode", "every")
    values = dict(zip(names, args, strict=False)) | options
    gymnasium.utils.RecordConstructorArgs.__init__(
      self, _disable_deepcopy=True, **values
    )
    super().__init__(env)
    self._judge = _Judge(env, 1, *args, **options)
    self._frame_fn = options["frame_fn"]

  def reset(self, *, seed=None, options=None):
    """Starts an episode."""
    obs, info = self.env.reset(seed=seed, options=options)
    self._judge.begin([self._frame(obs)], [0])
    return obs, info

  def step(self, action):
    """Takes a step; the reward is the model's."""
    obs, env_reward, terminated, truncated, info = self.env.step(action)
    done = np.array([terminated or truncated])
    (value,) = self._judge.step([self._frame(obs)], [0], done)
    info = info | {"env_reward": env_reward}
    return obs, float(value), terminated, truncated, info

  def _frame(self, obs):
    return self.env.render() if self._frame_fn is None else self._frame_fn(obs)


class VectorRewardWrapper(gymnasium.vector.VectorWrapper):
  """See `RewardWrapper`; in all three modes of resetting.

  In the mode SAME_STEP an environment draws, in the step that ends an episode,
  the first frame of the next one: the score is then of the frames before, or
  with `frame_fn` of `info["final_obs"]` too.
  """

  def __init__(self, env, *args, **options):
    super().__init__(env)
    self._judge = _Judge(env, env.num_envs, *args, **options)
    self._frame_fn = options["frame_fn"]
    default = AutoresetMode.NEXT_STEP
    self._autoreset = self.env.metadata.get("autoreset_mode", default)
    self._done = np.zeros(self.num_envs, bool)

  def reset(self, *, seed=None, options=None):
    """Starts all episodes, or those of `options["reset_mask"]`."""
    obs, info = self.env.reset(seed=seed, options=options)
    mask = (options or {}).get("reset_mask")
    rows = np.arange(self.num_envs) if mask is None else np.flatnonzero(mask)
    self._judge.begin(self._frames(obs), rows.tolist())
    self._done[rows] = False
    return obs, info

  def step(self, actions):
    """Takes a step of each; the rewards `[N]` float64 are the model's."""
    obs, env_rewards, terminated, truncated, info = self.env.step(actions)
    done, before = np.logical_or(terminated, truncated), self._done
    frames, rows = self._frames(obs), np.arange(self.num_envs)
    if self._autoreset == AutoresetMode.SAME_STEP:
      ended, going = np.flatnonzero(done), np.flatnonzero(~done)
      rewards = self._judge.step(frames, going.tolist(), done)
      if len(ended):
        rewards += self._judge.step(self._last(info), ended.tolist(), done)
        self._judge.begin(frames, ended.tolist())
    else:
      # A row that was done starts anew, or waits for the user's reset.
      going = rows[~before]
      rewards = self._judge.step(frames, going.tolist(), done)
      if self._autoreset == AutoresetMode.NEXT_STEP and before.any():
        self._judge.begin(frames, rows[before].tolist())
      if self._autoreset == AutoresetMode.DISABLED:
        done = done | before
    self._done = done
    info = info | {"env_reward": env_rewards, "_env_reward": ~before}
    return obs, rewards, terminated, truncated, info

  def _frames(self, obs):
    return self.env.render() if self._frame_fn is None else self._frame_fn(obs)

  def _last(self, info):
    """The last frames of the episodes that ended, if they can be had."""
    if self._frame_fn is None or "final_obs" not in info:
      return None
    last = info["final_obs"]
    if isinstance(last, np.ndarray) and last.dtype == object:
      shown = next(obs for obs in last if obs is not None)
      last = np.stack([shown if obs is None else obs for obs in last])
    return self._frame_fn(last)

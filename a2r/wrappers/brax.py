"""A learned reward for Brax environments, on the device.

  env = training.EpisodeWrapper(training.VmapWrapper(env), 60, 1)
  env = training.AutoResetWrapper(RewardWrapper(env, model, "close the drawer"))

It stands between the episodes' length and their reset: before that the last
frame is gone. Frames are drawn by JAX and never leave the device. `state.info`
holds the film of the episode, `[N, T, S, S, 3]` uint8: the T frames that the
model looks at, evenly spaced over an episode; those of the time to come are the
last one, standing still.

Letters: N environments, T frames, S picture size.
"""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from a2r import reward as reward_lib
from a2r.core import checks, images

# It prints that Warp is absent.
with contextlib.redirect_stdout(io.StringIO()):
  from brax.envs import base

MODES = ("terminal", "dense")


class RewardWrapper(base.Wrapper):
  """A batch of environments with the reward of a model in place of its own.

  The environment's own is `state.info["env_reward"]`. In both modes an
  episode's rewards add up to its score (of 'dense', less that of its first
  frame); see `a2r.wrappers.gym`.
  """

  def __init__(
    self,
    env: base.Env,
    model: reward_lib.Reward,
    instruction: str,
    mode: str = "terminal",
    every: int = 1,
    *,
    render_fn: Callable[[base.State], jax.Array] | None = None,
  ):
    """Wraps a batch of environments.

    Args:
      env: an `EpisodeWrapper` of a `VmapWrapper`.
      model: what `reward.load` returns.
      instruction: what is to be done.
      mode: 'terminal' or 'dense'.
      every: steps between two scores in mode 'dense'.
      render_fn: from an unbatched state to its picture `[H, W, 3]` uint8, in
        JAX; the environment's `render` by default.

    Raises:
      ValueError: no `EpisodeWrapper`, an unknown mode, or an instruction that
        cannot be read.
    """
    super().__init__(env)
    checks.one_of("mode", mode, MODES)
    checks.count("every", every, 1)
    length = getattr(env, "episode_length", None)
    if length is None:
      raise ValueError(
        "expected an EpisodeWrapper of a VmapWrapper, which counts steps; got "
        f"{type(env).__name__}"
      )
    self._scorer, self._mode, self._every = model.scorer, mode, every
    self._context = self._scorer.context_fn([instruction])
    self._render_fn = jax.vmap(render_fn or env.unwrapped.render)
    # The step after which each frame of a film is taken.
    times = images.frame_indices(length + 1, self._scorer.num_frames, "ends")
    self._times, self._length = jnp.asarray(np.array(times)), length

  def reset(self, rng: jax.Array) -> base.State:
    """Starts N episodes, by N keys, typed ones or raw."""
    # EpisodeWrapper (brax 0.14.2) cuts the last axis of the keys' shape, which
    # raw ones alone have too many: its counter would have no batch axis.
    if jnp.issubdtype(rng.dtype, jax.dtypes.prng_key):
      rng = jax.random.key_data(rng)
    state = self.env.reset(rng)
    film = self._begin(state)
    info = {"film": film, "env_reward": state.reward}
    info["score"] = self._score(film) if self._mode == "dense" else state.reward
    return state.replace(info=state.info | info, reward=0 * state.reward)

  def step(self, state: base.State, action: Any) -> base.State:
    """Takes a step of each; the rewards are the model's."""
    film, score = state.info["film"], state.info["score"]
    first = state.info["steps"] == 0
    begun, start = jax.lax.cond(
      jnp.any(first),
      lambda: self._restart(state),
      lambda: (film, score),
    )
    film = _where(first, begun, film)
    score = _where(first, start, score)
    state = self.env.step(state, action)
    steps = state.info["steps"]
    frame = self._draw(state)[:, None]
    to_come = self._times >= steps[:, None]
    film = jnp.where(to_come[..., None, None, None], frame, film)
    due = state.done.astype(bool)
    if self._mode == "dense":
      due |= steps % self._every == 0
    found = jax.lax.cond(
      jnp.any(due), lambda: self._score(film), lambda: jnp.zeros_like(score)
    )
    reward = jnp.where(due, found - score, 0.0)
    if self._mode == "dense":
      score = jnp.where(due, found, score)
    info = {"film": film, "score": score, "env_reward": state.reward}
    return state.replace(reward=reward, info=state.info | info)

  def _restart(self, state):
    film = self._begin(state)
    score = state.info["score"]
    return film, self._score(film) if self._mode == "dense" else 0 * score

  def _begin(self, state):
    """The film of an episode that stands still."""
    frame = self._draw(state)[:, None]
    return jnp.repeat(frame, len(self._times), axis=1)

  def _draw(self, state):
    """`[N, S, S, 3]` uint8."""
    frames = self._render_fn(state)
    size = self._scorer.image_size
    if frames.shape[1:3] == (size, size):
      return frames
    return images.resize(frames, size)

  def _score(self, film):
    """`[N]` float32."""
    features = self._scorer.encode_fn(self._scorer.params, film)
    return self._scorer.score_fn(self._scorer.params, features, self._context)[
      :, 0
    ].astype(jnp.float32)


def _where(mask, new, old):
  return jnp.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)

"""Labeled robot clips: behavior of some source, simulated, judged and drawn.

Letters: N clips, B episodes of one call, T stored frames, H W image.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np

from a2r.core import images
from a2r.sim.behavior import policies
from a2r.sim.tabletop import drawing, physics, tasks, variants

_BATCH = 32  # Episodes simulated by one call.
# Given up: so many episodes per wanted one, after so many episodes.
_MAX_DRAWS, _FEWEST_DRAWS = 400, 4000


class Clips(NamedTuple):
  """Clips of one environment, task and source.

  Attributes:
    frames: uint8 `[N, T, H, W, 3]`, evenly spaced, first and last included.
    success: bool `[N]`, read off the state.
    source: str `[N]`.
    seeds: int `[N]`, the number of the draw; with the seed it names the clip.
    states: float32 `[N, 61, 13]`, DVD's state at every control step.
  """

  frames: np.ndarray
  success: np.ndarray
  source: np.ndarray
  seeds: np.ndarray
  states: np.ndarray


def collect(
  environment: str,
  task: str,
  source: str,
  seed: int,
  num_clips: int,
  *,
  num_frames: int = 8,
  image_size: int = 64,
  samples: int = 1,
  want: bool | None = None,
  engine: str = "c",
) -> Clips:
  """Simulates and draws clips, labeled by their state and never by the script.

  Draw i depends on the other arguments and on i alone; clip n is the n-th draw
  that is wanted, whatever `num_clips` is.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    task: a name of `sim.TASKS`; it chooses the script and judges success.
    source: of `policies.SOURCES`: 'expert', 'near_miss', 'noise', 'rl',
      'random' or 'explore'. Noise is put on expert episodes that succeed: a
      draw whose actions fail without it is left out.
    seed: of all randomness.
    num_clips: N.
    num_frames: T.
    image_size: H = W in pixels.
    samples: rays per pixel in each direction, averaged: 2 or 3 smooth edges.
    want: keep only successes (True), only failures (False), or all (None).
    engine: 'c', 'mjx' or 'auto', see `physics.rollout`; C by default, so that
      every machine makes the same clips.

  Returns:
    The clips.

  Raises:
    KeyError: if a name is unknown, or the source is 'rl' and the task has no
      trained policy; the known are listed.
    ValueError: if wanted clips hardly ever come up.
  """
  row = tasks.get(task)
  model = physics.load(environment)
  keys = [
    seed,
    variants.ENVIRONMENTS.index(environment),
    list(tasks.TASKS).index(task),
  ]
  kept = []
  drawn = 0
  while sum(len(batch[0]) for batch in kept) < num_clips or not kept:
    _check_progress(kept, drawn, num_clips, (environment, task, source, want))
    draws = np.arange(drawn, drawn + _BATCH)
    drawn += _BATCH
    kept.append(_simulate(model, row, source, keys, draws, want, engine))
  draws, success, states, qpos = (
    np.concatenate(column)[:num_clips] for column in zip(*kept, strict=True)
  )
  last = states.shape[1] - 1
  stored = images.frame_indices(last + 1, num_frames, "ends")
  renderer = drawing.SceneRenderer(model.variant, model.mj)
  frames = drawing.draw_frames(
    renderer,
    model.mj,
    qpos[:, stored],
    image_size=image_size,
    samples=samples,
  )
  source_names = np.full(len(draws), source)
  return Clips(frames, success, source_names, draws, states)


def _simulate(model, task, source, keys, draws, want, engine):
  """Draw numbers, labels, states and joint positions of the wanted episodes."""
  index = policies.source_index(source)
  seeds = [[*keys, index, int(draw)] for draw in draws]
  states, qpos, success = _play(model, task, source, seeds, engine)
  wanted = np.ones_like(success) if want is None else success == want
  rows = np.flatnonzero(wanted)
  if source == "noise" and len(rows):
    # The same seeds, thus the same actions without the noise. The batch keeps
    # its size, so that MJX compiles once.
    _, _, clean = _play(model, task, "expert", seeds, engine)
    rows = np.flatnonzero(wanted & clean)
  return draws[rows], success[rows], states[rows], qpos[rows]


def _play(model, task, source, seeds, engine):
  """States `[B, 61, 13]`, joint positions and success `[B]` of the episodes."""
  actions = policies.sample_batch(model, source, task.name, seeds)
  trajectory = physics.rollout(model, actions, physics=engine)
  success = np.asarray(_judge(task.success)(trajectory.states))
  return np.asarray(trajectory.states), np.asarray(trajectory.qpos), success


@functools.cache
def _judge(success):
  return jax.jit(jax.vmap(success))


def _check_progress(kept, drawn, num_clips, asked):
  found = sum(len(batch[0]) for batch in kept)
  if drawn >= max(_FEWEST_DRAWS, _MAX_DRAWS * found):
    raise ValueError(
      f"only {found} of {num_clips} clips in {drawn} episodes for"
      f" (environment, task, source, want) = {asked}"
    )

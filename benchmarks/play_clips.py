"""Clips of what a planner tries, made anew: uniform play and its outcomes.

Letters: N clips, T frames, S picture size.
"""

import jax
import numpy as np

from a2r.core import frames as frame_rule
from a2r.sim.behavior import policies
from a2r.sim.tabletop import drawing, physics, tasks

_FRAMES, _SIZE, _PART = 8, 64, 64


def make(environment, number):
  """Clips of uniform play.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    number: N.

  Returns:
    Frames uint8 `[N, T, S, S, 3]`, and per target task `[N]` bool outcomes.
  """
  parts = [_play(environment, i) for i in range(0, number, _PART)]
  clips = jax.tree.map(lambda *x: np.concatenate(x)[:number], *parts)
  return clips.pop("frames"), clips


def _play(environment, first):
  """One part of the clips, from number `first` on."""
  model = physics.load(environment)
  seeds = [[0, first + i] for i in range(_PART)]
  actions = policies.sample_batch(model, "explore", tasks.TARGETS[0], seeds)
  played = physics.rollout(model, actions, physics="c")
  states, qpos = np.asarray(played.states), np.asarray(played.qpos)
  steps = frame_rule.frame_indices(qpos.shape[1], _FRAMES, "ends")
  look = drawing.Look(model.variant, model.mj)
  frames = drawing.draw_frames(look, model.mj, qpos[:, steps], image_size=_SIZE)
  success = {t: jax.vmap(tasks.get(t).success)(states) for t in tasks.TARGETS}
  return {"frames": frames} | jax.tree.map(np.asarray, success)

"""Makes clips of what a planner tries, and says how well scores choose.

Letters: N clips, T frames, S picture size.
"""

import pathlib

import jax
import numpy as np

from a2r import reward
from a2r.core import images
from a2r.learners import registry
from a2r.models import saved, scorer
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


def scores(run, frames, texts):
  """Returns per row's name `[N, L]` scores of N clips for L texts."""
  if saved.find_method(pathlib.Path(run)) == "adapt2reward":
    model = reward.load(run)
    forms = model.form_scores(frames, texts)
    mark = {model.form: "*"}
    return {f"{run} {f}{mark.get(f, '')}": forms[f] for f in forms}
  return {run: scorer.scores(registry.load_scorer(run), frames, texts)}


def best_of(scores: np.ndarray, labels: np.ndarray, count: int) -> float:
  """Returns the chance that the best scored of `count` clips is a success.

  What a planner asks of a reward: of `count` different clips, drawn at random
  from all, the one with the highest score is taken; among equals, any. Exact,
  by counting: nothing is drawn.

  Args:
    scores: `[N]` finite floats.
    labels: `[N]` True or 1 for success.
    count: 1 to N.

  Returns:
    A number in [0, 1]; a constant score gets the share of successes.

  Raises:
    ValueError: there are fewer clips.
  """
  scores = np.asarray(scores, np.float64)
  labels = np.asarray(labels, np.float64)
  if not 1 <= count <= scores.size:
    raise ValueError(f"the best of {count} clips was asked, got {scores.size}")
  _, index, size = np.unique(scores, return_inverse=True, return_counts=True)
  success = np.bincount(index, labels) / size
  # All drawn clips score at most this: C(M, count) of C(N, count) ways.
  left = np.cumsum(size)[:, None] - np.arange(count)
  below = np.prod(left.clip(0) / (scores.size - np.arange(count)), axis=1)
  return float(success @ np.diff(below, prepend=0.0))


def _play(environment, first):
  """One part of the clips, from number `first` on."""
  model = physics.load(environment)
  seeds = [[0, first + i] for i in range(_PART)]
  actions = policies.sample_batch(model, "explore", tasks.TARGETS[0], seeds)
  played = physics.rollout(model, actions, physics="c")
  states, qpos = np.asarray(played.states), np.asarray(played.qpos)
  steps = images.frame_indices(qpos.shape[1], _FRAMES, "ends")
  frames = drawing.draw_frames(model, qpos[:, steps], image_size=_SIZE)
  success = {t: jax.vmap(tasks.get(t).success)(states) for t in tasks.TARGETS}
  return {"frames": frames} | jax.tree.map(np.asarray, success)

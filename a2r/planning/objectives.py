"""What futures are worth: by a learned reward, or by the true state.

Letters as in `a2r.planning.base`, L texts.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import images
from a2r.models import scorer as scorer_lib
from a2r.planning import base
from a2r.sim.tabletop import observation, physics, rewards, tasks

_BONUS = 10.0  # For success; the dense rewards lie in [-2, 3].


def ground_truth(environment: str) -> base.Objective:
  """Returns the objective that reads the true state, no picture.

  The value of a candidate is the dense reward (`a2r.sim.tabletop.rewards`) of
  the last predicted state, and 10 more if the episode, executed and predicted,
  would be a success (`a2r.sim.tabletop.tasks`) if it ended there. It is the
  ceiling of what a reward can do with the same planner.

  Args:
    environment: where the drawer and the faucet stand.

  Raises:
    KeyError: an unknown name; the known are listed.
  """
  fixtures = jnp.asarray(physics.load(environment).fixtures)
  return base.Objective(
    "ground_truth", fixtures, _true_values, needs_states=True
  )


def from_scorer(
  scorer: scorer_lib.Scorer, texts: Mapping[str, str] | None = None
) -> base.Objective:
  """Returns a learned reward as the objective.

  Which frames make the clip is a setting of the planner (`PlannerConfig.clip`).

  Args:
    scorer: the reward.
    texts: task name to instruction, of the tasks to plan for; None: the
      instructions of all `sim.TASKS`.

  Returns:
    The objective; its `num_frames` is the scorer's.

  Raises:
    KeyError: an unknown task; the known are listed.
    ValueError, KeyError: no instruction, or one that the scorer cannot judge.
  """
  if texts is None:
    texts = {name: task.instruction for name, task in tasks.TASKS.items()}
  if not texts:
    raise ValueError("expected the instruction of at least one task, got none")
  known = tuple(tasks.TASKS)
  indices = tuple(known.index(tasks.get(name).name) for name in texts)
  columns = np.zeros(len(known), np.int32)
  columns[list(indices)] = np.arange(len(indices))
  params = {
    "scorer": scorer.params,
    "context": scorer.context_fn(list(texts.values())),
    "columns": jnp.asarray(columns),
  }
  value_fn = _Scores(scorer.encode_fn, scorer.score_fn, scorer.image_size)
  return base.Objective(
    scorer.name, params, value_fn, scorer.num_frames, indices
  )


def assemble(
  rows: base.PlanState, future: base.Future, timing: base.Timing
) -> jax.Array:
  """The clips uint8 `[M, T, S, S, 3]` that a reward sees, pure."""
  seen = jnp.concatenate([rows.clip, future.frames], axis=1)
  return seen[:, timing.source]


def episode_states(
  rows: base.PlanState, future: base.Future, timing: base.Timing
) -> jax.Array:
  """DVD's states `[M, 61, 13]` of the executed and the predicted steps.

  Rows after the predicted ones copy the last of them.
  """
  ahead = jnp.arange(base.NUM_STATES) - timing.step
  last = future.states.shape[1] - 1
  predicted = future.states[:, jnp.clip(ahead, 0, last)]
  return jnp.where((ahead > 0)[:, None], predicted, rows.states)


def _true_values(fixtures, rows, future, timing, task):
  """Values `[M]` of `ground_truth`."""
  states = episode_states(rows, future, timing)

  def value(states, task):
    landmarks = observation.landmarks(fixtures, states[-1])
    dense = rewards.shaped_all(states[-1], states[0], *landmarks)[task]
    return dense + _BONUS * tasks.outcomes(states)[task]

  return jax.vmap(value)(states, task)


@dataclasses.dataclass(frozen=True)
class _Scores:
  """Values by a scorer: its score of the clip for each row's own task."""

  encode_fn: Callable
  score_fn: Callable
  image_size: int

  def __call__(self, params, rows, future, timing, task) -> jax.Array:
    clips = images.resize(assemble(rows, future, timing), self.image_size)
    features = self.encode_fn(params["scorer"], clips)
    scores = self.score_fn(params["scorer"], features, params["context"])
    column = params["columns"][task]
    return jnp.take_along_axis(scores, column[:, None], axis=1)[:, 0]

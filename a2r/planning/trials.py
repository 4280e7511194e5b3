"""Trials: whole episodes of planning and acting in the simulator.

Letters as in `a2r.planning.base`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from a2r.planning import base


class Trials(NamedTuple):
  """What E trials leave behind, numpy arrays.

  Attributes:
    log: float32 `[E, 61, 13]` DVD's state; rows after the last executed step
      copy it.
    qpos: float32 `[E, 61, nq]` joint positions, likewise.
    actions: float32 `[E, horizon * num_plans, 5]` as executed.
    success: bool `[E]`, each task's judgment of the whole episode.
    values: float32 `[E, num_plans]` what the objective expected of each plan;
      NaN without one.
    frames: uint8 `[E, T, S, S, 3]` the episode's clip, evenly spaced, first
      and last state included; None where nobody looked at pictures.
  """

  log: np.ndarray
  qpos: np.ndarray
  actions: np.ndarray
  success: np.ndarray
  values: np.ndarray
  frames: np.ndarray | None


def run(
  environment: str,
  task_names: Sequence[str],
  seeds: Sequence[int],
  dynamics: base.Dynamics | None,
  objective: base.Objective | None,
  settings: base.Settings,
  *,
  physics: str = "auto",
  batch_size: int = 20,
) -> Trials:
  """Plays E trials in one environment; the actions are planned.

  `settings.num_plans` times: plan `horizon` actions, execute them all in the
  simulator. Trial i depends on its seed and task alone, not on the others.

  Args:
    environment: a name of `sim.ENVIRONMENTS`; trials happen there, whatever
      the dynamics predicts with.
    task_names: E names of `sim.TASKS`.
    seeds: E numbers, of all randomness.
    dynamics: predicts; may be None without an objective.
    objective: judges; None executes uniformly random actions.
    settings: how to plan.
    physics: 'c', 'mjx' or 'auto', of the trials themselves; see
      `physics.rollout`.
    batch_size: trials at a time; the last batch is padded to it, so that
      programs are compiled once.

  Returns:
    The trials in the order asked for.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: no trials, unequal numbers of tasks and seeds, a task that the
      objective cannot judge, or an objective without dynamics.
  """
  raise NotImplementedError

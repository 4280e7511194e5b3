"""Plans: draw candidates, predict, judge, and draw better ones.

Letters as in `a2r.planning.base`.
"""

from collections.abc import Callable

from a2r.planning import base


def make_plan_fn(
  dynamics: base.Dynamics, objective: base.Objective, settings: base.Settings
) -> Callable[..., base.Plan]:
  """Returns the planner.

  Args:
    dynamics: predicts.
    objective: judges.
    settings: how.

  Returns:
    plan_fn: (keys `[E]`, PlanState `[E]`, Timing, task `[E]` int32 in
    `sim.TASKS`) to a Plan. The plan of an environment depends on its own key,
    state and task alone.

  Raises:
    ValueError: the objective needs a log that the dynamics does not predict.
  """
  raise NotImplementedError

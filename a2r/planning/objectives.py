"""What futures are worth: by a learned reward, or by the true state.

Letters as in `a2r.planning.base`.
"""

from collections.abc import Mapping

from a2r.planning import base


def ground_truth() -> base.Objective:
  """Returns the objective that reads the true state, no picture.

  It needs a dynamics that predicts a log.
  """
  raise NotImplementedError


def from_scorer(scorer, texts: Mapping[str, str] | None = None):
  """Returns a learned reward as the objective.

  Which frames make the clip is a setting of the planner (`Settings.clip`).

  Args:
    scorer: an `a2r.models.scorer.Scorer`.
    texts: task name to instruction, of the tasks to plan for; None: the
      instructions of all `sim.TASKS`.

  Returns:
    The objective; its `num_frames` is the scorer's.

  Raises:
    KeyError: an unknown task; the known are listed.
    ValueError, KeyError: an instruction that the scorer cannot judge.
  """
  raise NotImplementedError

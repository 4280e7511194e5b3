"""The methods by name, and a scorer from any run folder."""

import pathlib
from collections.abc import Mapping

from a2r import reward
from a2r.core import checks
from a2r.learners import adapt2reward, base, concept2robot, dvd, liv, triplet
from a2r.models import saved, scorer

METHODS: Mapping[str, base.Method] = {
  row.name: row
  for row in (
    adapt2reward.METHOD,
    concept2robot.METHOD,
    dvd.METHOD,
    liv.METHOD,
    triplet.METHOD,
  )
}


def load_scorer(
  folder: str | pathlib.Path, checkpoint: str = "best"
) -> scorer.Scorer:
  """Returns the scorer of a run that `launch.train` wrote, of any method.

  Args:
    folder: the run folder; an exported reward will do too.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, or nothing saved in it yet.
    ValueError: the files are broken, or of a method that is not known.
  """
  folder = checks.path(folder)
  method = saved.find_method(folder)
  if method not in METHODS:
    raise ValueError(
      f"{folder} is of the method {method!r}; known: {', '.join(METHODS)}"
    )
  if method == adapt2reward.METHOD.name:  # In the form that the run chose.
    return reward.load(folder, checkpoint).scorer
  row = METHODS[method]
  run = saved.read_run(folder, checkpoint, with_extra=row.scores_by_extra)
  return row.make_scorer(run)

"""The table of a reproduction, written again and again as it grows."""

import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from a2r.core import checks, files
from a2r.evaluation import comparison, comparison_text, success
from a2r.runs import (
  jobs,
  reproduction,
  reproduction_checks,
  reproduction_steps,
)

_AT_LEAST_SECONDS = 20.0  # Between two writings, and ten times what one takes.
_ALWAYS = (
  "A cell's trials have the same random numbers in every row: seed s of a "
  "training is planned with seed s of the trials."
)
_CLOCK = (
  "The clock scores candidates of one length alike: the first is taken, which "
  "is a random one."
)
# None of these looks at pictures; the first two do not look at the task.
_BLIND = {
  "random": "random actions",
  "clock": "the clock",
  "ground_truth": "the true state",
}
_NO_TASK = ("random", "clock")
_RANDOM_WEIGHTS = (
  "First weights: random; the paper's are Singularity's, see --init."
)
_SAME_MOTION = (
  "Train, Test 1 and Test 2 differ in their looks alone: they are the same for "
  "{}."
)
_SAME_EPISODE = (
  "One episode is judged for all tasks of {}, which look at no task: their "
  "trials are fewer than they seem, and their intervals too narrow."
)
_MORE_DRAWS = (
  "Trials per task and seed differ, from {} to {}: rows with more of them are "
  "on more draws."
)


def reproduce(experiment: reproduction.Experiment, command: str) -> str:
  """Does what is missing of an experiment; returns the table.

  Args:
    experiment: what is asked for.
    command: the command line.

  Raises:
    ValueError: runs that are there have other settings, or parts failed; the
      others are done then.
  """
  reproduction_checks.check(experiment)
  steps = reproduction_steps.Steps(experiment)
  experiment.folder.mkdir(parents=True, exist_ok=True)
  work = reproduction.make_parts(experiment, steps)
  results = Results(experiment, steps, work, command)
  results.write()
  failed = {}
  for job in jobs.claim(work, experiment.folder):
    path = experiment.folder / "failures" / f"{job.name}.txt"
    try:
      job.run()
      if not job.is_done():
        raise RuntimeError(f"{job.name} left something undone")
      path.unlink(missing_ok=True)
    except Exception as error:  # One job's fault must not end the others.
      failed[job.name] = checks.one_line(error)
      jobs.print_line(f"{job.name} FAILED: {failed[job.name]}")
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text("".join(traceback.format_exception(error)), "utf-8")
    results.write_soon()
  table = results.write()
  if failed:
    print(table)
    name, error = next(iter(failed.items()))
    raise ValueError(
      f"{len(failed)} of {len(work)} parts failed, see "
      f"{experiment.folder / 'failures'}; the first: {name}: {error}"
    )
  return table


class Results:
  """Writes what is done so far."""

  def __init__(
    self,
    experiment: reproduction.Experiment,
    steps: Any,
    work: Sequence[jobs.Job],
    command: str,
  ):
    """Takes the experiment, its steps, its parts and the command line."""
    self._experiment = experiment
    self._steps = steps
    self._work = work
    self._command = command
    self._next = 0.0

  def write_soon(self):
    """`write`, but not every second."""
    if time.monotonic() < self._next:
      return
    began = time.monotonic()
    try:
      self.write()
    except Exception as error:  # The work is worth more than its table.
      text = f"results were not written: {checks.one_line(error)}"
      print(text, file=sys.stderr, flush=True)
    took = time.monotonic() - began
    self._next = time.monotonic() + max(_AT_LEAST_SECONDS, 10 * took)

  def write(self) -> str:
    """Writes results.md, .json and .png; returns the table as text."""
    asked = self._experiment
    with files.locked(asked.folder / "locks" / "results", wait=True):
      cells = self._steps.cells()
      record = comparison.write(
        cells,
        self._steps.qualities(),
        asked.folder,
        asked.name,
        self._notes(cells),
        size=asked.size,
        tasks=asked.tasks,
        command=self._command,
      )
    return comparison_text.summary(record)

  def _notes(self, cells: Sequence[success.TrialSet]) -> list[str]:
    asked = self._experiment
    settings = asked.settings
    notes = [
      f"Planner: {settings.method}, {settings.num_samples} candidates, "
      f"{settings.num_iterations} iterations, horizon {settings.horizon}, "
      f"{settings.num_plans} plans; the reward sees clips of the "
      f"{settings.clip}.",
      _ALWAYS,
    ]
    if "clock" in asked.methods:
      notes.append(_CLOCK)
    blind = [name for name in _BLIND if name in asked.methods]
    if blind and asked.name == "figure3":
      notes.append(_SAME_MOTION.format(_listed(blind)))
    no_task = [name for name in blind if name in _NO_TASK]
    if no_task:
      notes.append(_SAME_EPISODE.format(_listed(no_task)))
    counts = [cell.num_trials for cell in cells]
    if len(set(counts)) > 1:
      notes.append(_MORE_DRAWS.format(min(counts), max(counts)))
    if asked.init:
      notes.append(f"First weights: those of {asked.init}.")
    elif asked.size == "paper":
      notes.append(_RANDOM_WEIGHTS)
    done = sum(part.is_done() for part in self._work)
    if done < len(self._work):
      notes.append(
        f"Unfinished: {done} of {len(self._work)} parts of "
        f"{asked.num_seeds} seeds and {asked.num_trials} trials are done."
      )
    for path in sorted((asked.folder / "failures").glob("*.txt")):
      lines = path.read_text("utf-8").strip().splitlines()
      notes.append(f"Failed: {path.stem}: {lines[-1] if lines else 'unknown'}")
    return notes


def _listed(names: Sequence[str]) -> str:
  """`random actions, the clock and the true state`."""
  *others, last = (_BLIND[name] for name in names)
  return " and ".join(filter(None, (", ".join(others), last)))

"""The table of a reproduction, written again and again as it grows."""

import itertools
import time
import traceback
from collections.abc import Sequence

from a2r.core import checks, files
from a2r.evaluation import comparison, success
from a2r.runs import jobs, reproduction

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
    experiment: which figure or table.
    command: the command line.

  Raises:
    ValueError: runs that are there have other settings, or jobs failed; the
      others are done then.
  """
  experiment.check()
  experiment.folder.mkdir(parents=True, exist_ok=True)
  all_jobs = experiment.make_jobs()
  _write(experiment, all_jobs, command)
  failed, write_at = {}, 0.0
  for job in jobs.claim(all_jobs, experiment.folder):
    path = experiment.folder / "failures" / f"{job.name}.txt"
    try:
      job.run()
      if not job.is_done():
        raise RuntimeError(f"{job.name} left something undone")
      path.unlink(missing_ok=True)
    except files.DiskFullError:  # Which would end the others too.
      raise
    except Exception as error:  # One job's fault must not end the others.
      failed[job.name] = checks.one_line(error)
      jobs.print_line(f"{job.name} FAILED: {failed[job.name]}")
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text("".join(traceback.format_exception(error)), "utf-8")
    began = time.monotonic()
    if began >= write_at:
      try:
        _write(experiment, all_jobs, command)
      except Exception as error:  # The work is worth more than its table.
        jobs.print_line(f"results were not written: {checks.one_line(error)}")
      ended = time.monotonic()
      write_at = ended + max(_AT_LEAST_SECONDS, 10 * (ended - began))
  table = _write(experiment, all_jobs, command)
  if failed:
    print(table)
    name, error = next(iter(failed.items()))
    raise ValueError(
      f"{len(failed)} of {len(all_jobs)} jobs failed, see "
      f"{experiment.folder / 'failures'}; the first: {name}: {error}"
    )
  return table


def _write(experiment, all_jobs, command) -> str:
  """Writes results.md, .json and .png; returns the table as text."""
  with files.locked(experiment.folder / "locks" / "results", wait=True):
    sets, qualities = _read_sets(experiment), {}
    for run in experiment.runs():
      quality = experiment.read_quality(run)
      if quality is not None:
        key = f"{run.method}/{run.column}" if run.column else run.method
        qualities.setdefault(key, []).append(quality)
    record = comparison.make_record(
      sets,
      qualities,
      experiment.name,
      _make_notes(experiment, all_jobs, sets),
      size=experiment.size,
      tasks=experiment.tasks,
      command=command,
    )
    comparison.write(record, experiment.folder)
  return comparison.summary(record)


def _read_sets(experiment) -> list[success.TrialSet]:
  """Returns the trials of all finished jobs."""
  return [
    success.TrialSet(
      experiment=experiment.name,
      method=run.method,
      column=run.column or environment,
      environment=environment,
      task=task,
      seed=run.seed,
      dynamics=experiment.dynamics.dynamics,
      num_trials=count["num_trials"],
      num_successes=count["num_successes"],
    )
    for run, environment in itertools.product(
      experiment.runs(), experiment.environments()
    )
    if (counts := experiment.read_counts(run, environment)) is not None
    for task, count in zip(experiment.tasks, counts, strict=True)
  ]


def _make_notes(experiment, all_jobs, sets) -> list[str]:
  """Returns what a reader of the figures must know, one line each."""
  settings = experiment.settings
  notes = [
    f"Planner: {settings.method}, {settings.num_samples} candidates, "
    f"{settings.num_iterations} iterations, horizon {settings.horizon}, "
    f"{settings.num_plans} plans; the reward sees clips of the "
    f"{settings.clip}.",
    _ALWAYS,
  ]
  if "clock" in experiment.methods:
    notes.append(_CLOCK)
  blind = [name for name in _BLIND if name in experiment.methods]
  if blind and experiment.name == "figure3":
    notes.append(_SAME_MOTION.format(_listed(blind)))
  no_task = [name for name in blind if name in _NO_TASK]
  if no_task:
    notes.append(_SAME_EPISODE.format(_listed(no_task)))
  counts = {x.num_trials for x in sets}
  if len(counts) > 1:
    notes.append(_MORE_DRAWS.format(min(counts), max(counts)))
  if experiment.init:
    notes.append(f"First weights: those of {experiment.init}.")
  elif experiment.size == "paper":
    notes.append(_RANDOM_WEIGHTS)
  done = sum(job.is_done() for job in all_jobs)
  if done < len(all_jobs):
    notes.append(
      f"Unfinished: {done} of {len(all_jobs)} jobs of {experiment.num_seeds} "
      f"seeds and {experiment.num_trials} trials are done."
    )
  for path in sorted((experiment.folder / "failures").glob("*.txt")):
    lines = path.read_text("utf-8").strip().splitlines()
    notes.append(f"Failed: {path.stem}: {lines[-1] if lines else 'unknown'}")
  return notes


def _listed(names: Sequence[str]) -> str:
  """`random actions, the clock and the true state`."""
  *others, last = (_BLIND[name] for name in names)
  return " and ".join(filter(None, (", ".join(others), last)))

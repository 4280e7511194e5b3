"""Jobs whose results are kept: by several processes at once, killed or not.

A job says itself whether it is done, from what is on disk. It is held by a lock
while a process works on it; another one goes on with the next job and waits
only where nothing else is left.
"""

import contextlib
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from a2r.core import files

_WAIT_SECONDS = 2.0


class Job(NamedTuple):
  """A piece of work.

  Attributes:
    name: unlike all others; letters that a file name may have.
    is_done: whether nothing is left to do; cheap.
    run: does it; what was done before an end by force is found.
    needs: names of the jobs that have to be done before.
    kind: jobs of one kind take about the same time.
  """

  name: str
  is_done: Callable[[], bool]
  run: Callable[[], None]
  needs: tuple[str, ...] = ()
  kind: str = ""


def print_line(text: str):
  """Prints a line to stderr at once."""
  print(text, file=sys.stderr, flush=True)


def claim(
  jobs: Sequence[Job],
  folder: pathlib.Path,
  *,
  print_fn: Callable[[str], None] = print_line,
  sleep_fn: Callable[[float], None] = time.sleep,
) -> Iterator[Job]:
  """Yields what is to be done, in order, each job held while it is run.

  A job that is not done when the next one is asked for has failed. It is left,
  and so are the jobs that need it; a rerun tries it again.

  Args:
    jobs: all of them; a job comes after those that it needs.
    folder: its `locks` are those of the jobs.
    print_fn: shows a line.
    sleep_fn: waits so many seconds.
  """
  failed: set[str] = set()
  seconds: dict[str, list[float]] = {}
  while True:
    done = {job.name for job in jobs if job.is_done()}
    blocked = set(failed)
    for job in jobs:
      if blocked & set(job.needs):
        blocked.add(job.name)
    left = [job for job in jobs if job.name not in done | blocked]
    if not left:
      return
    for job in left:
      if not set(job.needs) <= done:
        continue
      with contextlib.ExitStack() as stack:
        try:
          stack.enter_context(files.locked(folder / "locks" / job.name))
        except ValueError:  # Another process has it.
          continue
        if not job.is_done():
          progress = f"{len(done)}/{len(jobs)} done{_time_left(left, seconds)}"
          print_fn(f"{job.name} ({progress})")
          began = time.monotonic()
          yield job
          took = time.monotonic() - began
          if job.is_done():
            seconds.setdefault(job.kind, []).append(took)
            print_fn(f"{job.name} took {took:.0f} s")
          else:
            failed.add(job.name)
      break
    else:
      sleep_fn(_WAIT_SECONDS)


def _time_left(left: Sequence[Job], seconds: dict[str, list[float]]) -> str:
  """What is left for this process alone, of the kinds that it knows."""
  known = [seconds[job.kind] for job in left if job.kind in seconds]
  if not known:
    return ""
  total = sum(sum(times) / len(times) for times in known)
  more = "" if len(known) == len(left) else ", and jobs of unknown length"
  return f"; {total / 60:.0f} min left for one process{more}"

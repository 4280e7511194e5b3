"""Work in parts that are kept: by several processes at once, killed or not.

A part says itself whether it is done, from what is on disk. It is held by a
lock while a process works on it; another one goes on with the next part and
waits only where nothing else is left.
"""

import contextlib
import pathlib
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

from a2r.core import checks, files

_WAIT_SECONDS = 2.0


class Part(NamedTuple):
  """A piece of work.

  Attributes:
    name: unlike all others; letters that a file name may have.
    is_done: whether nothing is left to do; cheap.
    run: does it; what was done before an end by force is found.
    needs: names of the parts that have to be done before.
    kind: parts of one kind take about the same time.
  """

  name: str
  is_done: Callable[[], bool]
  run: Callable[[], None]
  needs: tuple[str, ...] = ()
  kind: str = ""


def work(
  parts: Sequence[Part],
  folder: pathlib.Path,
  *,
  after: Callable[[], None] = lambda: None,
  keep_going: bool = True,
  say: Callable[[str], None] | None = None,
  sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
  """Does all parts that can be done, in order.

  A part that fails is left; the others go on, but for those that need it. A
  rerun tries it again. Without `keep_going` its error is raised.

  Args:
    parts: what there is to do; a part comes after those that it needs.
    folder: for locks and for what failed.
    after: called after every part that this process has done.
    keep_going: whether the others go on where one failed.
    say: shows a line; stderr by default.
    sleep: waits so many seconds.

  Returns:
    Name of each part that failed here -> the error in one line.
  """
  say = say or _print
  failed: dict[str, str] = {}
  seconds: dict[str, list[float]] = {}
  while True:
    done = {part.name for part in parts if part.is_done()}
    left = [
      part
      for part in parts
      if part.name not in done and not failed.keys() & {part.name, *part.needs}
    ]
    left = _without_blocked(left, parts, failed)
    if not left:
      return failed
    ready = [part for part in left if set(part.needs) <= done]
    progress = f"{len(done)}/{len(parts)} done{_time_left(left, seconds)}"
    doing = _Doing(folder, failed, seconds, after, keep_going, say, progress)
    if not any(_try(part, doing) for part in ready):
      sleep(_WAIT_SECONDS)


def _without_blocked(left, parts, failed):
  """The parts that do not need a failed one, not even by way of others."""
  blocked = set(failed)
  for part in parts:
    if blocked & set(part.needs):
      blocked.add(part.name)
  return [part for part in left if part.name not in blocked]


def _time_left(left: Sequence[Part], seconds: dict[str, list[float]]) -> str:
  """What is left for this process alone, of the kinds that it knows."""
  known = [part for part in left if part.kind in seconds]
  if not known:
    return ""
  total = sum(
    sum(seconds[part.kind]) / len(seconds[part.kind]) for part in known
  )
  more = "" if len(known) == len(left) else ", and parts of unknown length"
  return f"; {total / 60:.0f} min left for one process{more}"


class _Doing(NamedTuple):
  """What `work` hands on."""

  folder: pathlib.Path
  failed: dict[str, str]
  seconds: dict[str, list[float]]
  after: Callable[[], None]
  keep_going: bool
  say: Callable[[str], None]
  progress: str


def _try(part: Part, doing: _Doing) -> bool:
  """Whether the part was free; if so it is done or failed now."""
  folder, say = doing.folder, doing.say
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(files.locked(folder / "locks" / part.name))
    except ValueError:
      return False
    if part.is_done():
      return True
    say(f"{part.name} ({doing.progress})")
    began = time.monotonic()
    try:
      part.run()
      if not part.is_done():
        raise RuntimeError(f"{part.name} left something undone")
    except Exception as error:  # One part's fault must not end the others.
      if not doing.keep_going:
        raise
      doing.failed[part.name] = _tell(part.name, error, folder)
      say(f"{part.name} FAILED: {doing.failed[part.name]}")
      return True
    (folder / "failures" / f"{part.name}.txt").unlink(missing_ok=True)
    took = time.monotonic() - began
    doing.seconds.setdefault(part.kind, []).append(took)
    say(f"{part.name} took {took:.0f} s")
  doing.after()
  return True


def _tell(name: str, error: Exception, folder: pathlib.Path) -> str:
  """Keeps where an error came from; returns it in one line."""
  path = folder / "failures" / f"{name}.txt"
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("".join(traceback.format_exception(error)), "utf-8")
  return checks.one_line(error)


def _print(text: str):
  print(text, file=sys.stderr, flush=True)

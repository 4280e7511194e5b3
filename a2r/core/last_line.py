"""One line in place of JAX's log when the processes of a run lose each other.

JAX's coordination client logs many lines in C++ then and aborts the process,
past all Python code. So stderr goes through another process, this file run as
a program, which leaves those lines out and says what they mean. It needs the
standard library alone, so that it starts at once.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator

LOST = (
  "another process of this run has died or cannot be reached, so this one ends "
  "too; the same commands go on from the last checkpoint"
)
_CAUSES = {
  "Unexpected task registered": "the coordinator expects fewer processes than "
  "--process_index says: this one is one too many",
  "different incarnation": "a process has come whose --process_index another "
  "one of this run has: start them again, each with its own",
  "DEADLINE_EXCEEDED": "not all processes have come within five minutes: start "
  "--num_processes of them, all with the same --coordinator",
}
_CONNECTED = re.compile(r"\[Gloo\]|connected to \d+ peer ranks")
_LOG = re.compile(r"([IWEF])\d{4} [\d:.]+ +\d+ (coordination_|client\.h)")


def shorten(lines: Iterable[str], program: str) -> Iterator[str]:
  """Yields the lines, those of JAX's last log as one.

  Args:
    lines: of stderr.
    program: its name, which its own messages begin with.
  """
  cause, is_log, is_lost, is_said = LOST, False, False, False
  for line in lines:
    found = _LOG.match(line)
    if found:
      is_log, is_lost = True, is_lost or found[1] == "F"
      if cause == LOST:
        known = (text for part, text in _CAUSES.items() if part in line)
        cause = next(known, LOST)
    elif line.startswith(f"{program}: ") and LOST in line:
      is_said = True
      yield line
    elif not is_lost and not _CONNECTED.search(line):
      is_log = is_log and not line.startswith(program)
      if not is_log:
        yield line
  if is_lost and not is_said:
    yield f"{program}: {cause}\n"


class Filter:
  """Sends this process's stderr, C++'s too, through `shorten`."""

  def __init__(self, program: str):
    """Begins; what is written goes on if this process dies."""
    sys.stderr.flush()
    self._stderr = os.dup(2)
    self._reader = subprocess.Popen(
      [sys.executable, "-I", "-S", __file__, program],
      stdin=subprocess.PIPE,
      stdout=self._stderr,
      start_new_session=True,  # A Ctrl-C is not for it.
    )
    os.dup2(self._reader.stdin.fileno(), 2)
    self._reader.stdin.close()

  def close(self):
    """Ends it, when all is written."""
    sys.stderr.flush()
    os.dup2(self._stderr, 2)
    os.close(self._stderr)
    self._reader.wait()


def _main():
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  for line in shorten(sys.stdin, sys.argv[1]):
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
  _main()

"""What the fuzz is made of: cases, how they end, and what they may use.

A case takes something valid, changes it by a rule, and knows what must come of
it. It ends in one of five ways:

  line       a mistake is told: one line that names it, and exit code 2 or an
             error of a documented kind
  valid      it went on, and what came of it is right
  traceback  an error that is no documented one, or an exit code of its own
  vague      an error of a documented kind whose text does not name the thing
  silent     it went on although it should not have, or to a wrong result
  hang       longer than a generous limit
"""

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

GOOD = ("line", "valid")
OUTCOMES = (*GOOD, "traceback", "vague", "silent", "hang")
MISTAKES = (ValueError, KeyError, OSError)
_SECONDS = 60


class Case(NamedTuple):
  """One input.

  Attributes:
    door: what it is given to.
    name: unlike all others of the door; tells the input.
    run: gives it; returns 'line' or 'valid', or raises what went wrong.
  """

  door: str
  name: str
  run: Callable[["Tools"], str]


class Silent(Exception):  # noqa: N818  It is an outcome.
  """Nothing was said of an input that is wrong, or the result is."""


class Vague(Exception):  # noqa: N818  As well.
  """The message does not name what is wrong."""


class Started(BaseException):
  """Costly work was begun: all checks were passed."""


class _Hang(BaseException):
  pass


class Tools(NamedTuple):
  """What a case may use.

  Attributes:
    path: an empty folder.
    launch: the fixture of that name.
    things: function of a name to something valid that is made once.
    patch: pytest's monkeypatch.
  """

  path: Any
  launch: Callable[..., Any]
  things: Callable[[str], Any]
  patch: Any

  def refused(
    self, call: Callable[[], Any], *names: str, errors=MISTAKES
  ) -> str:
    """What must raise one of `errors` in one line with all `names`."""
    try:
      result = call()
    except errors as error:
      return told(_text(error), names)
    raise Silent(f"it returned {result!r:.200}")

  def either(
    self, call: Callable[[], Any], check: Callable[[Any], bool], *names: str
  ) -> str:
    """What is refused as above, or returns what `check` finds right."""
    try:
      result = call()
    except MISTAKES as error:
      return told(_text(error), names)
    if not check(result):
      raise Silent(f"a wrong result: {result!r:.200}")
    return "valid"

  def command(
    self,
    program: str,
    *arguments: Any,
    names: Sequence[str] = (),
    refuse: bool = True,
    check: Callable[[str], bool] = lambda out: True,
  ) -> str:
    """Runs a program of `launch`.

    Args:
      program: its name.
      *arguments: of its command line.
      names: what its one line must hold.
      refuse: whether it has to be a mistake.
      check: of what is printed by a program that went on.
    """
    try:
      done = self.launch(program, *arguments)
    except Started as started:
      if refuse:
        raise Silent(f"it began with {started}") from None
      return "valid"
    lines = [
      line
      for line in done.err.splitlines()
      if not line.startswith("NOTE:") and "clips/s" not in line  # Progress.
    ]
    if done.code == 2:
      if not lines or not lines[-1].startswith(f"{program}: "):
        raise Vague(f"no line of its own: {done.err[-300:]!r}")
      if len(lines) > 1:
        raise Vague(f"more than one line: {done.err[-500:]!r}")
      return told(lines[-1], names)
    if done.code not in (0, None):
      raise AssertionError(f"exit code {done.code}: {done.err[-300:]!r}")
    if refuse:
      raise Silent(f"exit code 0: {done.out[-200:]!r} {done.err[-200:]!r}")
    if not check(done.out + done.err):
      raise Silent(f"a wrong result: {done.out[-300:]!r} {done.err[-200:]!r}")
    return "valid"


def _text(error: BaseException) -> str:
  return str(error.args[0] if isinstance(error, KeyError) else error)


def told(message: str, names: Sequence[str]) -> str:
  """Checks a message: one line, all names in it, none of Python's."""
  missing = [n for n in names if str(n).lower() not in message.lower()]
  if missing:
    raise Vague(f"{missing} not in {message!r}")
  # Differences of two trees are listed below what is told.
  head, _, differences = message.strip().partition("\n")
  if not head or (differences and not differences.startswith("  ")):
    raise Vague(f"not one line: {message!r}")
  for words in ("object has no attribute", "unsupported operand", "0x7f"):
    if words in message:
      raise Vague(f"Python's words: {message!r}")
  return "line"


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
  """Ends what takes too long."""

  def stop(*_):
    raise _Hang

  before = signal.signal(signal.SIGALRM, stop)
  signal.alarm(seconds)
  try:
    yield
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def judge(case: Case, tools: Tools) -> tuple[str, str]:
  """Runs a case; returns how it ended, of `OUTCOMES`, and what was said."""
  try:
    with _limited(_SECONDS):
      return case.run(tools), ""
  except Silent as error:
    return "silent", str(error)
  except Vague as error:
    return "vague", str(error)
  except _Hang:
    return "hang", f"more than {_SECONDS} s"
  except (Exception, Started) as error:  # Whatever it is: that is the fault.
    return "traceback", f"{type(error).__name__}: {error!s:.300}"


def flip(path, rng: np.random.Generator, num: int = 1):
  """Flips random bits of a file."""
  content = bytearray(path.read_bytes())
  for _ in range(num if content else 0):
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
  path.write_bytes(content)


def cut(path, share: float):
  """Keeps the first part of a file."""
  content = path.read_bytes()
  path.write_bytes(content[: int(len(content) * share)])

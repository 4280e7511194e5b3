"""Being asked to stop (SIGTERM, Ctrl-C) without losing work, and in time.

Two manners, which nest. Under `raising`, the request interrupts whatever runs
with `StopRequested`: right where everything is written all or nothing. Under
`deferring`, the request is only noted and the work asks for it between two
steps: right for a training loop. A second Ctrl-C always interrupts.

Neither is sure to end a program: Python handles a signal between two of its
instructions, so a compilation of a minute comes first; and an exception that is
raised inside a library's callback (JAX has one for Python's collection of
garbage) or a bare `except` is lost. So programs `watch` too.
"""

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A Cloud TPU that is preempted, Kubernetes and Slurm kill 30 s after they have
# asked; the rest is left to a busy machine.
_SECONDS_TO_STOP = 20.0
_SECONDS_TO_RAISE = 1.0
_SECONDS_TO_FLUSH = 2.0
_ENDING = threading.RLock()
_LISTENERS: list[Callable[[], None]] = []


class StopRequested(BaseException):
  """The process was asked to stop; not an error, so no `except` hides it."""


@functools.cache
def watch(seconds: float = _SECONDS_TO_STOP):
  """From now on a request to stop ends this process in time, with code 0.

  At once where neither `raising` nor `deferring` is in force; else the main
  thread has `seconds` to save and to end, then it is ended, whatever it does.
  Nothing is lost by that: files appear whole or not at all. A `StopRequested`
  that a library lost is raised again.

  Args:
    seconds: from the request to the end.
  """
  receiver, sender = os.pipe()
  os.set_blocking(sender, False)

  def wait():
    while (signum := os.read(receiver, 1)[0]) not in _SIGNALS:
      pass
    for listener in _LISTENERS:
      threading.Thread(target=listener, daemon=True).start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
      time.sleep(min(_SECONDS_TO_RAISE, seconds))
      if getattr(signal.getsignal(signal.SIGTERM), "raises", False):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
    end(0, stopped_line(signal.Signals(signum).name))

  def tell(unraisable, hook=sys.unraisablehook):
    if not isinstance(unraisable.exc_value, StopRequested):
      hook(unraisable)

  def handle(signum, frame):
    del frame
    end(0, stopped_line(signal.Signals(signum).name))

  threading.Thread(target=wait, daemon=True).start()
  sys.unraisablehook = tell
  for signum in _SIGNALS:
    signal.signal(signum, handle)
  # Written to when the signal comes, not when Python has time for it.
  signal.set_wakeup_fd(sender, warn_on_full_buffer=False)


def listen(listener: Callable[[], None]):
  """Has `listener` called, in a thread, when a `watch`ed request comes."""
  _LISTENERS.append(listener)


def stopped_line(why: object) -> str:
  """Returns what a program says at last that was asked to stop."""
  return f"Stopped ({why}). The same command goes on from there."


def end(code: int, text: str = ""):
  """Ends the process at once; what is printed appears, if it is read.

  Nothing else happens: libraries whose threads are still at work, which crash
  when they are taken down, are not.

  Args:
    code: the exit code.
    text: a last line for stderr.
  """

  def flush():
    with contextlib.suppress(OSError, ValueError):
      if text:
        print(text, file=sys.stderr)
      sys.stderr.flush()
      sys.stdout.flush()

  with _ENDING:  # Who comes second waits here for the end.
    # A thread: nobody may read what is printed, which then takes forever.
    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    thread.join(_SECONDS_TO_FLUSH)
    os._exit(code)


@contextlib.contextmanager
def raising() -> Iterator[None]:
  """Makes a request to stop raise `StopRequested` inside.

  It comes out as such even where a library made another error of it.
  """
  received = []

  def handle(signum, frame):
    del frame
    if signum == signal.SIGTERM and _is_leaving():
      return
    received.append(signal.Signals(signum).name)
    raise StopRequested(received[0])

  handle.raises = True
  try:
    with _handlers(handle):
      yield
  except Exception as error:
    if received:
      raise StopRequested(received[0]) from error
    raise


def _is_leaving() -> bool:
  """Whether this thread tidies up because it was asked to stop."""
  error = sys.exc_info()[1]
  while error is not None and not isinstance(error, StopRequested):
    error = error.__context__
  return error is not None


@contextlib.contextmanager
def deferring() -> Iterator[Callable[[], bool]]:
  """Notes a request to stop inside; yields `requested() -> bool`."""
  received = []

  def handle(signum, frame):
    del frame
    if signum == signal.SIGINT and signal.SIGINT in received:
      raise StopRequested("SIGINT")
    received.append(signum)

  with _handlers(handle):
    yield lambda: bool(received)


@contextlib.contextmanager
def _handlers(handle: Callable) -> Iterator[None]:
  """Installs `handle` and puts the old handlers back at the end."""
  if threading.current_thread() is not threading.main_thread():
    yield  # Python delivers signals to the main thread only.
    return
  previous = {signum: signal.signal(signum, handle) for signum in _SIGNALS}
  try:
    yield
  finally:
    for signum, handler in previous.items():
      signal.signal(signum, handler)

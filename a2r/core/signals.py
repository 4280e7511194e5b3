"""Being asked to stop (SIGTERM, Ctrl-C) without losing work.

Two manners, which nest. Under `raising`, the request interrupts whatever runs
with `StopRequested`: right where everything is written all or nothing. Under
`deferring`, the request is only noted and the work asks for it between two
steps: right for a training loop. A second Ctrl-C always interrupts.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequested(BaseException):
  """The process was asked to stop; not an error, so no `except` hides it."""


@contextlib.contextmanager
def raising() -> Iterator[None]:
  """Makes a request to stop raise `StopRequested` inside."""

  def handle(signum, frame):
    del frame
    raise StopRequested(signal.Signals(signum).name)

  with _handlers(handle):
    yield


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

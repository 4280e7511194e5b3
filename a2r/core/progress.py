"""What a run shows while it works.

On a terminal: one bar with the loss terms, the speed and the time left. In a
log file or a pipe: a plain line per report, for bars make bad logs.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

import tqdm


class Timer:
  """Speed of a loop, and the share of its time that it waits for data."""

  def __init__(self):
    self.restart()

  def restart(self) -> float:
    """Returns the seconds since the last start, and counts anew."""
    now = time.monotonic()
    seconds = now - getattr(self, "_began", now)
    self._began, self._waited, self._paused, self._steps = now, 0.0, 0.0, 0
    return seconds

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """Counts what is inside as one step's wait for data."""
    began = time.monotonic()
    yield
    self._waited += time.monotonic() - began
    self._steps += 1

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Leaves what is inside out of the time."""
    began = time.monotonic()
    yield
    self._paused += time.monotonic() - began

  def rates(self) -> dict[str, float]:
    """Returns the numbers since the last start, and counts anew.

    Nothing if no step was made.
    """
    if not self._steps:
      return {}
    seconds = time.monotonic() - self._began - self._paused
    rates = {
      "steps_per_second": self._steps / max(seconds, 1e-9),
      "data_wait": self._waited / max(seconds, 1e-9),
    }
    self.restart()
    return rates


class Progress:
  """Shows how far a piece of work has come; use as a context manager."""

  def __init__(self, total: int, *, start: int = 0, name: str = "train"):
    """Shows `name` in front, and that `start` of `total` steps are done."""
    self._name, self._total, self._done = name, total, start
    # The first step is left out of the speed: it is compiled.
    self._first, self._began = None, None
    self._bar = tqdm.tqdm(
      total=total,
      initial=start,
      desc=name,
      unit="step",
      dynamic_ncols=True,
      smoothing=0.1,
      disable=not sys.stderr.isatty(),
    )

  def __enter__(self) -> "Progress":
    return self

  def __exit__(self, *exc_info):
    self.close()

  def close(self):
    """Ends the bar."""
    self._bar.close()

  def advance(self):
    """Counts a step that is done."""
    self._done += 1
    if self._first is None:
      self._first, self._began = self._done, time.monotonic()
    self._bar.update()

  def report(self, metrics: Mapping[str, float]):
    """Shows numbers beside the bar, or as a line of their own."""
    text = " ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    if not self._bar.disable:
      self._bar.set_postfix_str(text)
      return
    if self._first is not None and self._done > self._first:
      speed = (self._done - self._first) / (time.monotonic() - self._began)
      text += f" ({(self._total - self._done) / speed:.0f} s left)"
    self.say(f"{self._done}/{self._total} {text}")

  def say(self, text: str):
    """Shows a line that stays."""
    self._bar.write(f"{self._name}: {text}", file=sys.stderr)

"""Requests to stop: they nest, and they end a program whatever it does."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from a2r.core import signals

_WATCHED = """
import atexit, hashlib, os, sys, time
from a2r.core import signals
signals.watch(float(sys.argv[1]))
atexit.register(print, "atexit")
def work():
  os.write(1, b"working\\n")
def block():
  hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # Minutes of C.
"""
_STOPPED = "Stopped (SIGTERM). The same command goes on from there.\n"


def _terminate(program, seconds=20.0):
  """Starts a program, asks it to stop when it works; returns how it ended."""
  process = subprocess.Popen(
    [sys.executable, "-c", _WATCHED + program, str(seconds)],
    cwd=pathlib.Path(__file__).parents[2],
    env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout.readline() == "working\n"
  began = time.monotonic()
  process.terminate()
  process.wait(timeout=30)
  took = time.monotonic() - began
  with process.stdout, process.stderr:
    out, err = process.stdout.read(), process.stderr.read()
  return process.returncode, out, err, took


@pytest.mark.parametrize(
  "program",
  [
    # It may be asked just before it is where Python cannot answer.
    """
with signals.raising():
  try: work(); block()
  finally: block()
""",
    "with signals.deferring(): work(); block()",
    # Nobody reads what it prints.
    "with signals.deferring(): work(); print('x' * 10**6)",
  ],
)
def test_a_program_that_cannot_stop_is_ended_in_time(program):
  code, out, err, took = _terminate(program, seconds=1.0)
  assert (code, err) == (0, _STOPPED)
  assert "atexit" not in out
  assert 0.9 < took < 10


@pytest.mark.parametrize(
  "lose",
  [
    """
def lose():
  try: work(); time.sleep(60)
  except: pass
""",
    # As Python calls a library's callbacks.
    """
class lose:
  def __del__(self): work(); time.sleep(60)
""",
  ],
)
def test_a_request_that_a_library_loses_is_raised_again(lose):
  code, _, err, took = _terminate(f"""{lose}
signals._SECONDS_TO_RAISE = 0.1
try:
  with signals.raising(): lose(); time.sleep(60)
except signals.StopRequested:
  signals.end(0, "it stopped")
""")
  assert (code, err) == (0, "it stopped\n")
  assert took < 10


def test_tidying_up_is_not_interrupted():
  code, out, err, _ = _terminate("""
signals._SECONDS_TO_RAISE = 0.1
import contextlib
@contextlib.contextmanager
def tidy():
  try: yield
  finally: time.sleep(0.3); print("tidy")
try:
  with signals.raising(), tidy():
    try: work(); time.sleep(60)
    except signals.StopRequested as stopped: raise ImportError from stopped
except signals.StopRequested:
  signals.end(0, "it stopped")
""")
  assert (code, out, err) == (0, "tidy\n", "it stopped\n")


def test_with_nothing_in_force_a_program_ends_at_once():
  code, out, err, _ = _terminate("print('so far'); work(); time.sleep(60)")
  assert (code, out, err) == (0, "so far\n", _STOPPED)


def test_what_is_saved_in_time_is_saved():
  code, out, err, _ = _terminate("""
with signals.deferring() as requested:
  work()
  while not requested(): time.sleep(0.01)
  time.sleep(0.5)
  print("saved")
signals.end(0, "the end")
""")
  assert (code, out, err) == (0, "saved\n", "the end\n")


def test_requests_to_stop_nest():
  with pytest.raises(signals.StopRequested, match="SIGTERM"), signals.raising():
    with signals.deferring() as requested:
      assert not requested()
      os.kill(os.getpid(), signal.SIGTERM)
      assert requested()
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_request_that_became_another_error_is_one():
  with pytest.raises(signals.StopRequested, match="SIGTERM"), signals.raising():
    try:
      os.kill(os.getpid(), signal.SIGTERM)
    except signals.StopRequested:
      raise ImportError("initialization failed") from None
  with pytest.raises(ImportError), signals.raising():
    raise ImportError

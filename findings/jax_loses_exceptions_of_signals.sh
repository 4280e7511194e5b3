#!/usr/bin/env bash
# One would guess: an exception that a signal handler raises (Ctrl-C's KeyboardInterrupt, a job's request to stop) reaches the program, as it does without JAX.
# What happens: importing jax 0.10.2 adds a callback to Python's garbage collector; an exception raised while it runs is printed as "ignored" and lost.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/lose.py" <<'PY'
"""Counts the requests that arrive, of 400 made while garbage is collected."""

import gc
import signal
import sys
import time

if sys.argv[1] == "jax":
  import jax

  print("jax", jax.__version__)


class Request(BaseException):
  """What the signal handler raises."""


def handle(signum, frame):
  raise Request


lost = []
sys.unraisablehook = lambda told: lost.append(told.exc_type)
signal.signal(signal.SIGALRM, handle)
gc.freeze()  # So that collecting is short and the callback a good part of it.
arrived = 0
for number in range(400):
  try:
    signal.setitimer(signal.ITIMER_REAL, 0.0002 + 1e-6 * number)
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
      gc.collect(0)
  except Request:
    arrived += 1
  signal.setitimer(signal.ITIMER_REAL, 0)
num_lost = sum(kind is Request for kind in lost)
print(f"{sys.argv[1]}: {arrived} arrived, {num_lost} lost")
sys.exit(0 if (num_lost > 0) == (sys.argv[1] == "jax") else 1)
PY
cd "$folder"
venv/bin/python lose.py python
venv/bin/python lose.py jax

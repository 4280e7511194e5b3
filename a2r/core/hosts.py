"""Several processes as one run: how they meet, agree, and end together.

Process 0 is the writer: the run folder is its own, and it alone validates and
judges. The others train with it; what they would write goes to a folder that
is thrown away. `exchange` is how all agree on what decides the way of a run.

A process that is asked to stop has all stop, and one that fails tells the
others why. One that dies cannot: its connections break, or JAX misses its signs
of life for `_SILENCE` seconds and ends the process, see `last_line.py`.
"""

import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

# The coordinator's client, which waits without a device, has no public name.
from jax._src import distributed

from a2r.core import checks, files, last_line, parallel, signals

_VARIABLES = {
  "coordinator": "JAX_COORDINATOR_ADDRESS",
  "num_processes": "JAX_NUM_PROCESSES",
  "process_index": "JAX_PROCESS_ID",
}
_SILENCE = 25  # Seconds without a sign of life after which a process is dead.
_GRACE = 2.0  # Seconds that process 0 leaves the others to end before it does.
_SLICE = 500  # Milliseconds of a wait between two looks at signals.
# Keys: how many processes there are, that one was asked to stop, that one has
# left before the end. Those of `exchange` are numbers.
_COUNT, _STOP, _END = "a2r/count", "a2r/stop", "a2r/end"
_FOREVER = 2**31 - 1  # Milliseconds.
# What collectives say of a connection that is gone.
_LOST = re.compile("Gloo|NCCL|UNAVAILABLE|[Cc]onnection|[Ss]ocket closed")


class Place(NamedTuple):
  """A process among those of a run; None is for JAX to find out.

  Attributes:
    coordinator: host:port of process 0.
    num_processes: of the run.
    process_index: of this one.
  """

  coordinator: str | None = None
  num_processes: int | None = None
  process_index: int | None = None


class _Meeting:
  """What this process knows of the others."""

  def __init__(self, program: str):
    state = distributed.global_state
    self.program, self.client = program, state.client
    self.index, self.count = state.process_id, state.num_processes
    self.numbers = itertools.count()  # Of exchanges.
    self.is_stopping = False  # This process or another was asked to.
    self.has_lost = False  # Another process has left.
    self.is_ending = False


_meeting: _Meeting | None = None


def read_place(given: Place, environ: Mapping[str, str] = os.environ) -> Place:
  """Returns the place that flags and JAX's variables give.

  Args:
    given: by flags.
    environ: the variables.

  Raises:
    ValueError: they contradict each other, or make no sense.
  """
  values = {}
  for name, variable in _VARIABLES.items():
    value, other = getattr(given, name), environ.get(variable) or None
    if other is not None and name != "coordinator":
      if not other.isdecimal():
        raise ValueError(f"{variable}={other!r} is not a number")
      other = int(other)
    if None not in (value, other) and value != other:
      raise ValueError(
        f"--{name}={value} and {variable}={other} contradict each other: give "
        "one of them"
      )
    values[name] = other if value is None else value
  coordinator, count, index = values.values()
  host, _, port = (coordinator or "host:1").rpartition(":")
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise ValueError(
      f"--coordinator={coordinator} must be host:port of process 0, the same "
      "for all processes"
    )
  if count is not None:
    checks.at_least("--num_processes", count, 1)
  if index is not None and not 0 <= index < (count or index + 1):
    raise ValueError(
      f"--process_index={index} must be below --num_processes={count}, and 0 "
      "or more"
    )
  return Place(**values)


def is_writer() -> bool:
  """Whether this process is the one that writes: 0, or the only one."""
  return _meeting is None or _meeting.index == 0


def count() -> int:
  """Returns the number of processes of the run."""
  return 1 if _meeting is None else _meeting.count


def exchange(value: Any = None) -> list[Any]:
  """Returns what all processes gave, in their order; waits for them.

  All must call it, equally often.

  Args:
    value: what JSON holds.

  Raises:
    signals.StopRequested: another process was asked to stop, and has left.
  """
  if _meeting is None:
    return [value]
  number, index, client = (
    next(_meeting.numbers),
    _meeting.index,
    _meeting.client,
  )
  client.key_value_set(f"a2r/{number}/{index}", json.dumps(value))
  if number > 1:  # All have read it, for all have come to the one after it.
    client.key_value_delete(f"a2r/{number - 2}/{index}")
  values = [_wait_for(f"a2r/{number}/{i}") for i in range(_meeting.count)]
  return [json.loads(value) for value in values]


def check_same(what: str, value: Any):
  """Fails, on all processes, where one has another value than process 0.

  Args:
    what: has the value, for the error.
    value: what JSON holds.

  Raises:
    ValueError: names the process.
  """
  first, *others = exchange(value)
  for index, other in enumerate(others, start=1):
    if other != first:
      raise ValueError(
        f"{what} of process {index} is not that of process 0 "
        f"({str(other)[:60]}, not {str(first)[:60]}): all must have the same"
      )


def broadcast(tree: Any) -> Any:
  """Returns the writer's tree of arrays, bit for bit, on all processes.

  To be called where requests to stop are deferred.

  Args:
    tree: of equal shapes and dtypes everywhere; the values of the others than
      the writer do not count.
  """
  exchange()  # None may wait for one that has left.
  return tree if _meeting is None else parallel.broadcast(tree)


@contextlib.contextmanager
def joined(
  place: Place, workdir: pathlib.Path, program: str
) -> Iterator[pathlib.Path]:
  """Makes this process one of a run; yields the folder that it may write to.

  That is the run folder for process 0, held by it, and one that is thrown away
  for the others, which are told where the run folder is. At the end all wait
  for each other; one that fails ends all.

  Args:
    place: of this process.
    workdir: the run folder.
    program: its name, which its messages begin with.

  Raises:
    ValueError: not all processes can be found, or they do not fit together.
    ConnectionError: another one has died.
  """
  global _meeting
  with contextlib.ExitStack() as stack:
    if place.process_index is not None:
      own = stack.enter_context(_held(workdir, place.process_index))
    stderr = last_line.Filter(program)
    try:
      _initialize(place)
    except ValueError:
      stderr.close()
      raise
    _meeting = _Meeting(program)
    for key in (_STOP, _END):
      listener = threading.Thread(target=_listen, args=(_meeting, key))
      listener.daemon = True
      listener.start()
    signals.listen(_pass_on)
    try:
      if place.process_index is None:
        own = stack.enter_context(_held(workdir, _meeting.index))
      _introduce(workdir)
      yield own
      exchange()
    except signals.StopRequested:
      _tell(_END)
      _leave(stderr)
      raise
    except BaseException as error:
      _meeting.is_ending = True
      _tell(_END, error=checks.one_line(error))
      if _meeting.is_stopping:  # Faults must come, for all end one by one.
        raise signals.StopRequested("with the others") from error
      if is_writer():
        time.sleep(_GRACE)
      is_jax = isinstance(error, jax.errors.JaxRuntimeError)
      if is_jax and _LOST.search(str(error)):
        raise ConnectionError(last_line.LOST) from error
      raise
    _leave(stderr)


def _initialize(place: Place):
  """Starts `jax.distributed`, which finds out what is not given."""
  # It would take SIGTERM away from `signals`.
  jax.config.update("jax_enable_preemption_service", False)
  lacks = [name for name, value in place._asdict().items() if value is None]
  try:
    jax.distributed.initialize(
      *place,
      cluster_detection_method=None if lacks else "deactivate",
      heartbeat_timeout_seconds=_SILENCE,
    )
  except (ValueError, RuntimeError) as error:
    names = ", ".join(f"--{name} (or {_VARIABLES[name]})" for name in lacks)
    remedy = (
      f": give {names}, or start it by Slurm, Open MPI, on a TPU or in "
      "Kubernetes (with its Python package)"
    )
    raise ValueError(
      f"no other processes found ({checks.one_line(error)})"
      + remedy * bool(lacks)
    ) from error


@contextlib.contextmanager
def _held(workdir: pathlib.Path, index: int) -> Iterator[pathlib.Path]:
  """Holds the folder of a process, that of no other."""
  own = workdir / f".process-{index}" if index else workdir
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(files.locked(own))
    except ValueError:
      raise ValueError(
        f"process {index} of the run in {workdir} is at work already: this "
        "one is one too many, or has the wrong --process_index"
      ) from None
    try:
      yield own
    finally:
      if index:
        shutil.rmtree(own, ignore_errors=True)
        with contextlib.suppress(OSError):  # It is the run folder.
          workdir.rmdir()


def _introduce(workdir: pathlib.Path):
  """Has all meet, checks that they fit, and tells where the run folder is."""
  index, count, client = _meeting.index, _meeting.count, _meeting.client
  if is_writer():
    client.key_value_set(_COUNT, str(count))
  if (expected := int(_wait_for(_COUNT))) != count:
    raise ValueError(
      f"--num_processes={count} of process {index} is not that of process 0, "
      f"{expected}: all must have the same"
    )
  check_same("the number of devices", jax.local_device_count())
  with signals.deferring() as stop_requested:
    # On CPUs all must connect within 30 s: so here, where nothing is compiled
    # for long. What is logged of it to stdout goes where it is left out.
    stdout = os.dup(1)
    os.dup2(2, 1)
    broadcast(np.zeros(1, np.float32))
    os.dup2(stdout, 1)
    os.close(stdout)
    place = exchange(f"{workdir.resolve()} on {socket.gethostname()}")[0]
  if stop_requested():
    raise signals.StopRequested("when all had met")
  if not is_writer():
    _print(f"process {index} of {count}; the run is in {place}, process 0's")


def _wait_for(key: str) -> str:
  """Returns what another process has set; signals are seen meanwhile."""
  while True:
    try:
      return _meeting.client.blocking_key_value_get(key, _SLICE)
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error):
        raise
    if _meeting.has_lost:
      raise signals.StopRequested("as another process of the run was")


def _listen(meeting: _Meeting, key: str):
  """Waits, in a thread, for what another process has to say."""
  try:
    said = json.loads(meeting.client.blocking_key_value_get(key, _FOREVER))
  except jax.errors.JaxRuntimeError:
    return  # The run has ended, or JAX ends this process.
  if key == _STOP and not meeting.is_stopping:
    meeting.is_stopping = True
    os.kill(os.getpid(), signal.SIGTERM)
  elif key == _END and "error" not in said:
    meeting.has_lost = True
  elif key == _END:
    time.sleep(_GRACE / 2)  # This process may have found the same.
    if not meeting.is_ending:
      why = f"process {said['index']} has ended: {said['error']}"
      signals.end(2, f"{meeting.program}: {why}")


def _tell(key: str, **said: str):
  """Tells the others, if none has told so yet and they can be reached."""
  with contextlib.suppress(jax.errors.JaxRuntimeError):
    said = json.dumps({"index": _meeting.index, **said})
    _meeting.client.key_value_set(key, said)


def _pass_on():
  """Tells the others that this process was asked to stop."""
  if _meeting is not None and not _meeting.is_stopping:
    _meeting.is_stopping = True
    _tell(_STOP)


def _leave(stderr: last_line.Filter):
  """Leaves with all others."""
  global _meeting
  _meeting.is_ending = True
  jax.distributed.shutdown()
  _meeting = None
  stderr.close()


def _print(text: str):
  print(f"{_meeting.program}: {text}", file=sys.stderr, flush=True)

"""Where a process finds its place among others, and what one alone does."""

import json
import os

import jax
import numpy as np
import pytest

from a2r.core import hosts, last_line, signals
from tests import mistakes

_ENVIRON = {
  "JAX_COORDINATOR_ADDRESS": "a:1",
  "JAX_NUM_PROCESSES": "4",
  "JAX_PROCESS_ID": "3",
}


def test_a_place_is_given_by_flags_and_variables():
  given = hosts.Place("host:8476", 2, 1)
  assert hosts.read_place(given, {}) == given
  assert hosts.read_place(hosts.Place(), {}) == hosts.Place()
  assert hosts.read_place(hosts.Place(), _ENVIRON) == ("a:1", 4, 3)
  # Each on its own, as on Slurm, which knows the rest; equal ones do not harm.
  given = hosts.Place(process_index=3)
  assert hosts.read_place(given, _ENVIRON) == ("a:1", 4, 3)
  given = hosts.Place("[::1]:80")
  assert hosts.read_place(given, {"JAX_PROCESS_ID": ""}) == given


@pytest.mark.parametrize(
  "given, environ, names",
  [
    (("b:1",), _ENVIRON, "--coordinator=b:1 JAX_COORDINATOR_ADDRESS=a:1"),
    ((None, 2), _ENVIRON, "--num_processes=2 JAX_NUM_PROCESSES=4"),
    ((None, None, 0), _ENVIRON, "--process_index=0 JAX_PROCESS_ID=3"),
    ((), {"JAX_NUM_PROCESSES": "two"}, "JAX_NUM_PROCESSES='two'"),
    ((), {"JAX_PROCESS_ID": "-1"}, "JAX_PROCESS_ID='-1'"),
    (("host",), {}, "--coordinator=host host:port"),
    (("host:",), {}, "--coordinator=host: host:port"),
    ((":80",), {}, "--coordinator=:80 host:port"),
    (("host:70000",), {}, "--coordinator=host:70000 host:port"),
    ((None, 0), {}, "--num_processes 1 0"),
    ((None, 2, 2), {}, "--process_index=2 --num_processes=2"),
    ((None, None, -1), {}, "--process_index=-1"),
  ],
)
def test_a_place_that_makes_no_sense(given, environ, names):
  place = hosts.Place(*given)
  mistakes.check(lambda: hosts.read_place(place, environ), ValueError, names)


def test_one_process_is_alone():
  assert hosts.count() == 1 and hosts.is_writer()
  assert hosts.exchange({"a": 1}) == [{"a": 1}]
  tree = {"x": np.zeros(2)}
  assert hosts.broadcast(tree) is tree
  hosts.check_same("the number", 3)


class _Client:
  """A coordinator's, of two processes, of which the other has spoken."""

  def __init__(self, values):
    self.values, self.asked = values, 0

  def key_value_set(self, key, value):
    self.values[key] = value

  def key_value_delete(self, key):
    del self.values[key]

  def blocking_key_value_get(self, key, milliseconds):
    self.asked += 1
    if key not in self.values:
      raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED")
    return self.values[key]


@pytest.fixture(name="meet")
def _meet(monkeypatch):
  """Function of the other process's values that makes this one number 0."""

  def meet(*others):
    values = {f"a2r/{n}/1": json.dumps(v) for n, v in enumerate(others)}
    state = hosts.distributed.global_state
    monkeypatch.setattr(state, "client", _Client(values))
    monkeypatch.setattr(state, "num_processes", 2)
    meeting = hosts._Meeting("train")
    monkeypatch.setattr(hosts, "_meeting", meeting)
    return meeting

  return meet


def test_what_two_exchange(meet):
  meet("b", [1])
  assert hosts.count() == 2 and hosts.is_writer()
  assert hosts.exchange("a") == ["a", "b"]
  assert hosts.exchange() == [None, [1]]


def test_what_all_have_read_is_forgotten(meet):
  meeting = meet(*range(5))
  for number in range(5):
    assert hosts.exchange(0) == [0, number]
  own = [key for key in meeting.client.values if key.endswith("/0")]
  assert own == ["a2r/3/0", "a2r/4/0"]


def test_what_differs_names_the_process(meet):
  meet(4, 5)
  hosts.check_same("the number of devices", 4)
  mistakes.check(
    lambda: hosts.check_same("the number of devices", 4),
    ValueError,
    "devices process 1 (5,not 4)",
  )


def test_a_wait_ends_where_another_has_left(meet):
  meeting = meet()
  meeting.has_lost = True
  with pytest.raises(signals.StopRequested):
    hosts.exchange()
  assert meeting.client.asked == 2  # Its own value, which is there, and one.


_LOG = """\
E1130 13:14:18.488973   21392 coordination_service.cc:1549] [17] Use error \
polling to propagate the following error to all tasks: UNAVAILABLE:
1
The tasks have crashed. Check the task logs for an earlier error.
E1130 13:14:18.489400   21403 coordination_service_agent.cc:289] Polled an error
F1130 13:14:18.489533   21403 client.h:80] Terminating process because {}

RPC: /xla.coordination.CoordinationService/PollForError
*** Check failure stack trace: ***
    @     0x7f6739a40634  absl::lts_20260107::log_internal::LogMessage::Flush()
"""


def _shorten(text):
  lines = text.splitlines(keepends=True)
  return "".join(last_line.shorten(lines, "train"))


@pytest.mark.parametrize(
  "why, said",
  [
    ("absl::Status: UNAVAILABLE: Failed to send RPC", last_line.LOST),
    ("INVALID_ARGUMENT: Unexpected task registered", "one too many"),
    ("ABORTED: 1 tried to connect with a different incarnation", "each with"),
    ("absl::Status: DEADLINE_EXCEEDED: Deadline Exceeded", "five minutes"),
  ],
)
def test_a_last_log_is_one_line(why, said):
  before = "train: 3/6 loss 1.5\na line of another library\n"
  found = _shorten(before + _LOG.format(why))
  assert found.startswith(before)
  (line,) = found.removeprefix(before).splitlines()
  assert line.startswith("train: ") and said in line


def test_what_the_program_said_itself_is_not_said_again():
  said = f"train: {last_line.LOST}\n"
  log = _LOG.format("absl::Status: UNAVAILABLE")
  for text in (said + log, log + said, log.replace("RPC", said + "RPC")):
    assert _shorten(text) == said


def test_a_log_without_an_end_goes_on():
  log, more = _LOG.partition("F1130")[0], "train: 4/6 loss 1.4\n"
  assert _shorten(log + more + "more\n") == more + "more\n"
  assert _shorten("[Gloo] Rank 1 is connected to 7 peer ranks.\n") == ""


def test_stderr_of_all_code_goes_through_the_filter(capfd):
  stderr = last_line.Filter("train")
  os.write(2, _LOG.format("absl::Status: UNAVAILABLE").encode())
  stderr.close()
  os.write(2, b"after\n")
  assert capfd.readouterr().err == f"train: {last_line.LOST}\nafter\n"

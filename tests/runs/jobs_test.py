"""Parts: done once, by whoever is free, in an order that can be worked in."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from a2r.core import files
from a2r.runs import jobs


def _part(folder, name, needs=(), run=None):
  """A part that leaves a file, which says who made it."""

  def write():
    (folder / name).write_text(str(os.getpid()))

  return jobs.Part(name, (folder / name).exists, run or write, needs)


def _fail():
  raise KeyError("no such thing")


def test_what_is_done_is_not_done_again(tmp_path):
  told = []
  work = [_part(tmp_path, "a"), _part(tmp_path, "b", ("a",))]
  assert not jobs.work(work, tmp_path, say=told.append)
  assert len(told) == 4
  assert "(1/2 done; 0 min left for one process)" in told[2]
  (tmp_path / "b").unlink()
  jobs.work(work, tmp_path, say=told.append)
  assert [line.split()[0] for line in told[4:]] == ["b", "b"]


def test_a_failure_stops_only_what_needs_it(tmp_path):
  work = [
    _part(tmp_path, "a", run=_fail),
    _part(tmp_path, "b", ("a",)),
    _part(tmp_path, "c", ("b",)),
    _part(tmp_path, "d"),
  ]
  calls = []
  failed = jobs.work(
    work, tmp_path, say=lambda _: None, after=lambda: calls.append(1)
  )
  assert failed == {"a": "no such thing"}
  assert not (tmp_path / "c").exists()
  assert (tmp_path / "d").exists()
  assert len(calls) == 1
  assert "_fail" in (tmp_path / "failures" / "a.txt").read_text()
  with pytest.raises(KeyError):
    jobs.work(work, tmp_path, keep_going=False, say=lambda _: None)
  work[0] = _part(tmp_path, "a")
  assert not jobs.work(work, tmp_path, say=lambda _: None)
  assert (tmp_path / "c").exists()
  assert not list((tmp_path / "failures").iterdir())


def test_a_part_that_stays_undone_is_a_failure(tmp_path):
  work = [_part(tmp_path, "a", run=lambda: None)]
  failed = jobs.work(work, tmp_path, say=lambda _: None)
  assert failed == {"a": "a left something undone"}


def test_a_held_part_is_left_to_its_process_and_waited_for(tmp_path):
  waits = []

  def finish(seconds):
    waits.append(seconds)
    assert (tmp_path / "b").exists()
    (tmp_path / "a").write_text("the other process")

  with files.locked(tmp_path / "locks" / "a"):
    work = [_part(tmp_path, "a"), _part(tmp_path, "b")]
    jobs.work(work, tmp_path, say=lambda _: None, sleep=finish)
  assert len(waits) == 1
  assert (tmp_path / "a").read_text() == "the other process"


def test_two_processes_do_each_part_once(tmp_path):
  command = [sys.executable, __file__, str(tmp_path)]
  path = os.pathsep.join(sys.path)
  both = [
    subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
    for _ in "ab"
  ]
  assert [process.wait(60) for process in both] == [0, 0]
  rows = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
  assert sorted(name for name, _ in rows) == [f"p{i}" for i in range(8)]
  assert len({pid for _, pid in rows}) == 2


def _main(folder):
  """Works with the other process, once that is there too."""

  def make(name):
    def run():
      while len(list(folder.glob("*.here"))) < 2:
        time.sleep(0.01)
      time.sleep(0.02)
      with open(folder / "log", "a") as stream:
        stream.write(f"{name} {os.getpid()}\n")
      (folder / name).touch()

    return _part(folder, name, run=run)

  (folder / f"{os.getpid()}.here").touch()
  jobs.work([make(f"p{i}") for i in range(8)], folder, say=lambda _: None)


if __name__ == "__main__":
  _main(pathlib.Path(sys.argv[1]))

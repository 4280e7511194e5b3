"""Jobs: done once, by whoever is free, in an order that can be worked in."""

import os
import pathlib
import subprocess
import sys
import time

from a2r.core import files
from a2r.runs import jobs


def _job(folder, name, needs=(), run=None):
  """A job that leaves a file, which says who made it."""

  def write():
    (folder / name).write_text(str(os.getpid()))

  return jobs.Job(name, (folder / name).exists, run or write, needs)


def _work(work, folder, print_fn=lambda _: None, **kwargs):
  """Runs what is claimed; returns the names."""
  names = []
  for job in jobs.claim(work, folder, print_fn=print_fn, **kwargs):
    names.append(job.name)
    job.run()
  return names


def test_what_is_done_is_not_done_again(tmp_path):
  lines = []
  work = [_job(tmp_path, "a"), _job(tmp_path, "b", ("a",))]
  assert _work(work, tmp_path, lines.append) == ["a", "b"]
  assert len(lines) == 4
  assert "(1/2 done; 0 min left for one process)" in lines[2]
  (tmp_path / "b").unlink()
  assert _work(work, tmp_path, lines.append) == ["b"]
  assert [line.split()[0] for line in lines[4:]] == ["b", "b"]


def test_a_job_left_undone_stops_only_what_needs_it(tmp_path):
  work = [
    _job(tmp_path, "a", run=lambda: None),
    _job(tmp_path, "b", ("a",)),
    _job(tmp_path, "c", ("b",)),
    _job(tmp_path, "d"),
  ]
  assert _work(work, tmp_path) == ["a", "d"]
  assert (tmp_path / "d").exists()
  work[0] = _job(tmp_path, "a")
  assert _work(work, tmp_path) == ["a", "b", "c"]


def test_a_held_job_is_left_to_its_process_and_waited_for(tmp_path):
  waits = []

  def finish(seconds):
    waits.append(seconds)
    assert (tmp_path / "b").exists()
    (tmp_path / "a").write_text("the other process")

  with files.locked(tmp_path / "locks" / "a"):
    work = [_job(tmp_path, "a"), _job(tmp_path, "b")]
    _work(work, tmp_path, sleep_fn=finish)
  assert len(waits) == 1
  assert (tmp_path / "a").read_text() == "the other process"


def test_two_processes_do_each_job_once(tmp_path):
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

    return _job(folder, name, run=run)

  (folder / f"{os.getpid()}.here").touch()
  _work([make(f"p{i}") for i in range(8)], folder)


if __name__ == "__main__":
  _main(pathlib.Path(sys.argv[1]))

"""Programs on folders that a run, planning, a gallery or a table left damaged.

What goes on all the same ends as it does with the whole folder.
"""

import functools
import json
import zlib
from collections.abc import Iterator

import numpy as np

from a2r.core import digests
from tests import tiny
from tests.fuzz import commands, stored
from tests.fuzz.harness import Case, Silent, Started, Tools

DOOR = "runs"
_READ = ("config.json", "reward.json", "tokenizer.json", "checkpoints")
_DAMAGES = ("deleted", "empty", "cut", "flipped", "text", "a folder")


def cases() -> Iterator[Case]:
  """All of them."""
  for program in ("score", "export", "plan"):
    for name in _READ:
      for how in _DAMAGES:
        run = functools.partial(_run_reader, program, name, how)
        yield Case(DOOR, f"{program}---{name} {how}", run)
  for name in ("report.json", "metrics.jsonl", "report.png"):
    for how in _DAMAGES:
      run = functools.partial(_run_report, name, how)
      yield Case(DOOR, f"report---{name} {how}", run)
  for number in range(25):
    run = functools.partial(_run_edited_report, number)
    yield Case(DOOR, f"report---edit {number}", run)
  for kind in ("plan", "gallery", "reproduce"):
    for number in range(30):
      run = functools.partial(_run_again, kind, number)
      yield Case(DOOR, f"{kind} again---{number}", run)


def _seeded(*words):
  return np.random.default_rng(zlib.crc32(repr(words).encode()))


def _arguments(program, path, tools):
  return {
    "score": (
      f"--run={path}", f"--video={tools.things('film.mp4')}",
      "--instruction=closing cup",
    ),
    "export": (f"--run={path}", f"--to={tools.path / 'out'}"),
    "plan": (
      f"--run={path}", f"--workdir={tools.path / 'out'}",
      "--tasks=close_drawer", *commands.FAST,
    ),
    "report": (f"--run={path}",),
  }[program]  # fmt: skip


def _run_reader(program, name, how, tools: Tools) -> str:
  """The output is the very same as that of the whole run."""
  path = tools.things.copy("trained", tools.path)
  commands.stop_before_work(tools)

  def output(path):
    try:
      return tools.launch(program, *_arguments(program, path, tools)).out
    except Started:
      return "started"

  whole = tools.things.kept(
    ("output", program),
    lambda: output(path).replace(str(tools.path), "").splitlines()[:6],
  )
  stored.damage(path / name, how, _seeded(program, name, how))
  (tools.path / "out").exists() and stored.damage(
    tools.path / "out", "deleted", None
  )
  outcome = tools.command(
    program,
    *_arguments(program, path, tools),
    refuse=False,
    names=["trained"],
    check=lambda out: (
      out.replace(str(tools.path), "").splitlines()[:6] == whole
    ),
  )
  if outcome == "line" and (tools.path / "out").exists():
    raise Silent("a folder was left behind")
  return outcome


def _run_report(name, how, tools: Tools) -> str:
  path = tools.things.copy("trained", tools.path)
  stored.damage(path / name, how, _seeded(name, how))
  return _report(path, tools)


def _run_edited_report(number, tools: Tools) -> str:
  path = tools.things.copy("trained", tools.path)
  (path / digests.FILE).unlink()
  file = path / "report.json"
  value = json.loads(file.read_text())
  what = stored.edit(value, _seeded("report", number))
  file.write_text(json.dumps(value))
  try:
    return _report(path, tools)
  except Exception as error:
    raise type(error)(f"{what}: {error}") from error


def _report(path, tools) -> str:
  outcome = tools.command(
    "report",
    *_arguments("report", path, tools),
    refuse=False,
    names=["trained"],
  )
  page = path / "report.html"
  if outcome == "line" and page.exists():
    raise Silent("a page was left behind")
  if outcome == "valid" and "</html>" not in page.read_text():
    raise Silent("the page is not whole")
  return outcome


def _stand_in(kind, tools) -> list[str]:
  """Makes a program quick; returns its arguments."""
  from a2r.planning import acting
  from a2r.runs import gallery, trials
  from tests.launch import reproduce_stand_ins

  if kind == "gallery":
    simulator = tiny.Simulator()
    tools.patch.setitem(
      gallery.make_clips.__kwdefaults__, "collect_fn", simulator
    )
    return ["--image_size=16", "--tasks=close_drawer,poke_cup"]
  if kind == "plan":
    tools.patch.setattr(
      acting,
      "run",
      lambda environment, names, seeds, dynamics, objective, settings, **_: (
        tiny.make_trials(seeds, settings)
      ),
    )
    tools.patch.setattr(trials, "_animate", lambda *_: b"picture")
    tasks = "--tasks=close_drawer,poke_cup"
    return ["--run=random", tasks, "--trials=3", "--envs=tabletop/train"]
  for stand_in in reproduce_stand_ins.make([]):
    tools.patch.setattr(*stand_in)
  return ["--figure=3", "--size=smoke", "--methods=random,dvd"]


def _run_again(kind, number, tools: Tools) -> str:
  """A second command makes good what is damaged, or says what is."""
  folder = tools.path / "out"
  place = "out" if kind == "gallery" else "workdir"
  arguments = [*_stand_in(kind, tools), f"--{place}={folder}"]
  first = tools.launch(kind, *arguments)
  if first.code:
    raise AssertionError(first.err)
  before = _results(kind, folder)
  rng = _seeded(kind, number)
  files = [
    p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size
  ]
  file = files[rng.integers(len(files))]
  if file.suffix == ".json" and rng.random() < 0.7:
    value = json.loads(file.read_text())
    what = stored.edit(value, rng)
    file.write_text(json.dumps(value))
  else:
    what = _DAMAGES[rng.integers(len(_DAMAGES))]
    stored.damage(file, what, rng)
  try:
    outcome = tools.command(kind, *arguments, refuse=False)
    if outcome == "valid" and _results(kind, folder) != before:
      raise Silent("other results")
  except Exception as error:
    raise type(error)(f"{file.name}, {what}: {error}") from error
  return outcome


def _results(kind, folder):
  """What is told in the end."""
  if kind == "plan":
    rows = (folder / "plan/metrics.jsonl").read_text().splitlines()
    names = ("environment", "task", "num_trials", "num_successes")
    return sorted(str([json.loads(row)[n] for n in names]) for row in rows)
  if kind == "gallery":
    return {
      p.name: p.read_bytes()
      for p in folder.rglob("*")
      if p.suffix in (".webp", ".png")
    }
  cells = json.loads((folder / "results.json").read_text())["cells"]
  return sorted(
    str([c["method"], c["column"], c["task"], c["num_trials"], c["rate"]])
    if "rate" in c
    else str([c["method"], c["column"], c["task"], c["num_trials"]])
    for c in cells
  )

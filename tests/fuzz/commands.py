"""Every flag of every program with values of the wrong kind and range."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tests.fuzz.harness import Case, Started, Tools
from tests.fuzz.things import ROOT

DOOR = "flags"
_CONFIG = "--config={root}/configs/{name}.py:smoke"
FAST = ("--samples=2", "--elites=1", "--horizon=2", "--plans=2", "--trials=1")
# What each program needs besides the flag that is changed.
BASE = {
  "collect": (
    "--out={out}", "--tasks=close_drawer", "--successes=1", "--failures=1",
    "--num_frames=2", "--image_size=8",
  ),
  "convert": ("--from={golden}", "--to={out}", "--vocab={vocab}"),
  "export": ("--run={run}", "--to={out}"),
  "finetune": (
    _CONFIG.replace("{name}", "singularity_ssv2"), "--workdir={out}",
    "--config.data.dir={data}",
  ),
  "gallery": ("--out={out}", "--tasks=close_drawer", "--image_size=8"),
  "label": (
    "--run={run}", "--dataset={lerobot}", "--out={out}.parquet",
    "--num_frames=2",
  ),
  "plan": ("--run={run}", "--workdir={out}", "--tasks=close_drawer", *FAST),
  "pretrain": (_CONFIG.replace("{name}", "pretrain"), "--workdir={out}"),
  "report": ("--run={run}", "--out={out}"),
  "reproduce": (
    "--figure=3", "--size=smoke", "--workdir={out}", "--data_dir={data}",
    "--methods=dvd", *FAST,
  ),
  "rl": ("--out={out}.safetensors", "--tasks=close_drawer"),
  "score": ("--run={run}", "--video={film}", "--instruction=closing drawer"),
  "ssv2": (
    "--from={ssv2}", "--to={out}", "--templates=all", "--num_frames=2",
    "--image_size=8", "--workers=1",
  ),
  "train": (
    _CONFIG.replace("{name}", "envgen"), "--workdir={out}",
    "--config.data.dir={data}",
  ),
}  # fmt: skip
# Flags whose text is free, names of something, a path to read, or to write.
_FREE = {"instruction", "allow_missing", "allow_unknown"}
_INPUTS = {
  "run",
  "video",
  "dataset",
  "from",
  "beit",
  "bert",
  "vocab",
  "config",
  "init",
}
_OUTPUTS = {"to", "out", "workdir", "figure", "data_dir", "human_path"}
_OUTPUTS |= {"csv", "overlay"}
# Paths of which the message names the flag, or another one.
_TOLD_BY_FLAG = {"beit", "bert", "human_path"}
_SIGNED = {"seed"}  # Any number will do, within what a seed may be.
_ZERO = {"per_template", "workers", "videos", "successes", "failures"}
_SHARES = {"near_miss_fraction", "stop_at", "max_bad_share"}
_HUGE = "9" * 20
_FLAG_LINE = re.compile(r"--([\w.]+)=?(.*)")


class Flag(NamedTuple):
  """A flag as a program defines it."""

  name: str
  kind: str


def _read_flags(path) -> Iterator[Flag]:
  """The flags that a file of `launch` defines, by its text."""
  for node in ast.walk(ast.parse(path.read_text("utf-8"))):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
      kind = node.func.attr.removeprefix("DEFINE_")
      if kind != node.func.attr and isinstance(node.args[0], ast.Constant):
        yield Flag(node.args[0].value, kind)


@functools.cache
def flags_of(program: str) -> tuple[Flag, ...]:
  """All flags of a program."""
  path = ROOT / "launch" / f"{program}.py"
  found, text = list(_read_flags(path)), path.read_text("utf-8")
  if "RunFlags" in text:
    found += [Flag("config", "config_file"), Flag("workdir", "string")]
  if "planner_flags" in text:
    found += _read_flags(ROOT / "launch" / "planner_flags.py")
    found += [
      Flag(name, "enum" if name in ("planner", "clip") else "integer")
      for name in (
        "planner", "samples", "horizon", "plans", "iterations", "elites",
        "repeat", "clip", "micro_batch",
      )
    ]  # fmt: skip
    found.append(Flag("temperature", "float"))
  return tuple(found)


def _values(flag: Flag) -> Iterator[tuple[str, bool]]:
  """Values of a flag, and whether they have to be refused."""
  match flag.kind:
    case "integer":
      for value in ("abc", "1.5", "", "nan", "1e3", "0x1g", "--1"):
        yield value, True
      yield "-1", flag.name not in _SIGNED
      yield _HUGE, flag.name not in (_SIGNED | {"per_template"})
      yield "0", flag.name not in (_SIGNED | _ZERO)
    case "float":
      for value in ("abc", "", "nan", "inf", "-inf", "-0.5", "1,5"):
        yield value, True
      yield "1.5", flag.name in _SHARES
      yield "1e400", True
    case "enum":
      for value in ("bogus", "", "SMALL", "0"):
        yield value, True
    case "bool" | "boolean":
      for value in ("maybe", "", "2"):
        yield value, True
    case "list" | "multi_string":
      for value in ("bogus", "", "a,,b", "close_drawer,close_drawer,x", " "):
        yield value, True
    case "string" if flag.name == "camera":
      for value in ("(", "bogus", " "):
        yield value, True
    case "string" if flag.name in _FREE:
      for value in ("", " ", "(", "*a", "?" * 50):
        is_blank = not value.strip()
        yield value, is_blank if flag.name == "instruction" else value != " "
    case "string" | "config_file" if flag.name in _INPUTS:
      for value in (
        "nowhere/at/all", "", " ", "~nobody_there/x", "x" * 300, "{text}",
        "/dev/null", "{empty}",
      ):  # fmt: skip
        yield value, True
    case "string":
      for value in ("{text}/below", "", "~nobody_there/x", "x" * 300):
        yield value, True


def cases() -> Iterator[Case]:
  """All flags of all programs."""
  for program, base in BASE.items():
    for flag in flags_of(program):
      for number, (value, refuse) in enumerate(_values(flag)):
        name = f"{program}---{flag.name}-{number}"
        yield Case(
          DOOR,
          name,
          functools.partial(_run, program, base, flag, value, refuse),
        )


def _run(program, base, flag, value, refuse, tools: Tools) -> str:
  stop_before_work(tools)
  kept = [a for a in base if not a.startswith(f"--{flag.name}=")]
  value = fill(value, tools)
  arguments = [fill(argument, tools) for argument in kept]
  if flag.name in ("source", "want", "clips"):
    arguments = [a for a in arguments if "es=" not in a]
    if flag.name != "source":
      arguments.append("--source=random")
  elif flag.name in ("human", "templates"):
    arguments = [a for a in arguments if "out" in a] + ["--human"]
  elif flag.name in ("beit", "bert"):
    arguments = [a for a in arguments if "from" not in a]
    other = "bert" if flag.name == "beit" else "beit"
    arguments.append(f"--{other}={tools.things('text').parent}")
  elif flag.name == "fitvid":
    arguments.append("--dynamics=fitvid")
  elif flag.name == "table":
    arguments = [a for a in arguments if "figure" not in a]
  is_path = flag.name in (_INPUTS | _OUTPUTS) - _TOLD_BY_FLAG
  return tools.command(
    program,
    f"--{flag.name}={value}",
    *arguments,
    refuse=refuse,
    names=[value.strip()[:20]] if is_path and value.strip() else [],
  )


def fill(text: str, tools: Tools) -> str:
  """Puts paths in the place of their names."""
  places = {
    "{root}": lambda: ROOT,
    "{out}": lambda: tools.path / "out",
    "{data}": lambda: tools.path / "data",
    "{golden}": lambda: ROOT / "tests/golden/singularity_tiny.pth",
    "{empty}": lambda: _folder(tools.path / "empty"),
  }
  for name in ("run", "film.mp4", "text", "ssv2", "vocab", "lerobot"):
    key = "{" + name.partition(".")[0] + "}"
    places[key] = functools.partial(tools.things, name)
  for key, path_fn in places.items():
    if key in text:
      text = text.replace(key, str(path_fn()))
  return text


def _folder(path):
  path.mkdir(exist_ok=True)
  return path


def stop_before_work(tools: Tools):
  """Puts an end to programs that have passed all checks."""
  # A second file of settings would keep what the first one defined.
  sys.modules.pop("config_config", None)
  from a2r.learners import loop
  from a2r.planning import acting
  from a2r.runs import gallery
  from a2r.runs.sources import human, play, worlds
  from a2r.sim.behavior import stopping
  from data.ssv2 import store

  def stop(name):
    def start(*_, **__):
      raise Started(name)

    return start

  for function, key, name in (
    (worlds.collect, "collect_fn", "robot clips"),
    (human.collect, "sample_fn", "human clips"),
    (gallery.make_clips, "collect_fn", "animations"),
  ):
    tools.patch.setitem(function.__kwdefaults__, key, stop(name))
  for module, key, name in (
    (loop, "train", "training"),
    (acting, "run", "planning"),
    (stopping, "train", "reinforcement learning"),
    (play, "open_episodes", "play"),
    (store, "store", "storing"),
  ):
    tools.patch.setattr(module, key, stop(name))

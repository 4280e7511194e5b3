"""Every setting of every config out of its range, of a wrong kind, misspelt."""

import functools
import zlib
from collections.abc import Iterator

import numpy as np

from configs import envgen, fitvid, pretrain, ranges, singularity_ssv2, taskgen
from tests.fuzz import commands
from tests.fuzz.harness import Case, Tools
from tests.fuzz.things import ROOT

DOOR = "settings"
# Name of the file, its config at the size smoke, and whose it is.
CONFIGS = {
  "envgen": ("train", lambda: envgen.get_config("smoke"), "smoke"),
  "taskgen": (
    "train", lambda: taskgen.get_config("plus3,smoke"), "plus3,smoke",
  ),
  "fitvid": ("train", lambda: fitvid.get_config("smoke"), "smoke"),
  "pretrain": ("pretrain", lambda: pretrain.get_config("smoke"), "smoke"),
  "singularity_ssv2": (
    "finetune", lambda: singularity_ssv2.get_config("smoke"), "smoke",
  ),
}  # fmt: skip
# Texts that nothing is known of before data is looked at.
_FREE = (
  "data.dir", "data.robot.camera", "data.robot.instruction_key",
  "data.robot.success_key", "data.robot.labels", "data.robot.path",
  "data.robot.test_path", "data.human.path",
)  # fmt: skip
_METHODS = ("concept2robot", "dvd", "liv", "triplet")
_SIZES = (
  "smok", "", "smoke,", "SMOKE", "smoke:smoke", "plus6,smok", ",smoke", "1",
  "plus6, smoke", "../smoke",
)  # fmt: skip
# Python files that are no configs.
_FILES = {
  "syntax": "def get_config(:\n",
  "nothing": "x = 1\n",
  "none": "def get_config():\n  return None\n",
  "a dict": "def get_config():\n  return {'seed': 0}\n",
  "empty": (
    "from ml_collections import config_dict\n"
    "def get_config():\n  return config_dict.ConfigDict()\n"
  ),
  "raises": "def get_config():\n  raise RuntimeError('no luck')\n",
  "imports": "import no_such_module\ndef get_config():\n  return 1\n",
  "binary": "\x00\x01\x02",
}


def cases() -> Iterator[Case]:
  """All of them."""
  for config, (program, get_config, size) in CONFIGS.items():
    settings = dict(_leaves(get_config().to_dict()))
    run = functools.partial(_run, program, config, size)
    for key, value in settings.items():
      for number, wrong in enumerate(_wrong_values(key, value)):
        name = f"{config}---{key}-{number}"
        yield Case(DOOR, name, functools.partial(run, key, wrong))
    rng = np.random.default_rng(len(config))
    for number, key in enumerate(rng.choice(list(settings), 8, replace=False)):
      typo = _misspell(rng, key)
      name = f"{config}---typo-{number}"
      yield Case(DOOR, name, functools.partial(run, typo, "1"))
    for number, wrong in enumerate(_SIZES):
      name = f"{config}---size-{number}"
      yield Case(
        DOOR, name, functools.partial(_run_size, program, config, wrong)
      )
  for program in ("train", "pretrain", "finetune", "collect"):
    for name in _FILES:
      yield Case(
        DOOR,
        f"{program}---file {name}",
        functools.partial(_run_file, program, name),
      )
    for config, (owner, _, size) in CONFIGS.items():
      both = program == "collect" and owner == "train" and config != "fitvid"
      if program != owner and not both:
        yield Case(
          DOOR,
          f"{program}---of {config}",
          functools.partial(_run_others, program, config, size),
        )


def _leaves(settings, prefix=""):
  for name, value in settings.items():
    if isinstance(value, dict):
      yield from _leaves(value, f"{prefix}{name}.")
    else:
      yield prefix + name, value


def _wrong_values(key: str, value) -> list[str]:
  """A few of the values that a setting must not have, by its kind."""
  rng = np.random.default_rng(zlib.crc32(key.encode()))
  if isinstance(value, bool):
    wrong = ["maybe", "2", ""]
  elif isinstance(value, int | float):
    wrong = ["abc", "", "1e", "nan", "inf", "[1]", "None,"]
    low = ranges.RANGES[key].low
    if np.isfinite(low):
      wrong = [str(type(value)(low - 1))] + rng.choice(wrong, 2).tolist()
  elif isinstance(value, str):
    wrong = [] if key in _FREE else ["bogus", "", "Bogus name"]
  elif isinstance(value, tuple | list):
    wrong = ["(1,", "('bogus',)", "(None,)"]
    if key in ranges.RANGES:
      wrong = ["()", "(0,)", "(-1,)", "(1.5,)", "('a',)", "nan"]
  else:
    wrong = ["abc"]
  return list(dict.fromkeys(wrong))[:3]


def _misspell(rng, key: str) -> str:
  """A key without one of its letters, or with one more."""
  place = rng.integers(1, len(key))
  if rng.random() < 0.5:
    return key[:place] + "q" + key[place:]
  return key[: place - 1] + key[place:]


def _base(program, config, size, tools) -> list[str]:
  arguments = [f"--config={ROOT}/configs/{config}.py:{size}"]
  if program == "collect":
    return [*arguments, f"--out={tools.path / 'out'}"]
  arguments.append(f"--workdir={tools.path / 'out'}")
  if program != "pretrain":
    arguments.append(f"--config.data.dir={tools.path / 'data'}")
  return arguments


def _run(program, config, size, key, value, tools: Tools) -> str:
  commands.stop_before_work(tools)
  arguments = _base(program, config, size, tools)
  method = key.partition(".")[0]
  if method in _METHODS:
    arguments.append(f"--config.method={method}")
  if key.startswith("data.robot") and "source" in key and "sources" not in key:
    arguments = arguments
  word = key.rpartition(".")[2]
  return tools.command(
    program, *arguments, f"--config.{key}={value}", names=[word[:4]]
  )


def _run_size(program, config, size, tools: Tools) -> str:
  commands.stop_before_work(tools)
  known = "plus6" if config == "taskgen" else "smoke"
  return tools.command(
    program, *_base(program, config, size, tools), names=[known]
  )


def _run_file(program, name, tools: Tools) -> str:
  commands.stop_before_work(tools)
  file = tools.path / "mine.py"
  file.write_text(_FILES[name])
  place = "out" if program == "collect" else "workdir"
  return tools.command(
    program,
    f"--config={file}",
    f"--{place}={tools.path / 'out'}",
    names=["mine.py"],
  )


def _run_others(program, config, size, tools: Tools) -> str:
  commands.stop_before_work(tools)
  place = "out" if program == "collect" else "workdir"
  return tools.command(
    program,
    f"--config={ROOT}/configs/{config}.py:{size}",
    f"--{place}={tools.path / 'out'}",
    names=["config"],
  )

"""What all programs share: how they start, fail and stop, and their flags.

A program ends with exit code 0 when it is done or was asked to stop (SIGTERM,
Ctrl-C), and with 2 and one line on stderr at a mistake of its user. Each names
what takes seconds to import under `epy.lazy_imports()`: it is imported at its
first use, so a wrong flag is reported at once.
"""

import contextlib
import difflib
import importlib
import itertools
import math
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags
from etils import epy
from ml_collections import config_dict, config_flags

from a2r.core import checks, signals
from configs import ranges

with epy.lazy_imports():
  from a2r.core import compilation, files, hosts
  from a2r.runs import run_folder

_TRACEBACK = flags.DEFINE_bool(
  "traceback", False, "Show where an error comes from, not only what it is."
)
# Flags defined in the functions below are those of the program that calls them.
flags.disclaim_key_flags()

# What a user can mend. JAX's own faults are TypeErrors and RuntimeErrors.
_MISTAKES = (ValueError, KeyError, OSError, FloatingPointError, flags.Error)


def run(main: Callable[[], None]):
  """Runs a program and ends the process with its exit code.

  Args:
    main: reads its flags itself; may raise `signals.StopRequested`.
  """
  signals.watch()
  signals.end(call(main))


def call(main: Callable[[], None]) -> int:
  """Parses the flags and runs `main`, with the compilation cache on.

  Args:
    main: as for `run`.

  Returns:
    The exit code.
  """
  # Before TensorFlow is imported, which reads them then. Some processors make
  # it announce oneDNN whatever the log level; no clip here needs that.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
  try:
    with signals.raising():
      _parse()
      compilation.check_precision()
      compilation.enable_cache()
      main()
      sys.stdout.flush()  # To a file on a disk that may be full.
  except signals.StopRequested as stopped:
    print(signals.stopped_line(stopped), file=sys.stderr, flush=True)
  except Exception as error:
    if not _is_mistake(error) or "--traceback" in sys.argv:
      raise
    program = pathlib.Path(sys.argv[0]).stem
    message = checks.one_line(error)
    print(f"{program}: {message}", file=sys.stderr, flush=True)
    return 2
  return 0


def _is_mistake(error: Exception) -> bool:
  """Whether a line tells the user what to mend."""
  if isinstance(error, AttributeError):
    # ml_collections raises them at a wrong key while parsing.
    return not flags.FLAGS.is_parsed()
  return isinstance(error, _MISTAKES) or bool(files.why_full(error))


def _parse():
  """Parses the command line, or prints the help and ends."""
  if {"--help", "-h", "-help"} & set(sys.argv[1:]):
    print(sys.modules["__main__"].__doc__)
    print(flags.FLAGS.main_module_help())
    print("Settings are changed one by one: --config.train.num_steps=500")
    sys.exit(0)
  try:
    rest = flags.FLAGS(sys.argv)[1:]
  except flags.Error:
    raise
  except Exception as error:  # A file of settings is a program: anything.
    _explain(error)
    raise
  if rest:
    raise ValueError(f"unexpected argument {rest[0]!r}; see --help")
  for name in flags.FLAGS:
    flag = flags.FLAGS[name]
    # Those with a dot are settings, which have checks of their own.
    if not flag.present or "." in name:
      continue
    if flag.value in ("", [], [""]):
      raise ValueError(f"--{name} is empty: leave it out, or give a value")
    if isinstance(flag.value, float) and not math.isfinite(flag.value):
      raise ValueError(f"--{name}={flag.value} must be a finite number")


def _explain(error: Exception):
  """Raises a ValueError for what is wrong with --config or a setting."""
  # A value stands behind = or is the next argument.
  words = [w for a in sys.argv[1:] for w in a.split("=", 1)]
  names = [w.lstrip("-") for w in words if w.startswith("-")]
  pairs = itertools.pairwise(words)
  file = next((b for a, b in pairs if a.lstrip("-") == "config"), "")
  try:
    settings = flags.FLAGS["config"].parser.parse(file)
    known = list(ranges.keys(settings.to_dict()))
  except _MISTAKES:
    return  # Of the file, and says so.
  except Exception:
    line = getattr(error, "lineno", None)
    place = f"--config={file}" + f", line {line}" * (line is not None)
    raise ValueError(
      f"{place}: {type(error).__name__}: {checks.one_line(error)} "
      "(--traceback shows where)"
    ) from error
  for name in names:  # Which one it is, it does not say.
    key = name.removeprefix("config.")
    if key != name and key not in known:
      near = difflib.get_close_matches(key, known)
      there = f"; near it: {', '.join(near)}" if near else ""
      raise ValueError(f"--{name}: {file} has no such setting{there}") from None


def read_settings(flag: flags.FlagHolder, *examples: str) -> Any:
  """Returns the settings that were given, their keys and numbers checked.

  Args:
    flag: what `config_flags.DEFINE_config_file` returned.
    *examples: files of settings that the program takes, the usual one first.

  Raises:
    ValueError: none were given, or they are none of this program's.
  """
  if not flag.present:
    required(flag, examples[0])
  config = flag.value
  file = config_flags.get_config_filename(flags.FLAGS[flag.name])
  if not pathlib.Path(file.partition(":")[0]).is_file():
    raise ValueError(
      f"--config={file}: no such file; give one such as {examples[0]}, and run "
      "from the project's folder"
    )
  if not isinstance(config, config_dict.ConfigDict):
    raise ValueError(
      f"--config={file}: get_config returned {type(config).__name__}, not a "
      "ConfigDict"
    )
  modules = (e.removesuffix(".py").replace("/", ".") for e in examples)
  known = [importlib.import_module(name).get_config() for name in modules]
  lacking = min((ranges.missing(config, like) for like in known), key=len)
  if lacking:
    more = f" and {len(lacking) - 3} more" * (len(lacking) > 3)
    raise ValueError(
      f"--config={file} lacks {', '.join(lacking[:3])}{more}: it is not of "
      f"this program, which takes such as {' or '.join(examples)}"
    )
  ranges.check(config)
  return config


def required(flag: flags.FlagHolder, example: str = "") -> Any:
  """Returns a flag's value.

  Args:
    flag: what `flags.DEFINE_string` and its kin return.
    example: a value for who gave none.

  Raises:
    ValueError: the flag was not given.
  """
  if flag.value is None:
    hint = f", such as --{flag.name}={example}" if example else "; see --help"
    raise ValueError(f"--{flag.name} is missing{hint}")
  return flag.value


class RunFlags:
  """The flags of a program that trains: settings, run folder, hosts."""

  def __init__(self, *examples: str):
    """Defines the flags.

    Args:
      *examples: files of settings, see `read_settings`.
    """
    self._examples = examples
    self._config = config_flags.DEFINE_config_file(
      "config", None, "A file of settings, with a size after it such as :smoke."
    )
    self._workdir = flags.DEFINE_string(
      "workdir", None, "The run folder; runs/<name of the settings> by default."
    )
    self._distributed = flags.DEFINE_bool(
      "distributed",
      None,
      "One of several processes, as Slurm, Open MPI, a TPU or Kubernetes tell.",
    )
    self._coordinator = flags.DEFINE_string(
      "coordinator",
      None,
      "host:port of process 0 (or JAX_COORDINATOR_ADDRESS); --distributed.",
    )
    self._num_processes = flags.DEFINE_integer(
      "num_processes", None, "Of the run (or JAX_NUM_PROCESSES)."
    )
    self._process_index = flags.DEFINE_integer(
      "process_index", None, "Of this one, from 0 (or JAX_PROCESS_ID)."
    )

  @contextlib.contextmanager
  def open(self) -> Iterator[tuple[Any, pathlib.Path]]:
    """Yields the settings and the run folder, which has them as config.json.

    The folder is held as long as the context lasts. Of several processes, all
    but the first have another folder, see `hosts.joined`.

    Raises:
      ValueError: see `read_settings`, the folder is of a run with other
        settings, or the processes do not fit together.
    """
    config = read_settings(self._config, *self._examples)
    file = config_flags.get_config_filename(flags.FLAGS["config"])
    workdir = checks.folder(self._workdir.value or default_workdir(file))
    given = [
      flag.value
      for flag in (self._coordinator, self._num_processes, self._process_index)
    ]
    is_one_of_many = given != [None] * 3
    if self._distributed.value is False and is_one_of_many:
      raise ValueError(
        "--nodistributed contradicts --coordinator, --num_processes and "
        "--process_index"
      )
    with contextlib.ExitStack() as stack:
      if self._distributed.value or is_one_of_many:
        place = hosts.read_place(hosts.Place(*given))
        program = pathlib.Path(sys.argv[0]).stem
        workdir = stack.enter_context(hosts.joined(place, workdir, program))
        run_folder.check_same_config(config.to_dict())
      else:
        stack.enter_context(files.locked(workdir))
      run_folder.store_config(workdir, config.to_dict())
      yield config, workdir


def default_workdir(config: str) -> str:
  """Returns runs/<experiment>, and _<size> after it for all sizes but small."""
  path, _, size = config.partition(":")
  name, size = pathlib.Path(path).stem, size.replace(",", "_")
  return f"runs/{name}_{size}" if size not in ("", "small") else f"runs/{name}"

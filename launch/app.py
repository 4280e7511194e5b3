"""What all programs share: how they start, fail and stop, and their flags.

A program ends with exit code 0 when it is done or was asked to stop (SIGTERM,
Ctrl-C), and with 2 and one line on stderr at a mistake of its user. Each names
what takes seconds to import under `epy.lazy_imports()`: it is imported at its
first use, so a wrong flag is reported at once.
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags
from etils import epy
from ml_collections import config_flags

from a2r.core import checks, signals
from configs import ranges

with epy.lazy_imports():
  import jax

  from a2r.core import compilation, files
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
  rest = flags.FLAGS(sys.argv)[1:]
  if rest:
    raise ValueError(f"unexpected argument {rest[0]!r}; see --help")


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

  def __init__(self, example: str):
    """Defines the flags.

    Args:
      example: a file of settings, for who named none.
    """
    self._example = example
    self._config = config_flags.DEFINE_config_file(
      "config", None, "A file of settings, with a size after it such as :smoke."
    )
    self._workdir = flags.DEFINE_string(
      "workdir", None, "The run folder; runs/<name of the settings> by default."
    )
    self._distributed = flags.DEFINE_bool(
      "distributed", False, "Several hosts: start jax.distributed on each."
    )

  @contextlib.contextmanager
  def open(self) -> Iterator[tuple[Any, pathlib.Path]]:
    """Yields the settings and the run folder, which has them as config.json.

    The folder is held as long as the context lasts.

    Raises:
      ValueError: no settings, a number out of its range, or the folder is of a
        run with other settings.
    """
    config = required(self._config, self._example)
    ranges.check(config)
    workdir = self._workdir.value or default_workdir("config=", sys.argv[1:])
    workdir = checks.path(workdir)
    with contextlib.ExitStack() as stack:
      if self._distributed.value:
        jax.distributed.initialize()
        stack.callback(jax.distributed.shutdown)
      stack.enter_context(files.locked(workdir))
      run_folder.store_config(workdir, config.to_dict())
      yield config, workdir


def default_workdir(flag: str, argv: list[str]) -> str:
  """Returns runs/<experiment>, and _<size> after it for all sizes but small."""
  value = next(
    (a.split("=", 1)[1] for a in argv if a.lstrip("-").startswith(flag)),
    "run",
  )
  path, _, size = value.partition(":")
  name, size = pathlib.Path(path).stem, size.replace(",", "_")
  return f"runs/{name}_{size}" if size not in ("", "small") else f"runs/{name}"

"""What all programs share: one manner to start, to fail and to stop.

A program ends with exit code 0 when it is done or was asked to stop (SIGTERM,
Ctrl-C), and with 2 and one line on stderr at a mistake of its user.
"""

import os
import pathlib
import sys
from collections.abc import Callable

from absl import flags

from a2r.core import compilation, signals
from a2r.runs import run_folder

_TRACEBACK = flags.DEFINE_bool(
  "traceback", False, "Show where an error comes from, not only what it is."
)

# What a user can mend. JAX's own faults are TypeErrors and RuntimeErrors.
_MISTAKES = (ValueError, KeyError, OSError, FloatingPointError)


def run(main: Callable[[], None]):
  """Parses the flags and runs `main`, with the compilation cache on.

  Args:
    main: reads its flags itself; may raise `signals.StopRequested`.
  """
  # Before TensorFlow is imported, which reads them then. Some processors make
  # it announce oneDNN whatever the log level; no clip here needs that.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
  try:
    with signals.raising():
      _parse()
      compilation.enable_cache()
      main()
  except signals.StopRequested as stopped:
    print(
      f"Stopped ({stopped}). The same command goes on from there.",
      file=sys.stderr,
      flush=True,
    )
  except (*_MISTAKES, flags.Error, AttributeError) as error:
    # ml_collections raises AttributeErrors at a wrong key while parsing.
    own = not isinstance(error, AttributeError) or not flags.FLAGS.is_parsed()
    if not own or "--traceback" in sys.argv:
      raise
    print(
      f"{_program()}: {run_folder.one_line(error)}", file=sys.stderr, flush=True
    )
    sys.exit(2)


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


def _program() -> str:
  return pathlib.Path(sys.argv[0]).stem


def default_workdir(flag: str, argv: list[str]) -> str:
  """runs/<experiment> for the default size, runs/<experiment>_<size> else."""
  value = next(
    (a.split("=", 1)[1] for a in argv if a.lstrip("-").startswith(flag)),
    "run",
  )
  path, _, size = value.partition(":")
  name, size = pathlib.Path(path).stem, size.replace(",", "_")
  return f"runs/{name}_{size}" if size not in ("", "small") else f"runs/{name}"

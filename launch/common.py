"""What all programs share: one manner to start, to fail and to stop.

A program ends with exit code 0 when it is done or was asked to stop (SIGTERM,
Ctrl-C), and with 2 and one line on stderr at a mistake of its user.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from absl import flags

from a2r.core import checkpoint, compilation, signals

_TRACEBACK = flags.DEFINE_bool(
  "traceback", False, "Show where an error comes from, not only what it is."
)

# What a user can mend. JAX's own faults are TypeErrors and RuntimeErrors.
_MISTAKES = (ValueError, KeyError, OSError, FloatingPointError)
# May differ between a run and its continuation: length, clocks and places.
_FREE_KEYS = (
  "train.num_steps",
  "train.log_every",
  "train.checkpoint_every",
  "data.dir",
  "data.robot.test_path",
  "eval.environments",
  "eval.tasks",
  "eval.successes",
  "eval.failures",
  "eval.num_reranked",
  "eval.chunk_size",
)


def run(main: Callable[[], None]):
  """Parses the flags and runs `main`, with the compilation cache on.

  Args:
    main: reads its flags itself; may raise `signals.Stopped`.
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
  except signals.Stopped as stopped:
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
    print(f"{_program()}: {one_line(error)}", file=sys.stderr, flush=True)
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


def command_line() -> str:
  """The command that started this program, to be run again."""
  module = sys.modules["__main__"].__spec__
  start = ["-m", module.name] if module else sys.argv[:1]
  return shlex.join(["python", *start, *sys.argv[1:]])


def _program() -> str:
  return pathlib.Path(sys.argv[0]).stem


def one_line(error: BaseException) -> str:
  """What an error says, in one line."""
  text = str(error)
  if isinstance(error, KeyError | AttributeError) and error.args:
    text = str(error.args[0])
  lines = [line.strip() for line in text.split("\n") if line.strip()]
  if "Traceback (most recent call last):" in lines:
    lines = lines[-1:]
  return " ".join(lines) or type(error).__name__


def default_workdir(flag: str, argv: list[str]) -> str:
  """runs/<experiment> for the default size, runs/<experiment>_<size> else."""
  value = next(
    (a.split("=", 1)[1] for a in argv if a.lstrip("-").startswith(flag)),
    "run",
  )
  path, _, size = value.partition(":")
  name, size = pathlib.Path(path).stem, size.replace(",", "_")
  return f"runs/{name}_{size}" if size not in ("", "small") else f"runs/{name}"


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
  """Makes the run folder and holds it, so that no second process writes there.

  Raises:
    ValueError: another process holds it.
  """
  workdir.mkdir(parents=True, exist_ok=True)
  with open(workdir / ".lock", "w") as stream:
    try:
      fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ValueError(
        f"another process is writing in {workdir}; wait for it to end, or "
        "choose another --workdir"
      ) from None
    yield


@contextlib.contextmanager
def waiting_lock(folder: pathlib.Path) -> Iterator[None]:
  """`locked`, but waits until no other process holds the folder."""
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / ".lock", "w") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX)
    yield


def store_config(workdir: pathlib.Path, config: Mapping[str, Any]):
  """Writes config.json; a run that has begun must go on with the one it had.

  Args:
    workdir: the run folder.
    config: nested plain values.

  Raises:
    ValueError: the run began with other settings; names the keys that differ.
  """
  path = workdir / "config.json"
  config = json.loads(json.dumps(config))
  if path.exists() and checkpoint.exists(workdir):
    old, new = flat(json.loads(path.read_text())), flat(config)
    differ = [
      f"{key} was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
      for key in sorted(old.keys() | new.keys())
      if old.get(key) != new.get(key) and key not in _FREE_KEYS
    ]
    if differ:
      raise ValueError(
        f"{workdir} holds a run with other settings ({'; '.join(differ)}): "
        "choose another --workdir, or delete it"
      )
  write_json(path, config)


def store_digests(workdir: pathlib.Path, digests: Mapping[str, str]):
  """Writes data.json; a run that has begun must go on with the clips it had.

  Clips that are held out are chosen anew among other clips: a run would be
  judged on some that it was trained on.

  Args:
    workdir: the run folder.
    digests: what tells the clips from others, by the key of their path.

  Raises:
    ValueError: the run began with other clips; names the key of their path.
  """
  path = workdir / "data.json"
  if checkpoint.exists(workdir):
    old = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for key, digest in digests.items():
      # A run that recorded none drew its held-out clips in another way.
      if old.get(key, "" if key == "data.robot.path" else digest) != digest:
        raise ValueError(
          f"the clips of {key} have changed since the run in {workdir} began "
          "(or it is older than the record of them): train them in another "
          "--workdir"
        )
  write_json(path, dict(digests))


def read_json(path: pathlib.Path) -> Any:
  """What a JSON file holds, None where there is none.

  Raises:
    ValueError: it is broken.
  """
  try:
    return json.loads(path.read_text("utf-8")) if path.exists() else None
  except ValueError as error:
    raise ValueError(f"{path} is broken ({error}): delete it") from error


def write_json(path: pathlib.Path, value: Any):
  """Writes a JSON file, all or nothing."""
  write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: pathlib.Path, text: str):
  """Writes a text file, all or nothing."""
  with whole(path) as partial:
    partial.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def whole(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """A name to write to that becomes `path` if all goes well.

  It is of this process alone, so that several may write one file. Killed
  processes leave theirs behind, which nobody reads.
  """
  partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
  try:
    yield partial
    os.replace(partial, path)
  finally:
    partial.unlink(missing_ok=True)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
  """Nested dicts as one, keyed `a.b.c`."""
  if not isinstance(value, dict):
    return {prefix: value}
  result = {}
  for key, inner in value.items():
    result |= flat(inner, f"{prefix}.{key}" if prefix else key)
  return result

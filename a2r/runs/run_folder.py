"""A run's folder: the settings and clips it began with, and its command."""

import json
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from a2r.core import checkpoint, files

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
  files.write_json(path, config)


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
  files.write_json(path, dict(digests))


def command_line() -> str:
  """The command that started this program, to be run again."""
  module = sys.modules["__main__"].__spec__
  start = ["-m", module.name] if module else sys.argv[:1]
  return shlex.join(["python", *start, *sys.argv[1:]])


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
  """Nested dicts as one, keyed `a.b.c`."""
  if not isinstance(value, dict):
    return {prefix: value}
  result = {}
  for key, inner in value.items():
    result |= flat(inner, f"{prefix}.{key}" if prefix else key)
  return result

"""A run's folder: the settings and clips it began with, and its command."""

import json
import pathlib
import shlex
import sys
from collections.abc import Collection, Mapping
from typing import Any

from flax import traverse_util

from a2r.core import checkpoint, files, hosts

# May differ between a run and its continuation: length, clocks and places.
_FREE_KEYS = (
  "train.num_steps",
  "train.num_epochs",
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
  if checkpoint.exists(workdir):
    check_config(workdir, config, _FREE_KEYS)
  files.write_json(workdir / "config.json", config, recorded=True)


def check_config(
  workdir: pathlib.Path, config: Mapping[str, Any], free: Collection[str]
):
  """Fails where a run has other settings; those that one lacks do not count.

  Args:
    workdir: the run folder; it may have no settings yet.
    config: nested plain values.
    free: keys, like `train.log_every`, that may differ.

  Raises:
    ValueError: names the keys that differ.
  """
  old = files.read_json(workdir / "config.json") or {}
  if differ := _differing(old, config, free):
    raise ValueError(
      f"{workdir} holds a run with other settings ({differ}): "
      "choose another --workdir, or delete it"
    )


def check_same_config(config: Mapping[str, Any]):
  """Fails, on all processes of a run, where one has other settings.

  Args:
    config: nested plain values.

  Raises:
    ValueError: names the process and the keys that differ.
  """
  first, *others = hosts.exchange(config)
  for index, other in enumerate(others, start=1):
    if differ := _differing(first, other, ("data.dir",)):
      raise ValueError(
        f"process {index} has other settings than process 0 ({differ}): start "
        "all with the same"
      )


def _differing(old, new, free) -> str:
  """Keys that two settings have with other values, but for the free ones."""
  old, new = (
    traverse_util.flatten_dict(json.loads(json.dumps(settings)), sep=".")
    for settings in (old, new)
  )
  return "; ".join(
    f"{key} was {json.dumps(old[key])}, now {json.dumps(new[key])}"
    for key in sorted(old.keys() & new.keys())
    if old[key] != new[key] and key not in free
  )


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
    old = files.read_json(path) or {}
    for key, digest in digests.items():
      # A run that recorded none drew its held-out clips in another way.
      if old.get(key, "" if key == "data.robot.path" else digest) != digest:
        raise ValueError(
          f"the clips of {key} have changed since the run in {workdir} began "
          "(or it is older than the record of them): train them in another "
          "--workdir"
        )
  files.write_json(path, dict(digests), recorded=True)


def read_items(workdir: pathlib.Path) -> dict[str, Any]:
  """Returns what checkpoints have besides: settings, and a tokenizer if any."""
  items = {
    name: files.read_json(workdir / f"{name}.json")
    for name in ("config", "tokenizer")
  }
  return {name: value for name, value in items.items() if value is not None}


def command_line() -> str:
  """The command that started this program, to be run again."""
  module = sys.modules["__main__"].__spec__
  start = ["-m", module.name] if module else sys.argv[:1]
  return shlex.join(["python", *start, *sys.argv[1:]])

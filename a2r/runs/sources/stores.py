"""The data sets of a folder: made where they are missing, and listed.

Every data set has a folder of its own under a root, named after all that
decides its bytes: the spec and the code that makes it. The second call finds
what the first one made, and one that was killed goes on where it stopped.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from a2r.core import progress
from a2r.runs.sources import fingerprint
from data import records
from data.dataset import Dataset, open_dataset
from data.records import Record

# Entries of a spec that tell data sets apart at a glance.
_CONTENT = ("environment", "purpose", "templates", "sources", "want", "seed")


def make_dataset(
  root,
  name: str,
  spec,
  module: str,
  counts: Sequence[int],
  make_fn: Callable[[int], Iterable[Record]],
) -> Dataset:
  """Makes the shards that are missing, with progress shown; opens them all.

  Args:
    root: folder of all data sets.
    name: 'robot' or 'human', first part of the folder's and shards' names.
    spec: dataclass of plain values, what was asked for.
    module: the project's module that makes the clips.
    counts: clips of each shard.
    make_fn: shard number to its clips; a pure function of the number.

  Raises:
    RecordError: stored clips that are damaged.
  """
  stored = _plain(spec, module)
  folder = records.spec_folder(root, name, stored)
  missing = records.missing_shards(folder, name, len(counts))
  total, left = sum(counts), sum(counts[shard] for shard in missing)
  if not left and (folder / records.INDEX_FILE).exists():
    return open_dataset(folder, name)
  started = time.monotonic()
  with progress.Progress(
    total, start=total - left, name=f"{name} clips"
  ) as bar:
    done = 0
    bar.say(f"{left} to make; the first wait for a program to be compiled")

    def make(shard):
      nonlocal done
      for record in make_fn(shard):
        yield record
        bar.advance()
      done += counts[shard]
      bar.report({"clips/s": done / (time.monotonic() - started)})

    records.write_shards(folder, name, stored, len(counts), make)
  return open_dataset(folder, name)


def summary(root) -> list[dict[str, Any]]:
  """What is stored under `root`: one row per finished data set, read whole.

  Raises:
    RecordError: stored clips that are damaged.
  """
  rows = []
  for file in sorted(pathlib.Path(root).expanduser().glob("*/index.json")):
    name = file.parent.name.rpartition("-")[0]
    clips = open_dataset(file.parent, name)
    num_bytes = sum(path.stat().st_size for path in clips.files)
    content = records.load_index(file.parent)["spec"]
    rows.append(
      {
        "folder": file.parent.name,
        "clips": len(clips),
        "successes": int(clips.success.sum()),
        "bytes": num_bytes,
        "bytes_per_clip": num_bytes / len(clips),
        "content": " ".join(
          ",".join(content[key]) if key == "sources" else str(content[key])
          for key in _CONTENT
          if key in content
        ),
      }
    )
  return rows


def _plain(spec, module: str) -> dict[str, Any]:
  """All that decides the bytes of a data set, as JSON values."""
  values = {
    key: list(value) if isinstance(value, tuple) else value
    for key, value in dataclasses.asdict(spec).items()
  }
  return values | {
    "format": records.FORMAT,
    "made_by": module,
    "code": fingerprint.source_digest(module),
  }

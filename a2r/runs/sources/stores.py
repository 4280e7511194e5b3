"""The data sets that the project makes: made where missing, and listed.

Every data set has a folder of its own under a root, named after all that
decides its bytes: the spec and the code that makes it. The second call finds
what the first one made, and one that was killed goes on where it stopped.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from a2r.evaluation import tables
from a2r.runs.sources import fingerprint
from data import records, store
from data.dataset import Dataset, open_dataset
from data.records import Record

PURPOSES = ("train", "validation", "test")  # No two share a draw.
# Entries of a spec that tell data sets apart at a glance.
_CONTENT = ("environment", "purpose", "templates", "sources", "want", "seed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
  """What all clips that are made are asked for; specs check themselves.

  Attributes:
    seed: of the experiment.
    num_frames: frames stored of a clip.
    image_size: pixels of the stored pictures, either side.

  Raises:
    ValueError: a spec that cannot be met.
  """

  seed: int = 0
  num_frames: int = 8
  image_size: int = 64


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
  values = identify(spec, module) | {"format": records.FORMAT}
  folder = store.spec_folder(root, name, values)
  hint = "the first wait for a program to be compiled"
  store.write_shards(folder, name, values, counts, make_fn, hint=hint)
  return open_dataset(folder, name)


def identify(spec, module: str) -> dict[str, Any]:
  """Returns all that decides the bytes of a data set, as JSON values."""
  values = {
    key: list(value) if isinstance(value, tuple) else value
    for key, value in dataclasses.asdict(spec).items()
  }
  code = fingerprint.source_digest(module)
  return values | {"made_by": module, "code": code}


def summary(root) -> list[dict[str, Any]]:
  """Returns what is stored under `root`: one row per finished data set.

  Raises:
    RecordError: stored clips that are damaged.
  """
  rows = []
  for file in sorted(pathlib.Path(root).expanduser().glob("*/index.json")):
    name = file.parent.name.rpartition("-")[0]
    clips = open_dataset(file.parent, name)
    num_bytes = sum(path.stat().st_size for path in clips.files)
    content = store.load_index(file.parent)["spec"]
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


def report(root) -> str:
  """Returns the table of what is stored under `root`.

  Its figures are written to metrics.jsonl there.

  Raises:
    RecordError: stored clips that are damaged.
  """
  rows = summary(root)
  path = pathlib.Path(root).expanduser() / "metrics.jsonl"
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  header = ["data set", "clips", "bytes/clip", "MB", "content"]
  cells = [
    (
      row["folder"],
      row["clips"],
      round(row["bytes_per_clip"]),
      f"{row['bytes'] / 1e6:.1f}",
      row["content"],
    )
    for row in rows
  ]
  return tables.Table("", header, cells).text()

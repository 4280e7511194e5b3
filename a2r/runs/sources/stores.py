"""The data sets that the project makes: made where missing, and listed.

Every data set has a folder of its own under a root, named after all that
decides its bytes: the spec and the code that makes it. The second call finds
what the first one made, and one that was killed goes on where it stopped.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from a2r.core import checks, files
from a2r.evaluation import tables
from a2r.runs.sources import fingerprint
from data import records, store
from data.dataset import Dataset, open_dataset
from data.records import Record

PURPOSES = ("train", "validation", "test")  # No two share a draw.
# The code that this process runs, though its files may change under it.
_source_digest = functools.cache(fingerprint.source_digest)
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

  def __post_init__(self):
    checks.count("seed", self.seed, 0, 2**63 - 1)
    checks.clip_sizes(self.num_frames, self.image_size)


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
  code = _source_digest(module)
  return values | {"made_by": module, "code": code}


def report(root) -> str:
  """Returns the table of what is stored under `root`, a row per data set.

  Its figures are written to metrics.jsonl there.

  Raises:
    RecordError: stored clips that are damaged.
  """
  root, lines, cells = checks.path(root), [], []
  for file in sorted(root.glob("*/index.json")):
    folder = file.parent
    clips = open_dataset(folder, folder.name.rpartition("-")[0])
    num_bytes = sum(path.stat().st_size for path in clips.files)
    spec = store.load_index(folder)["spec"]
    row = {
      "folder": folder.name,
      "clips": len(clips),
      "successes": int(clips.success.sum()),
      "bytes": num_bytes,
      "bytes_per_clip": num_bytes / len(clips),
      "content": " ".join(
        ",".join(spec[key]) if key == "sources" else str(spec[key])
        for key in _CONTENT
        if key in spec
      ),
    }
    lines.append(json.dumps(row) + "\n")
    each, megabytes = round(row["bytes_per_clip"]), f"{num_bytes / 1e6:.1f}"
    cells.append((folder.name, len(clips), each, megabytes, row["content"]))
  files.write_text(root / "metrics.jsonl", "".join(lines))
  header = ["data set", "clips", "bytes/clip", "MB", "content"]
  return tables.Table("", header, cells).text()

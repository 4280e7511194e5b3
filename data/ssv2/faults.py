"""The list of videos that could not be read, beside the shards they are of."""

import collections
import csv
import dataclasses
import io
import pathlib
from collections.abc import Sequence

from a2r.core import files

FILE = "bad_videos.csv"
_NUM_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Fault:
  """A video that could not be read.

  Attributes:
    video: its number.
    template: what it would have shown.
    shard: which would have had it.
    size: bytes of its file, -1 where there is none.
    reason: in words.
  """

  video: str
  template: str
  shard: int
  size: int
  reason: str


def load(folder: pathlib.Path) -> list[Fault]:
  """The faults of a data set, none where it has no list yet."""
  file = folder / FILE
  if not file.exists():
    return []
  with file.open(encoding="utf-8", newline="") as stream:
    return [
      Fault(**row | {"shard": int(row["shard"]), "size": int(row["size"])})
      for row in csv.DictReader(stream)
    ]


def save(folder: pathlib.Path, faults: Sequence[Fault]):
  """Writes the list, all or nothing, in the order of the shards."""
  stream = io.StringIO(newline="")
  writer = csv.writer(stream, lineterminator="\n")
  writer.writerow(field.name for field in dataclasses.fields(Fault))
  for fault in sorted(faults, key=lambda fault: fault.shard):
    writer.writerow(dataclasses.astuple(fault))
  files.write_text(folder / FILE, stream.getvalue())


def file_size(path: pathlib.Path) -> int:
  """Bytes of a file, -1 where there is none."""
  try:
    return path.stat().st_size
  except OSError:
    return -1


def check_share(
  folder: pathlib.Path,
  faults: Sequence[Fault],
  num_videos: int,
  max_bad_share: float,
  *,
  finished: bool = False,
):
  """Fails where more videos are bad than may be.

  Args:
    folder: of the data set, where the list is.
    faults: those found so far.
    num_videos: of the whole data set.
    max_bad_share: of them may be bad.
    finished: whether all its shards and its index are there.

  Raises:
    ValueError: how many, the first of them, and where the list is.
  """
  if len(faults) <= max_bad_share * num_videos:
    return
  shown = "; ".join(f"{f.video}: {f.reason}" for f in faults[:_NUM_SHOWN])
  so_far = "" if finished else " so far"
  mend = "mend them"
  if finished:
    mend += " and delete index.json there, so that they are read again"
  kinds = collections.Counter("no such file" in f.reason for f in faults)
  raise ValueError(
    f"{len(faults)} of {num_videos} videos cannot be read{so_far} "
    f"({len(faults) / num_videos:.1%}, {kinds[True]} of them are not there), "
    f"max_bad_share allows {max_bad_share:.1%} ({shown}); they are listed in "
    f"{folder / FILE}; {mend}, or allow more: `python -m launch.ssv2 "
    "--max_bad_share=...` goes on with the shards that are made"
  )

"""Clips of others, from wherever they are, to TFRecord shards."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from a2r.core import progress
from data import images, records

_CLIPS_PER_SHARD = 64


def store(
  root,
  name: str,
  spec: Mapping[str, Any],
  *,
  num_clips: int,
  read_fn: Callable[[int, int], Iterable[records.Record]],
  image_size: int,
) -> pathlib.Path:
  """Stores clips, with progress shown; returns their folder.

  A second call with the same spec finds what the first one made.

  Args:
    root: where data sets are kept.
    name: first part of the shards' names.
    spec: all that decides the clips, as plain JSON values.
    num_clips: how many there are.
    read_fn: `read_fn(start, stop)` gives these clips, with pictures of any
      size; a pure function of the numbers.
    image_size: pixels of the stored pictures, either side.
  """
  spec = dict(spec) | {"format": records.FORMAT, "image_size": image_size}
  folder = records.spec_folder(root, name, spec)
  num_shards = -(-num_clips // _CLIPS_PER_SHARD)
  missing = records.missing_shards(folder, name, num_shards)
  if not missing and (folder / records.INDEX_FILE).exists():
    return folder
  with progress.Progress(num_clips, name=f"{name} clips") as bar:

    def make(shard):
      start = shard * _CLIPS_PER_SHARD
      stop = min(start + _CLIPS_PER_SHARD, num_clips)
      for record in read_fn(start, stop):
        frames = images.resize(record.frames, image_size)
        yield dataclasses.replace(record, frames=frames)
        bar.advance()
      bar.report({"stored": stop})

    return records.write_shards(folder, name, spec, num_shards, make)

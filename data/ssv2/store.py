"""Which videos are stored and how, and the shards of those of one split.

They are resumable shard by shard; beside them is a list of the videos that
could not be read.
"""

import csv
import dataclasses
import difflib
import io
import math
import pathlib
import time
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from a2r.core import checks, files
from data import records
from data import store as shards
from data.ssv2 import layout as layouts
from data.ssv2 import reading
from data.ssv2.layout import ENVIRONMENT, Layout, Video

NAME = "human"  # Of the shards.
FAULTS_FILE = "bad_videos.csv"
CAPTIONS = ("label", "template")
_CLIPS_PER_SHARD = 512
_BAD_SHARE = 0.01  # Of the videos of a split.
_NUM_SHOWN = 3
# Reasons of videos that an archive without one of its parts leaves behind.
_LOST = ("no such file", "cut short", "is empty", "not a readable")
_JOIN = "`cat 20bn-something-something-v2-?? | tar zx`"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
  """What decides the bytes of a data set, besides the download itself.

  Raises:
    ValueError: a field that makes no sense, by name.
  """

  # With or without brackets, in any case; all if empty.
  templates: tuple[str, ...] = ()
  per_template: int = 0  # Videos of each template and split; 0 takes all.
  # The instruction: 'label' (the template filled) or 'template'.
  caption: str = "label"
  num_frames: int = 16  # T, evenly spaced, the first and the last among them.
  image_size: int = 224  # S, the aspect is not kept.
  seed: int = 0  # Of the choice where `per_template` leaves some out.

  def __post_init__(self):
    checks.one_of("caption", self.caption, CAPTIONS)
    checks.clip_sizes(self.num_frames, self.image_size)
    checks.at_least("per_template", self.per_template, 0)


def resolve(names: Sequence[str], templates: Sequence[str]) -> tuple[str, ...]:
  """Returns the official spelling of named templates, all if none is named.

  Raises:
    ValueError: an unknown name, with those most like it; a name twice.
  """
  known = {layouts.normalize(template): template for template in templates}
  resolved = []
  for name in names:
    plain = layouts.normalize(name)
    if plain not in known:
      near = difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
      near = ", ".join(repr(known[match]) for match in near)
      near = f"near it: {near}" if near else f"there are {len(known)} others"
      raise ValueError(f"unknown template {name!r}; {near}")
    if known[plain] in resolved:
      raise ValueError(f"the template {known[plain]!r} is named twice")
    resolved.append(known[plain])
  return tuple(resolved) or tuple(templates)


def choose(
  videos: Sequence[Video], chosen: Selection, templates: Sequence[str]
) -> list[Video]:
  """Returns the videos of some templates, in their order.

  With `per_template` a higher number takes the same ones and more. `videos` are
  of one split, `templates` official spellings.
  """
  rows_of = {template: [] for template in templates}
  for row, video in enumerate(videos):
    if video.template in rows_of:
      rows_of[video.template].append(row)
  taken = []
  for template, rows in rows_of.items():
    if chosen.per_template:
      key = (chosen.seed, zlib.crc32(template.encode()))
      order = np.random.default_rng(key).permutation(len(rows))
      rows = [rows[place] for place in order[: chosen.per_template]]
    taken += rows
  return [videos[row] for row in sorted(taken)]


def caption(video: Video, kind: str) -> str:
  """Returns the instruction of a video."""
  return video.label if kind == "label" else layouts.plain(video.template)


@dataclasses.dataclass(frozen=True)
class Fault:
  """A video that could not be read."""

  video: str  # Its number.
  template: str  # What it would have shown.
  shard: int  # Which would have had it.
  size: int  # Bytes of its file, -1 where there is none.
  reason: str  # In words.


class Stored(NamedTuple):
  """A split on disk."""

  folder: pathlib.Path  # To be opened as `open_dataset(folder, NAME)`.
  asked: list[Video]  # The videos chosen.
  bad: list[Fault]  # Those of them that could not be read.
  shard_lengths: list[int]  # Clips of each shard.
  num_bytes: int  # Of all shards.
  clips_per_second: float | None  # Of making; None where all were there.


def store(
  layout: Layout,
  split: str,
  videos: Sequence[Video],
  chosen: Selection,
  folder: pathlib.Path,
  *,
  num_workers: int = 0,
  max_bad_share: float | None = None,
) -> Stored:
  """Makes the shards that are missing; returns what is there then.

  A video that cannot be read is left out and listed in bad_videos.csv. Of a
  data set that was not finished, a shard is made again if a bad video of its
  own has been mended.

  Args:
    layout: where the videos are.
    split: such as 'train'.
    videos: those chosen of it, one at least.
    chosen: how they are stored.
    folder: where; made if missing.
    num_workers: processes that read videos; 0 takes one for each core.
    max_bad_share: share of the videos that may be bad, of a finished data set
      too; None allows 0.01 while one is made, and takes a finished one as it
      is.

  Raises:
    FileNotFoundError: there is no video at all.
    ValueError: too many bad videos, or a folder with another selection.
  """
  num_shards = math.ceil(len(videos) / _CLIPS_PER_SHARD)
  bounds = np.linspace(0, len(videos), num_shards + 1).astype(int)
  counts = np.diff(bounds)
  paths = shards.shard_paths(folder, NAME, num_shards)
  is_finished = shards.is_finished(folder, paths)
  if not is_finished and not layouts.has_videos(layout.videos):
    raise FileNotFoundError(
      f"{layout.videos}: no webm file; unpack the archives of the download "
      f"with {_JOIN} (mp4, mkv and avi files do as well)"
    )
  allowed = _BAD_SHARE if max_bad_share is None else max_bad_share
  num_made, began = 0, time.monotonic()
  with reading.open_map(
    num_workers, num_frames=chosen.num_frames, image_size=chosen.image_size
  ) as map_fn:

    def make(shard):
      nonlocal num_made
      missing = shards.missing_shards(paths)
      bad = [f for f in load_faults(folder) if f.shard not in missing]
      share = videos[bounds[shard] : bounds[shard + 1]]
      clips = map_fn([layout.path(video.name) for video in share])
      for video, clip in zip(share, clips, strict=True):
        if clip.fault:
          size = _size(layout.path(video.name))
          bad.append(Fault(video.name, video.template, shard, size, clip.fault))
          yield None
        else:
          yield records.Record(
            frames=clip.jpegs,
            instruction=caption(video, chosen.caption),
            template=video.template,
            source="human",
            environment=ENVIRONMENT,
            seed=int(video.name),
          )
      # The list first: a shard that is there has its faults in it.
      _save_faults(folder, bad)
      _check_share(folder, bad, len(videos), allowed)
      num_made += len(share)

    def find_mended():
      return {
        fault.shard
        for fault in load_faults(folder)
        if _size(layout.path(fault.video)) != fault.size
      }

    shards.write_shards(
      folder,
      NAME,
      _spec(split, videos, chosen),
      counts.tolist(),
      make,
      stale_fn=find_mended,
    )
  rate = num_made / (time.monotonic() - began) if num_made else None
  bad = load_faults(folder)
  if max_bad_share is not None:
    _check_share(folder, bad, len(videos), max_bad_share, is_finished=True)
  num_bad = np.bincount([f.shard for f in bad], minlength=num_shards)
  lengths = (counts - num_bad.astype(int)).tolist()
  num_bytes = sum(path.stat().st_size for path in paths)
  return Stored(folder, list(videos), bad, lengths, num_bytes, rate)


def load_faults(folder: pathlib.Path) -> list[Fault]:
  """Returns the faults of a data set, none where it has no list yet."""
  file = folder / FAULTS_FILE
  if not file.exists():
    return []
  with file.open(encoding="utf-8", newline="") as stream:
    return [
      Fault(**row | {"shard": int(row["shard"]), "size": int(row["size"])})
      for row in csv.DictReader(stream)
    ]


def _save_faults(folder: pathlib.Path, faults: Sequence[Fault]):
  """Writes the list in the order of the shards."""
  stream = io.StringIO(newline="")
  writer = csv.writer(stream, lineterminator="\n")
  writer.writerow(field.name for field in dataclasses.fields(Fault))
  for fault in sorted(faults, key=lambda fault: fault.shard):
    writer.writerow(dataclasses.astuple(fault))
  files.write_text(folder / FAULTS_FILE, stream.getvalue())


def _size(path: pathlib.Path) -> int:
  """Bytes of a file, -1 where there is none."""
  return path.stat().st_size if path.exists() else -1


def _check_share(folder, bad, num_videos, max_bad_share, *, is_finished=False):
  """Fails where more videos are bad than may be, and says how to go on."""
  if len(bad) <= max_bad_share * num_videos:
    return
  shown = "; ".join(f"{f.video}: {f.reason}" for f in bad[:_NUM_SHOWN])
  num_missing = sum("no such file" in fault.reason for fault in bad)
  num_lost = sum(any(word in f.reason for word in _LOST) for f in bad)
  so_far, mend = " so far", "mend them"
  if num_lost > len(bad) / 2:
    mend = (
      "most are missing or cut, as where a part of the archive was not there: "
      f"join all its parts again with {_JOIN}"
    )
  if is_finished:
    so_far = ""
    mend += " and delete index.json there, so that they are read again"
  raise ValueError(
    f"{len(bad)} of {num_videos} videos cannot be read{so_far} "
    f"({len(bad) / num_videos:.1%}, {num_missing} of them are not there), "
    f"max_bad_share allows {max_bad_share:.1%} ({shown}); they are listed in "
    f"{folder / FAULTS_FILE}; {mend}, or allow more: `python -m launch.ssv2 "
    "--max_bad_share=...` goes on with the shards that are made"
  )


def _spec(split, videos, chosen: Selection) -> dict[str, Any]:
  """All that decides the bytes of a split."""
  lines = (
    f"{v.name}\t{v.template}\t{caption(v, chosen.caption)}\n" for v in videos
  )
  return dataclasses.asdict(chosen) | {
    "format": records.FORMAT,
    "made_by": "data.ssv2",
    "split": split,
    "templates": sorted({video.template for video in videos}),
    "videos": files.digest(*lines),
  }

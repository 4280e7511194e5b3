"""Something-Something V2 as the human clips of a run."""

import collections
import pathlib
from collections.abc import Mapping

from a2r.evaluation import tables
from a2r.runs.data_settings import DataSettings
from data.dataset import Dataset, open_dataset
from data.ssv2 import builder, layout, store


def open_split(
  settings: DataSettings, manual_dir: pathlib.Path, *, split: str
) -> Dataset:
  """Opens the clips of one split, made where they are missing.

  The instruction is the label, the template has its own column. The choice of
  `human.clips_per_template` videos (0 takes all) does not depend on the run's
  seed: all runs of an experiment find the same ones on disk.

  Args:
    settings: of the run's data; `robot` and `validation` are not read.
    manual_dir: folder of the download.
    split: 'train', 'validation' or 'test'.

  Raises:
    ValueError: a template that does not exist, or too many bad videos.
    FileNotFoundError: annotations that are not there.
  """
  prepared = _make_builder(settings, manual_dir).prepare_split(split)
  return open_dataset(prepared.folder, store.NAME)


def count(
  settings: DataSettings, manual_dir: pathlib.Path, *, split: str
) -> int:
  """Returns how many videos `open_split` opens, the bad ones counted too."""
  return len(_make_builder(settings, manual_dir).videos(split))


def _make_builder(settings, manual_dir) -> builder.SomethingSomethingV2:
  return builder.SomethingSomethingV2(
    manual_dir=manual_dir,
    chosen=store.Selection(
      templates=settings.human.templates,
      per_template=settings.human.clips_per_template,
      **settings.sizes,
    ),
    data_dir=settings.dir,
  )


def report(
  prepared: builder.SomethingSomethingV2, stored: Mapping[str, store.Stored]
) -> str:
  """Returns per template what was asked, stored and bad; then totals by split.

  Args:
    prepared: the data set.
    stored: split to what is on disk of it.
  """
  header, columns = ["template"], []
  for split, of in stored.items():
    header += [split, "stored", "bad"]
    asked = collections.Counter(video.template for video in of.asked)
    bad = collections.Counter(fault.template for fault in of.bad)
    columns += [asked, asked - bad, bad]
  rows = [[t[:50], *(num[t] for num in columns)] for t in prepared.templates]
  lines = [tables.Table("", header, rows).text()]
  for split, of in stored.items():
    num_clips, rate = sum(of.shard_lengths), of.clips_per_second
    made = "all were there" if rate is None else f"made at {rate:.1f} clips/s"
    lines.append(
      f"{split}: {num_clips} of {len(of.asked)} clips in {of.folder}, "
      f"{of.num_bytes / max(num_clips, 1):.0f} bytes/clip, "
      f"{of.num_bytes / 1e6:.1f} MB, {made}"
    )
  num_test = layout.count(prepared.layout, "test")
  if num_test and "test" not in stored:
    lines.append(f"Left out: the {num_test} videos of the test split.")
  return "\n".join(lines)

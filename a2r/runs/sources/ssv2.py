"""Something-Something V2 as the human clips of a run."""

import pathlib

from a2r.runs.data_settings import DataSettings
from data.dataset import Dataset, open_dataset
from data.ssv2 import builder, selection, store


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
  prepared = builder.SomethingSomethingV2(
    manual_dir=manual_dir,
    chosen=selection.Selection(
      templates=settings.human.templates,
      per_template=settings.human.clips_per_template,
      num_frames=settings.stored_frames,
      image_size=settings.image_size,
    ),
    data_dir=settings.dir,
  ).prepare_split(split)
  return open_dataset(prepared.folder, store.NAME)

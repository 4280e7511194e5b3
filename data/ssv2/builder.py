"""The data set for tensorflow-datasets, on the project's own shards.

  builder = SomethingSomethingV2(manual_dir="ssv2", data_dir="datasets")
  builder.download_and_prepare()
  clips = builder.as_dataset(split="train")  # A tf.data.Dataset.

One copy is on disk: `data.dataset.open_dataset(builder.split_folder("train"),
"human")` reads the same files. Letters: T frames, S picture size.
"""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_info

from a2r.core import checks, files
from data import records
from data import store as shards
from data.ssv2 import layout as layouts
from data.ssv2 import store
from data.ssv2.store import Selection

_TEMPLATE = "{SPLIT}/" + store.NAME + "-{SHARD_X_OF_Y}.{FILEFORMAT}"
_CITATION = """@inproceedings{goyal2017something,
  title={The "something something" video database for learning and evaluating
    visual common sense},
  author={Goyal, Raghav and others},
  booktitle={ICCV},
  year={2017},
}"""


class _Info(tfds.core.DatasetInfo):
  """Does not ask the public bucket, which has nothing of this data set."""

  def initialize_from_bucket(self):
    pass


class SomethingSomethingV2(tfds.core.dataset_builder.FileReaderBuilder):
  """Builds and reads the data set.

  Preparing goes on where it was stopped, shard by shard, and ends with the same
  bytes.
  """

  VERSION = tfds.core.Version("1.0.0")
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    "Something-Something V2 is downloaded by hand, after registration, from "
    "Qualcomm; unpack its videos and labels below manual_dir."
  )

  def __init__(
    self,
    *,
    manual_dir,
    chosen: Selection | None = None,
    data_dir="datasets",
    **kwargs,
  ):
    """Finds the download, and what was made of it before.

    Args:
      manual_dir: folder of the download, see `data.ssv2.layout`.
      chosen: which videos are stored, and how; all of them by default.
      data_dir: where data sets are kept.
      **kwargs: of `tfds.core.DatasetBuilder`.

    Raises:
      FileNotFoundError: no annotations in manual_dir.
      ValueError: a selection that makes no sense.
    """
    self.chosen = chosen or Selection()
    self.layout = layouts.find(manual_dir)
    self.templates = store.resolve(self.chosen.templates, self.layout.templates)
    super().__init__(data_dir=checks.path(data_dir), **kwargs)

  def split_folder(self, split: str) -> pathlib.Path:
    """Returns the folder of a split's shards and of bad_videos.csv."""
    return pathlib.Path(self.data_dir) / split

  def videos(self, split: str) -> list[layouts.Video]:
    """Returns the videos of a split that are chosen, bad ones among them.

    Raises:
      ValueError: none of a template that is asked for by name.
    """
    videos = layouts.load_split(self.layout, split)
    videos = store.choose(videos, self.chosen, self.templates)
    present = {video.template for video in videos}
    absent = [t for t in self.templates if t not in present]
    if absent and (self.chosen.templates or not present):
      raise ValueError(
        f"{self.layout.annotations[split]}: no video of {len(absent)} "
        f"templates asked for, such as {absent[0]!r}"
      )
    return videos

  def prepare_split(self, split: str, **options) -> store.Stored:
    """Makes what is missing of one split.

    Args:
      split: 'train', 'validation' or 'test'.
      **options: of `data.ssv2.store.store`.

    Raises:
      ValueError: no videos, or too many bad ones.
    """
    videos, folder = self.videos(split), self.split_folder(split)
    stored = store.store(
      self.layout, split, videos, self.chosen, folder, **options
    )
    self._add_split(split, stored)
    return stored

  def download_and_prepare(
    self, *, splits: Sequence[str] = ("train", "validation"), **options
  ) -> None:
    """Makes what is missing of some splits; nothing is downloaded.

    Args:
      splits: which; 'test' needs test-answers.csv in the download.
      **options: of `prepare_split`.
    """
    for split in splits:
      self.prepare_split(split, **options)

  def _add_split(self, split: str, stored: store.Stored):
    """Writes the files that make the folder one of tensorflow-datasets."""
    with files.locked(self.data_path, wait=True):
      # Another process may have added its split meanwhile.
      if dataset_info.dataset_info_path(self.data_path).exists():
        self.info.read_from_directory(self.data_dir)
      known = self.info.splits.get(split)
      if known and known.shard_lengths == stored.shard_lengths:
        return
      template = tfds.core.ShardedFileTemplate(
        data_dir=self.data_dir,
        template=_TEMPLATE,
        dataset_name=self.name,
        split=split,
        filetype_suffix="tfrecord",
      )
      info = tfds.core.SplitInfo(
        name=split,
        shard_lengths=stored.shard_lengths,
        num_bytes=stored.num_bytes,
        filename_template=template,
      )
      splits = dict(self.info.splits) | {split: info}
      self.info.set_splits(tfds.core.SplitDict(list(splits.values())))
      # The library writes in place: a kill would leave half a file.
      with (
        files.writing(self.data_path),
        tempfile.TemporaryDirectory(dir=self.data_path) as partial,
      ):
        self.info.write_to_directory(partial)
        for file in pathlib.Path(partial).iterdir():
          os.replace(file, self.data_path / file.name)

  def _build_data_dir(self, given_data_dir):
    spec = dataclasses.asdict(self.chosen) | {
      "templates": sorted(self.templates),
      "annotations": self.layout.digest(),
      "format": records.FORMAT,
    }
    folder = shards.spec_folder(given_data_dir, "ssv2", spec)
    return os.fspath(given_data_dir), os.fspath(folder)

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.chosen.image_size
    return _Info(
      builder=self,
      description="Clips of people who do something with something.",
      homepage="https://www.qualcomm.com/developer/software/something-something-v-2-dataset",
      citation=_CITATION,
      features=tfds.features.FeaturesDict(
        {
          "frames": tfds.features.Sequence(
            tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg"),
            length=self.chosen.num_frames,
          ),
          "log": tfds.features.Tensor(shape=(None,), dtype=np.float32),
        }
        | {name: tfds.features.Text() for name in records.TEXTS}
        | {n: tfds.features.Scalar(np.int64) for n in ("success", "seed")}
      ),
    )

  def _download_and_prepare(self, dl_manager, download_config=None):
    raise NotImplementedError("download_and_prepare does it")

"""The tensorflow-datasets builder reads the shards that the project reads."""

import errno
import os
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from a2r.core import files
from data import dataset
from data.ssv2 import builder
from data.ssv2.store import Selection


@pytest.fixture(scope="module")
def make(mini, tmp_path_factory):
  """Function of a selection to a builder in one data folder."""
  data_dir = tmp_path_factory.mktemp("datasets")

  def build(**changes):
    chosen = Selection(num_frames=3, image_size=16, **changes)
    return builder.SomethingSomethingV2(
      manual_dir=mini[0], chosen=chosen, data_dir=data_dir
    )

  return build


def test_one_copy_for_both_readers(make):
  prepared = make()
  prepared.download_and_prepare(num_workers=1, max_bad_share=0.5)
  for again in (prepared, make()):
    assert again.info.splits["train"].num_examples == 12
    assert again.info.splits["validation"].num_examples == 3
  for split in ("train", "validation"):
    ours = dataset.open_dataset(prepared.split_folder(split), "human")
    theirs = list(prepared.as_dataset(split=split).as_numpy_iterator())
    assert len(theirs) == len(ours)
    for row, clip in enumerate(theirs):
      assert clip["instruction"].decode() == ours.instruction[row]
      assert clip["template"].decode() == ours.template[row]
      assert clip["seed"] == ours.seed[row] and clip["success"] == 1
      assert clip["frames"].shape == (3, 16, 16, 3)
      # It decodes by a faster cosine transform than the project does.
      difference = np.abs(clip["frames"].astype(int) - ours.read(row).frames)
      assert difference.mean() < 3 and difference.max() < 24
  part = list(prepared.as_dataset(split="train[:25%]"))
  assert len(part) == 3


def test_read_without_this_code(make):
  prepared = make(caption="template")
  prepared.prepare_split("validation", num_workers=1)
  read = tfds.builder_from_directory(prepared.data_dir)
  clips = read.as_dataset(split="validation").as_numpy_iterator()
  words = {clip["instruction"] for clip in clips}
  assert b"moving part of something" in words and len(words) == 3


def test_two_programs_make_a_split_each(make):
  # Either has looked at the folder before the other wrote to it.
  first, second = make(per_template=2), make(per_template=2)
  stored = first.prepare_split("train", num_workers=1, max_bad_share=0.5)
  second.prepare_split("validation", num_workers=1)
  splits = make(per_template=2).info.splits
  assert set(splits) == {"train", "validation"}
  assert splits["train"].shard_lengths == stored.shard_lengths
  assert splits["train"].num_bytes == stored.num_bytes > 0
  again = first.prepare_split("train", num_workers=1, max_bad_share=0.5)
  assert again.clips_per_second is None
  assert set(make(per_template=2).info.splits) == set(splits)


def test_a_full_disk_leaves_the_splits_that_were_there(make, monkeypatch):
  prepared = make(caption="template", per_template=1)
  prepared.prepare_split("validation", num_workers=1)
  folder = prepared.data_path
  before = {p.name: p.read_bytes() for p in folder.glob("*.*")}

  def write_half(self, path):
    (pathlib.Path(path) / "dataset_info.json").write_text('{"na')
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  options = {"num_workers": 1, "max_bad_share": 0.5}
  with monkeypatch.context() as patch:
    patch.setattr(tfds.core.DatasetInfo, "write_to_directory", write_half)
    with pytest.raises(files.DiskFullError, match=str(folder)):
      prepared.prepare_split("train", **options)
  assert {p.name: p.read_bytes() for p in folder.glob("*.*")} == before
  assert len(before) > 1
  prepared = make(caption="template", per_template=1)
  prepared.prepare_split("train", **options)
  assert set(prepared.info.splits) == {"train", "validation"}


def test_every_selection_has_its_folder(make):
  same = make(templates=("Opening something", "moving [part] of [something]"))
  swapped = make(templates=("Moving part of something", "opening something"))
  assert same.data_dir == swapped.data_dir
  others = [make(), make(per_template=1), make(caption="template"), same]
  assert len({other.data_dir for other in others}) == 4


def test_templates(make):
  prepared = make(templates=("Opening something",), per_template=2)
  videos = prepared.videos("train")
  assert [v.template for v in videos] == ["Opening something"] * 2
  with pytest.raises(ValueError, match="unknown template 'Closing something'"):
    make(templates=("Closing something",))

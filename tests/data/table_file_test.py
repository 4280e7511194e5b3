"""The table of a large data set is kept, and used for its very files only."""

import dataclasses
import os

import numpy as np
import pytest

from data import table_file


@pytest.fixture
def large(tmp_path, make_clip, store, monkeypatch):
  """A data set of 12 clips that counts as large, opened once."""
  monkeypatch.setattr(table_file, "_LEAST", 1)
  return store(tmp_path, (make_clip(i) for i in range(12)))


@pytest.fixture
def no_scan(dataset, monkeypatch):
  """Fails where a shard is read."""

  def scan(*_, **__):
    raise AssertionError("a shard was read")

  monkeypatch.setattr(dataset.scanning, "scan_shard", scan)


def test_the_second_time_no_shard_is_read(large, dataset, no_scan, tmp_path):
  again = dataset.open_dataset(tmp_path, "robot")
  for field in dataclasses.fields(dataset.Dataset):
    left, right = getattr(large, field.name), getattr(again, field.name)
    np.testing.assert_array_equal(left, right)
    assert np.asarray(left).dtype == np.asarray(right).dtype
  assert again.read(7).instruction == large.read(7).instruction


def test_a_shard_of_another_time_or_size_is_read(large, dataset, tmp_path):
  stat = large.files[1].stat()
  data = bytearray(large.files[1].read_bytes())
  data[int(large.offset[6]) + 300] ^= 1
  large.files[1].write_bytes(data)
  with pytest.raises(ValueError, match="record 1: "):
    dataset.open_dataset(tmp_path, "robot")
  # Even with the old time of change the clip itself tells.
  os.utime(large.files[1], ns=(stat.st_atime_ns, stat.st_mtime_ns))
  opened = dataset.open_dataset(tmp_path, "robot")
  with pytest.raises(ValueError, match="record 1: changed on disk"):
    opened.read(6)


def test_a_damaged_table_is_not_used(large, dataset, tmp_path):
  (table,) = tmp_path.glob(".robot-table.npz")
  table.write_bytes(table.read_bytes()[:100])
  assert len(dataset.open_dataset(tmp_path, "robot")) == len(large)


def test_small_data_sets_keep_none(tmp_path, make_clip, store):
  store(tmp_path, (make_clip(i) for i in range(3)))
  assert not list(tmp_path.glob(".*.npz"))

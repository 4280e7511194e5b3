"""Shards of arrays: whole or absent, the same bytes every time."""

import numpy as np
import pytest

from data import arrays, records

SPEC = {"what": "numbers", "seed": 3}


def shard(number):
  rng = np.random.default_rng(number)
  return {
    "a": rng.integers(0, 256, (number + 1, 4), np.uint8),
    "b": np.full((number + 1, 2), number, np.float32),
  }


def test_made_once_and_found_again(tmp_path):
  made = []

  def make(number):
    made.append(number)
    return shard(number)

  folder = arrays.make(tmp_path, "n", SPEC, 3, make)
  assert arrays.make(tmp_path, "n", SPEC, 3, make) == folder
  assert made == [0, 1, 2]
  found = arrays.load(folder)
  for key in "ab":
    expected = np.concatenate([shard(i)[key] for i in range(3)])
    np.testing.assert_array_equal(found[key], expected)
    assert found[key].dtype == expected.dtype
  assert arrays.make(tmp_path, "n", SPEC | {"seed": 4}, 1, make) != folder


def test_goes_on_where_it_was_killed(tmp_path):
  whole = arrays.make(tmp_path / "whole", "n", SPEC, 3, shard)
  made = []

  def make(number, stop):
    if number == stop:
      raise KeyboardInterrupt
    made.append(number)
    return shard(number)

  with pytest.raises(KeyboardInterrupt):
    arrays.make(tmp_path, "n", SPEC, 3, lambda i: make(i, stop=1))
  assert made == [0]
  folder = arrays.make(tmp_path, "n", SPEC, 3, lambda i: make(i, stop=None))
  assert made == [0, 1, 2]
  assert arrays.digest(folder) == arrays.digest(whole)


def test_damage_is_told(tmp_path):
  folder = arrays.make(tmp_path, "n", SPEC, 2, shard)
  file = folder / "n-00001.npz"
  file.write_bytes(file.read_bytes()[:-1])
  with pytest.raises(records.RecordError, match="n-00001.npz"):
    arrays.load(folder)
  file.unlink()
  with pytest.raises(records.RecordError, match="n-00001.npz"):
    arrays.load(folder)
  arrays.make(tmp_path, "n", SPEC, 2, shard)
  assert len(arrays.load(folder)["a"]) == 3


def test_unfinished(tmp_path):
  with pytest.raises(records.RecordError, match="not finished"):
    arrays.load(tmp_path)

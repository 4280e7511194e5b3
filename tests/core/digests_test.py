"""Digests beside files: what has changed is named, what a kill left is not."""

import json
import os

import pytest

from a2r.core import digests, files
from tests import tiny


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_is_named(tmp_path, bit):
  path = tmp_path / "a.json"
  files.write_json(path, [1, 2], recorded=True)
  digests.check(path)
  tiny.flip(path, 0.5, bit)
  with pytest.raises(ValueError, match=r"a\.json is damaged: its CRC-32 is"):
    digests.check(path)
  (tmp_path / digests.FILE).unlink()
  digests.check(path)


def test_a_folder_is_checked_with_those_in_it(tmp_path):
  assert not digests.check_folder(tmp_path)
  (tmp_path / "d").mkdir()
  (tmp_path / "d" / "x").write_bytes(b"123456789")
  files.record(tmp_path)
  known = json.loads((tmp_path / digests.FILE).read_text())
  assert known == {"d/x": ["cbf43926"]}  # The check value of CRC-32.
  assert digests.check_folder(tmp_path)
  (tmp_path / "d" / "x").unlink()
  with pytest.raises(ValueError, match="d/x is missing"):
    digests.check_folder(tmp_path)


@pytest.mark.parametrize("name", ["../b", "/etc/hostname", "c/../../b"])
def test_no_file_outside_of_a_folder_is_read(tmp_path, name):
  folder = tmp_path / "a"
  folder.mkdir()
  (tmp_path / "b").write_bytes(b"123456789")
  (folder / digests.FILE).write_text(json.dumps({name: ["cbf43926"]}))
  with pytest.raises(ValueError, match="outside of the folder"):
    digests.check_folder(folder)


@pytest.mark.parametrize(
  "content", ["{", "[1]", '{"a": 1}', "\xff", "[" * 9999]
)
def test_a_broken_record_is_named(tmp_path, content):
  (tmp_path / digests.FILE).write_text(content, "latin1")
  with pytest.raises(ValueError, match=r"digests\.json is damaged"):
    digests.check(tmp_path / "a")


def test_a_kill_between_record_and_file_leaves_a_known_file(
  tmp_path, monkeypatch
):
  path, replace = tmp_path / "a.json", os.replace
  files.write_json(path, 1, recorded=True)

  def kill(partial, target):
    if target == path:
      raise KeyboardInterrupt
    replace(partial, target)

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(os, "replace", kill)
    files.write_json(path, 2, recorded=True)
  assert files.read_json(path) == 1
  files.write_json(path, 3, recorded=True)
  assert files.read_json(path) == 3

"""Files written whole, and folders held."""

import os

import pytest

from a2r.core import files


def test_two_processes_may_write_one_file(tmp_path, monkeypatch):
  path = tmp_path / "a.json"
  with files.atomic_write(path) as partial:
    partial.write_text("first")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    files.write_json(path, "second")
    assert path.read_text() == '"second"\n'
  assert path.read_text() == "first"
  with pytest.raises(TypeError):
    files.write_json(path, object())
  assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_held_by_one(tmp_path):
  held = files.locked(tmp_path)
  with held, pytest.raises(ValueError, match=str(tmp_path)):
    files.locked(tmp_path).__enter__()
  with files.locked(tmp_path, wait=True):
    pass


def test_a_broken_file_is_named(tmp_path):
  path = tmp_path / "a.json"
  assert files.read_json(path) is None
  path.write_text("{")
  with pytest.raises(ValueError, match=str(path)):
    files.read_json(path)


def test_a_digest_is_of_text_bytes_and_files(tmp_path):
  path = tmp_path / "a"
  path.write_text("bc")
  known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  assert files.digest("a", b"b", "c") == files.digest("a", path) == known

"""Files written whole, and folders held."""

import errno
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


def test_a_full_disk_names_the_file_and_leaves_what_was_there(
  tmp_path, no_room
):
  path = tmp_path / "a.bin"
  files.write_bytes(path, b"old")
  with no_room(1000), pytest.raises(files.DiskFullError, match=f"^{path} "):
    files.write_bytes(path, bytes(2000))
  assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"old"
  files.write_bytes(path, bytes(2000))


def test_whatever_a_library_raises_a_full_disk_is_one_error(tmp_path):
  class OfALibraryError(Exception):
    pass

  with (
    pytest.raises(files.DiskFullError, match="outer.bin .*make room on"),
    files.atomic_write(tmp_path / "outer.bin") as partial,
  ):
    partial.write_bytes(b"half")
    raise OfALibraryError("RESOURCE_EXHAUSTED: No space left on device [28]")
  with (
    pytest.raises(files.DiskFullError, match="inner"),
    files.writing(tmp_path / "outer"),
    files.writing(tmp_path / "inner"),
  ):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
  with pytest.raises(OfALibraryError), files.writing(tmp_path):
    raise OfALibraryError("another fault")
  assert not list(tmp_path.iterdir())

"""What all programs share."""

import os

import pytest

from launch import common


def test_two_processes_may_write_one_file(tmp_path, monkeypatch):
  path = tmp_path / "a.json"
  with common.whole(path) as partial:
    partial.write_text("first")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    common.write_json(path, "second")
    assert path.read_text() == '"second"\n'
  assert path.read_text() == "first"
  with pytest.raises(TypeError):
    common.write_json(path, object())
  assert list(tmp_path.iterdir()) == [path]

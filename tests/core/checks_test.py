"""Paths of users: a home, nobody's home, none at all; and JSON of anyone."""

import pathlib

import pytest

from a2r import reward
from a2r.core import checkpoint, checks
from a2r.models import pretrained
from a2r.runs import weights
from data import dataset
from data.readers import base, folder, lerobot, rlds
from data.ssv2 import layout
from tests import mistakes

OPTIONS = base.Options(num_frames=2)


def test_a_path_may_begin_with_a_home():
  assert checks.path("~/a") == pathlib.Path.home() / "a"
  assert checks.path(pathlib.Path("a/~")) == pathlib.Path("a/~")


def test_a_folder_to_write_in_is_not_below_a_file(tmp_path):
  (tmp_path / "file").write_text("")
  assert checks.folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
  for place in ("file", "file/a/b"):
    mistakes.check(
      lambda place=place: checks.folder(tmp_path / place), ValueError, "file"
    )


@pytest.mark.parametrize(
  "open_fn",
  [
    reward.load,
    checkpoint.load,
    lambda path: dataset.open_dataset(path, "robot"),
    lambda path: folder.open_clips(path, OPTIONS),
    lambda path: lerobot.open_clips(path, OPTIONS),
    lambda path: rlds.open_clips(path, OPTIONS),
    layout.find,
  ],
)
def test_nobodys_home_and_no_path_are_told(open_fn):
  path = "~nobody_of_that_name/a"
  mistakes.check(lambda: open_fn(path), ValueError, path)
  mistakes.check(lambda: open_fn(""), ValueError, "empty")


@pytest.mark.parametrize(
  "content, names",
  [
    ("{", "a.json not JSON"),
    ("", "a.json not JSON"),
    (b"\xff\xfe\xff", "a.json not JSON"),
    ("[" * 100_000, "a.json not JSON"),
    ("1" * 10_000, "a.json not JSON"),
    ('{"b": {"x": 1, "y": 2, "x": 3}}', "a.json 'x' twice"),
    ("[1, 2]", "a.json object [1,2]"),
  ],
)
def test_faults_of_json_name_the_file(content, names):
  mistakes.check(
    lambda: checks.parse_json(content, "a.json", dict), ValueError, names
  )


def test_json_of_any_encoding_is_read():
  for encoding in ("utf-8", "utf-8-sig", "utf-16"):
    content = '{"a": "\u00fc"}'.encode(encoding)
    assert checks.parse_json(content, "a.json") == {"a": "\u00fc"}


def test_first_weights_in_nobodys_home_or_nowhere_are_told(tmp_path):
  def find(init):
    return pretrained.read_config(weights.Model(init, None).path)

  path = "~nobody_of_that_name/a"
  mistakes.check(lambda: find(path), ValueError, path)
  mistakes.check(lambda: find(""), FileNotFoundError, "model.init scratch")
  mistakes.check(
    lambda: find(f"{tmp_path}"), FileNotFoundError, f"{tmp_path} config.json"
  )

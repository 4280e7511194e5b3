"""The gallery of the simulator, tiny."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from PIL import Image

from a2r.core import files, signals
from a2r.evaluation import animation
from a2r.runs import gallery
from tests import tiny

_CONFIG = gallery.Config(image_size=32, samples=1, num_frames=4)


@pytest.fixture(scope="module")
def keys():
  return gallery.make_keys(
    ["tabletop/train"], ["close_drawer"], ["expert", "random"]
  )


def _make(keys, config, out, simulator):
  """Makes what is missing; returns the keys that were made."""
  left = gallery.missing(keys, config, out)
  return list(gallery.make_clips(left, config, out, collect_fn=simulator))


@pytest.mark.slow
def test_real_clips_end_as_their_source_should(launch, keys, tmp_path):
  arguments = (
    "gallery",
    "--environments=tabletop/train",
    "--tasks=close_drawer",
    "--sources=expert,random",
    "--image_size=32",
    "--samples=1",
    f"--out={tmp_path}",
  )
  assert "Made 2 of 2 animations" in launch(*arguments).out
  rows = gallery.read_manifest(tmp_path)
  success = {key.source: rows[key.name]["success"] for key in keys}
  assert success == {"expert": True, "random": False}
  for key in keys:
    with Image.open(tmp_path / f"{key.name}.webp") as picture:
      assert picture.size == (32, 32) and 2 <= picture.n_frames <= 20
  assert (tmp_path / gallery.SHEET).is_file()
  assert "Made 0 of 2 animations" in launch(*arguments).out
  assert "close drawer" in (tmp_path / gallery.PAGE).read_text()


def test_sheet_and_page(keys, tmp_path):
  _make(keys, _CONFIG, tmp_path, tiny.Simulator())
  told = gallery.write_pages(keys, _CONFIG, tmp_path, "a <b>")
  sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
  colors = {tuple(color) for color in sheet.reshape(-1, 3)}
  assert {(0x00, 0x9E, 0x73), (0xD5, 0x5E, 0x00)} <= colors
  page = (tmp_path / gallery.PAGE).read_text()
  for key in keys:
    assert page.count(f'<img src="{key.name}.webp"') == 1
    assert (tmp_path / f"{key.name}.webp").is_file()
  assert ">success</span>" in page and ">failure</span>" in page
  assert "“closing drawer”" in page and "a &lt;b&gt;" in page
  assert f"jax {jax.__version__}" in page and "://" not in page
  assert told.count("\n") == 3


def test_what_is_not_whole_or_not_asked_for_is_made_again(keys, tmp_path):

  def stop(number, source):
    if number == 1:
      raise signals.StopRequested("SIGTERM")

  with pytest.raises(signals.StopRequested):
    _make(keys, _CONFIG, tmp_path, tiny.Simulator(stop))
  assert _make(keys, _CONFIG, tmp_path, tiny.Simulator()) == keys[1:]
  assert not list(tmp_path.rglob("*.partial"))
  file = tmp_path / f"{keys[1].name}.webp"
  whole = file.read_bytes()
  for damage in (whole[:100], whole[:-1] + b"x"):
    file.write_bytes(damage)
    assert _make(keys, _CONFIG, tmp_path, tiny.Simulator()) == keys[1:]
  file.unlink()
  assert _make(keys, _CONFIG, tmp_path, tiny.Simulator()) == keys[1:]
  (tmp_path / gallery.MANIFEST).write_text('{"train/')
  assert _make(keys, _CONFIG, tmp_path, tiny.Simulator()) == keys
  for change in ({"seed": 1}, {"image_size": 16}, {"format": "gif"}):
    other = dataclasses.replace(_CONFIG, **change)
    assert _make(keys, other, tmp_path, tiny.Simulator()) == keys
    assert _make(keys, other, tmp_path, tiny.Simulator()) == []
  assert not file.exists() and file.with_suffix(".gif").exists()


def _rewrite(out, **changes):
  """Changes the rows of a manifest as whoever made the folder could."""
  path = out / gallery.MANIFEST
  rows = json.loads(path.read_text())
  path.write_text(json.dumps({k: row | changes for k, row in rows.items()}))


@pytest.mark.parametrize("absolute", [True, False])
def test_a_manifest_has_no_file_elsewhere_read_or_deleted(
  keys, tmp_path, absolute
):
  mine, out = tmp_path / "mine.txt", tmp_path / "gallery"
  mine.write_text("mine")
  _make(keys, _CONFIG, out, tiny.Simulator())
  _rewrite(out, file=str(mine) if absolute else "../mine.txt")
  other = dataclasses.replace(_CONFIG, format="gif")
  assert _make(keys, other, out, tiny.Simulator()) == keys
  gallery.write_pages(keys, other, out, "command")
  assert "mine" not in (out / gallery.PAGE).read_text()
  assert mine.read_text() == "mine"


@pytest.mark.parametrize(
  "change",
  [
    {"still": 10**9},
    {"still": -1},
    {"success": "<script>"},
    {"draw": "<b>"},
    {"more": 1},
    {"settings": []},
  ],
)
def test_rows_that_nobody_wrote_here_are_made_again(keys, tmp_path, change):
  _make(keys, _CONFIG, tmp_path, tiny.Simulator())
  _rewrite(tmp_path, **change)
  assert _make(keys, _CONFIG, tmp_path, tiny.Simulator()) == keys
  gallery.write_pages(keys, _CONFIG, tmp_path, "command")
  for content in ("[]", '{"train/close_drawer-expert": 3}', "[" * 9999):
    (tmp_path / gallery.MANIFEST).write_text(content)
    assert gallery.read_manifest(tmp_path) == {}


def test_a_picture_of_another_size_is_made_again(keys, tmp_path):
  _make(keys, _CONFIG, tmp_path, tiny.Simulator())
  path = tmp_path / f"{keys[0].name}.webp"
  large = np.zeros((2, 600, 400, 3), np.uint8)
  path.write_bytes(animation.encode(large, "webp"))
  digest = files.digest(path)[:16]
  _rewrite(tmp_path, digest=digest)
  assert keys[0] in gallery.missing(keys, _CONFIG, tmp_path)


@pytest.mark.parametrize("format_name", animation.FORMATS)
def test_animation_keeps_pictures_and_time(format_name, tmp_path):
  ramp = np.linspace(0, 255, 32, dtype=np.uint8)
  frames = np.stack([np.broadcast_to(ramp, (32, 32))] * 3, axis=-1)
  frames = np.stack([frames, frames, 255 - frames, frames // 2])
  path = tmp_path / f"a.{format_name}"
  path.write_bytes(animation.encode(frames, format_name))
  for index, frame in enumerate(frames):
    read = np.asarray(animation.read_frame(path, index), np.float32)
    assert np.abs(read - frame).mean() < 4
  with Image.open(path) as image:
    assert image.info["loop"] == 0


def test_poke_is_shown_where_the_hand_is_nearest():
  states = np.zeros((61, 13), np.float32)
  states[:, 3:6] = (0.0, 0.6, 0.0)
  states[:, 1] = 0.45 + 0.05 * np.sin(np.linspace(0, np.pi, 61))
  assert gallery.key_frame("poke_cup", states, 21) == 10
  assert gallery.key_frame("close_drawer", states, 21) == 20


def test_mistakes_are_one_line(launch, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "setup").write_text("")
  for argument, message in (
    ("--environments=kitchen", "environment 'kitchen'"),
    ("--tasks=push", "task 'push'; known: close_drawer"),
    ("--tasks=poke_cup,poke_cup", "task: a name comes twice"),
    ("--sources=human", "source 'human'"),
    ("--sources=", "--sources is empty"),
    ("--samples=9", "samples"),
    ("--out=setup", "is a file, not a folder"),
  ):
    done = launch("gallery", argument)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert message in line
  assert [path.name for path in tmp_path.iterdir()] == ["setup"]

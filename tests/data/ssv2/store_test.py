"""Which videos are chosen, what is stored of them, bad ones, and stops."""

import collections
import shutil

import numpy as np
import pytest

from data import dataset, images, video
from data.ssv2 import layout, reading, store
from data.ssv2.layout import Video
from data.ssv2.store import Selection

_CHOSEN = Selection(num_frames=3, image_size=16)
TEMPLATES = (
  "Closing something",
  "Pushing something from left to right",
  "Pushing something from right to left",
)
VIDEOS = [
  Video(str(i), TEMPLATES[i % 3], TEMPLATES[i % 3].lower()) for i in range(30)
]


def test_any_spelling_is_found():
  names = ("pushing [something] from left to right", "CLOSING something")
  assert store.resolve(names, TEMPLATES) == (TEMPLATES[1], TEMPLATES[0])
  assert store.resolve((), TEMPLATES) == TEMPLATES


@pytest.mark.parametrize(
  "names, message",
  [
    (["Pushing something left to right"], "near it: 'Pushing something from l"),
    (["x"], "unknown template 'x'; there are 3 oth"),
    (["Closing something", "closing [something]"], "is named twice"),
  ],
)
def test_names_that_make_no_sense(names, message):
  with pytest.raises(ValueError, match=message):
    store.resolve(names, TEMPLATES)


def test_the_choice_is_seeded_and_grows():
  def choose(number, seed=0, templates=TEMPLATES):
    chosen = Selection(per_template=number, seed=seed)
    return store.choose(VIDEOS, chosen, templates)

  few, more = choose(3), choose(6)
  counts = collections.Counter(video.template for video in few)
  assert counts == dict.fromkeys(TEMPLATES, 3)
  assert set(few) < set(more)
  assert [int(v.name) for v in few] == sorted(int(v.name) for v in few)
  assert choose(3) == few != choose(3, seed=1)
  alone = choose(3, templates=TEMPLATES[:1])
  assert alone == [v for v in few if v.template == TEMPLATES[0]]
  assert choose(0) == choose(99) == VIDEOS


def test_captions():
  video = Video("7", "Closing [something]", "closing cup")
  captions = [store.caption(video, kind) for kind in store.CAPTIONS]
  assert captions == ["closing cup", "closing something"]


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"caption": "text"}, "unknown caption 'text'; known: label, template"),
    ({"num_frames": 0}, "num_frames must be from 1 .* got 0"),
    ({"per_template": -1}, "per_template must be at least 0, got -1"),
  ],
)
def test_mistakes_are_told(changes, message):
  with pytest.raises(ValueError, match=message):
    Selection(**changes)


@pytest.fixture
def write(mini, tmp_path, monkeypatch):
  """Function of a folder's name and changes to what was stored there."""
  monkeypatch.setattr(store, "_CLIPS_PER_SHARD", 4)
  found = layout.find(mini[0])
  videos = layout.load_split(found, "train")

  def run(name, found=found, chosen=_CHOSEN, **changes):
    arguments = {"num_workers": 1, "max_bad_share": 0.5} | changes
    folder = tmp_path / name
    return store.store(found, "train", videos, chosen, folder, **arguments)

  return run


def _files(stored):
  names = ("*.tfrecord", "*.json", "*.csv", "*.parquet")
  return {p.name: p.read_bytes() for n in names for p in stored.folder.glob(n)}


def test_content(write, mini):
  folder, bad = mini
  stored = write("a")
  clips = dataset.open_dataset(stored.folder, "human")
  assert len(stored.asked) == 15 and len(clips) == 12
  assert len(stored.shard_lengths) == 4
  np.testing.assert_array_equal(np.bincount(clips.file), stored.shard_lengths)
  good = [v for v in stored.asked if v.name not in bad]
  assert clips.seed.tolist() == [int(v.name) for v in good]
  assert clips.instruction.tolist() == [v.label for v in good]
  assert clips.template.tolist() == [v.template for v in good]
  assert set(clips.source) == {"human"} and clips.success.all()
  assert clips.picture_size() == (16, 16) and set(clips.num_frames) == {3}
  path = folder / "20bn-something-something-v2" / f"{good[4].name}.webm"
  ends = images.resize(video.load_video(path)[[0, -1]], 16)
  difference = clips.read(4).frames[[0, 2]] - ends.astype(int)
  assert np.abs(difference).mean() < 4

  reasons = {fault.video: fault.reason for fault in stored.bad}
  cut, empty, missing = bad
  assert set(reasons) == set(bad)
  assert "cut short" in reasons[cut] or "not a readable" in reasons[cut]
  assert reasons[empty] == "the file is empty (0 bytes)"
  assert reasons[missing] == "no such file"
  assert {f.video: f.size for f in stored.bad}[missing] == -1
  assert str(folder) not in (stored.folder / store.FAULTS_FILE).read_text()
  assert store.load_faults(stored.folder) == stored.bad


def test_too_many_bad_videos_are_fatal_and_nothing_is_lost(write, tmp_path):
  with pytest.raises(ValueError, match=r"\d of 15 vid.*: join all its parts"):
    write("a", max_bad_share=0.1)
  assert not (tmp_path / "a" / "index.json").exists()
  made = list((tmp_path / "a").glob("*.tfrecord"))
  times = [path.stat().st_mtime_ns for path in made]
  whole = write("b")
  assert _files(write("a")) == _files(whole)
  assert [path.stat().st_mtime_ns for path in made] == times


def test_a_finished_data_set_is_judged_too_if_a_share_is_given(write):
  write("a")
  with pytest.raises(
    ValueError, match="3 of 15 videos cannot be read .*delete index.json"
  ):
    write("a", max_bad_share=0.1)
  assert write("a", max_bad_share=0.2).clips_per_second is None
  # A run takes what its user has allowed before.
  assert write("a", max_bad_share=None).clips_per_second is None
  with pytest.raises(ValueError, match="max_bad_share allows 1.0%"):
    write("b", max_bad_share=None)


@pytest.mark.parametrize("after, num_workers", [(1, 2), (6, 1), (13, 1)])
def test_stopped_and_gone_on_with_the_same_bytes(
  write, monkeypatch, after, num_workers
):
  loaded = []

  def load(path, **sizes):
    loaded.append(path)
    if len(loaded) > after:
      raise KeyboardInterrupt
    return load_fn(path, **sizes)

  load_fn = reading.load
  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(reading, "load", load)
    write("a")
  assert _files(write("a", num_workers=num_workers)) == _files(write("b"))


def test_a_lost_shard_is_made_again(write):
  stored = write("a")
  files = _files(stored)
  (stored.folder / "human-00001-of-00004.tfrecord").unlink()
  assert write("a").clips_per_second is not None
  assert _files(stored) == files
  with pytest.raises(ValueError, match="image_size is 16 there and 8 is asked"):
    write("a", chosen=Selection(num_frames=3, image_size=8))


def test_a_mended_video_is_taken_before_the_end(write, mini, tmp_path):
  folder = tmp_path / "copy"
  shutil.copytree(mini[0], folder)
  found = layout.find(folder)
  stored = write("a", found=found)
  good = next(v for v in stored.asked if v.name not in mini[1])
  shutil.copy(found.path(good.name), found.path(mini[1][2]))
  assert len(write("a", found=found).bad) == 3  # It was finished.
  (stored.folder / "index.json").unlink()
  assert len(write("a", found=found).bad) == 2


def test_damaged_videos_are_no_lost_part_of_the_archive(write, monkeypatch):
  fault = reading.Loaded((), "frame 3 is damaged")
  monkeypatch.setattr(reading, "load", lambda path, **_: fault)
  with pytest.raises(
    ValueError, match="is damaged.*; mend them, or allow"
  ) as e:
    write("a", max_bad_share=0.1)
  assert "join" not in str(e.value)


def test_mp4_files_are_read(write, mini, tmp_path):
  folder = tmp_path / "copy"
  shutil.copytree(mini[0], folder)
  for file in layout.find(folder).videos.iterdir():
    file.rename(file.with_suffix(".mp4"))
  stored = write("a", found=layout.find(folder))
  assert {fault.video for fault in stored.bad} == set(mini[1])


def test_no_video_at_all_is_told_at_once(write, mini, tmp_path):
  shutil.copytree(mini[0] / "labels", tmp_path / "empty" / "labels")
  found = layout.find(tmp_path / "empty")
  with pytest.raises(FileNotFoundError, match="no webm file; unpack the arch"):
    write("a", found=found)
  assert not (tmp_path / "a").exists()

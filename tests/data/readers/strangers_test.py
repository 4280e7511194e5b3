"""Data sets of strangers name no file outside, and ask for no memory."""

import json
import os
import shutil
import signal

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from data import images
from data.readers import base, lerobot, rlds
from tests.data.readers import lerobot_sets, rlds_sets
from tests.data.readers.lerobot_sets import CAMERA, EPISODES

DATA, FILM = (
  "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
  "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
)


def _open(reader, path, **options):
  return reader.open_clips(path, base.Options(num_frames=3, **options))


def _change_info(path, **changes):
  file = path / "meta/info.json"
  file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("is_absolute", [False, True])
@pytest.mark.parametrize(
  "key, pattern", [("data_path", DATA), ("video_path", FILM)]
)
def test_patterns_of_lerobot_lead_nowhere_else(
  tmp_path, key, pattern, is_absolute
):
  path = lerobot_sets.make_v3(tmp_path / "set")
  shutil.copytree(path, tmp_path / "other")  # All of it is there.
  start = str(tmp_path / "other") if is_absolute else "data/../../other"
  _change_info(path, **{key: f"{start}/{pattern}"})
  with pytest.raises(ValueError, match=f"info.json, '{key}': it names .*other"):
    _open(lerobot, path)


@pytest.mark.parametrize(
  "pattern",
  [
    "{chunk_index.__class__}",
    "{chunk_index!r}",
    "{0}",
    "{}",
    "{episode_index}",
    "{file_index:099999999999d}",
    "{file_index:{chunk_index}}",
    "{file_index",
    "",
    None,
    7,
    ["a"],
  ],
)
def test_patterns_have_plain_fields_alone(tmp_path, pattern):
  path = lerobot_sets.make_v3(tmp_path / "set")
  _change_info(path, data_path=pattern)
  with pytest.raises(ValueError, match="info.json, 'data_path': .* no pattern"):
    _open(lerobot, path)


def test_a_camera_and_a_picture_lead_nowhere_else(tmp_path, read):
  path = lerobot_sets.make_v3(tmp_path / "set")
  camera = "../../../other"
  _change_info(path, features={camera: {"dtype": "video"}})
  (file,) = path.glob(EPISODES)
  table = pyarrow.parquet.read_table(file).to_pydict()
  table = {k.replace(CAMERA, camera): v for k, v in table.items()}
  lerobot_sets.write_table(file, table)
  with pytest.raises(ValueError, match="'video_path': it names .*other"):
    _open(lerobot, path)
  path = lerobot_sets.make_v3(tmp_path / "files", image={"dtype": "image"})
  picture = images.encode_jpeg(np.full((16, 32, 3), 90, np.uint8))
  for place in (tmp_path, path):
    (place / "a.jpg").write_bytes(picture)
  for name, num in (
    ("../a.jpg", 1),
    (str(tmp_path / "a.jpg"), 1),
    ("a.jpg", 0),
  ):
    rows = [{"bytes": None, "path": name}] * 7
    lerobot_sets.change(path, "data/*/file-001.parquet", image=rows)
    clips = _open(lerobot, path, camera="image")
    bad = [c for c in clips.read_fn(0, 4) if isinstance(c, base.BadClip)]
    assert [clip.name for clip in bad] == ["episode 3"] * num
    assert all("not inside the data set" in clip.reason for clip in bad)


def test_links_of_a_cache_are_followed(tmp_path, read):
  whole = lerobot_sets.make_v3(tmp_path / "whole")
  root = tmp_path / "hub" / "datasets--a--b"
  snapshot = root / "snapshots" / "0123"
  for number, file in enumerate(whole.rglob("*.*")):
    blob, link = (
      root / "blobs" / str(number),
      snapshot / file.relative_to(whole),
    )
    for place in (blob, link):
      place.parent.mkdir(parents=True, exist_ok=True)
    file.rename(blob)
    up = "../" * (len(file.relative_to(whole).parts) + 1)
    link.symlink_to(f"{up}blobs/{number}")
  assert not list(whole.rglob("*.*"))
  stored, _ = read(lerobot, snapshot, tmp_path)
  assert stored.seed.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
  "changes, said",
  [
    ({"fps": 1e999}, "fps is inf"),
    ({"fps": [10]}, "not the description of a data set"),
    ({"features": [1]}, "not the description of a data set"),
    ({"features": {"x": 7}}, "not the description of a data set"),
    (
      {"features": {"x": {"dtype": "video", "info": 3}}},
      "lacks 'videos/x/chunk",
    ),
    ({"features": {"x": {"dtype": "int64"}}}, "set: it has no camera.*'x'"),
    ({"chunks_size": "many"}, "not the description of a data set"),
    ({"chunks_size": 1e999}, "not the description of a data set"),
  ],
)
def test_values_of_any_kind_in_info(tmp_path, changes, said):
  path = lerobot_sets.make_v3(tmp_path / "set")
  _change_info(path, **changes)
  with pytest.raises(ValueError, match=said):
    _open(lerobot, path)


@pytest.mark.parametrize(
  "row",
  [
    {"length": 1e999},
    {"length": "6"},
    {"length": 10**40},
    {"tasks": 7},
    {"tasks": [[1], {}]},
    {"tasks": {"a": 1}},
  ],
)
def test_values_of_any_kind_in_rows(tmp_path, row):
  path = lerobot_sets.make_v3(tmp_path / "set")
  _change_info(
    path,
    codebase_version="v2.1",
    data_path="data/{episode_index}.parquet",
    video_path="{video_key}-{episode_index}.mp4",
  )
  good = {"tasks": ["close"], "length": 6}
  rows = [good | {"episode_index": e} for e in range(3)]
  rows[2] |= row
  text = "\n".join(map(json.dumps, rows))
  (path / "meta/episodes.jsonl").write_text(text)
  for episode in range(3):
    columns = {"episode_index": [episode] * 6}
    lerobot_sets.write_table(path / f"data/{episode}.parquet", columns)
    film = path / f"{CAMERA}-{episode}.mp4"
    lerobot_sets.write_video(film, [90] * 6)
  clips = _open(lerobot, path)
  assert clips.num == 2 and clips.left_out[0].name == "episode 2"
  for value in (1e999, 10**40, "2", None):
    rows[2] |= {"episode_index": value}
    text = "\n".join(map(json.dumps, rows))
    (path / "meta/episodes.jsonl").write_text(text)
    with pytest.raises(ValueError, match="meta/ lacks 'episode_index' of an"):
      _open(lerobot, path)


@pytest.mark.parametrize(
  "about",
  [
    "{",
    [1],
    {"info": 3},
    {"info": {"features": []}},
    {"info": {"features": {"next.reward": {"_type": "ClassLabel"}}}},
  ],
)
def test_what_hugging_face_says_of_a_table_may_be_anything(tmp_path, about):
  path = lerobot_sets.make_v3(tmp_path / "set")
  (file,) = path.glob("data/*/file-001.parquet")
  text = about if isinstance(about, str) else json.dumps(about)
  table = pyarrow.parquet.read_table(file)
  table = table.replace_schema_metadata({"huggingface": text})
  pyarrow.parquet.write_table(table, file)
  (bad,) = _open(lerobot, path).left_out
  assert bad.name == "episode 3"
  assert "file-001.parquet: " in bad.reason and "huggingface" in bad.reason


@pytest.mark.parametrize("number", ["x", [1], 1e999, 10**40, {}])
def test_numbers_of_tasks_of_any_kind(tmp_path, number):
  path = lerobot_sets.make_v3(tmp_path / "set")
  row = {"task_index": number, "task": "close it"}
  (path / "meta/tasks.jsonl").write_text(json.dumps(row))
  with pytest.raises(ValueError, match="set: meta/tasks has 'task_index' "):
    _open(lerobot, path)


def test_an_enumeration_may_be_stored_as_its_words(tmp_path):
  path = lerobot_sets.make_v3(tmp_path / "set")
  feature = {"_type": "ClassLabel", "names": ["failure", "success"]}
  about = json.dumps({"info": {"features": {"success": feature}}})
  for number, num in ((0, 15), (1, 7)):
    (file,) = path.glob(f"data/*/file-00{number}.parquet")
    words = pyarrow.array(["failure"] * (num - 1) + ["success"])
    table = pyarrow.parquet.read_table(file).append_column("success", words)
    table = table.replace_schema_metadata({"huggingface": about})
    pyarrow.parquet.write_table(table, file)
  clips = _open(lerobot, path, success_key="success")
  records = clips.read_fn(0, 4)
  assert [r.success for r in records] == [False, False, True, True]


def test_a_table_of_any_size_is_not_read(tmp_path, monkeypatch):
  path = lerobot_sets.make_v3(tmp_path / "set")
  file = "data/*/file-001.parquet"
  lists = pyarrow.array([[0.0] * 30] * 7)
  lerobot_sets.change(path, file, image=None, **{"next.reward": lists})
  assert _open(lerobot, path).num == 4
  monkeypatch.setattr(lerobot, "_MAX_VALUES", 200)
  (bad,) = _open(lerobot, path).left_out
  assert bad.name == "episode 3"
  assert "file-001.parquet: " in bad.reason
  assert "224 values in 3 columns are too many" in bad.reason
  # Columns that nobody reads do not count.
  lerobot_sets.change(path, file, **{"next.reward": None, "other": lists})
  assert _open(lerobot, path).num == 4


def test_a_text_that_is_there_many_times_is_not_read(tmp_path, monkeypatch):
  path = lerobot_sets.make_v3(tmp_path / "set")
  lerobot_sets.change(path, EPISODES, tasks=[["close it " * 1000]] * 4)
  assert _open(lerobot, path).num == 4
  monkeypatch.setattr(lerobot, "_MAX_BYTES", 20_000)
  with pytest.raises(ValueError, match="file-000.parquet: its columns .* over"):
    _open(lerobot, path)


@pytest.fixture(name="pipe")
def _pipe():
  """Function that puts a pipe, which is never read, in the place of a file."""

  def stop(*_):
    raise AssertionError("it waits for a pipe")

  def replace(file):
    file.unlink()
    os.mkfifo(file)
    signal.alarm(30)

  before = signal.signal(signal.SIGALRM, stop)
  yield replace
  signal.alarm(0)
  signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
  "name, num",
  [
    (f"videos/{CAMERA}/chunk-000/file-001.mp4", 3),
    ("data/chunk-000/file-001.parquet", 3),
    ("meta/episodes/chunk-000/file-000.parquet", 0),
    ("meta/info.json", 0),
  ],
)
def test_pipes_of_lerobot_are_not_read(tmp_path, pipe, name, num):
  path = lerobot_sets.make_v3(tmp_path / "set")
  pipe(path / name)
  if num:
    assert _open(lerobot, path).num == num
  else:
    with pytest.raises(ValueError, match="meta/ lists no ep|no meta/info.json"):
      _open(lerobot, path)


def test_a_pipe_is_no_picture(tmp_path, pipe):
  path = lerobot_sets.make_v3(tmp_path / "set", image={"dtype": "image"})
  (path / "a.jpg").write_bytes(b"")
  rows = [{"bytes": None, "path": "a.jpg"}] * 7
  lerobot_sets.change(path, "data/*/file-001.parquet", image=rows)
  pipe(path / "a.jpg")
  (bad,) = _open(lerobot, path, camera="image").read_fn(3, 4)
  assert "no such file: " in bad.reason


@pytest.mark.parametrize(
  "name", ["*.tfrecord*", "*_info.json", "features.json"]
)
def test_pipes_of_rlds_are_not_read(toy, tmp_path, pipe, name):
  shutil.copytree(toy, tmp_path / "set")
  (file,) = (tmp_path / "set").glob(name)
  pipe(file)
  with pytest.raises(ValueError, match="neither a file|has no features.json"):
    _open(rlds, tmp_path / "set")


def test_texts_that_are_no_texts(tmp_path):
  path = lerobot_sets.make_v3(tmp_path / "set")
  (file,) = path.glob(EPISODES)
  data = file.read_bytes()
  assert data.count(b"close the drawer")
  file.write_bytes(
    data.replace(b"close the drawer", b"close the \xff\xfe\xfd\xff\xfe\xfd")
  )
  with pytest.raises(
    ValueError, match="file-000.parquet: not a readable table"
  ):
    _open(lerobot, path)


def _repack(file, **changes):
  content = json.loads(file.read_text())
  for split in content["splits"]:
    split.update(changes.pop("split", {}))
  file.write_text(json.dumps(content | changes))


@pytest.fixture(name="toy", scope="module")
def _toy(tmp_path_factory):
  return rlds_sets.make(tmp_path_factory.mktemp("toy")) / "toy" / "1.0.0"


@pytest.mark.parametrize(
  "changes, said",
  [
    ({"split": {"filepathTemplate": "../other/{SHARD_X_OF_Y}"}}, "it names"),
    ({"split": {"filepathTemplate": "/etc/{SHARD_X_OF_Y}"}}, "it names"),
    ({"split": {"filepathTemplate": "{SPLIT.__class__}"}}, "no pattern"),
    ({"split": {"filepathTemplate": "{SPLIT:>99999999999}"}}, "no pattern"),
    ({"split": {"filepathTemplate": "{OTHER}"}}, "no pattern"),
    ({"split": {"name": "../../other"}}, "it names"),
    ({"name": "../../other"}, "it names"),
  ],
)
def test_shards_of_rlds_lead_nowhere_else(toy, tmp_path, changes, said):
  shutil.copytree(toy, tmp_path / "set")
  shutil.copytree(toy, tmp_path / "other")
  _repack(tmp_path / "set" / "dataset_info.json", **changes)
  with pytest.raises(ValueError, match=f"dataset_info.json: .*{said}") as e:
    _open(rlds, tmp_path / "set")
  assert "\n" not in str(e.value)


@pytest.mark.parametrize(
  "lengths", [["9" * 18], ["3", "9" * 18], ["-1"], ["3"] * 3000, []]
)
def test_shards_of_any_number(toy, tmp_path, lengths):
  shutil.copytree(toy, tmp_path / "set")
  _repack(tmp_path / "set/dataset_info.json", split={"shardLengths": lengths})
  with pytest.raises(ValueError, match="set"):
    _open(rlds, tmp_path / "set")


def test_shapes_and_names_of_any_size(toy, tmp_path):
  shutil.copytree(toy, tmp_path / "set")
  file = tmp_path / "set" / "features.json"
  content = json.loads(file.read_text())
  steps = content["featuresDict"]["features"]["steps"]["sequence"]["feature"]
  fields = steps["featuresDict"]["features"]
  fields["reward"] = {
    "pythonClassName": "tensorflow_datasets.core.features.class_label_feature."
    "ClassLabel",
    "classLabel": {"numClasses": str(10**15)},
  }
  file.write_text(json.dumps(content))
  with pytest.raises(ValueError, match="'steps/reward' is an enumeration with"):
    _open(rlds, tmp_path / "set")
  del fields["reward"]
  fields["state"]["tensor"]["shape"]["dimensions"] = [str(10**12)]
  file.write_text(json.dumps(content))
  with pytest.raises(ValueError, match="'train' cannot be read .*steps/state"):
    _open(rlds, tmp_path / "set", success_key="steps/is_terminal")


def test_pictures_of_any_size_are_not_decoded(monkeypatch):
  picture = images.encode_jpeg(np.zeros((40, 60, 3), np.uint8))
  assert images.load_rgb(picture).shape == (40, 60, 3)
  monkeypatch.setattr(images, "MAX_PIXELS", 2000)
  with pytest.raises(ValueError, match="60 x 40 pixels"):
    images.load_rgb(picture)

"""LeRobot data sets as they lie on disk: frames, labels, and faults."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from data.readers import lerobot


@pytest.fixture(name="sets", scope="module")
def _sets(load_module):
  return load_module("data/readers/lerobot_sets.py")


@pytest.fixture(name="v3", scope="module")
def _v3(sets, tmp_path_factory):
  return sets.make_v3(tmp_path_factory.mktemp("v3"))


def _check_frames(sets, stored):
  for row in range(len(stored)):
    episode = int(stored.seed[row])
    wanted = [0, (sets.LENGTHS[episode] - 1) / 2, sets.LENGTHS[episode] - 1]
    levels = stored.read(row).frames.mean(axis=(1, 2, 3))
    expected = [sets.level(episode, frame) for frame in wanted]
    np.testing.assert_allclose(levels, expected, atol=3.5)


def test_version_3(sets, read, v3, tmp_path):
  stored, notes = read(lerobot, v3, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  assert stored.name.tolist() == [f"episode {n}" for n in range(4)]
  assert set(stored.instruction) == {"close the drawer"}
  _check_frames(sets, stored)
  assert len(notes) == 1 and "'next.success' reaches 1" in notes[0]


def test_a_field_may_be_named(read, v3, tmp_path):
  stored, notes = read(
    lerobot, v3, tmp_path, success_key="next.reward",
    success_threshold=0.5,
  )  # fmt: skip
  assert stored.success.tolist() == [True, False, True, False]
  assert "'next.reward' reaches 0.5" in notes[0]
  with pytest.raises(ValueError, match="no field 'won'.*'next.reward'"):
    read(lerobot, v3, tmp_path, success_key="won")


def test_without_a_field_all_are_successes(sets, read, tmp_path):
  path = sets.make_v3(
    tmp_path / "set", columns=["episode_index", "frame_index"]
  )
  stored, notes = read(lerobot, path, tmp_path)
  assert stored.success.all()
  assert notes[0].startswith("NO SUCCESS FIELD")


def test_labels_of_the_user(sets, read, tmp_path):
  path = sets.make_v3(tmp_path / "set")
  labels = path / "labels.csv"
  labels.write_text("episode_index,success\n2,no\n1,yes\n")
  stored, notes = read(lerobot, path, tmp_path, labels="labels.csv")
  assert stored.seed.tolist() == [1, 2]
  assert stored.success.tolist() == [True, False]
  assert "lists 2 of 4 episodes" in notes[0]
  for lines, said in (
    ("episode_index,success\n9,yes\n", "line 2: no episode '9'"),
    ("episode_index,success\n1,maybe\n", "line 2: success is 'maybe'"),
    ("episode,success\n1,yes\n", "'episode_index', 'success'.*expected"),
    ("episode_index,success\n", "lists no episode"),
  ):
    labels.write_text(lines)
    with pytest.raises(ValueError, match=said):
      read(lerobot, path, tmp_path, labels="labels.csv")


def test_cameras(sets, read, tmp_path):
  wrist = {"observation.images.wrist": {"dtype": "video"}}
  path = sets.make_v3(tmp_path / "set", **wrist)
  _, notes = read(lerobot, path, tmp_path)
  assert "the first is used" in notes[0] and "wrist" in notes[0]
  assert "depth" not in notes[0]
  _, notes = read(lerobot, path, tmp_path, camera=sets.CAMERA)
  assert len(notes) == 1
  with pytest.raises(ValueError, match=f"no camera 'front'.*{sets.CAMERA}"):
    read(lerobot, path, tmp_path, camera="front")


def test_pictures_in_the_table(sets, read, tmp_path):
  path = sets.make_v3(tmp_path / "set", **{"image": {"dtype": "image"}})
  for number in (0, 1):
    inside = [e for e in range(4) if sets.FILES[e] == number]
    pictures = []
    for e in inside:
      for f in range(sets.LENGTHS[e]):
        stream = io.BytesIO()
        pixels = np.full((16, 32, 3), sets.level(e, f), np.uint8)
        Image.fromarray(pixels).save(stream, "PNG")
        pictures.append({"bytes": stream.getvalue(), "path": None})
    sets.write_table(
      path / f"data/chunk-000/file-00{number}.parquet",
      sets.frame_columns(inside) | {"image": pictures},
    )
  stored, _ = read(lerobot, path, tmp_path, camera="image")
  _check_frames(sets, stored)


def test_version_2(sets, read, tmp_path):
  path = tmp_path / "set"
  sets.write_info(
    path,
    sets.info(
      "v2.1",
      "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
      "videos/chunk-{episode_chunk:03d}/{video_key}/"
      "episode_{episode_index:06d}.mp4",
    ),
  )
  lines = []
  for e, length in enumerate(sets.LENGTHS):
    lines.append({"episode_index": e, "tasks": ["close"], "length": length})
    sets.write_table(
      path / f"data/chunk-000/episode_{e:06d}.parquet", sets.frame_columns([e])
    )
    sets.write_video(
      path / f"videos/chunk-000/{sets.CAMERA}/episode_{e:06d}.mp4",
      [sets.level(e, f) for f in range(length)],
    )
  file = path / "meta/episodes.jsonl"
  file.write_text("\n".join(map(json.dumps, lines)))
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  _check_frames(sets, stored)
  file.write_text(file.read_text() + "\n{")
  with pytest.raises(ValueError, match="episodes.jsonl, line 5: not JSON"):
    read(lerobot, path, tmp_path)

  def write(success):
    rows = [json.dumps(line | {"success": success}) for line in lines]
    file.write_text("\n".join(rows))

  write("maybe")
  said = "episode 0: 'success' is 'maybe', no number"
  with pytest.raises(ValueError, match=said):
    read(lerobot, path, tmp_path)
  write([1])
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.success.all()


def _damage(sets, path, how):
  info = path / "meta" / "info.json"
  if how == "none":
    info.unlink()
  elif how == "version":
    info.write_text(info.read_text().replace("v3.0", "v1.6"))
  elif how == "json":
    info.write_text("{")
  elif how == "video":
    next(path.glob("videos/*/*/file-001.mp4")).unlink()
  elif how == "garbage":
    next(path.glob("videos/*/*/file-001.mp4")).write_bytes(b"nothing" * 99)
  elif how == "short":
    film = next(path.glob("videos/*/*/file-001.mp4"))
    sets.write_video(film, [9, 9])
  elif how == "table":
    next(path.glob("data/*/file-001.parquet")).write_bytes(b"nothing")
  elif how == "episodes":
    next(path.glob("meta/episodes/*/*.parquet")).unlink()


@pytest.mark.parametrize(
  "how, said",
  [
    ("none", "it has no meta/info.json"),
    ("version", "version 'v1.6' of the format; known: v3.0, v2.1"),
    ("json", "info.json: not the description of a data set"),
    ("video", "episode 3: no such file: .*file-001.mp4"),
    ("garbage", "file-001.mp4: not a readable video"),
    ("short", r"file-001.mp4: no frame at 0.300 s"),
    ("table", "file-001.parquet: not a readable table"),
    ("episodes", "meta/ lists no episode"),
    ("task", "episode 3: its task is empty"),
  ],
)
def test_faults_are_named(sets, read, tmp_path, how, said):
  path = sets.make_v3(
    tmp_path / "set", **({"tasks": sets.TASKS} if how == "task" else {})
  )
  _damage(sets, path, how)
  with pytest.raises(ValueError, match=said) as caught:
    read(lerobot, path, tmp_path)
  assert "\n" not in str(caught.value)

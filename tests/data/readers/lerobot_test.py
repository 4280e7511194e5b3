"""LeRobot data sets as they lie on disk: frames, labels, and faults."""

import json

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from data import images
from data.readers import lerobot

FPS = 10
LENGTHS = (6, 4, 5, 7)
FILES = (0, 0, 0, 1)  # Which file an episode is in.
CAMERA = "observation.images.top"


def level(episode, frame):
  """Gray of a frame: no two are alike."""
  return 10 + 30 * episode + 4 * frame


def write_video(file, levels):
  file.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(file), "w") as container:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
    stream.codec_context.gop_size = 4
    for level in levels:
      pixels = np.full((16, 32, 3), level, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_table(file, columns):
  file.parent.mkdir(parents=True, exist_ok=True)
  pyarrow.parquet.write_table(pyarrow.table(columns), file)


def frame_columns(episodes):
  """Rows of frames; the odd episodes end without success."""
  numbers = [(e, f) for e in episodes for f in range(LENGTHS[e])]
  success = [f + 1 == LENGTHS[e] and e % 2 == 0 for e, f in numbers]
  pictures = [np.full((16, 32, 3), level(*n), np.uint8) for n in numbers]
  return {
    "episode_index": [e for e, _ in numbers],
    "next.reward": list(map(float, success)),
    "next.success": success,
    "image": [{"bytes": images.encode_jpeg(p), "path": ""} for p in pictures],
  }


def write_info(root, version, data, film, **features):
  info = {
    "codebase_version": version,
    "fps": FPS,
    "data_path": data,
    "video_path": film,
    "features": {
      CAMERA: {"dtype": "video"},
      "depth": {"dtype": "video", "info": {"video.is_depth_map": True}},
      "action": {"dtype": "float32"},
    }
    | features,
  }
  (root / "meta").mkdir(parents=True, exist_ok=True)
  (root / "meta" / "info.json").write_text(json.dumps(info))


def make_v3(root, tasks=("close the drawer",) * 4, columns=None, **features):
  """A data set of version 3: four episodes in two files."""
  file = "chunk-{chunk_index:03d}/file-{file_index:03d}"
  data, film = f"data/{file}.parquet", f"videos/{{video_key}}/{file}.mp4"
  write_info(root, "v3.0", data, film, **features)
  place = f"videos/{CAMERA}"
  write_table(
    root / "meta/episodes/chunk-000/file-000.parquet",
    {
      "episode_index": list(range(4)),
      "tasks": [[task] for task in tasks],
      "length": list(LENGTHS),
      "data/chunk_index": [0] * 4,
      "data/file_index": list(FILES),
      f"{place}/chunk_index": [0] * 4,
      f"{place}/file_index": list(FILES),
      f"{place}/from_timestamp": [0.0, 0.6, 1.0, 0.0],
      "stats/action/mean": [[0.0]] * 4,
    },
  )
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    levels = [level(e, f) for e in inside for f in range(LENGTHS[e])]
    write_video(root / place / f"chunk-000/file-00{number}.mp4", levels)
    table = frame_columns(inside)
    write_table(
      root / f"data/chunk-000/file-00{number}.parquet",
      {name: table[name] for name in columns or table},
    )
  return root


@pytest.fixture(name="v3", scope="module")
def _v3(tmp_path_factory):
  return make_v3(tmp_path_factory.mktemp("v3"))


def _check_frames(stored):
  for row in range(len(stored)):
    episode = int(stored.seed[row])
    wanted = [0, (LENGTHS[episode] - 1) / 2, LENGTHS[episode] - 1]
    levels = stored.read(row).frames.mean(axis=(1, 2, 3))
    expected = [level(episode, frame) for frame in wanted]
    np.testing.assert_allclose(levels, expected, atol=3.5)


def test_version_3(read, v3, tmp_path):
  stored, notes = read(lerobot, v3, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  assert stored.name.tolist() == [f"episode {n}" for n in range(4)]
  assert set(stored.instruction) == {"close the drawer"}
  _check_frames(stored)
  assert len(notes) == 1 and "'next.success' reaches 1" in notes[0]


def test_a_field_may_be_named(read, v3, tmp_path):
  options = {"success_key": "next.reward", "success_threshold": 0.5}
  stored, notes = read(lerobot, v3, tmp_path, **options)
  assert stored.success.tolist() == [True, False, True, False]
  assert "'next.reward' reaches 0.5" in notes[0]
  with pytest.raises(ValueError, match="no field 'won'.*'next.reward'"):
    read(lerobot, v3, tmp_path, success_key="won")


def test_frames_that_say_nothing_of_success(read, tmp_path):
  path = make_v3(tmp_path / "set")
  file = path / "data/chunk-000/file-001.parquet"
  table = frame_columns([3])

  def run(values):
    write_table(file, table | {"next.reward": values})
    return read(lerobot, path, tmp_path, success_key="next.reward")

  stored, _ = run([None, float("nan"), *[0.0] * 4, 1.0])
  assert stored.success.tolist() == [True, False, True, True]
  said = "file-001.parquet, episode 3: it has no 'next.reward'"
  for values in ([None] * 7, [float("nan")] * 7, [[]] * 7):
    with pytest.raises(ValueError, match=said):
      run(values)


def test_without_a_field_all_are_successes(read, tmp_path):
  path = make_v3(tmp_path / "set", columns=["episode_index"])
  stored, notes = read(lerobot, path, tmp_path)
  assert stored.success.all()
  assert notes[0].startswith("NO SUCCESS FIELD")


def test_labels_of_the_user(read, tmp_path):
  path = make_v3(tmp_path / "set")
  labels = path / "labels.csv"
  labels.write_text("episode_index,success\n2,no,missed it\n1,yes\n")
  stored, notes = read(lerobot, path, tmp_path, labels="labels.csv")
  assert stored.seed.tolist() == [1, 2]
  assert stored.success.tolist() == [True, False]
  assert "lists 2 of 4 episodes" in notes[0]
  for lines, said in (
    ("episode_index,success\n9,yes\n", "line 2: no episode '9'"),
    ("episode_index,success\n1,maybe\n", "line 2: success is 'maybe'"),
    ("episode_index,success\n1\n", "line 2: success is None"),
    ("episode,success\n1,yes\n", "'episode_index', 'success'.*expected"),
    ("episode_index,success\n", "lists no episode"),
  ):
    labels.write_text(lines)
    with pytest.raises(ValueError, match=said):
      read(lerobot, path, tmp_path, labels="labels.csv")


def test_cameras(read, tmp_path):
  wrist = {"observation.images.wrist": {"dtype": "video"}}
  path = make_v3(tmp_path / "set", **wrist)
  _, notes = read(lerobot, path, tmp_path)
  assert "the first is used" in notes[0] and "wrist" in notes[0]
  assert "depth" not in notes[0]
  _, notes = read(lerobot, path, tmp_path, camera=CAMERA)
  assert len(notes) == 1
  with pytest.raises(ValueError, match=f"no camera 'front'.*{CAMERA}"):
    read(lerobot, path, tmp_path, camera="front")


def test_pictures_in_the_table(read, tmp_path):
  path = make_v3(tmp_path / "set", image={"dtype": "image"})
  stored, _ = read(lerobot, path, tmp_path, camera="image")
  _check_frames(stored)
  file = path / "data/chunk-000/file-001.parquet"
  table = frame_columns([3])
  pictures = table.pop("image")
  nothing = {"bytes": None, "path": None}
  for faulty, said in (
    ([None, *pictures[1:]], "set, episode 3: an unreadable picture"),
    ([*pictures[:-1], nothing], "set, episode 3: an unreadable picture"),
    ([p["bytes"] for p in pictures], "set, episode 3: an unreadable picture"),
    (None, "file-001.parquet: no column 'image'; it has .*'next.reward'"),
  ):
    write_table(file, table | ({"image": faulty} if faulty else {}))
    with pytest.raises(ValueError, match=said) as caught:
      read(lerobot, path, tmp_path, camera="image")
    assert "\n" not in str(caught.value)


def test_version_2(read, tmp_path):
  path = tmp_path / "set"
  data = "data/chunk-{episode_chunk:03d}/{episode_index:06d}.parquet"
  film = "videos/{video_key}/chunk-{episode_chunk:03d}/{episode_index:06d}.mp4"
  write_info(path, "v2.1", data, film)
  lines = []
  for e, length in enumerate(LENGTHS):
    lines.append({"episode_index": e, "tasks": ["close"], "length": length})
    write_table(path / f"data/chunk-000/{e:06d}.parquet", frame_columns([e]))
    levels = [level(e, f) for f in range(length)]
    write_video(path / f"videos/{CAMERA}/chunk-000/{e:06d}.mp4", levels)
  file = path / "meta/episodes.jsonl"

  def write(**more):
    file.write_text("\n".join(json.dumps(line | more) for line in lines))

  write()
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  _check_frames(stored)
  file.write_text(file.read_text() + "\n{")
  with pytest.raises(ValueError, match="episodes.jsonl, line 5: not JSON"):
    read(lerobot, path, tmp_path)
  for value, said in (
    ("maybe", "set, episode 0: 'success' is 'maybe', no number"),
    (None, "set, episode 0: it has no 'success'"),
    (float("nan"), "set, episode 0: it has no 'success'"),
    ([], "set, episode 0: it has no 'success'"),
  ):
    write(success=value)
    with pytest.raises(ValueError, match=said):
      read(lerobot, path, tmp_path)
  write(success=[1])
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.success.all()


@pytest.mark.parametrize(
  "file, content, said",
  [
    ("meta/info.json", None, "it has no meta/info.json"),
    ("meta/info.json", b"{", "info.json: not the description of a data set"),
    ("meta/info.json", "v1.6", "version 'v1.6' of the format; known: v3.0"),
    ("videos/*/*/file-001.mp4", None, "episode 3: no such file: .*001.mp4"),
    ("videos/*/*/file-001.mp4", b"no" * 99, "001.mp4: not a readable video"),
    ("videos/*/*/file-001.mp4", "short", "001.mp4: no frame at 0.300 s"),
    ("data/*/file-001.parquet", b"no", "001.parquet: not a readable table"),
    ("meta/episodes/*/*.parquet", None, "meta/ lists no episode"),
    ("", "task", "episode 3: its task is empty"),
  ],
)
def test_faults_are_named(read, tmp_path, file, content, said):
  tasks = ("close the drawer",) * 3 + ("" if content == "task" else "open",)
  path = make_v3(tmp_path / "set", tasks=tasks)
  (file,) = path.glob(file) if file else [path]
  if content is None:
    file.unlink()
  elif content == "short":
    write_video(file, [9, 9])
  elif content == "v1.6":
    file.write_text(file.read_text().replace("v3.0", content))
  elif content != "task":
    file.write_bytes(content)
  with pytest.raises(ValueError, match=said) as caught:
    read(lerobot, path, tmp_path)
  assert "\n" not in str(caught.value)

"""LeRobot data sets as they lie on disk: frames, labels, and faults."""

import importlib
import io
import json

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

FPS = 10
LENGTHS = (6, 4, 5, 7)
FILES = (0, 0, 0, 1)  # Which file an episode is in.
TASKS = ("close the drawer", "open the drawer", "close the drawer", "")
CAMERA = "observation.images.top"


@pytest.fixture(name="lerobot", scope="module")
def _lerobot():
  return importlib.import_module("data.lerobot")


def _level(episode, frame):
  """Gray of a frame: no two are alike."""
  return 10 + 30 * episode + 4 * frame


def _write_video(file, levels):
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


def _write_table(file, columns):
  file.parent.mkdir(parents=True, exist_ok=True)
  pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _frame_columns(episodes):
  """Rows of frames; the odd episodes end without success."""
  numbers = [(e, f) for e in episodes for f in range(LENGTHS[e])]
  last = [f + 1 == LENGTHS[e] for e, f in numbers]
  return {
    "episode_index": [e for e, _ in numbers],
    "frame_index": [f for _, f in numbers],
    "next.reward": [
      float(end and e % 2 == 0)
      for (e, _), end in zip(numbers, last, strict=True)
    ],
    "next.success": [
      end and e % 2 == 0 for (e, _), end in zip(numbers, last, strict=True)
    ],
  }


def _info(version, data, film, **features):
  return {
    "codebase_version": version,
    "fps": FPS,
    "chunks_size": 1000,
    "data_path": data,
    "video_path": film,
    "features": {
      CAMERA: {"dtype": "video", "shape": [16, 32, 3]},
      "observation.images.depth": {
        "dtype": "video",
        "info": {"video.is_depth_map": True},
      },
      "action": {"dtype": "float32", "shape": [2]},
    }
    | features,
  }


def _write_info(root, info):
  (root / "meta").mkdir(parents=True, exist_ok=True)
  (root / "meta" / "info.json").write_text(json.dumps(info))


def make_v3(root, tasks=("close the drawer",) * 4, columns=None, **features):
  """A data set of version 3: four episodes in two files."""
  _write_info(
    root,
    _info(
      "v3.0",
      "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
      "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
      **features,
    ),
  )
  starts = (0.0, 0.6, 1.0, 0.0)
  place = f"videos/{CAMERA}"
  _write_table(
    root / "meta/episodes/chunk-000/file-000.parquet",
    {
      "episode_index": list(range(4)),
      "tasks": [[task] for task in tasks],
      "length": list(LENGTHS),
      "data/chunk_index": [0] * 4,
      "data/file_index": list(FILES),
      f"{place}/chunk_index": [0] * 4,
      f"{place}/file_index": list(FILES),
      f"{place}/from_timestamp": list(starts),
      f"{place}/to_timestamp": [
        start + length / FPS
        for start, length in zip(starts, LENGTHS, strict=True)
      ],
      "stats/action/mean": [[0.0]] * 4,
    },
  )
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    levels = [_level(e, f) for e in inside for f in range(LENGTHS[e])]
    _write_video(root / place / f"chunk-000/file-00{number}.mp4", levels)
    table = _frame_columns(inside)
    names = columns or list(table)
    _write_table(
      root / f"data/chunk-000/file-00{number}.parquet",
      {name: table[name] for name in names},
    )
  return root


@pytest.fixture(name="v3", scope="module")
def _v3(tmp_path_factory):
  return make_v3(tmp_path_factory.mktemp("v3"))


def _store(lerobot, dataset, path, root, **options):
  folder, notes = lerobot.store(
    path, root, num_frames=3, image_size=16, **options
  )
  return dataset.open_dataset(folder, "robot"), notes


def _check_frames(stored):
  for row in range(len(stored)):
    episode = int(stored.seed[row])
    wanted = [0, (LENGTHS[episode] - 1) / 2, LENGTHS[episode] - 1]
    levels = stored.read(row).frames.mean(axis=(1, 2, 3))
    expected = [_level(episode, frame) for frame in wanted]
    np.testing.assert_allclose(levels, expected, atol=3.5)


def test_version_3(lerobot, dataset, v3, tmp_path):
  stored, notes = _store(lerobot, dataset, v3, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  assert stored.name.tolist() == [f"episode {n}" for n in range(4)]
  assert set(stored.instruction) == {"close the drawer"}
  _check_frames(stored)
  assert len(notes) == 1 and "'next.success' reaches 1" in notes[0]


def test_a_field_may_be_named(lerobot, dataset, v3, tmp_path):
  stored, notes = _store(
    lerobot, dataset, v3, tmp_path, success_key="next.reward",
    success_threshold=0.5,
  )  # fmt: skip
  assert stored.success.tolist() == [True, False, True, False]
  assert "'next.reward' reaches 0.5" in notes[0]
  with pytest.raises(ValueError, match="no field 'won'.*'next.reward'"):
    _store(lerobot, dataset, v3, tmp_path, success_key="won")


def test_without_a_field_all_are_successes(lerobot, dataset, tmp_path):
  path = make_v3(tmp_path / "set", columns=["episode_index", "frame_index"])
  stored, notes = _store(lerobot, dataset, path, tmp_path)
  assert stored.success.all()
  assert notes[0].startswith("NO SUCCESS FIELD")


def test_labels_of_the_user(lerobot, dataset, tmp_path):
  path = make_v3(tmp_path / "set")
  labels = path / "labels.csv"
  labels.write_text("episode_index,success\n2,no\n1,yes\n")
  stored, notes = _store(lerobot, dataset, path, tmp_path, labels="labels.csv")
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
      _store(lerobot, dataset, path, tmp_path, labels="labels.csv")


def test_cameras(lerobot, dataset, tmp_path):
  wrist = {"observation.images.wrist": {"dtype": "video"}}
  path = make_v3(tmp_path / "set", **wrist)
  _, notes = _store(lerobot, dataset, path, tmp_path)
  assert "the first is used" in notes[0] and "wrist" in notes[0]
  assert "depth" not in notes[0]
  _, notes = _store(lerobot, dataset, path, tmp_path, camera=CAMERA)
  assert len(notes) == 1
  with pytest.raises(ValueError, match=f"no camera 'front'.*{CAMERA}"):
    _store(lerobot, dataset, path, tmp_path, camera="front")


def test_pictures_in_the_table(lerobot, dataset, tmp_path):
  path = make_v3(tmp_path / "set", **{"image": {"dtype": "image"}})
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    pictures = []
    for e in inside:
      for f in range(LENGTHS[e]):
        stream = io.BytesIO()
        pixels = np.full((16, 32, 3), _level(e, f), np.uint8)
        Image.fromarray(pixels).save(stream, "PNG")
        pictures.append({"bytes": stream.getvalue(), "path": None})
    _write_table(
      path / f"data/chunk-000/file-00{number}.parquet",
      _frame_columns(inside) | {"image": pictures},
    )
  stored, _ = _store(lerobot, dataset, path, tmp_path, camera="image")
  _check_frames(stored)


def test_version_2(lerobot, dataset, tmp_path):
  path = tmp_path / "set"
  _write_info(
    path,
    _info(
      "v2.1",
      "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
      "videos/chunk-{episode_chunk:03d}/{video_key}/"
      "episode_{episode_index:06d}.mp4",
    ),
  )
  lines = []
  for e, length in enumerate(LENGTHS):
    lines.append({"episode_index": e, "tasks": ["close"], "length": length})
    _write_table(
      path / f"data/chunk-000/episode_{e:06d}.parquet", _frame_columns([e])
    )
    _write_video(
      path / f"videos/chunk-000/{CAMERA}/episode_{e:06d}.mp4",
      [_level(e, f) for f in range(length)],
    )
  (path / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, lines)))
  stored, _ = _store(lerobot, dataset, path, tmp_path)
  assert stored.success.tolist() == [True, False, True, False]
  _check_frames(stored)


def _damage(path, how):
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
    _write_video(film, [9, 9])
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
def test_faults_are_named(lerobot, dataset, tmp_path, how, said):
  path = make_v3(
    tmp_path / "set", **({"tasks": TASKS} if how == "task" else {})
  )
  _damage(path, how)
  with pytest.raises(ValueError, match=said) as caught:
    _store(lerobot, dataset, path, tmp_path)
  assert "\n" not in str(caught.value)

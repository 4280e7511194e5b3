"""LeRobot data sets as they lie on disk: frames, labels, and faults."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from data.readers import lerobot
from tests.data.readers.lerobot_sets import (
  CAMERA,
  EPISODES,
  FILES,
  LENGTHS,
  START,
  TABLE,
  change,
  frame_columns,
  level,
  make_v3,
  write_info,
  write_table,
  write_video,
)


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
  for values in ([None] * 7, [float("nan")] * 7, [[]] * 7):
    stored, notes = run(values)
    assert stored.seed.tolist() == [0, 1, 2]
    said = "1 of 4 clips are left out: no value tells its success (episode 3)"
    assert notes[-1].startswith(said)
  with pytest.raises(ValueError, match="set: 'next.reward' has no value in an"):
    change(path, TABLE, **{"next.reward": [None] * 15})
    run([None] * 7)


def test_without_a_field_all_are_successes(read, tmp_path):
  path = make_v3(tmp_path / "set", columns=["episode_index"])
  stored, notes = read(lerobot, path, tmp_path)
  assert stored.success.all()
  assert notes[0].startswith("NO SUCCESS FIELD")


@pytest.mark.parametrize("key", ["frame_index", "episode_index"])
def test_a_column_that_is_read_anyway_may_tell_success(read, tmp_path, key):
  path = make_v3(tmp_path / "set")
  for file, inside in ((TABLE, (0, 1, 2)), ("data/*/file-001.parquet", (3,))):
    change(
      path, file, frame_index=[f for e in inside for f in range(LENGTHS[e])]
    )
  options = {"success_key": key, "success_threshold": 3.5}
  expected = {
    "frame_index": [length > 4 for length in LENGTHS],
    "episode_index": [False] * 4,
  }
  stored, _ = read(lerobot, path, tmp_path, **options)
  assert stored.success.tolist() == expected[key]


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
    ("episode_index,success\n1\n", "line 2: success is ''"),
    ("episode_index,success\n1,yes\n2,no\n1,no\n", "line 4: episode 1 has an"),
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
  for faulty in (
    [None, *pictures[1:]],
    [*pictures[:-1], nothing],
    [p["bytes"] for p in pictures],
    [{"bytes": b"no", "path": ""}, *pictures[1:]],
  ):
    write_table(file, table | {"image": faulty})
    stored, notes = read(lerobot, path, tmp_path, camera="image")
    assert stored.seed.tolist() == [0, 1, 2]
    assert "left out: an unreadable picture" in notes[-1]
    assert "(episode 3)" in notes[-1]
  write_table(file, table)
  _, notes = read(lerobot, path, tmp_path, camera="image")
  assert "file-001.parquet: no column 'image'; it has [" in notes[-1]


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
  with pytest.raises(ValueError, match="episodes.jsonl, line 5 is not JSON"):
    read(lerobot, path, tmp_path)
  for value, said in (
    ("maybe", "set, episode 0: 'success' is 'maybe', no number"),
    ({"a": 1}, "set, episode 0: 'success' is {'a': 1}, no number"),
  ):
    write(success=value)
    with pytest.raises(ValueError, match=said):
      read(lerobot, path, tmp_path)
  for value in ([1], "Success"):
    write(success=value)
    stored, notes = read(lerobot, path, tmp_path)
    assert stored.success.all()
    assert any("'success' reaches 1 in all 4" in note for note in notes)
  write(tasks=["stop", "close"])
  (path / "meta/tasks.jsonl").write_text(
    '{"task_index": 0, "task": "close"}\n{"task_index": 4, "task": "stop"}'
  )
  for e, length in enumerate(LENGTHS):
    change(path, f"data/*/{e:06d}.parquet", task_index=[4] + [0] * (length - 1))
  stored, notes = read(lerobot, path, tmp_path)
  assert set(stored.instruction) == {"stop"}
  assert notes[0].startswith("4 of 4 episodes have several tasks")


@pytest.mark.parametrize(
  "file, content, said",
  [
    ("meta/info.json", None, "it has no meta/info.json"),
    ("meta/info.json", b"{", "info.json: not the description of a data set"),
    ("meta/info.json", b'{"codebase_version": "v3.0"}', "not the desc.*'featu"),
    ("meta/info.json", ('"fps": 10', '"fps": null'), "not the description"),
    ("meta/info.json", ('"video_path"', '"path"'), "meta/ lacks 'video_pat"),
    (
      "meta/info.json",
      ("v3.0", "v1.6"),
      "version 'v1.6' of the format; known: v3.0",
    ),
    ("meta/episodes/*/*.parquet", None, "meta/ lists no episode"),
  ],
)
def test_faults_are_named(read, tmp_path, file, content, said):
  path = make_v3(tmp_path / "set")
  (file,) = path.glob(file)
  if content is None:
    file.unlink()
  elif isinstance(content, tuple):
    file.write_text(file.read_text().replace(*content))
  else:
    file.write_bytes(content)
  with pytest.raises(ValueError, match=said) as caught:
    read(lerobot, path, tmp_path)
  assert "\n" not in str(caught.value)


FILM = f"videos/{CAMERA}/chunk-000/file-001.mp4"


@pytest.mark.parametrize(
  "break_fn, said",
  [
    (lambda p: (p / FILM).unlink(), "no such file: "),
    (lambda p: (p / FILM).write_bytes(b"no" * 99), "not a readable video"),
    (lambda p: write_video(p / FILM, [9, 9]), "has not the frames that meta/ "),
    (
      lambda p: (p / "data/chunk-000/file-001.parquet").write_bytes(b"no"),
      "not a readable table",
    ),
    (
      lambda p: write_table(
        p / "data/chunk-000/file-001.parquet", {"episode_index": [3] * 6}
      ),
      "has 6 frames of it, meta/ 7",
    ),
    (
      lambda p: change(p, EPISODES, tasks=[["close"]] * 3 + [[" "]]),
      "its task is empty",
    ),
    (
      lambda p: change(p, EPISODES, length=[*LENGTHS[:3], None]),
      "meta/ lacks ",
    ),
  ],
)
def test_a_bad_episode_is_left_out(read, tmp_path, break_fn, said):
  path = make_v3(tmp_path / "set")
  break_fn(path)
  stored, notes = read(lerobot, path, tmp_path)
  assert stored.seed.tolist() == [0, 1, 2]
  assert notes[-1].startswith("1 of 4 clips are left out: ")
  assert said in notes[-1] and "(episode 3)" in notes[-1]
  labels = path / "labels.csv"
  labels.write_text("episode_index,success\n0,yes\n1,no\n")
  stored, notes = read(lerobot, path, tmp_path, labels="labels.csv")
  assert stored.seed.tolist() == [0, 1] and len(notes) == 1
  labels.write_text("episode_index,success\n3,yes\n")
  with pytest.raises(ValueError, match="set: 1 of 1 clips cannot .*episode 3"):
    read(lerobot, path, tmp_path, labels="labels.csv")


@pytest.mark.parametrize(
  "starts",
  [
    [0.0, 0.66, 1.0, 0.0],  # A sum of rounded durations.
    [0.0, 0.54, 1.0, 0.0],
    [0.0, 0.75, 1.31, 0.0],  # It grows with every episode.
  ],
)
def test_frames_of_a_film_are_counted(read, tmp_path, starts):
  path = make_v3(tmp_path / "set")
  change(path, EPISODES, **{START: starts})
  stored, _ = read(lerobot, path, tmp_path)
  assert len(stored) == 4
  _check_frames(stored)


def test_a_film_with_more_than_its_episodes(read, tmp_path):
  path = make_v3(tmp_path / "set")
  (file,) = path.glob(EPISODES)
  rows = pyarrow.parquet.read_table(file).take([0, 2, 3])  # Not episode 1.
  pyarrow.parquet.write_table(rows, file)
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.seed.tolist() == [0, 2, 3]
  _check_frames(stored)
  change(path, EPISODES, **{START: [0.0, 1.06, 0.0]})
  stored, notes = read(lerobot, path, tmp_path)
  assert stored.seed.tolist() == [0, 3]
  assert "lists from 1.060 s on (episode 2)" in notes[-2]
  assert "the film has 15 frames and meta/ lists 11 in it" in notes[-1]


@pytest.mark.parametrize("starts", [[0.0, 0.3, 1.0, 0.0], [0.0] * 4])
def test_episodes_that_overlap_in_a_film(read, tmp_path, starts):
  path = make_v3(tmp_path / "set")
  change(path, EPISODES, **{START: starts})
  with pytest.raises(ValueError, match="episode 0 end at .* and episode 1 beg"):
    read(lerobot, path, tmp_path)
  (path / "labels.csv").write_text("episode_index,success\n3,yes\n")
  stored, _ = read(lerobot, path, tmp_path, labels="labels.csv")
  assert stored.seed.tolist() == [3]


def test_rows_in_another_order(read, tmp_path):
  path = make_v3(tmp_path / "set", image={"dtype": "image"})
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    numbers = [f for e in inside for f in range(LENGTHS[e])]
    (file,) = path.glob(f"data/*/file-00{number}.parquet")
    table = pyarrow.parquet.read_table(file)
    table = table.append_column("frame_index", pyarrow.array(numbers))
    rows = np.random.default_rng(0).permutation(len(numbers))
    pyarrow.parquet.write_table(table.take(rows), file)
  for camera in ("image", CAMERA):
    stored, _ = read(lerobot, path, tmp_path, camera=camera)
    _check_frames(stored)
  change(path, TABLE, frame_index=[0] * 15)
  with pytest.raises(ValueError, match="`frame_index` of it twic.*episode 0"):
    read(lerobot, path, tmp_path)


def test_the_instruction_is_the_first_frames_task(read, tmp_path):
  path = make_v3(tmp_path / "set")
  tasks = {"task_index": [0, 1], "__index_level_0__": ["open", "close"]}
  write_table(path / "meta/tasks.parquet", tasks)
  change(path, TABLE, task_index=[1] * 3 + [0] * 12)
  change(path, "data/*/file-001.parquet", task_index=[1] * 7)
  for listed in ([["open", "close"], ["open"], ["open"], ["close"]], None):
    change(path, EPISODES, tasks=listed)
    stored, notes = read(lerobot, path, tmp_path)
    assert stored.instruction.tolist() == ["close", "open", "open", "close"]
    assert notes[0].startswith("1 of 4 episodes have several tasks")
  change(path, "data/*/file-001.parquet", task_index=[[7]] * 7)
  _, notes = read(lerobot, path, tmp_path)
  assert "its task_index 7 is not in meta/tasks (episode 3)" in notes[-1]
  (path / "meta/tasks.parquet").unlink()
  with pytest.raises(ValueError, match="neither meta/ nor `task_i.*episode 0"):
    read(lerobot, path, tmp_path)


def test_frames_are_even_in_time(read, tmp_path):
  path = make_v3(tmp_path / "set")
  clock = [0, 0.1, 0.2, 0.3, 0.4, 1.0, *range(4), 0, 0.8, 0.9, 0.95, 1.0]
  change(path, TABLE, timestamp=list(map(float, clock)))
  stored, _ = read(lerobot, path, tmp_path)
  for episode, middle in ((0, 4), (2, 1)):
    levels = stored.read(episode).frames.mean(axis=(1, 2, 3))
    wanted = [level(episode, f) for f in (0, middle, LENGTHS[episode] - 1)]
    np.testing.assert_allclose(levels, wanted, atol=3.5)
  change(path, TABLE, timestamp=[5.0] * 15)
  stored, _ = read(lerobot, path, tmp_path)
  _check_frames(stored)


def test_a_film_with_a_clock_of_its_own(read, tmp_path):
  path = make_v3(tmp_path / "set")
  times = [0, 100, 150, 900, 1000, 1400, 2000]
  write_video(path / FILM, [level(3, f) for f in range(7)], times)
  for columns, middle in (({}, 3), ({"timestamp": times}, 4)):
    change(path, "data/*/file-001.parquet", **columns)
    stored, _ = read(lerobot, path, tmp_path)
    levels = stored.read(3).frames.mean(axis=(1, 2, 3))
    wanted = [level(3, f) for f in (0, middle, 6)]
    np.testing.assert_allclose(levels, wanted, atol=3.5)


def test_places_that_contradict_each_other(read, tmp_path):
  path = make_v3(tmp_path / "set")
  for column, values, said in (
    (START, [0.0, -1.0, 1.0, 0.0], "lists from -1.000 s on (episode 1)"),
    (START, [0.0, None, 1.0, 0.0], f"meta/ lacks {START!r} of it (episode 1)"),
    (f"videos/{CAMERA}/file_index", [0, 0, 1, 1], "1.000 s on (episode 2)"),
  ):
    change(path, EPISODES, **{START: [0.0, 0.6, 1.0, 0.0]} | {column: values})
    stored, notes = read(lerobot, path, tmp_path)
    assert len(stored) == 3 and any(said in note for note in notes)
    _check_frames(stored)


def test_an_enumeration_is_read_by_its_names(read, tmp_path):
  path = make_v3(tmp_path / "set")
  feature = {"_type": "ClassLabel", "names": ["success", "failure"]}
  about = {"info": {"features": {"success": feature}}}
  for number, values in ((0, [1] * 10 + [0] * 5), (1, [-1] * 6 + [1])):
    file = path / f"data/chunk-000/file-00{number}.parquet"
    table = pyarrow.parquet.read_table(file)
    table = table.append_column("success", pyarrow.array(values))
    table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pyarrow.parquet.write_table(table, file)
  stored, _ = read(lerobot, path, tmp_path)
  assert stored.success.tolist() == [False, False, True, False]


def test_episodes_that_meta_lost_are_told(read, tmp_path):
  path = make_v3(tmp_path / "set")
  file = path / "meta/info.json"
  text = file.read_text()
  for total, told in ((4, 0), (6, 1)):
    about = json.dumps(json.loads(text) | {"total_episodes": total})
    file.write_bytes(b"\xef\xbb\xbf" + about.encode())  # As some editors do.
    stored, notes = read(lerobot, path, tmp_path)
    assert len(stored) == 4
    said = "counts 6 episodes, and meta/ lists 4"
    assert sum(said in note for note in notes) == told


@pytest.mark.parametrize("name", [FILM, "data/chunk-000/file-001.parquet"])
def test_a_file_that_git_has_not_fetched(read, tmp_path, name):
  path = make_v3(tmp_path / "set")
  (path / name).write_text("version https://git-lfs.github.com/spec/v1\noid 1")
  stored, notes = read(lerobot, path, tmp_path)
  assert len(stored) == 3 and "a pointer of Git LFS" in notes[-1]
  for file in path.rglob("*.parquet"):
    file.write_text("version https://git-lfs.github.com/spec/v1\noid 1")
  with pytest.raises(ValueError, match="a pointer of Git LFS, `git lfs pull`"):
    read(lerobot, path, tmp_path)


def test_films_of_other_lengths_than_their_episodes_are_noted(read, tmp_path):
  path = make_v3(tmp_path / "set")
  one, other = sorted(path.rglob("*.mp4"))
  contents = one.read_bytes(), other.read_bytes()
  one.write_bytes(contents[1])
  other.write_bytes(contents[0])
  _, notes = read(lerobot, path, tmp_path)
  for said in ("7 frames and meta/ lists 15", "15 frames and meta/ lists 7"):
    assert any(said in note and "another" in note for note in notes)

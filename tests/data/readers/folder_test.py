"""Manifests of own videos: good ones, faulty ones, and what is stored."""

import json

import av
import imageio
import numpy as np
import pytest

from data import images, store, video
from data.readers import folder


@pytest.fixture
def clips(tmp_path):
  """A folder with two small videos."""
  rng = np.random.default_rng(0)
  for name in ("a.gif", "b.gif"):
    coarse = rng.integers(0, 256, (12, 3, 4, 3)).astype(np.uint8)
    pictures = coarse.repeat(8, 1).repeat(8, 2)
    imageio.mimwrite(tmp_path / name, list(pictures), duration=100)
  return tmp_path


def _write(clips, lines, name="manifest.csv"):
  path = clips / name
  path.write_text("\n".join(lines) + "\n", encoding="utf-8")
  return path


GOOD = [
  "video,instruction,success",
  "a.gif,closing drawer,true",
  'b.gif," closing  drawer ",No',
]


def test_csv(clips):
  entries = folder.load_manifest(_write(clips, GOOD))
  assert [file for file, _ in entries] == [clips / "a.gif", clips / "b.gif"]
  for (_, clip), line in zip(entries, (2, 3), strict=True):
    assert clip.instruction == clip.task == "closing drawer"
    assert (clip.seed, clip.success) == (line, line == 2)
    assert clip.name == "ab"[line - 2] + ".gif"


@pytest.mark.parametrize("delimiter, name", [(";", "m.csv"), ("\t", "m.tsv")])
def test_csv_as_other_programs_write_it(clips, delimiter, name):
  rows = [
    ["\ufeff video ", '"success"', " instruction", "task"],
    ["a.gif ", " TRUE ", '"closing,\nthen ""opening"" it; done\t"', ""],
    ["", "", "", ""],
    ["b.gif", "0", "closing drawer", "close"],
    ["", " ", "", ""],
  ]
  path = clips / name
  path.write_bytes("\r\n".join(map(delimiter.join, rows)).encode())
  (first_file, first), (second_file, second) = folder.load_manifest(path)
  assert (first_file, second_file) == (clips / "a.gif", clips / "b.gif")
  assert first.instruction == 'closing, then "opening" it; done'
  assert (first.success, second.success) == (True, False)
  assert (first.seed, second.seed, second.task) == (2, 5, "close")


def test_the_names_of_columns_may_come_after_empty_lines(clips):
  lines = ["", "  ", "video;instruction;success", "a.gif;close, then open;true"]
  ((_, record),) = folder.load_manifest(_write(clips, lines))
  assert (record.instruction, record.seed) == ("close, then open", 4)


def test_one_clip_may_be_judged_for_several_instructions(clips):
  lines = [*GOOD, "a.gif,opening drawer,false", "a.gif,closing drawer,true"]
  assert len(folder.load_manifest(_write(clips, lines))) == 4


def test_a_picture_is_said_to_be_one_frame(clips, tmp_path, read):
  imageio.imwrite(clips / "c.png", np.zeros((32, 32, 3), np.uint8))
  manifest = _write(clips, [*GOOD, "c.png,closing drawer,false"])
  for _ in range(2):  # When it is stored, and when it is there.
    opened, (note,) = read(folder, manifest, tmp_path / "sets", num_frames=2)
    assert "1 of 3 clips: a single frame" in note and "c.png" in note
    assert len(opened) == 3


def test_json_lines_and_optional_columns(clips):
  row = {
    "instruction": "closing it",
    "success": True,
    "environment": "a\u2028b",
  }
  other = {"video": str(clips / "b.gif"), "success": 0, "task": "close"}
  rows = [row | {"video": "a.gif"}, row | other]
  # They end at line ends only.
  lines = [json.dumps(row, ensure_ascii=False) for row in rows]
  path = clips / "m.jsonl"
  path.write_bytes("\r\n\r\n".join(lines).encode())
  (_, first), (file, second) = folder.load_manifest(path)
  assert (first.seed, second.seed, file) == (1, 3, clips / "b.gif")
  assert (second.task, second.environment) == ("close", "a b")
  assert first.success and not second.success


def test_folders_say_what_a_manifest_would(clips):
  for name, place in (("a.gif", "success"), ("b.gif", "failure")):
    target = clips / "all" / "close_the drawer" / place / name
    target.parent.mkdir(parents=True)
    (clips / name).rename(target)
  target.with_name("notes.txt").write_text("not a video")
  entries = folder.load_manifest(clips / "all")
  assert [(clip.name, clip.success) for _, clip in entries] == [
    ("close_the drawer/failure/b.gif", False),
    ("close_the drawer/success/a.gif", True),
  ]
  assert {clip.instruction for _, clip in entries} == {"close the drawer"}
  with pytest.raises(ValueError, match="<instruction>/success"):
    folder.load_manifest(clips / "all" / "close_the drawer")
  # A folder's name is no path that a user has written.
  for name in (" open", "~"):
    target.parents[1].rename(target.parents[1].with_name(name))
    target = clips / "all" / name / "failure" / "b.gif"
    (file, clip), _ = folder.load_manifest(clips / "all")
    assert (file, clip.name) == (target, f"{name}/failure/b.gif")
    assert clip.instruction == name.strip()
  target.parents[1].rename(clips / "all" / "_")
  with pytest.raises(ValueError, match="all/_/.*b.gif: the instruction is em"):
    folder.load_manifest(clips / "all")


def test_folders_in_any_case_and_what_is_left_out(clips, tmp_path, read):
  root = tmp_path / "all"
  taken = [
    "close it/Success/a.gif",
    "close it/FAILURES/b.GIF",
    "open_it/Failed/c.gif",
    "open_it/successes/d.gif",
  ]
  others = [
    "__MACOSX/close it/Success/._a.gif",
    ".DS_Store",
    ".cache/failure/x.gif",
    "close it/Success/._a.gif",
    "close it/Success/a.txt",
    "close it/unsure/e.gif",
    "close it/f.gif",
    "close it/Success/more/g.gif",
  ]
  picture = (clips / "a.gif").read_bytes()
  for name in taken + others:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(picture)
  (root / "open_it/Failed/gone.gif").symlink_to(root / "nothing.gif")
  opened, (note,) = read(folder, root, tmp_path / "sets")
  assert opened.name.tolist() == sorted(taken)
  assert opened.success.tolist() == [False, True, False, True]
  assert note.startswith(f"{root}: left out: 9 of 13 files (4 hidden or of __")
  for part in (
    "1 none of .mp4, .webm, ",
    ", such as 'close it/Success/a.txt'",
    "3 in other folders, such as ",
    "1 a link to nothing, such as 'open_it/Failed/gone.gif'",
  ):
    assert part in note
  # A folder that a link leads to is read as the others.
  (tmp_path / "linked").mkdir()
  (tmp_path / "linked" / "it").symlink_to(root / "open_it")
  assert len(folder.load_manifest(tmp_path / "linked")) == 2
  # An error tells what is there instead.
  with pytest.raises(
    ValueError, match="left out: 4 of 4 .* 2 in other .* 'a.gif'"
  ):
    folder.load_manifest(root / "close it" / "Success")


@pytest.mark.parametrize(
  "name, lines, message",
  [
    ("m.csv", ["video,success"], "line 1: no 'instruction' among"),
    ("m.csv", ["video;success", "a, b;1"], "line 1: no 'instruction' among"),
    ("m.csv", [GOOD[0] + ",color"], "line 1: unknown column 'color'"),
    ("m.csv", GOOD[:1], "lists no video"),
    ("m.csv", [*GOOD, "a.gif,,true"], "line 4: the instruction is empty"),
    ("m.csv", [*GOOD, "a.gif,closing,maybe"], "line 4: success is 'maybe'"),
    (
      "m.csv",
      [*GOOD, *["c.gif,a,1"] * 3],
      "3 of 5 .*no such vi.*c.gif .line 4",
    ),
    ("m.csv", [*GOOD, ",closing,true"], "line 4: it names no video"),
    ("m.csv", [*GOOD, "a.gif,true"], "line 4: 3 columns expected"),
    ("m.csv", [*GOOD, "a.gif,a, then b,true"], "line 4: 3 columns expected"),
    ("m.csv", [*GOOD, "a.gif,closing,true,,"], "line 4: 3 columns .* got 5"),
    ("m.csv", [GOOD[0] + ", success "], "line 1: .* 'success' is there twice"),
    ("m.csv", [",video,instruction,success"], "line 1: column 1 of .* no name"),
    ("m.csv", [*GOOD, 'a.gif,"closing,true'], "lines 4 to 4: .* quotes"),
    ("m.csv", [*GOOD, "a.gif,Closing drawer!,no"], "'a.gif' .* 2 .* line 4"),
    ("m.csv", [*GOOD, "./b.gif,closing drawer,1"], "failure .* 3 .* line 4"),
    ("m.jsonl", ['{"video": "a.gif", "video": "b.gif"}'], "line 1 .*'video'"),
    ("m.jsonl", ["[" * 9999], "line 1 is not JSON"),
    ("m.txt", GOOD, r"one of \['.csv', '.tsv', '.jsonl'\]"),
    ("m.jsonl", ["{"], "line 1 is not JSON"),
    ("m.jsonl", ["[1]"], "line 1 is not a JSON object"),
    ("m.jsonl", ['{"video": "a.gif"}'], "line 1: no 'instruction' among"),
    (
      "m.jsonl",
      ['{"video": "a.gif", "instruction": 3, "success": 1}'],
      "line 1: instruction is not a text",
    ),
  ],
)
def test_faulty_manifests_are_named(clips, name, lines, message):
  path = _write(clips, lines, name)
  with pytest.raises(ValueError, match=message) as caught:
    folder.load_manifest(path)
  assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_manifest_and_no_text(clips):
  with pytest.raises(ValueError, match="no such manifest"):
    folder.load_manifest(clips / "none.csv")
  for name in ("m.csv", "m.jsonl"):
    (clips / name).write_bytes(b'{"video,\xff\xfe')
    with pytest.raises(ValueError, match=f"{name}: not a UTF-8 text"):
      folder.load_manifest(clips / name)


def test_stored_clips_are_the_videos(clips, tmp_path, read):
  manifest = _write(clips, GOOD)
  opened, _ = read(folder, manifest, tmp_path / "sets", num_frames=8)
  assert opened.success.tolist() == [True, False]
  assert opened.picture_size() == (16, 16)
  assert opened.name.tolist() == ["a.gif", "b.gif"]
  assert opened.read(1).name == "b.gif"
  frames = video.load_video(clips / "a.gif", num_frames=8)
  expected = images.resize(frames, 16).astype(int)
  assert np.abs(opened.read(0).frames - expected).mean() < 6
  before = opened.files[0].stat().st_mtime_ns
  again, _ = read(folder, manifest, tmp_path / "sets", num_frames=8)
  assert again.files == opened.files
  assert opened.files[0].stat().st_mtime_ns == before
  other, _ = read(folder, manifest, tmp_path / "sets", num_frames=4)
  assert other.files != opened.files


@pytest.mark.parametrize("reason", ["not a readable video", "no such file"])
def test_a_few_unreadable_videos_are_left_out(
  clips, tmp_path, read, monkeypatch, reason
):
  (clips / "b.gif").write_bytes(b"nothing")
  if reason == "no such file":
    (clips / "b.gif").unlink()
  lines = [GOOD[0], *["a.gif,closing,true"] * 19, "b.gif,closing,false"]
  sets, manifest = tmp_path / "sets", _write(clips, lines)
  # The last shard holds the bad one alone.
  monkeypatch.setattr(store, "_CLIPS_PER_SHARD", 19)
  for _ in range(2):
    opened, (note,) = read(folder, manifest, sets, num_frames=1)
    assert opened.name.tolist() == ["a.gif"] * 19
    (listed,) = sets.glob("robot-*/bad_clips.csv")
    table = listed.read_text()
    assert table.startswith(f"shard,clip,reason\n1,b.gif,{reason}")
    assert note.startswith(f"1 of 20 clips are left out: {reason}")
    assert "(b.gif)" in note
    assert note.endswith(f"listed in {listed}")
  # Its table can be made again from the shards.
  for file in sets.glob("robot-*/clips.parquet"):
    file.unlink()
  assert len(read(folder, manifest, sets, num_frames=1)[0]) == 19
  # A video that is mended is read.
  (clips / "b.gif").write_bytes((clips / "a.gif").read_bytes())
  opened, notes = read(folder, manifest, sets, num_frames=1)
  assert len(opened) == 20 and not notes


def test_too_many_unreadable_videos_are_fatal(clips, tmp_path, read):
  (clips / "b.gif").write_bytes(b"nothing")
  manifest = _write(clips, [*GOOD, GOOD[2]])
  wrong = (
    r"bad_clips.csv: 2 of 3 clips cannot .*: not a readable .*\(b.gif, b.g"
  )
  for _ in range(2):
    with pytest.raises(ValueError, match=wrong) as caught:
      read(folder, manifest, tmp_path / "sets")
    assert "\n" not in str(caught.value)
  assert len(read(folder, _write(clips, GOOD), tmp_path / "sets")[0]) == 1


def test_what_films_look_like_is_told_once(clips, tmp_path, read):
  for name in ("h.mov", "i.mov"):
    with av.open(str(clips / name), "w") as container:
      stream = container.add_stream("qtrle", rate=10)
      stream.width, stream.height, stream.pix_fmt = 48, 32, "argb"
      for gray in (90, 130, 170):
        picture = np.full((32, 48, 4), gray, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgba")
        container.mux(stream.encode(frame))
      container.mux(stream.encode())
  lines = [*GOOD, "h.mov,closing,1", "i.mov,closing,1"]
  for _ in range(2):  # Found again with the clips.
    _, (note,) = read(folder, _write(clips, lines), tmp_path / "sets")
    assert note.startswith("2 of 4 clips: transparent pixels are taken as sol")
    assert note.endswith("(h.mov, i.mov)")

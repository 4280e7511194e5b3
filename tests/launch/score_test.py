"""The score and report commands, as their user meets them."""

import csv

import av
import numpy as np
import pytest

from a2r.evaluation import scoring
from tests import tiny


def test_description():
  clip = np.zeros((4, 4, 4, 3), np.uint8)
  model, _ = tiny.make_fake("softmax")
  text = scoring.describe(model, clip, "Close the drawer")
  lines = text.splitlines()
  assert lines[:2] == [
    "Instruction: Close the drawer",
    "  read as: closing drawer",
  ]
  assert lines[2].startswith("Reward: 0.4046 (softmax among")
  assert lines[7].split() == [">", "closing", "drawer", "0.40", "1.00"]
  assert lines[8].split()[0] == "moving" and lines[9] == ""
  assert lines[10].endswith("the highest is 'opening box': 0.21")
  assert "failure mode 2" in text
  model, _ = tiny.make_fake()
  text = scoring.describe(model, clip, "juggling")
  assert "not known to the run" in text
  assert "> juggling" in text
  assert "failure mode" not in text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  tiny.make_run(folder)
  with av.open(str(folder.parent / "clip.mp4"), "w") as container:
    stream = container.add_stream("mpeg4", rate=8)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for level in range(0, 180, 20):
      pixels = np.full((48, 64, 3), level, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return folder


def test_score_prints_and_draws(launch, run, tmp_path):
  picture = tmp_path / "clip.png"
  done = launch(
    "score",
    f"--run={run}",
    f"--video={run.parent / 'clip.mp4'}",
    "--instruction=close the drawer",
    f"--figure={picture}",
  )
  assert (done.code, done.err) == (0, "")
  for text in ("read as: closing drawer", "failure mode 2", "opening box"):
    assert text in done.out
  assert "Familiarity" not in done.out  # A run of an older version.
  assert picture.stat().st_size > 1000


def test_several_videos_are_a_table(launch, run, tmp_path):
  folder = tmp_path / "videos"
  folder.mkdir()
  video = (run.parent / "clip.mp4").read_bytes()
  for name in ("b.mp4", "a.mp4", ".hidden.mp4"):
    (folder / name).write_bytes(video)
  (folder / "notes\x1b[3m.txt").write_text("none")
  command = ["score", f"--run={run}", "--instruction=close the drawer"]
  single = f"--video={run.parent / 'clip.mp4'}"
  done = launch(*command, f"--video={folder}", single)
  assert (done.code, done.err) == (0, "")
  rows = [line.split() for line in done.out.splitlines() if ".mp4" in line]
  names = [str(folder / "a.mp4"), str(folder / "b.mp4"), single[8:]]
  assert [row[0] for row in rows] == names
  assert len({tuple(row[1:]) for row in rows}) == 1
  reward = f"{float(rows[0][1]):.4f}"
  assert f"Reward: {reward}" in launch(*command, single).out
  assert "Left out: 1 of 4" in done.out and r"notes\x1b[3m.txt" in done.out
  table, picture = tmp_path / "rewards.csv", tmp_path / "both.png"
  launch(*command, single, f"--csv={table}", f"--figure={picture}")
  with table.open(newline="") as stream:
    (row,) = csv.DictReader(stream)
  assert (row["video"], row["instruction"]) == (single[8:], "close the drawer")
  assert f"{float(row['reward']):.4f}" == reward and picture.is_file()
  for name in ("a.mp4", "b.mp4"):
    (folder / name).write_bytes(b"no video")
  (tmp_path / "empty").mkdir()
  figure = f"--figure={tmp_path / 'x.png'}"
  for more, name in (
    ([f"--video={folder}"], "a.mp4"),
    ([f"--video={tmp_path / 'empty'}"], "empty"),
    ([single, single, figure], "--figure"),
  ):
    done = launch(*command, *more)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert name in line


def test_mistakes_are_one_line(launch, run, tmp_path):
  corrupt = tmp_path / "corrupt.mp4"
  corrupt.write_bytes(b"not a video" * 100)
  for changes, name in (
    ({"video": corrupt}, "corrupt.mp4"),
    ({"run": tmp_path / "none"}, "no trained run"),
    ({"instruction": " "}, "instruction"),
    ({"instruction": "\u5173\u62bd\u5c49"}, "\u5173\u62bd\u5c49"),
  ):
    values = {
      "run": run,
      "video": run.parent / "clip.mp4",
      "instruction": "closing drawer",
    } | changes
    done = launch("score", *(f"--{k}={v}" for k, v in values.items()))
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert name in line


def test_a_place_for_what_is_drawn_is_asked_for_first(launch, tmp_path):
  for target in (tmp_path, tmp_path / "none" / "x.png"):
    words = "--video=none.mp4", "--instruction=close", f"--figure={target}"
    done = launch("score", "--run=runs/none", *words)
    assert done.code == 2 and done.err.startswith(f"score: {target}")
    done = launch("report", f"--run={tmp_path}", f"--out={target}")
    assert done.code == 2 and done.err.startswith(f"report: {target}")


def test_report_writes_a_page(launch, tmp_path):
  (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
  done = launch("report", f"--run={tmp_path}")
  assert (done.code, done.err) == (0, "")
  page = (tmp_path / "report.html").read_text()
  assert "<html" in page
  # In a folder of others it may be a link to anything.
  mine = tmp_path / "mine.txt"
  mine.write_text("mine")
  (tmp_path / "report.html").unlink()
  (tmp_path / "report.html").symlink_to(mine)
  assert launch("report", f"--run={tmp_path}").code == 0
  assert mine.read_text() == "mine"
  assert (tmp_path / "report.html").read_text() == page

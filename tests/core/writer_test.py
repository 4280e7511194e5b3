"""The run's numbers: appended, cut on resume, read back whole."""

import json
import math

import pytest
import tensorboardX.proto.event_pb2 as event_pb2

from a2r.core import files, writer


def test_rows_are_on_disk_at_once(tmp_path):
  assert writer.read(tmp_path) == []
  with writer.Writer(tmp_path) as out:
    out.write(1, {"loss": 0.1})
    assert writer.read(tmp_path) == [{"step": 1, "loss": 0.1}]
    out.write(2, {"loss": math.nan, "speed": 3})
  assert writer.read(tmp_path)[1] == {"step": 2, "loss": None, "speed": 3.0}


def test_resume_drops_the_rows_after_the_restored_step(tmp_path):
  with writer.Writer(tmp_path) as out:
    for step in range(1, 6):
      out.write(step, {"loss": step / 10})
  before = (tmp_path / "metrics.jsonl").read_text()
  with writer.Writer(tmp_path, start_step=3) as out:
    assert [row["step"] for row in writer.read(tmp_path)] == [1, 2, 3]
    for step in range(4, 6):
      out.write(step, {"loss": step / 10})
  assert (tmp_path / "metrics.jsonl").read_text() == before


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text(json.dumps({"step": 1, "loss": 2.0}) + '\n{"step": 2, "lo')
  assert writer.read(tmp_path) == [{"step": 1, "loss": 2.0}]
  with writer.Writer(tmp_path, start_step=2) as out:
    out.write(2, {"loss": 1.0})
  assert [row["loss"] for row in writer.read(tmp_path)] == [2.0, 1.0]


@pytest.mark.parametrize("line", ["{", "[1]", '{"a": 1, "a": 2}'])
def test_a_broken_line_is_named(tmp_path, line):
  (tmp_path / "metrics.jsonl").write_text(f'{{"step": 1}}\n{line}\n')
  with pytest.raises(ValueError, match="metrics.jsonl, line 2"):
    writer.read(tmp_path)


def test_tensorboard_events_hold_the_same_numbers(tmp_path):
  with writer.Writer(tmp_path) as out:
    out.write(7, {"loss/cdc": 0.5})
  (path,) = (tmp_path / "events").iterdir()
  found = {}
  data = path.read_bytes()
  while data:  # A record: length, its checksum, the event, its checksum.
    size = int.from_bytes(data[:8], "little")
    event = event_pb2.Event.FromString(data[12 : 12 + size])
    for value in event.summary.value:
      found[value.tag] = (event.step, value.simple_value)
    data = data[16 + size :]
  assert found == {"loss/cdc": (7, 0.5)}


def test_a_full_disk_is_told_at_once_and_made_room_for(tmp_path, no_room):
  path = tmp_path / "metrics.jsonl"
  with writer.Writer(tmp_path) as out:
    out.write(1, {"loss": 1.0})
  with (
    no_room(4000),
    pytest.raises(files.DiskFullError, match=f"^{path} "),
    writer.Writer(tmp_path, start_step=1) as out,
  ):
    for step in range(2, 1000):
      out.write(step, {"loss": 1.0})
  with writer.Writer(tmp_path, start_step=1) as out:
    out.write(2, {"loss": 1.0})
  assert [row["step"] for row in writer.read(tmp_path)] == [1, 2]


def test_a_full_disk_of_events_is_told_too(tmp_path, no_room, monkeypatch):
  # As where the events' buffer is written before the rows'.
  monkeypatch.setattr(writer.json, "dumps", lambda *_, **__: "{}")
  with (
    no_room(20_000),
    pytest.raises(files.DiskFullError),
    writer.Writer(tmp_path) as out,
  ):
    for step in range(2000):
      out.write(step, {"loss": 1.0})

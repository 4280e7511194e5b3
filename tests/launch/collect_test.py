"""Data sets made by a simulator, here one that draws at once."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from a2r import sim
from a2r.runs.sources import fingerprint, human, stores, worlds
from data import store
from tests import tiny


@pytest.fixture
def simulator():
  return tiny.Simulator()


@pytest.fixture
def spec():
  return worlds.RobotSpec(
    environment="tabletop/train",
    tasks=("close_drawer", "move_faucet"),
    successes=3,
    failures=5,
    num_frames=2,
    image_size=8,
  )


def _bytes(dataset):
  return [file.read_bytes() for file in dataset.files]


def test_clips_are_made_once_and_mended(simulator, spec, tmp_path):
  robot = worlds.collect(spec, tmp_path, collect_fn=simulator)
  rows = list(zip(robot.task, robot.source, robot.success, strict=True))
  for task in spec.tasks:
    assert rows.count((task, "expert", True)) == 3
    assert rows.count((task, "near_miss", False)) == 1
    assert rows.count((task, "noise", False)) == 1
    assert rows.count((task, "random", False)) == 3
  assert set(robot.instruction) == {"closing drawer", "moving part of faucet"}
  assert set(robot.environment) == {"tabletop/train"}
  assert len(set(robot.seed)) == len(robot)
  assert robot.read(0).states.size == 61 * 13
  before, num_calls = _bytes(robot), len(simulator.calls)
  again = worlds.collect(spec, tmp_path, collect_fn=simulator)
  assert again.files == robot.files and len(simulator.calls) == num_calls
  robot.files[2].unlink()
  mended = worlds.collect(spec, tmp_path, collect_fn=simulator)
  assert len(simulator.calls) == num_calls + 1
  assert _bytes(mended) == before


def test_a_world_s_clips_are_told_by_its_own_tasks(simulator, tmp_path):
  place, tasks = worlds.find("concept", ["93", "closing_something"])
  spec = worlds.RobotSpec(
    environment=place,
    tasks=tasks,
    successes=1,
    failures=2,
    near_miss_sources=worlds.find_world(place).near_sources,
    num_frames=2,
    image_size=8,
  )
  robot = worlds.collect(spec, tmp_path, collect_fn=simulator)
  rows = list(zip(robot.task, robot.source, robot.instruction, strict=True))
  assert len(rows) == 6
  assert (tasks[0], "expert", "pushing nut from left to right") in rows
  assert ("closing_something", "near_miss", "closing drawer") in rows
  assert set(robot.template) == {
    "Closing something",
    "Pushing something from left to right",
  }
  assert set(robot.environment) == {"concept"}
  assert store.load_index(robot.files[0].parent)["spec"]["made_by"] == (
    "a2r.sim.concept.clips"
  )


def test_tasks_have_numbers_and_environments_a_task():
  closing = ("concept", ("closing_something",))
  for environment, tasks in (
    ("concept/5", []),
    ("concept/closing_something", []),
    ("concept", ["5"]),
  ):
    assert worlds.find(environment, tasks) == closing
  assert worlds.find("concept_third/5", [])[0] == "concept_third"
  assert len(worlds.find("concept", [])[1]) == 12
  assert worlds.find("tabletop/train", []) == ("tabletop/train", sim.TARGETS)
  with pytest.raises(KeyError, match="unknown task '7'; known: 8, 9, .*throw"):
    worlds.find("concept/7", [])
  with pytest.raises(ValueError, match="do not go with concept/5"):
    worlds.find("concept/5", ["93"])


def test_other_specs_share_no_draw(simulator, spec, tmp_path):
  first = worlds.collect(spec, tmp_path, collect_fn=simulator)
  for change in (
    {"seed": 1},
    {"purpose": "validation"},
    {"environment": "tabletop/test1"},
  ):
    other = dataclasses.replace(spec, **change)
    second = worlds.collect(other, tmp_path, collect_fn=simulator)
    assert first.files[0].parent != second.files[0].parent
    assert not set(first.seed) & set(second.seed)


def test_many_clips_are_several_shards(simulator, spec, tmp_path):
  spec = dataclasses.replace(spec, tasks=("close_drawer",), successes=70)
  robot = worlds.collect(spec, tmp_path, collect_fn=simulator)
  assert [call[4] for call in simulator.calls] == [64, 6, 1, 1, 3]
  assert int(robot.success.sum()) == 70


def test_near_misses_are_shared_evenly(simulator, spec, tmp_path, monkeypatch):
  monkeypatch.setattr(worlds.stopped, "load", lambda: {"close_drawer": 0})
  spec = dataclasses.replace(
    spec,
    tasks=("close_drawer",),
    failures=11,
    near_miss_fraction=0.7,
    near_miss_sources=("noise", "near_miss", "rl"),
  )
  robot = worlds.collect(spec, tmp_path, collect_fn=simulator)
  sources = robot.source.tolist()
  counts = {source: sources.count(source) for source in set(sources)}
  assert counts == dict(expert=3, noise=3, near_miss=3, rl=2, random=3)


@pytest.fixture
def source_spec():
  return worlds.SourceSpec(
    environment="tabletop/train",
    tasks=("close_drawer",),
    sources=("noise", "expert", "random"),
    clips=2,
    num_frames=2,
    image_size=8,
  )


def test_clips_of_exactly_these_sources(simulator, source_spec, tmp_path):
  for want, wants in {
    "usual": [False, True, None],
    "success": [True] * 3,
    "failure": [False] * 3,
    "all": [None] * 3,
  }.items():
    spec = dataclasses.replace(source_spec, want=want)
    robot = worlds.collect(spec, tmp_path, collect_fn=simulator)
    assert robot.source.tolist() == [s for s in spec.sources for _ in range(2)]
    assert [call[5]["want"] for call in simulator.calls[-3:]] == wants


@pytest.mark.parametrize(
  "kind, change, message",
  [
    ("spec", {"tasks": ("push",)}, "unknown tasks 'push'; known: .*close_dra"),
    ("spec", {"environment": "kitchen"}, "unknown environment 'kitchen'; kn"),
    ("spec", {"purpose": "play"}, "unknown purpose 'play'"),
    ("spec", {"near_miss_fraction": 2.0}, r"must be in \[0, 1\], got 2.0"),
    ("spec", {"near_miss_sources": ("random",)}, "'random'; known: .*, rl$"),
    ("spec", {"near_miss_sources": ()}, "no near_miss_sources named"),
    ("spec", {"near_miss_sources": ("rl",)}, "'rl'. of move_faucet; of: cl"),
    ("spec", {"successes": 0, "failures": 0}, "no clips asked for"),
    ("source_spec", {"sources": ("sound",)}, "'sound'; known: expert, near"),
    ("source_spec", {"want": "both"}, "unknown want 'both'; known: usual"),
    ("source_spec", {"clips": 0}, "no clips asked for"),
  ],
)
def test_mistakes_are_named(request, monkeypatch, kind, change, message):
  monkeypatch.setattr(worlds.stopped, "load", lambda: {"close_drawer": 0})
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(request.getfixturevalue(kind), **change)


def test_human_clips(tmp_path, monkeypatch):
  monkeypatch.setattr(human, "_CLIPS_PER_SHARD", 32)

  def sample(rng, labels, *, num_frames, image_size):
    import jax

    shape = (len(labels), num_frames, image_size, image_size, 3)
    frames = jax.random.randint(rng, shape, 0, 256).astype(np.uint8)
    return frames, np.zeros((len(labels), 2), np.int32)

  spec = human.HumanSpec(
    templates=("Opening something", "Closing something"),
    clips_per_template=20,
    num_frames=2,
    image_size=8,
  )
  clips = human.collect(spec, tmp_path, sample_fn=sample)
  assert len(clips) == 40 and len(clips.files) == 2
  assert (clips.template == "Opening something").sum() == 20
  assert set(clips.instruction) == {"closing cup", "opening cup"}
  pictures = {clips.read(row).frames.tobytes() for row in range(40)}
  assert len(pictures) == 40
  before = _bytes(clips)
  clips.files[1].unlink()
  again = human.collect(spec, tmp_path, sample_fn=sample)
  assert _bytes(again) == before
  with pytest.raises(ValueError, match="unknown templates 'Singing"):
    dataclasses.replace(spec, templates=("Singing something",))


def test_human_clips_of_acts_do_not_touch_those_of_others(monkeypatch):
  made = {}

  def make_dataset(root, name, spec, module, counts, make_fn):
    made[spec.templates] = module, [r.instruction for r in make_fn(0)]

  def sample(rng, labels, **sizes):
    nouns = np.tile([[0, 1]], (len(labels), 1))
    return np.zeros((len(labels), 2, 8, 8, 3), np.uint8), nouns

  monkeypatch.setattr(stores, "make_dataset", make_dataset)
  for templates in (("Closing something",), ("Throwing something",)):
    spec = human.HumanSpec(templates=templates, clips_per_template=1)
    human.collect(spec, None, sample_fn=sample)
  assert made == {
    ("Closing something",): ("a2r.sim.humans.human_clips", ["closing cup"]),
    ("Throwing something",): ("a2r.sim.humans.people", ["throwing cup"]),
  }


def test_report(simulator, spec, source_spec, tmp_path):
  worlds.collect(spec, tmp_path, collect_fn=simulator)
  worlds.collect(source_spec, tmp_path, collect_fn=simulator)
  told = stores.report(tmp_path)
  lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
  rows = {row["content"]: row for row in map(json.loads, lines)}
  row = rows.pop("tabletop/train train 0")
  assert (row["clips"], row["successes"]) == (16, 6)
  assert row["bytes"] == 16 * row["bytes_per_clip"]
  (content,) = rows
  assert content == "tabletop/train train noise,expert,random usual 0"
  assert row["folder"] in told and content in told


@pytest.mark.parametrize("folder", ["assets", "."])
def test_digest_sees_code_and_files_that_it_names(
  folder, tmp_path, monkeypatch
):
  package = tmp_path / "a2r"
  (package / folder).mkdir(parents=True)
  place = package / "runs" / "sources" / "fingerprint.py"
  monkeypatch.setattr(fingerprint, "__file__", str(place))

  def digest(main='from a2r import other\nX = "a"\n', named=b"", unnamed=b""):
    (package / "main.py").write_text(main)
    (package / "other.py").write_text('_FILE = "named.bin"\n')
    (package / folder / "named.bin").write_bytes(named)
    (package / folder / "unnamed.bin").write_bytes(unnamed)
    return fingerprint.source_digest("a2r.main")

  words = '"""unnamed.bin"""\nfrom a2r import other  # Why.\nX = "a"\n'
  assert digest(words) == digest() == digest(unnamed=b"new")
  assert digest("from a2r import other\nX = 'b'\n") != digest()
  assert digest(named=b"new") != digest()


def test_other_policies_and_scenes_make_other_clips(monkeypatch):
  read, read_bytes = [], pathlib.Path.read_bytes

  def spy(path):
    read.append(path.name)
    return read_bytes(path)

  monkeypatch.setattr(pathlib.Path, "read_bytes", spy)
  fingerprint.source_digest("a2r.sim.behavior.clips")
  assert read == ["stopped_policies.safetensors", "sawyer.xml", "tabletop.xml"]


@pytest.mark.slow
def test_command_line_at_concept2robots_table(launch, tmp_path):
  sizes = ("--num_frames=2", "--image_size=8", f"--out={tmp_path}")
  command = ("--environment=concept", "--tasks=5,93", "--source=random")
  done = launch("collect", *command, "--clips=1", *sizes)
  assert done.code == 0, done.err
  assert "concept train random usual 0" in done.out
  wrong = launch("collect", "--environment=concept/push", *sizes)
  assert wrong.code == 2 and "unknown task 'push'; known: 8" in wrong.err


@pytest.mark.slow
def test_command_line(launch, tmp_path):
  task, counts = "--tasks=close_drawer", ("--successes=1", "--failures=2")
  sizes = ("--num_frames=2", "--image_size=8", f"--out={tmp_path}")
  done = launch("collect", task, *counts, *sizes)
  assert done.code == 0, done.err
  assert "tabletop/train train 0" in done.out
  assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
  wrong = launch("collect", "--tasks=push", f"--out={tmp_path}")
  assert wrong.code == 2 and "unknown tasks 'push'" in wrong.err
  sources = ("--source=noise,random", "--source=expert", "--clips=1")
  done = launch("collect", task, *sources, *sizes)
  assert done.code == 0, done.err
  assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--source=noise", "--human"], "--human does not go with --source"),
    (["--source=noise", "--failures=3"], "--failures does not go with"),
    (["--want=all"], "--want needs --source"),
  ],
)
def test_flags_that_do_not_go_together(launch, arguments, message):
  wrong = launch("collect", *arguments)
  assert wrong.code == 2 and message in wrong.err

"""The user's own clips: what is decided for them, and what they are told."""

import dataclasses
import json

import imageio
import numpy as np
import pytest

from a2r import reward
from a2r.core import checkpoint
from a2r.evaluation import labeled
from a2r.evaluation import report as report_lib
from a2r.learners import loop
from a2r.runs import datasets, run_folder, train
from a2r.runs.data_settings import DataSettings
from a2r.runs.sources import human, user
from configs import envgen
from data import records, store
from data.dataset import open_dataset


@pytest.fixture(autouse=True)
def _quick_human_clips(monkeypatch):
  """Human clips of noise: the generator takes long to compile."""

  def collect(spec, root):
    rng = np.random.default_rng(0)
    size = (spec.num_frames, spec.image_size, spec.image_size, 3)
    clips = [
      records.Record(
        frames=rng.integers(0, 256, size, np.uint8),
        instruction=template.lower().replace("something", "box"),
        template=template,
        source="human",
      )
      for template in spec.templates
      for _ in range(spec.clips_per_template)
    ]
    plain = {"templates": list(spec.templates)}
    folder = store.spec_folder(root, "human", plain)
    store.write_shards(folder, "human", plain, [1], lambda _: clips)
    return open_dataset(folder, "human")

  monkeypatch.setattr(human, "collect", collect)


def _videos(folder, clips, instruction="close the drawer"):
  """A manifest of small videos: names and whether they are successes."""
  rng = np.random.default_rng(len(clips))
  lines = ["video,instruction,success"]
  for name, success in clips.items():
    pictures = rng.integers(0, 256, (6, 24, 32, 3)).astype(np.uint8)
    imageio.mimwrite(folder / name, list(pictures), duration=100)
    lines.append(f"{name},{instruction},{success}")
  manifest = folder / "my.csv"
  manifest.write_text("\n".join(lines) + "\n")
  return manifest


def _config(folder, manifest, **robot):
  config = envgen.get_config("smoke")
  config.data.dir = str(folder / "sets")
  config.data.image_size = 16
  config.data.stored_frames = 2
  config.data.robot.update(
    source="folder", path=str(manifest), tasks=(), **robot
  )
  config.data.human.clips_per_template = 2
  config.model.backbone.image_size = 16
  config.model.backbone.stem_features = (8,)
  config.train.update(num_steps=3, epoch_steps=3)
  return config


def _open(config):
  settings = DataSettings.from_config(config.data)
  return datasets.open_data(settings, seed=0, use_failures=True)


def _open_test(config):
  settings = DataSettings.from_config(config.data)
  return datasets.open_test(settings, config.eval)


TEN = {f"{number}.gif": number < 6 for number in range(10)}


@pytest.fixture(name="ten", scope="module")
def _ten(tmp_path_factory):
  folder = tmp_path_factory.mktemp("ten")
  return folder, _videos(folder, TEN)


def test_ten_videos_are_labeled_by_the_human_clips_template(ten):
  data = _open(_config(*ten))
  assert data.labels[0] == "Closing something"
  assert data.texts[0] == "close the drawer"
  assert data.num_trained == 1
  assert len(data.robot) == 8 and len(data.validation) == 2
  assert set(data.validation.environment) == {"held-out clips"}
  assert set(data.validation.name) <= set(TEN)
  assert data.disabled_losses == () and not data.use_for_selection
  said = "'close the drawer' for 'Closing something'"
  assert any(note.endswith(said) for note in data.notes)


def test_what_an_instruction_and_its_outcomes_decide(tmp_path):
  successes = {"a.gif": True, "b.gif": True}
  config = _config(tmp_path, _videos(tmp_path, successes, "pick the cup up"))
  data = _open(config)
  assert data.labels[0] == "Picking something up"
  assert (data.human.template == "Picking something up").sum() == 2
  assert data.disabled_losses == ("fvlc", "bce")
  assert any(note.startswith("NO FAILURES: ") for note in data.notes)
  assert len(data.validation) == 1
  # A template that is drawn where it is named alone.
  _videos(tmp_path, successes, "throw the cup")
  data = _open(config)
  assert data.labels[0] == "Throwing something"
  assert (data.human.template == "Throwing something").sum() == 2
  _videos(tmp_path, successes, "put the sponge in the sink")
  data = _open(config)
  assert data.label_by == "template"
  assert data.labels[0] == data.texts[0] == "put the sponge in the sink"
  assert any("read as no template" in note for note in data.notes)
  _videos(tmp_path, dict.fromkeys(successes, False))
  config.data.dir = str(tmp_path / "other")
  said = "my.csv: 'close the drawer' has 0 successes and 2 failures: without"
  with pytest.raises(ValueError, match=said):
    _open(config)
  assert not list((tmp_path / "other").glob("human-*"))


def _labeled(successes, failures, task="t"):
  number = successes + failures
  return labeled.LabeledClips(
    frames=np.zeros((number, 1, 2, 2, 3), np.uint8),
    success=np.arange(number) < successes,
    source="video",
    task=task,
    instruction=task,
    environment=task,
  )


def test_when_validation_clips_select():
  for counts, is_users, expected in (
    ((10, 10), True, True),
    ((10, 9), True, False),
    ((1, 1), False, True),
    ((20, 0), False, False),
    ((0, 0), True, False),
  ):
    assert user.can_select(_labeled(*counts), is_users) is expected


def test_what_is_said_of_the_figures():
  for counts, said in (
    ((0, 0), "No clip was held out"),
    ((3, 0), "No AUROC for 't' (3 successes, 0 failures): it takes both"),
    ((1, 1), "made of 1 successes and 1 failures and may be luck"),
    ((30, 30), "chose the checkpoint and the form"),
  ):
    clips = _labeled(*counts)
    notes = user.judging_notes(clips, is_held_out=True, selected=True)
    assert any(said in note for note in notes)
    assert all("data.robot.test_path" in note for note in notes)


def test_failures_of_some_tasks_only(ten):
  config = _config(*ten)
  dataset, _ = user.open_robot(DataSettings.from_config(config.data))
  task = np.where(np.arange(10) < 2, "one", "two")
  disabled, notes = user.disabled_losses(
    dataclasses.replace(dataset, task=task)
  )
  assert disabled == ("fvlc",)
  assert notes[0].startswith("NO FAILURES of 'one': ")
  assert user.disabled_losses(dataset) == ((), [])


class _BrightIsGood:
  """A reward of the pictures' brightness."""

  form, instructions = "cosine", ["close the drawer"]

  def form_scores(self, frames, texts):
    scores = frames.mean((1, 2, 3, 4))[:, None].repeat(len(texts), 1) / 255
    return {"cosine": scores, "softmax": 1 - scores}


def _run(folder, clips, capfd):
  """Output, report and run folder of a run on the clips."""
  run = folder / "run"
  run.mkdir()
  config = _config(folder, _videos(folder, clips))
  run_folder.store_config(run, config.to_dict())
  train.run(config, run)
  report = json.loads((run / "report.json").read_text())["report"]
  return capfd.readouterr(), report, run


@pytest.fixture(name="trained")
def _trained(monkeypatch):
  """Nothing is trained: compiling takes longer than all the rest."""
  monkeypatch.setattr(loop, "is_finished", lambda *_: True)
  monkeypatch.setattr(reward, "load", lambda *_: _BrightIsGood())


@pytest.mark.parametrize(
  "clips, said",
  [
    (TEN, ("on 1+1 clips", "may be luck")),
    (
      {"a.gif": True, "b.gif": True, "c.gif": True},
      ("NO FAILURES", "No AUROC for 'close the drawer'"),
    ),
    ({"a.gif": True, "b.gif": False}, ("No clip was held out",)),
  ],
)
def test_a_report_on_few_clips(tmp_path, capfd, trained, clips, said):
  (out, err), report, run = _run(tmp_path, clips, capfd)
  # What was decided is told at the start, what was found at the end.
  assert all((text in out) != (text in err) for text in said)
  assert "NOTE: held out of training: " in err
  assert report["notes"] and report["form"] == "cosine"
  assert "data.robot.test_path" in report_lib.page(run)
  spec = json.loads((run / "reward.json").read_text())
  assert spec["form"] == "cosine" and not spec["failure_prompts"]
  names = {clip["name"] for clip in report["clips"]}
  assert len(names) == {10: 2, 3: 1, 2: 0}[len(clips)] and names <= set(clips)
  assert all(name in out for name in names)
  judged = {name: row["auroc"] for row in report["summary"] for name in row}
  assert bool(judged.get("auroc")) == (len(clips) == 10)


def test_a_test_manifest_is_what_is_judged_on(tmp_path, ten):
  config = _config(*ten, test_path=str(ten[1]))
  clips = _open_test(config)
  assert len(clips) == 10 and set(clips.environment) == {"test clips"}
  data = _open(config)
  said = "10 of the 10 test clips are among"
  assert any(note.startswith(said) for note in data.notes)
  other = tmp_path / "other"
  other.mkdir()
  config.data.robot.test_path = str(_videos(other, {"a.gif": True}))
  settings = DataSettings.from_config(config.data)
  assert user.test_notes(settings, np.arange(9)) == []
  config.data.robot.test_path = ""
  assert _open_test(config) is None


def test_what_is_left_out_of_other_clips_is_told(tmp_path, ten, caplog):
  place = tmp_path / "all" / "close it" / "success"
  place.mkdir(parents=True)
  _videos(place, {"a.gif": True})  # And a manifest, which is no video.
  root = str(tmp_path / "all")
  config = _config(*ten, test_path=root)
  config.data.human.update(source="folder", path=root, templates=())
  note = f"{root}: left out: 1 of 2 files"
  assert sum(told.startswith(note) for told in _open(config).notes) == 1
  assert f"human clips: {note}" in caplog.text


def test_a_run_keeps_its_clips(tmp_path, capfd, trained):
  _, _, run = _run(tmp_path, TEN, capfd)
  config = _config(tmp_path, tmp_path / "my.csv")
  with checkpoint.Checkpoints(run) as checkpoints:
    checkpoints.save(3, {})
  train.run(config, run)
  lines = (tmp_path / "my.csv").read_text().splitlines()
  (tmp_path / "my.csv").write_text("\n".join(lines[:-1]) + "\n")
  with pytest.raises(ValueError, match="clips of data.robot.path have changed"):
    train.run(config, run)
  (tmp_path / "my.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
  train.run(config, run)  # The same ones in another order.
  (run / "data.json").unlink()
  with pytest.raises(ValueError, match="older than the record"):
    train.run(config, run)
  run_folder.store_digests(run, {"data.human.path": "1"})


@pytest.mark.parametrize("source", ["lerobot", "rlds"])
def test_data_sets_of_others_are_opened(tmp_path, load_module, source):
  made = load_module(f"data/readers/{source}_test.py")
  make = {"lerobot": "make_v3", "rlds": "make"}[source]
  config = _config(tmp_path, getattr(made, make)(tmp_path / "set"))
  config.data.robot.source = source
  data = _open(config)
  assert data.labels[0] == "Closing something"
  assert len(data.robot) + len(data.validation) == len(made.LENGTHS)
  assert "episode" in data.validation.name[0]
  assert any("reaches 1" in note for note in data.notes)


def test_a_field_without_a_success_is_named(tmp_path, load_module):
  made = load_module("data/readers/lerobot_test.py")
  path = made.make_v3(tmp_path / "set")
  for number, length in ((0, 15), (1, 7)):
    file = f"data/*/file-00{number}.parquet"
    made.change(path, file, **{"next.success": [False] * length})
  config = _config(tmp_path, path)
  config.data.robot.source = "lerobot"
  with pytest.raises(ValueError, match="'close the drawer' has 0") as caught:
    _open(config)
  for name in (
    "'next.success' is False in all 4",
    "'next.reward' reaches 1 in 2 of 4 (from 0 to 1)",
    "--config.data.robot.success_key=next.reward",
  ):
    assert name in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("failures", [4, 0])
def test_a_run_of_few_clips_is_trained(tmp_path, capfd, failures):
  clips = {f"{n}.gif": n < 6 for n in range(6 + failures)}
  (out, _), _, run = _run(tmp_path, clips, capfd)
  assert "NOTE: " in out
  expected = ["close the drawer"] if failures else []
  assert reward.load(run).prompted_instructions == expected

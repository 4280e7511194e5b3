"""The user's own clips: what is decided for them, and what they are told."""

import dataclasses
import json

import imageio
import numpy as np
import pytest

from a2r import reward
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
  config = _config(*ten)
  data = _open(config)
  assert data.labels[0] == "Closing something"
  assert data.texts[0] == "close the drawer"
  assert data.num_trained == 1
  assert len(data.robot) == 8 and len(data.validation) == 2
  assert set(data.validation.environment) == {"held-out clips"}
  assert set(data.validation.name) <= set(TEN)
  assert data.disabled_losses == () and not data.use_for_selection
  assert any("taken for 'Closing something'" in note for note in data.notes)


def test_human_clips_of_the_robot_s_template_are_made_too(tmp_path):
  manifest = _videos(
    tmp_path, {"a.gif": True, "b.gif": True}, "pick the cup up"
  )
  config = _config(tmp_path, manifest)
  data = _open(config)
  assert data.labels[0] == "Picking something up"
  assert (data.human.template == "Picking something up").sum() == 2
  assert data.disabled_losses == ("fvlc", "bce")
  assert any(note.startswith("NO FAILURES: ") for note in data.notes)
  assert len(data.validation) == 1


def test_an_instruction_that_is_no_template_is_a_task_of_its_own(tmp_path):
  manifest = _videos(tmp_path, TEN, "put the sponge in the sink")
  config = _config(tmp_path, manifest)
  data = _open(config)
  assert data.label_by == "template"
  assert data.labels[0] == data.texts[0] == "put the sponge in the sink"
  assert any("reads as no template" in note for note in data.notes)


def test_a_task_without_a_success_is_told_before_human_clips_are_made(tmp_path):
  manifest = _videos(tmp_path, {"a.gif": False, "b.gif": False})
  config = _config(tmp_path, manifest)
  said = "my.csv: 'close the drawer' has 0 successes and 2 failures: without"
  with pytest.raises(ValueError, match=said):
    _open(config)
  assert not list((tmp_path / "sets").glob("human-*"))


def _labeled(successes, failures, task="t"):
  number = successes + failures
  return labeled.LabeledClips(
    frames=np.zeros((number, 1, 2, 2, 3), np.uint8),
    success=np.arange(number) < successes,
    **{
      key: np.full(number, task, object)
      for key in ("source", "task", "instruction", "environment")
    },
  )


@pytest.mark.parametrize(
  "counts, own_clips, expected",
  [
    ((10, 10), True, True),
    ((10, 9), True, False),
    ((1, 1), False, True),
    ((20, 0), False, False),
    ((0, 0), True, False),
  ],
)
def test_when_validation_clips_select(counts, own_clips, expected):
  assert user.can_select(_labeled(*counts), own_clips) is expected


@pytest.mark.parametrize(
  "counts, said",
  [
    ((0, 0), "No clip was held out"),
    ((3, 0), "No AUROC for 't': it is judged on 3 successes and 0 failures"),
    ((1, 1), "made of 1 successes and 1 failures and may be luck"),
    ((30, 30), "chose the checkpoint and the form"),
  ],
)
def test_what_is_said_of_the_figures(counts, said):
  notes = user.judging_notes(_labeled(*counts), is_held_out=True, selected=True)
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


def test_a_report_on_one_clip_of_each_outcome(tmp_path, capfd, trained):
  (out, err), report, run = _run(tmp_path, TEN, capfd)
  names = {clip["name"] for clip in report["clips"]}
  assert len(names) == 2 and names <= set(TEN)
  assert all(name in out for name in names)
  assert "on 1+1 clips" in out and "may be luck" in out
  assert "NOTE: held out of training: 1 of 6 successes and 1 of 4" in err
  assert report["notes"] and report["form"] == "cosine"
  assert "data.robot.test_path" in report_lib.page(run)


def test_a_report_without_failures(tmp_path, capfd, trained):
  clips = {"a.gif": True, "b.gif": True, "c.gif": True}
  (out, err), report, run = _run(tmp_path, clips, capfd)
  assert "NO FAILURES" in out and "NO FAILURES" in err
  assert "No AUROC for 'close the drawer'" in out
  assert report["summary"][0]["auroc"] is None
  assert not json.loads((run / "reward.json").read_text())["failure_prompts"]


def test_a_report_on_nothing(tmp_path, capfd, trained):
  clips = {"a.gif": True, "b.gif": False}
  (out, _), report, run = _run(tmp_path, clips, capfd)
  assert "No clip was held out" in out
  assert report["rows"] == [] and "AUROC of" not in out
  assert "No clip was held out" in report_lib.page(run)


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
  assert user.shared_clips(settings, np.arange(9)) == []
  config.data.robot.test_path = ""
  assert _open_test(config) is None


def test_a_run_keeps_its_clips(tmp_path, capfd, trained):
  _, _, run = _run(tmp_path, TEN, capfd)
  config = _config(tmp_path, tmp_path / "my.csv")
  (run / "checkpoints" / "3").mkdir(parents=True)
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


@pytest.mark.slow
@pytest.mark.parametrize("failures", [4, 0])
def test_a_run_of_few_clips_is_trained(tmp_path, capfd, failures):
  clips = {f"{n}.gif": n < 6 for n in range(6 + failures)}
  (out, _), _, run = _run(tmp_path, clips, capfd)
  assert "NOTE: " in out
  expected = ["close the drawer"] if failures else []
  assert reward.load(run).prompted_instructions == expected

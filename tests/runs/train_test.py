"""Every kind of run: two steps, then two more, are four at once."""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest

from a2r import reward
from a2r.core import checkpoint, signals
from a2r.evaluation import scoring
from a2r.learners import loop, registry
from a2r.models import pretrained, saved, scorer
from a2r.planning import video_model
from a2r.runs import datasets, run_folder, stage1, train, video, weights
from configs import fitvid, pretrain, singularity_ssv2
from tests import tiny

_SPEEDS = ("steps_per_second", "data_wait")
_CONSTANT = dict(warmup_steps=0, floor=1.0)  # Of the run's length.


def _reward_run(own, method):
  config = own[0].copy_and_resolve_references()
  config.method = method
  config.dvd.steps = 1
  config.concept2robot.update(templates=(), clips_per_template=8)
  config.optim.update(_CONSTANT)
  config.train.update(epoch_steps=2, checkpoint_every=2)
  return train.run, config


def _stage1_run(folder):
  """Labels, masked words and swapped captions: all that the default lacks."""
  config = singularity_ssv2.get_config("smoke")
  config.data.update(dir=str(folder), captions="label")
  config.model.backbone.update(mlm=True, dropout=0.1)
  config.loss.weights.mlm = 1.0
  config.train.flip = "swap"
  config.data.human.clips_per_template = 8
  config.data.validation.clips = 16
  config.optim.update(_CONSTANT)
  return stage1.run, config


def _procedural_run():
  config = pretrain.get_config("smoke")
  config.optim.update(_CONSTANT)
  return stage1.run_procedural, config


def _video_run(folder):
  config = fitvid.get_config("smoke")
  config.data.dir = str(folder)
  config.optim.update(_CONSTANT)
  return video.run, config


def _length(config, num_steps):
  """Makes the run as long; stage 1 counts in epochs of two steps."""
  if "num_epochs" in config.train:
    config.train.num_epochs = num_steps // 2
  else:
    config.train.num_steps = num_steps


def _rows(folder):
  rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
  return [{k: v for k, v in r.items() if k not in _SPEEDS} for r in rows]


@pytest.mark.slow
@pytest.mark.parametrize(
  "kind", [*registry.METHODS, "stage1", "pretrain", "fitvid"]
)
def test_a_run_that_goes_on_is_the_whole_one(kind, own, tmp_path):
  run_fn, config = {
    "stage1": lambda: _stage1_run(tmp_path / "data"),
    "pretrain": _procedural_run,
    "fitvid": lambda: _video_run(tmp_path / "data"),
  }.get(kind, lambda: _reward_run(own, kind))()
  whole, parts = tmp_path / "whole", tmp_path / "parts"
  for folder, lengths in ((whole, [4]), (parts, [2, 4])):
    folder.mkdir()
    for num_steps in lengths:
      _length(config, num_steps)
      run_folder.store_config(folder, config.to_dict())
      run_fn(config, folder)
  names = ["params", "opt_state"]
  names += ["extra"] * (whole / "checkpoints/4/extra").is_dir()
  left, right = (
    checkpoint.load(folder, which="newest", parts=tuple(names))
    for folder in (whole, parts)
  )
  assert left.step == right.step == 4
  jax.tree.map(np.testing.assert_array_equal, left.parts, right.parts)
  check = {
    "stage1": _check_stage1,
    "pretrain": _check_procedural,
    "fitvid": _check_video,
  }.get(kind, _check_reward)
  check(parts)
  if kind != "pretrain":  # The epoch of its last step is in a file.
    last = [[row for row in _rows(f) if "loss" in row] for f in (whole, parts)]
    assert last[0] == last[1]


def _check_reward(folder):
  report = json.loads((folder / "report.json").read_text())
  method = report["config"]["method"]
  model = scoring.load(folder)
  clips = np.zeros((2, 4, 16, 16, 3), np.uint8)
  scores = model.form_scores(clips, model.instructions)[model.form]
  assert scores.shape == (2, 3) and np.isfinite(scores).all()
  spec = json.loads((folder / "reward.json").read_text())
  assert spec["form"] == report["report"]["form"] == model.form
  assert (model.form == "score") == (method != "adapt2reward")
  assert spec["failure_prompts"] == (method == "adapt2reward")


def _check_stage1(folder):
  report = json.loads((folder / stage1.REPORT).read_text())
  assert report["num_steps"] == 4 and report["held_out"]["clips"] == 16
  assert "matched/text_to_video/r1" in report["metrics"]


def _check_procedural(folder):
  backbone = pretrained.read(folder / "small_backbone.safetensors")
  assert backbone.card["step"] == 4
  assert 0 <= backbone.card["held_out"]["top1"] <= 1
  assert backbone.tokenizer.vocab_size > 100
  assert np.isfinite(backbone.params["text_proj"]["kernel"]).all()
  assert (folder / "snapshots/step-000002.safetensors").is_file()


def _check_video(folder):
  record = json.loads((folder / "report.json").read_text())
  found = record["video_prediction"]
  assert found["horizons"] == [10, 20]
  for name in ("model", "copy_last"):
    assert np.isfinite(list(found[name].values())).all()
  assert (folder / "report.png").stat().st_size > 10_000
  dynamics = video_model.load(folder, environment="tabletop/train")
  assert dynamics.stride == 10 and dynamics.image_size == 16


def test_a_run_of_no_steps_is_its_backbone_zero_shot(own, tmp_path, capsys):
  config, data = own
  start = weights.make_start(
    weights.read_model(config.model), data.texts, data.num_trained
  )
  params = tiny.draw_like(jax.eval_shape(start.init_fn, jax.random.key(0)))
  start.tokenizer.save(tmp_path / "tokenizer.json")
  path = tmp_path / "backbone.safetensors"
  card = {"config": dataclasses.asdict(start.model.config)}
  pretrained.save(path, params["backbone"], tmp_path / "tokenizer.json", card)
  config = config.copy_and_resolve_references()
  config.train.num_steps = 0
  folder = tmp_path / "run"
  folder.mkdir()
  with pytest.raises(ValueError, match="num_steps=0 judges model.init"):
    train.run(config, folder)
  config.model.init = str(path)
  run_folder.store_config(folder, config.to_dict())
  train.run(config, folder)
  assert "before training" not in capsys.readouterr().out
  clips = data.validation.frames[:3]
  model, backbone = reward.load(folder), reward.load(path)
  np.testing.assert_allclose(
    model.similarities(clips, data.texts),
    backbone.similarities(clips, data.texts),
    rtol=1e-5,
  )
  assert model.prompted_instructions == []
  assert model.can_assess and model.trained_instructions


def test_validation_is_the_auroc_of_each_task(own):
  config, data = own
  model = weights.read_model(config.model)
  start = weights.make_start(model, data.texts, data.num_trained)
  params = start.init_fn(jax.random.key(0))
  encode = scorer.make_text_fn(start.model, params, start.tokenizer)
  method = types.SimpleNamespace(
    make_scorer=lambda run: scorer.cosine(
      "some", start.model, run.params, encode
    )
  )
  run = saved.Run(None, start.model.config, {}, {}, start.tokenizer)
  metrics = train.make_validate_fn(method, run, data.validation)(params, {})
  assert set(metrics) == {"auroc", "auroc/open", "auroc/close"}
  assert 0 <= metrics["auroc"] <= 1


def test_a_finished_run_keeps_its_form_until_it_is_judged_anew(
  own, tmp_path, monkeypatch
):
  config, data = own
  spec = tmp_path / "reward.json"
  spec.write_text('{"form": "own_failures"}')

  def stop(*_):
    raise signals.StopRequested("in the evaluation")

  monkeypatch.setattr(datasets, "open_data", lambda *_, **__: data)
  monkeypatch.setattr(loop, "is_finished", lambda *_: True)
  monkeypatch.setattr(train, "_evaluate", stop)
  with pytest.raises(signals.StopRequested):
    train.run(config, tmp_path)
  assert json.loads(spec.read_text())["form"] == "own_failures"

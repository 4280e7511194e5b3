"""Stage 1 on videos: settings, captions, and whole runs."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from a2r.core import checkpoint, text
from a2r.models.singularity import singularity
from a2r.runs import captioned, finetune, initial, run_folder, weights
from benchmarks import ssv2_mini
from configs import singularity_ssv2
from data import records, store
from data.ssv2 import selection

_ROOT = pathlib.Path(__file__).parents[2]
_TEMPLATES = (
  "Closing something",
  "Pushing something from left to right",
  "Pushing something from right to left",
)


def _clips(template=None):
  rng = np.random.default_rng(0)
  for number in range(24):
    shown, noun = _TEMPLATES[number % 2], ("cup", "box")[number // 12]
    yield records.Record(
      frames=rng.integers(0, 255, (4, 16, 16, 3), np.uint8),
      instruction=shown.lower().replace("something", noun),
      template=shown if template is None else template,
      source="human",
    )


def _config(root, **changes):
  config = singularity_ssv2.get_config("smoke")
  config.data.human.update(source="records", path=str(root), templates=())
  config.data.validation.clips = 6
  config.data.image_size = 16
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """24 clips of two templates and two objects."""
  root = tmp_path_factory.mktemp("clips")
  store.write_shards(root, "human", {}, [1], lambda _: _clips())
  return root


@pytest.mark.parametrize("size", ["template", "label", "smoke"])
def test_every_size_is_sound(size):
  config = singularity_ssv2.get_config(size)
  finetune.check(config)
  assert config.data.captions in selection.CAPTIONS
  rate = {"label": 1e-5}.get(size, 1e-4)
  assert config.optim.learning_rate == rate
  with pytest.raises(ValueError, match="known: template, label, smoke"):
    singularity_ssv2.get_config("large")


@pytest.mark.parametrize(
  "key, value, said",
  [
    ("train.batch_size", 9, "multiple of 8"),
    ("train.batch_size", 0, "must be at least 1"),
    ("train.num_epochs", 0, "train.num_epochs must be at least 1"),
    ("train.micro_batch", 2, "does not divide the 1 clips of a device"),
    ("train.max_length", 40, r"in \[2, 32\]"),
    ("train.flip", "some", "known: none, always, swap, safe"),
    ("loss.weights.mlm", 1.0, "needs a backbone with mlm=True"),
    ("loss.weights.itc", -1.0, "must not be negative"),
    ("model.backbone.itm", False, "needs a backbone with itm=True"),
  ],
)
def test_wrong_settings_are_told_before_anything_is_made(key, value, said):
  config = singularity_ssv2.get_config("smoke")
  config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=said):
    finetune.check(config)


@pytest.mark.parametrize(
  "key, value, said",
  [
    ("data.captions", "words", "known: label, template"),
    ("data.human.source", "none", "nothing to train on"),
    ("data.validation.clips", 24, "some be left to train on"),
    ("data.validation.clips", 0, "some must be held out"),
  ],
)
def test_wrong_data_are_told(root, key, value, said):
  config = _config(root, **{key: value})
  with pytest.raises(ValueError, match=said):
    captioned.open_clips(config.data, 0)


def test_captions_are_templates_or_labels(root):
  clips = captioned.open_clips(_config(root).data, 0)
  assert (len(clips.train), len(clips.validation)) == (18, 6)
  # The last is of no clip: what the mirrored second shows.
  expected = [template.lower() for template in _TEMPLATES]
  assert clips.captions == expected
  np.testing.assert_array_equal(clips.mirrored, [0, 2, 1])
  assert clips.templates == expected[:2]
  config = _config(root, **{"data.captions": "label"})
  labels = captioned.open_clips(config.data, 0)
  assert set(labels.train.instruction) == {
    "closing cup",
    "closing box",
    "pushing cup from left to right",
    "pushing box from left to right",
  }
  seeds = {tuple(clips.train.number), tuple(labels.train.number)}
  assert len(seeds) == 1
  other = captioned.open_clips(_config(root).data, 1)
  assert tuple(other.train.number) not in seeds


def test_clips_without_templates_want_labels(tmp_path):
  store.write_shards(tmp_path, "human", {}, [1], lambda _: _clips(""))
  with pytest.raises(ValueError, match="--config.data.captions=label"):
    captioned.open_clips(_config(tmp_path).data, 0)
  config = _config(tmp_path, **{"data.captions": "label"})
  assert captioned.open_clips(config.data, 0).templates == []


@pytest.mark.parametrize("flip", ["safe", "swap"])
def test_batches_say_what_the_flip_needs(root, flip):
  config = _config(root, **{"train.flip": flip})
  clips = captioned.open_clips(config.data, 0)
  tokenizer = text.Tokenizer.train(clips.captions, vocab_size=200)
  batches_fn = captioned.make_batches_fn(config, clips, tokenizer, 4)
  batches = list(batches_fn(0))
  assert len(batches) == captioned.num_steps(config.train, clips) == 4
  batch = batches[2]
  assert batch["frames"].shape == (8, 4, 16, 16, 3)
  task = batch["task"]
  if flip == "safe":
    np.testing.assert_array_equal(batch["directed"], task == 1)
  else:
    swapped = np.array([0, 2, 1])[task]
    np.testing.assert_array_equal(batch["mirrored_task"], swapped)
    ids, mask = tokenizer(clips.captions, config.train.max_length)
    for name, table in (("input_ids", ids), ("attention_mask", mask)):
      np.testing.assert_array_equal(batch[name], table[task])
      mirrored = table[batch["mirrored_task"]]
      np.testing.assert_array_equal(batch[f"mirrored_{name}"], mirrored)
  again = next(batches_fn(2))
  jax.tree.map(np.testing.assert_array_equal, batch, again)


@pytest.mark.parametrize("mlm", [False, True])
def test_a_run_holds_first_weights_for_others(tmp_path, mlm):
  """With its masked-language head, if they want it."""
  config = singularity_ssv2.get_config("smoke")
  config.model.backbone.mlm = True
  config.loss.weights.mlm = 1.0
  run_folder.store_config(tmp_path, config.to_dict())
  tokenizer = text.Tokenizer.train(["closing cup"], vocab_size=100)
  tokenizer.save(tmp_path / "tokenizer.json")
  model = singularity.Singularity(singularity.Config(**config.model.backbone))
  start = weights.Backbone(None, None, tokenizer, {})
  learner = finetune.make_learner(config, model, start)
  shapes, _ = jax.eval_shape(learner.init, jax.random.key(0))
  draw = np.random.default_rng(0)
  params = jax.tree.map(lambda s: draw.random(s.shape, np.float32), shapes)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(3, {"params": params})
  config.model.init = str(tmp_path)
  config.model.backbone.mlm = mlm
  found = initial.find_weights(config.model, [])
  assert found.card == {"init": str(tmp_path), "step": 3}
  head = {"mlm_head": params["mlm_head"]} if mlm else {}
  jax.tree.map(
    np.testing.assert_array_equal, found.params, params["backbone"] | head
  )


def _start(*args):
  path = os.pathsep.join([str(_ROOT), *sys.path])
  return subprocess.Popen(
    [sys.executable, "-m", "launch.finetune", *map(str, args)],
    env=os.environ | {"PYTHONPATH": path, "XLA_FLAGS": ""},
    cwd=_ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _finish(program):
  out, err = program.communicate(timeout=900)
  assert program.returncode == 0, err
  return out, err


def test_the_config_is_asked_for():
  program = _start()
  _, err = program.communicate(timeout=60)
  assert program.returncode == 2
  assert "--config=configs/singularity_ssv2.py" in err


def _rows(run):
  rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
  speeds = ("steps_per_second", "data_wait")
  return [{k: v for k, v in r.items() if k not in speeds} for r in rows]


@pytest.mark.slow
def test_a_killed_run_on_ssv2_ends_as_a_whole_one(tmp_path):
  """Labels, masked words and swapped captions: all that the default lacks."""
  ssv2_mini.make(tmp_path / "ssv2", num_bad=0)
  settings = {
    "data.dir": tmp_path / "data",
    "data.human.source": "ssv2",
    "data.human.path": tmp_path / "ssv2",
    "data.human.templates": "()",
    "data.human.clips_per_template": 0,
    "data.captions": "label",
    "data.validation.clips": 8,
    "model.backbone.mlm": True,
    "model.backbone.dropout": 0.1,
    "loss.weights.mlm": 1.0,
    "train.flip": "swap",
    "train.num_epochs": 2,
  }
  args = ["--config=configs/singularity_ssv2.py:smoke"]
  args += [f"--config.{key}={value}" for key, value in settings.items()]
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  out, _ = _finish(_start(*args, f"--workdir={whole}"))
  assert "video to text, matched" in out and "top-1" in out

  program = _start(*args, f"--workdir={killed}")
  checkpoints = killed / "checkpoints"
  deadline = time.monotonic() + 600
  while not (checkpoints / "6").is_dir() and program.poll() is None:
    assert time.monotonic() < deadline
    time.sleep(0.02)
  program.send_signal(signal.SIGKILL)
  program.communicate()
  assert not (killed / finetune.REPORT).exists()
  _finish(_start(*args, f"--workdir={killed}"))
  saved = [
    checkpoint.load(run, which="newest", parts=("params", "opt_state"))
    for run in (whole, killed)
  ]
  assert saved[0].step == saved[1].step == 12
  jax.tree.map(np.testing.assert_array_equal, saved[0].parts, saved[1].parts)
  assert _rows(whole) == _rows(killed)
  reports = [
    json.loads((run / finetune.REPORT).read_text()) for run in (whole, killed)
  ]
  assert reports[0] == reports[1]
  assert reports[0]["held_out"]["clips"] == 8

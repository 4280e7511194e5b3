"""Stage 1 on videos: settings, captions and batches."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from a2r.core import checkpoint, text
from a2r.learners import finetune
from a2r.models.singularity import singularity
from a2r.runs import captioned, run_folder, stage1, weights
from a2r.runs.data_settings import DataSettings
from configs import pretrain, singularity_ssv2
from data import records, store

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


def _open(config, seed=0):
  return captioned.open_clips(
    DataSettings.from_config(config.data),
    seed,
    captions=config.data.captions,
    num_held_out=config.data.validation.clips,
  )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """24 clips of two templates and two objects."""
  root = tmp_path_factory.mktemp("clips")
  store.write_shards(root, "human", {}, [1], lambda _: _clips())
  return root


def test_wrong_data_are_named(root, tmp_path):
  for key, value, named in (
    ("data.captions", "words", "data.captions 'words'; known: label, templ"),
    ("data.human.source", "none", "data.human.source='none'"),
    ("data.validation.clips", 24, "data.validation.clips=24"),
    ("data.validation.clips", 0, "data.validation.clips=0"),
  ):
    with pytest.raises(ValueError, match=named):
      _open(_config(root, **{key: value}))
  store.write_shards(tmp_path, "human", {}, [1], lambda _: _clips(""))
  with pytest.raises(ValueError, match="--config.data.captions=label"):
    _open(_config(tmp_path))
  config = _config(tmp_path, **{"data.captions": "label"})
  assert _open(config).templates == []


def test_captions_are_templates_or_labels(root):
  clips = _open(_config(root))
  assert (len(clips.train), len(clips.validation)) == (18, 6)
  # The last is of no clip: what the mirrored second shows.
  expected = [template.lower() for template in _TEMPLATES]
  assert clips.captions == expected
  np.testing.assert_array_equal(clips.mirrored, [0, 2, 1])
  assert clips.templates == expected[:2]
  config = _config(root, **{"data.captions": "label"})
  labels = _open(config)
  assert set(labels.train.instruction) == {
    "closing cup",
    "closing box",
    "pushing cup from left to right",
    "pushing box from left to right",
  }
  seeds = {tuple(clips.train.number), tuple(labels.train.number)}
  assert len(seeds) == 1
  other = _open(_config(root), 1)
  assert tuple(other.train.number) not in seeds


def test_directions_of_two_spellings_or_none(tmp_path):
  says = ("turn it anticlockwise", "turn it counterclockwise", "at 3 o'clock")

  def make(_):
    for number, clip in enumerate(_clips()):
      yield dataclasses.replace(clip, instruction=says[number % 3], template="")

  store.write_shards(tmp_path, "human", {}, [1], make)
  clips = _open(_config(tmp_path, **{"data.captions": "label"}))
  assert clips.captions == [says[2], *says[:2], "turn it clockwise"]
  assert clips.mirrored[:3].tolist() == [-1, 3, 3]


@pytest.mark.parametrize("flip", ["safe", "swap"])
def test_batches_say_what_the_flip_needs(root, flip):
  clips = _open(_config(root))
  tokenizer = text.Tokenizer.train(clips.captions, vocab_size=200)
  make = functools.partial(
    captioned.make_batches,
    clips,
    tokenizer,
    batch_size=8,
    num_frames=4,
    image_size=16,
    max_length=22,
    flip=flip,
    seed=0,
    num_steps=4,
  )
  batches = list(make(0))
  assert len(batches) == 4
  batch = batches[2]
  assert batch["frames"].shape == (8, 4, 16, 16, 3)
  task = batch["task"]
  ids, mask = tokenizer(clips.captions, 22)
  for name, table in (("input_ids", ids), ("attention_mask", mask)):
    np.testing.assert_array_equal(batch[name], table[task])
    if flip == "swap":
      mirrored = table[batch["mirrored_task"]]
      np.testing.assert_array_equal(batch[f"mirrored_{name}"], mirrored)
  if flip == "safe":
    np.testing.assert_array_equal(batch["directed"], task == 1)
  else:
    swapped = np.array([0, 2, 1])[task]
    np.testing.assert_array_equal(batch["mirrored_task"], swapped)
  jax.tree.map(np.testing.assert_array_equal, batch, next(make(2)))


def test_a_run_holds_first_weights_for_others(tmp_path):
  """With its masked-language head, if they want it."""
  config = singularity_ssv2.get_config("smoke")
  config.model.backbone.mlm = True
  config.loss.weights.mlm = 1.0
  run_folder.store_config(tmp_path, config.to_dict())
  tokenizer = text.Tokenizer.train(["closing cup"], vocab_size=100)
  tokenizer.save(tmp_path / "tokenizer.json")
  network, losses = stage1.read(config)
  model = singularity.Singularity(network.backbone)
  learner = finetune.make_learner(
    model,
    losses,
    init_fn=functools.partial(singularity.init_params, model),
    mask_id=tokenizer.mask_id,
    vocab_size=tokenizer.vocab_size,
  )
  shapes, _ = jax.eval_shape(learner.init, jax.random.key(0))
  draw = np.random.default_rng(0)
  params = jax.tree.map(lambda s: draw.random(s.shape, np.float32), shapes)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(3, {"params": params})
  config.model.init = str(tmp_path)
  for mlm in (False, True):
    config.model.backbone.mlm = mlm
    loaded = weights.load(weights.read_model(config.model), [])
    assert loaded.card == {"init": str(tmp_path), "step": 3}
    head = {"mlm_head": params["mlm_head"]} if mlm else {}
    expected = params["backbone"] | head
    jax.tree.map(np.testing.assert_array_equal, loaded.params, expected)


def test_chances_of_failures_are_shares_of_a_whole(tmp_path):
  config = pretrain.get_config("smoke")
  config.data.update(missed=0.5, stopped=0.4, idle=0.2)
  with pytest.raises(ValueError, match="data.missed.*more than 1"):
    stage1.run_procedural(config, tmp_path)
  assert not any(tmp_path.iterdir())

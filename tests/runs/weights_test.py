"""Where weights start from: what ships, files, runs, rewards, conversions."""

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from a2r.core import digests, text
from a2r.models import pretrained, saved
from a2r.models.singularity import singularity
from a2r.runs import weights
from configs import envgen
from tests import tiny

TEXTS = ["word1 word2", "word3"]


def start_of(config, data):
  model = weights.read_model(config)
  return weights.make_start(model, data.texts, data.num_trained)


def changed(config, **fields):
  config = config.copy_and_resolve_references()
  with config.unlocked():
    config.update(fields)
  return config


def test_berts_vocabulary_ships():
  path = pretrained.shipped_vocabulary()
  words = path.read_text(encoding="utf-8").split("\n")
  assert (len(words), words[-1]) == (30523, "")
  places = [words.index(word) for word in text.SPECIAL]
  assert places == [0, 100, 101, 102, 103]
  tokenizer = text.Tokenizer.from_vocab(words[:-1])
  ids, mask = tokenizer(["Closing the drawer!"], 6)
  pieces = [words[i] for i in ids[0][mask[0] == 1]]
  assert pieces == ["[CLS]", "closing", "the", "drawer"]


def test_weights_of_a_file(own, tmp_path):
  config, data = own
  start = start_of(config.model, data)
  params = tiny.draw_like(jax.eval_shape(start.init_fn, jax.random.key(0)))
  start.tokenizer.save(tmp_path / "tokenizer.json")
  path = tmp_path / "backbone.safetensors"
  pretrained.save(
    path, params["backbone"], tmp_path / "tokenizer.json", {"top1": 0.5}
  )
  loaded = pretrained.read(path)
  jax.tree.map(np.testing.assert_array_equal, loaded.params, params["backbone"])
  assert loaded.card == {"top1": 0.5}
  np.testing.assert_array_equal(
    loaded.tokenizer(data.texts, 8)[0], start.tokenizer(data.texts, 8)[0]
  )
  again = start_of(changed(config.model, init=str(path)), data)
  assert again.card == {"init": str(path), "top1": 0.5}
  jax.tree.map(
    np.testing.assert_array_equal,
    again.init_fn(jax.random.key(1))["backbone"],
    params["backbone"],
  )


def test_weights_of_an_exported_reward(own, tmp_path):
  config, data = own
  start = start_of(config.model, data)
  draw = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: draw.normal(size=x.shape).astype(np.float32),
    jax.eval_shape(start.init_fn, jax.random.key(0)),
  )
  settings = {
    "seed": 0,
    "data": {"robot": {"source": "folder"}, "human": {"source": "none"}},
    "model": config.model.to_dict(),
    "train": {"num_steps": 5},
    "eval": {"environments": []},
  }
  made = saved.SavedReward(
    params=params,
    tokenizer=start.tokenizer,
    model=json.loads(json.dumps(settings["model"])),
    instructions=data.texts,
    num_trained=data.num_trained,
    form="cosine",
    temperature=0.07,
    failure_prompts=True,
    record=saved.make_record(settings, None, step=4),
  )
  saved.write(tmp_path / "mine", made)
  model = weights.read_model(config.model, init=str(tmp_path / "mine"))
  loaded = weights.load(model, data.texts)
  assert loaded.card == {"init": model.init, "step": 4}
  jax.tree.map(np.testing.assert_array_equal, loaded.params, params["backbone"])


def converted(folder, **fields):
  """What a config has under `model` to start from a conversion."""
  stored = json.loads((folder / "config.json").read_text())
  return dict(
    init=str(folder),
    backbone=stored | fields,
    num_failure_prompts=2,
    failure_prompt_length=1,
    domain_prompt_length=1,
  )


@pytest.fixture
def zeros(monkeypatch):
  """Random weights, which take long to compile, are zero."""
  init_params = singularity.init_params
  monkeypatch.setattr(
    singularity,
    "init_params",
    lambda model, rng: jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, leaf.dtype),
      jax.eval_shape(lambda rng: init_params(model, rng), rng),
    ),
  )


@pytest.mark.parametrize("length", [1, 3])
def test_failure_prompts_begin_as_the_words_of_failing(zeros, length):
  config = envgen.get_config("small").model
  model = weights.read_model(config, failure_prompt_length=length)
  start = weights.make_start(model, ["close the drawer"], 1)
  params = start.init_fn(jax.random.key(0))
  ids, _ = start.tokenizer(["failing to"], 3)
  words = params["backbone"]["embeddings"]["word"][ids[0, 1:]]
  prompts = params["prompts"]["failure"][0]
  for prompt in prompts:
    np.testing.assert_array_equal(prompt[:2], words[:length])
  assert not prompts[:, 2:].any() and not params["prompts"]["robot"].any()


def test_methods_without_prompts_begin_with_the_backbone_alone(zeros):
  none = dict.fromkeys(saved.PROMPTS, 0)
  model = weights.read_model(envgen.get_config("small").model, **none)
  start = weights.make_start(model, ["close the drawer"], 1)
  params = start.init_fn(jax.random.key(0))
  assert list(params) == ["backbone"]
  assert params["backbone"]["embeddings"]["word"].any()


def test_weights_of_a_conversion_at_another_size(folder, zeros):
  fields = {"image_size": 48, "num_frames": 6, "itm": False}
  model = weights.read_model(converted(folder, **fields))
  start = weights.make_start(model, TEXTS, 2)
  assert start.card["layout"] == "fine-tuned"
  params = start.init_fn(jax.random.key(0))["backbone"]
  assert params["temporal"]["embeddings"].shape == (1, 6, 1, 32)
  table = params["vision"]["layer_0"]["relative_position_table"]
  assert table.shape == (11 * 11 + 3, 4)
  old = pretrained.read(folder).params
  np.testing.assert_array_equal(
    params["temporal"]["embeddings"][:, :4], old["temporal"]["embeddings"]
  )
  assert "fusion_0" not in params
  np.testing.assert_array_equal(
    params["text_0"]["output"]["kernel"], old["text_0"]["output"]["kernel"]
  )


def test_instructions_that_the_vocabulary_cannot_read_are_named(own):
  config, texts = own[0].model, ["closing drawer", "\u5173\u62bd\u5c49"]
  shipped = changed(config, init="small_backbone")
  backbone = envgen.get_config("small").model.backbone
  with shipped.unlocked():
    shipped.backbone = backbone
  with pytest.raises(ValueError, match=texts[1]):
    weights.load(weights.read_model(shipped), texts)
  # From scratch the vocabulary is made of them.
  scratch = weights.read_model(changed(config, init="scratch"))
  weights.load(scratch, texts).tokenizer.check(texts)


def test_sizes_that_cannot_be_fitted_are_one_line(folder):
  settings = converted(folder, width=64)
  backbone = singularity.Config(**settings["backbone"])
  for call in (
    lambda: weights.read_model(settings),
    lambda: weights.load(weights.Model(settings["init"], backbone), TEXTS),
  ):
    with pytest.raises(ValueError, match="model.init=.*width is 32") as error:
      call()
    assert "config.model.backbone" in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_there_or_not_ours(own, tmp_path, monkeypatch):
  path = tmp_path / "mine.safetensors"
  with pytest.raises(FileNotFoundError, match="mine.*model.init=scratch"):
    pretrained.read(path)
  with monkeypatch.context() as patch:
    patch.setattr(pretrained, "shipped", lambda: path)
    with pytest.raises(FileNotFoundError, match="configs/pretrain.py"):
      pretrained.read_config(path)
  with pytest.raises(FileNotFoundError, match="scratch, small_backbone"):
    weights.read_model(own[0].model, init=str(tmp_path / "none"))
  safetensors.numpy.save_file({"temp": np.ones(1)}, path)
  with pytest.raises(ValueError, match="launch.convert --from="):
    pretrained.read(path)
  for content in ("{", "[1]"):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="config.json"):
      pretrained.read(tmp_path)


@pytest.mark.parametrize("at", [0, 8, 0.01, 0.5, -1])
def test_a_flipped_bit_of_what_ships_is_named(tmp_path, monkeypatch, at):
  for name in ("digests.json", "small_backbone.safetensors"):
    shutil.copy(pretrained.shipped().with_name(name), tmp_path)
  monkeypatch.setattr(pretrained, "_ASSETS", tmp_path)
  path = pretrained.shipped()
  assert pretrained.read(path).card["step"] == 3600
  tiny.flip(path, at)
  for read in (pretrained.read, pretrained.read_config):
    with pytest.raises(ValueError, match=f"{path} is damaged"):
      read(path)


def test_what_ships_is_as_recorded():
  folder = pretrained.shipped().parent
  assert digests.check_folder(folder)
  weighed = {path.name for path in folder.glob("*.safetensors")}
  assert weighed | {"bert_vocab.txt"} <= digests.read(folder).keys()

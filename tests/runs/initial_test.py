"""The first weights of a run: from a file, or from an exported reward."""

import copy
import json

import jax
import numpy as np
import pytest

from a2r.models import saved
from a2r.runs import initial, validation, weights


def test_first_weights_come_from_a_file(own, tmp_path):
  config, data = own
  start = initial.make_start(config.model, data)
  params = start.init_fn(jax.random.key(0))
  start.tokenizer.save(tmp_path / "tokenizer.json")
  path = tmp_path / "backbone.safetensors"
  weights.save_backbone(
    path, params["backbone"], tmp_path / "tokenizer.json", {"top1": 0.5}
  )
  loaded, tokenizer, card = weights.load_backbone(path)
  jax.tree.map(np.testing.assert_array_equal, loaded, params["backbone"])
  assert card == {"top1": 0.5}
  np.testing.assert_array_equal(
    tokenizer(data.texts, 8)[0], start.tokenizer(data.texts, 8)[0]
  )
  config = copy.deepcopy(config.model)
  with config.unlocked():
    config.init = str(path)
  again = initial.make_start(config, data)
  assert again.card["top1"] == 0.5
  jax.tree.map(
    np.testing.assert_array_equal,
    again.init_fn(jax.random.key(1))["backbone"],
    params["backbone"],
  )
  validate = validation.make_validate_fn(
    start.model,
    data.validation,
    data.texts[:2],
    tuple(part[:2] for part in start.tokenizer(data.texts, start.max_length)),
  )
  metrics = validate(params, {})
  assert set(metrics) == {"auroc", "auroc/open", "auroc/close"}
  assert 0 <= metrics["auroc"] <= 1


def test_first_weights_come_from_an_exported_reward(own, tmp_path):
  config, data = own
  start = initial.make_start(config.model, data)
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
  config = copy.deepcopy(config.model)
  with config.unlocked():
    config.init = str(tmp_path / "mine")
  again = initial.make_start(config, data)
  assert again.card == {"init": config.init, "step": 4}
  found = initial._find_backbone(config, data, start.model.config)
  jax.tree.map(np.testing.assert_array_equal, found.params, params["backbone"])


def test_weights_that_are_not_there_are_told(own, tmp_path):
  config, data = own
  with pytest.raises(FileNotFoundError, match="model.init=scratch"):
    weights.load_backbone(tmp_path / "none.safetensors")
  with config.model.unlocked():
    config.model.init = str(tmp_path / "none")
  with pytest.raises(FileNotFoundError, match="scratch, small_backbone"):
    initial.make_start(config.model, data)
  config.model.init = "scratch"

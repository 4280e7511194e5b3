"""Runs start from converted weights."""

import json
import types

import jax
import numpy as np
import pytest
import safetensors.numpy

from a2r.models import adapt2reward as net
from a2r.runs import initial, weights


def _settings(folder, **fields):
  """What a config has under `model`."""
  stored = json.loads((folder / "config.json").read_text())
  return types.SimpleNamespace(
    init=str(folder),
    backbone=stored | fields,
    num_failure_prompts=2,
    failure_prompt_length=1,
    domain_prompt_length=1,
  )


DATA = types.SimpleNamespace(texts=["word1 word2", "word3"], num_trained=2)


def test_a_run_starts_from_it_at_another_size(folder, monkeypatch):
  # Random weights, of which none is kept, take long to compile.
  monkeypatch.setattr(
    initial.adapt2reward,
    "init_params",
    lambda model, *_: jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, leaf.dtype), net.params_like(model)
    ),
  )
  fields = {"image_size": 48, "num_frames": 6, "itm": False}
  start = initial.make_start(_settings(folder, **fields), DATA)
  assert start.card["layout"] == "fine-tuned"
  params = start.init_fn(jax.random.key(0))["backbone"]
  assert params["temporal"]["embeddings"].shape == (1, 6, 1, 32)
  table = params["vision"]["layer_0"]["relative_position_table"]
  assert table.shape == (11 * 11 + 3, 4)
  old = weights.load(folder).params
  np.testing.assert_array_equal(
    params["temporal"]["embeddings"][:, :4], old["temporal"]["embeddings"]
  )
  assert "fusion_0" not in params
  np.testing.assert_array_equal(
    params["text_0"]["output"]["kernel"], old["text_0"]["output"]["kernel"]
  )


def test_sizes_that_cannot_be_fitted_are_one_line(folder):
  with pytest.raises(
    ValueError, match="model.init=.*width is 32, wanted is 64"
  ) as error:
    initial.make_start(_settings(folder, width=64), DATA)
  assert "config.model.backbone" in str(error.value)
  assert "\n" not in str(error.value)


def test_published_weights_are_no_start_before_they_are_converted(
  folder, tmp_path
):
  path = tmp_path / "model.safetensors"
  safetensors.numpy.save_file({"temp": np.ones(1)}, path)
  settings = _settings(folder)
  settings.init = str(path)
  with pytest.raises(ValueError, match="launch.convert --from="):
    initial.make_start(settings, DATA)

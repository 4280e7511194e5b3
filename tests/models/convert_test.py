"""The converted model against arrays made by the published PyTorch code."""

import dataclasses

import jax
import numpy as np
import pytest

from a2r.models import convert
from a2r.models import singularity as singularity_lib

TOKENS, FEATURES = 1e-5, 2e-6


def _state(golden, prefix="sd/"):
  return {
    key.removeprefix(prefix): value
    for key, value in golden.items()
    if key.startswith(prefix)
  }


def _frames(golden, name="in/frames"):
  return golden[name].transpose(0, 1, 3, 4, 2)


@pytest.fixture(scope="module")
def converted(golden):
  return convert.singularity(_state(golden), num_heads=4)


def test_sizes_are_read_off_the_arrays(converted):
  config = converted[0].config
  assert (config.image_size, config.patch_size, config.width) == (32, 8, 32)
  assert (config.vision_layers, config.temporal_layers) == (3, 2)
  assert (config.text_layers, config.fusion_layer) == (5, 3)
  assert (config.vocab_size, config.max_positions) == (101, 24)
  assert (config.embed_dim, config.mlp_width, config.num_frames) == (16, 48, 4)


@pytest.mark.parametrize(
  "variant, fields",
  [
    ("update_pooler", {"temporal_feature": True}),
    ("no_temporal", {"temporal_layers": 0, "temporal_embeddings": False}),
    ("embed_only", {"temporal_layers": 0}),
    ("encoder_only", {"temporal_embeddings": False}),
    ("one_frame", {}),
    ("two_frames", {}),
    ("six_frames", {}),
  ],
)
def test_variant_equals_published_code(golden, converted, variant, fields):
  model, params = converted
  model = singularity_lib.Singularity(
    dataclasses.replace(model.config, **fields)
  )
  frames = _frames(golden)
  if variant == "six_frames":
    frames = _frames(golden, "out/variant/six_frames/frames")
  elif variant.endswith("frames") or variant == "one_frame":
    frames = frames[:, : 1 if variant == "one_frame" else 2]
  encode = jax.jit(lambda p, x: model.apply(p, x, method="encode_video"))
  tokens, feature = encode(params, frames)
  expected = golden[f"out/variant/{variant}/image_embeds"]
  np.testing.assert_allclose(tokens, expected, rtol=0, atol=TOKENS)
  pooled = golden[f"out/variant/{variant}/pooled"]
  expected = pooled @ golden["sd/vision_proj.weight"].T
  expected += golden["sd/vision_proj.bias"]
  expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
  np.testing.assert_allclose(feature, expected, rtol=0, atol=FEATURES)


def test_pretraining_file_gives_the_same_parameters(golden, converted):
  state = {
    key.replace("text_encoder.", "text_encoder.bert.", 1): value
    for key, value in _state(golden).items()
  }
  state |= _state(golden, "sd_pretrain_extra/")
  _, params = convert.singularity(state, num_heads=4)
  jax.tree.map(np.testing.assert_array_equal, params, converted[1])


def test_missing_and_unknown_keys_are_both_listed(golden):
  state = _state(golden)
  del state["text_encoder.encoder.layer.1.output.dense.bias"]
  state["vision_encoder.encoder.layer.0.extra"] = np.zeros(3)
  with pytest.raises(ValueError) as error:
    convert.singularity(state, num_heads=4)
  message = str(error.value)
  assert "missing keys (1): [" in message
  assert "text_encoder.encoder.layer.1.output.dense.bias" in message
  assert "unknown keys (1): ['vision_encoder.encoder.layer.0.extra']" in message


def test_wrong_shape_is_named(golden):
  state = _state(golden)
  state["text_proj.weight"] = np.zeros((16, 31))
  with pytest.raises(ValueError, match=r"text_proj.weight: \[31, 16\]"):
    convert.singularity(state, num_heads=4)


def test_something_else_lists_what_is_missing():
  with pytest.raises(ValueError, match="missing keys"):
    convert.singularity({"weight": np.zeros(3)}, num_heads=1)

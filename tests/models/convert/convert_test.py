"""The converted model against arrays made by the published PyTorch code."""

import dataclasses

import jax
import numpy as np
import pytest

from a2r.models import convert
from a2r.models.singularity import singularity as singularity_lib

TOKENS, FEATURES = 1e-5, 2e-6
BIAS = "text_encoder.encoder.layer.1.output.dense.bias"
EXTRA = "vision_encoder.encoder.layer.0.extra"
DECODER = "text_encoder.cls.predictions.decoder.weight"


@pytest.fixture(scope="module")
def pretraining(published):
  """The state dict of a pre-training file."""
  state = {
    key.replace("text_encoder.", "text_encoder.bert.", 1): value
    for key, value in published().items()
  }
  return state | published("sd_pretrain_extra/")


def _assert_same(actual, expected):
  assert actual.keys() == expected.keys()
  for key, value in actual.items():
    assert value.dtype == expected[key].dtype, key
    np.testing.assert_array_equal(value, expected[key], key)


def test_sizes_are_read_off_the_arrays(published, converted):
  config = converted[0].config
  assert (config.image_size, config.patch_size, config.width) == (32, 8, 32)
  assert (config.vision_layers, config.temporal_layers) == (3, 2)
  assert (config.text_layers, config.fusion_layer) == (5, 3)
  assert (config.vocab_size, config.max_positions) == (101, 24)
  assert (config.embed_dim, config.mlp_width, config.num_frames) == (16, 48, 4)
  found = convert.from_state_dict(published(), convert.Options())
  assert found.model.config.num_heads == 4


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
  frames = golden["in/frames"]
  if variant == "six_frames":
    frames = golden["out/variant/six_frames/frames"]
  frames = frames.transpose(0, 1, 3, 4, 2)
  frames = frames[:, : {"one_frame": 1, "two_frames": 2}.get(variant)]
  encode = jax.jit(lambda p, x: model.apply(p, x, method="encode_video"))
  tokens, feature = encode(params, frames)
  expected = golden[f"out/variant/{variant}/image_embeds"]
  np.testing.assert_allclose(tokens, expected, rtol=0, atol=TOKENS)
  pooled = golden[f"out/variant/{variant}/pooled"]
  expected = pooled @ golden["sd/vision_proj.weight"].T
  expected += golden["sd/vision_proj.bias"]
  expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
  np.testing.assert_allclose(feature, expected, rtol=0, atol=FEATURES)


def test_other_layouts_give_the_same_parameters(
  published, pretraining, converted
):
  # What parallel training puts before all keys.
  wrapped = {f"module.{key}": value for key, value in published().items()}
  for state in (pretraining, wrapped):
    _, params = convert.singularity(state, num_heads=4)
    jax.tree.map(np.testing.assert_array_equal, params, converted[1])


@pytest.mark.parametrize(
  "changes, options, named",
  [
    (
      {BIAS: None, EXTRA: np.zeros(3)},
      {},
      ("missing keys (1): [", BIAS, f"unknown keys (1): ['{EXTRA}']"),
    ),
    (
      {"text_proj.weight": np.zeros((16, 31))},
      {},
      "text_proj.weight: [31, 16]",
    ),
    ({}, {"mlm": True}, ("missing keys (5): ", ".cls.predictions")),
    ({"temp": np.float32("nan")}, {}, "not finite: ['temp']"),
    ({"temp": "0.07 as text"}, {}, "temp"),
    ({"temp": {"a": 1}}, {}, "temp is no array but {'a': 1}"),
  ],
)
def test_what_is_wrong_is_listed(published, changes, options, named):
  state = published() | changes
  state = {key: value for key, value in state.items() if value is not None}
  with pytest.raises(ValueError) as error:
    convert.singularity(state, num_heads=4, **options)
  for part in (named,) if isinstance(named, str) else named:
    assert part in str(error.value)


def test_way_back_is_exact(published, pretraining, converted):
  model, variables = converted
  state = convert.to_state_dict(model.config, variables["params"])
  _assert_same(state, published())
  found = convert.from_state_dict(pretraining, convert.Options(mlm=True))
  assert (found.layout, found.fresh, found.ignored) == ("pre-training", [], [])
  params = found.variables["params"]
  state = convert.to_state_dict(found.model.config, params, pretraining=True)
  _assert_same(state, pretraining)
  # A fine-tuned file has no masked-language head.
  state = convert.to_state_dict(found.model.config, params)
  _assert_same(state, published())
  del params["text_proj"]
  with pytest.raises(ValueError, match="lack.*text_proj"):
    convert.to_state_dict(found.model.config, params)


def test_untied_masked_language_head_is_named(pretraining):
  state = pretraining | {DECODER: pretraining[DECODER] + 1}
  with pytest.raises(
    ValueError, match=f"{DECODER} is not the array it is tied"
  ):
    convert.singularity(state, num_heads=4, mlm=True)
  # Without the head nobody looks at it.
  convert.singularity(state, num_heads=4)


def test_waived_keys_are_reported(published, converted):
  state = published()
  del state["vision_proj.weight"], state["vision_proj.bias"]
  state["queue.ids"] = np.zeros(3)
  options = convert.Options(
    allow_missing=r"^vision_proj\.", allow_unknown="^queue"
  )
  found = convert.from_state_dict(state, options)
  assert found.fresh == ["vision_proj.bias", "vision_proj.weight"]
  assert found.ignored == ["queue.ids"]
  params, expected = found.variables["params"], converted[1]["params"]
  assert params["vision_proj"]["kernel"].std() > 0.01
  assert params.keys() == expected.keys()
  with pytest.raises(ValueError, match=r"missing keys \(2\)"):
    convert.from_state_dict(state, options._replace(allow_missing=None))
  with pytest.raises(ValueError, match=r"unknown keys \(1\)"):
    convert.from_state_dict(state, options._replace(allow_unknown="^ids"))


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"itm": False}, "no place for itm=False"),
    ({"stem": "conv", "pooling": "flat"}, "stem='conv', pooling='flat'"),
  ],
)
def test_models_that_are_not_the_published_one_stay_here(
  converted, fields, message
):
  model, variables = converted
  config = dataclasses.replace(model.config, **fields)
  with pytest.raises(ValueError, match=message):
    convert.to_state_dict(config, variables["params"])


def test_something_else_lists_what_is_missing():
  with pytest.raises(ValueError, match="missing keys"):
    convert.singularity({"weight": np.zeros(3)}, num_heads=1)

"""BEiT and BERT of Hugging Face, cut out of a published file."""

import jax
import numpy as np
import pytest

from a2r.models import convert
from a2r.models.convert import huggingface

SIZES = {"num_frames": 4, "temporal_layers": 2, "fusion_layer": 3}
SIZES |= {"embed_dim": 16, "itm": True}


@pytest.fixture(scope="module")
def parts(golden):
  """State dicts as the two models publish them."""
  beit, bert = {}, {}
  for key, value in golden.items():
    key = key.removeprefix("sd/").removeprefix("sd_pretrain_extra/")
    if key.startswith("vision_encoder."):
      beit[key.replace("vision_encoder.", "beit.")] = value
    elif key.startswith("text_encoder.cls."):
      bert[key.removeprefix("text_encoder.")] = value
    elif key.startswith("text_encoder.") and "crossattention" not in key:
      key = key.replace("text_encoder.", "bert.")
      key = key.replace("LayerNorm.weight", "LayerNorm.gamma")
      bert[key.replace("LayerNorm.bias", "LayerNorm.beta")] = value
  beit |= {"classifier.weight": np.ones((5, 32)), "classifier.bias": np.ones(5)}
  bert |= {"bert.pooler.dense.weight": np.ones((32, 32))}
  bert |= {"bert.pooler.dense.bias": np.ones(32)}
  bert |= {"cls.seq_relationship.weight": np.ones((2, 32))}
  return beit, bert


def _convert(beit, bert, seed=0):
  options = convert.Options(allow_missing=huggingface.FRESH, seed=seed)
  return convert.from_state_dict(beit | bert, options, SIZES)


def test_both_make_a_model_and_the_rest_is_new(golden, parts):
  beit, bert = convert.beit(parts[0]), convert.bert(parts[1])
  found = _convert(beit, bert, seed=1)
  state = convert.to_state_dict(found.model.config, found.variables["params"])
  assert set(state) == {k[3:] for k in golden if k.startswith("sd/")}
  new = set(found.fresh)
  assert {"temp", "itm_head.weight", "vision_layernorm.bias"} <= new
  assert "text_encoder.encoder.layer.3.crossattention.self.key.bias" in new
  assert len(new) == 62
  for key, value in state.items():
    if key not in new:
      np.testing.assert_array_equal(value, golden[f"sd/{key}"], key)
  assert state["temp"] == np.float32(0.07)
  assert not state["temporal_embeddings"].any()
  assert np.std(state["vision_proj.weight"]) > 0.01
  again, other = (_convert(beit, bert, seed=s) for s in (1, 2))
  jax.tree.map(np.testing.assert_array_equal, found.variables, again.variables)
  heads = [x.variables["params"]["itm_head"]["kernel"] for x in (found, other)]
  assert not np.array_equal(*heads)


def test_keys_without_prefix_are_the_same(parts):
  for name, read in (("beit.", convert.beit), ("bert.", convert.bert)):
    part = parts[name == "bert."]
    bare = {key.removeprefix(name): value for key, value in part.items()}
    assert read(bare).keys() == read(part).keys()


def test_masked_language_head_is_kept_if_asked(golden, parts):
  state = convert.bert(parts[1], mlm=True)
  assert not [key for key in state if "pooler" in key or "relation" in key]
  kept = {key for key in state if key.startswith("text_encoder.cls.")}
  prefix = "sd_pretrain_extra/"
  assert {prefix + key for key in kept} == {
    key for key in golden if key.startswith(prefix)
  }


def test_a_hole_in_beit_is_no_new_weight(parts):
  beit, bert = convert.beit(parts[0]), convert.bert(parts[1])
  del beit["vision_encoder.encoder.layer.1.lambda_1"]
  with pytest.raises(ValueError, match=r"missing keys \(1\): .*lambda_1"):
    _convert(beit, bert)

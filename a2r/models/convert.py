"""Published PyTorch weights to our parameters, exactly.

Keys and shapes are those of Singularity's released code
(https://github.com/jayleicn/singularity).
"""

import math
import re
from collections.abc import Mapping

import jax
import numpy as np
from flax import traverse_util

from a2r.models import singularity as singularity_lib

# Values that PyTorch stores but derives from the sizes.
_BUFFERS = re.compile(r"(\.|^)(relative_position_index|position_ids)$")
# The masked-language head of the pre-training files, of no use here.
_MLM_HEAD = "text_encoder.cls."

_BERT_LAYER = {
  "attention.self.query": "attention/query",
  "attention.self.key": "attention/key",
  "attention.self.value": "attention/value",
  "attention.output.dense": "attention/out",
  "attention.output.LayerNorm": "attention_layernorm",
  "intermediate.dense": "intermediate",
  "output.dense": "output",
  "output.LayerNorm": "output_layernorm",
}
_CROSS_ATTENTION = {
  "crossattention.self.query": "crossattention/query",
  "crossattention.self.key": "crossattention/key",
  "crossattention.self.value": "crossattention/value",
  "crossattention.output.dense": "crossattention/out",
  "crossattention.output.LayerNorm": "crossattention_layernorm",
}
_BEIT_LAYER = {
  "attention.attention.query": "attention/query",
  "attention.attention.key": "attention/key",
  "attention.attention.value": "attention/value",
  "attention.output.dense": "attention/out",
  "intermediate.dense": "intermediate",
  "output.dense": "output",
  "layernorm_before": "layernorm_before",
  "layernorm_after": "layernorm_after",
}
_MODULES = {
  "vision_encoder.embeddings.patch_embeddings.projection": "stem/projection",
  "vision_encoder.pooler.layernorm": "vision/pooler",
  "vision_layernorm": "vision_layernorm",
  "text_encoder.embeddings.LayerNorm": "embeddings/layernorm",
  "vision_proj": "vision_proj",
  "text_proj": "text_proj",
  "itm_head": "itm_head",
}
_ARRAYS = {
  "temp": "temp",
  "temporal_embeddings": "temporal/embeddings",
  "vision_encoder.embeddings.cls_token": "vision/cls_token",
  "text_encoder.embeddings.word_embeddings.weight": "embeddings/word",
  "text_encoder.embeddings.position_embeddings.weight": "embeddings/position",
  "text_encoder.embeddings.token_type_embeddings.weight": "embeddings/type",
}
_CROSS = "crossattention.self.query.weight"
_TABLE = (
  "attention.attention.relative_position_bias.relative_position_bias_table"
)
_VISION = "vision_encoder.encoder.layer"
_TEXT = "text_encoder.encoder.layer"
_TEMPORAL = "temporal_vision_encoder.layer"


def singularity(
  state_dict: Mapping[str, np.ndarray],
  num_heads: int = 12,
  *,
  temporal_feature: bool = False,
):
  """The published Singularity-temporal as our model and variables.

  Every size is read off the shapes. Fine-tuned files and pre-training files
  (keys under `text_encoder.bert.`, with a masked-language head, which is left
  out) are both taken.

  Args:
    state_dict: published key -> array, what a file holds under 'model'.
    num_heads: attention heads, the one size that no shape shows.
    temporal_feature: False is the published model, whose contrastive feature
      does not see the order of the frames; see `singularity.Config`.

  Returns:
    `(model, variables)` for `model.apply(variables, frames, input_ids, mask)`;
    `variables['params']` is the tree of parameters, float32.

  Raises:
    ValueError: keys are missing, unknown, or of the wrong shape; all of them
      are listed.
  """
  state = {_fine_tuned_key(k): np.asarray(v) for k, v in state_dict.items()}
  state = {
    k: v
    for k, v in state.items()
    if not k.startswith(_MLM_HEAD) and not _BUFFERS.search(k)
  }
  config = _config(state, num_heads, temporal_feature)
  wanted = _names(config)
  missing = sorted(wanted.keys() - state.keys())
  unknown = sorted(state.keys() - wanted.keys())
  if missing or unknown:
    raise ValueError(
      "not the weights of a Singularity-temporal model.\n"
      f"missing keys ({len(missing)}): {missing}\n"
      f"unknown keys ({len(unknown)}): {unknown}"
    )
  flat = {name: _convert(name, state[key]) for key, name in wanted.items()}
  model = singularity_lib.Singularity(config)
  _check_shapes(model, flat, {v: k for k, v in wanted.items()})
  return model, {"params": traverse_util.unflatten_dict(flat, sep="/")}


def _fine_tuned_key(key: str) -> str:
  """The key as fine-tuned files have it."""
  return key.replace("text_encoder.bert.", "text_encoder.", 1)


def _config(
  state: Mapping[str, np.ndarray], num_heads: int, temporal_feature: bool
) -> singularity_lib.Config:
  """Reads the sizes off the shapes; a size that is not there is 1."""

  def shape(key, axis):
    return state[key].shape[axis] if key in state else 1

  patch = "vision_encoder.embeddings.patch_embeddings.projection.weight"
  table = shape(f"{_VISION}.0.{_TABLE}", 0)
  # The table has (2g - 1)^2 + 3 rows.
  grid = (math.isqrt(max(table - 3, 1)) + 1) // 2
  text_layers = _num_layers(state, _TEXT)
  fusion = [i for i in range(text_layers) if f"{_TEXT}.{i}.{_CROSS}" in state]
  return singularity_lib.Config(
    image_size=grid * shape(patch, 2),
    patch_size=shape(patch, 2),
    num_frames=shape("temporal_embeddings", 1),
    width=shape(patch, 0),
    num_heads=num_heads,
    mlp_width=shape(f"{_VISION}.0.intermediate.dense.weight", 0),
    vision_layers=_num_layers(state, _VISION),
    temporal_layers=_num_layers(state, _TEMPORAL),
    text_layers=text_layers,
    fusion_layer=min(fusion, default=text_layers),
    vocab_size=shape("text_encoder.embeddings.word_embeddings.weight", 0),
    max_positions=shape(
      "text_encoder.embeddings.position_embeddings.weight", 0
    ),
    embed_dim=shape("vision_proj.weight", 0),
    temporal_feature=temporal_feature,
    itm=bool(fusion),
  )


def _num_layers(state: Mapping[str, np.ndarray], prefix: str) -> int:
  """Layers under `prefix`, counted by the highest index."""
  pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
  found = (pattern.match(key) for key in state)
  return max((int(m[1]) + 1 for m in found if m), default=0)


def _names(config: singularity_lib.Config) -> dict[str, str]:
  """Every key of the published layout -> path of our parameter."""
  names = dict(_ARRAYS)

  def add(modules, key="", path=""):
    for old, new in modules.items():
      weight = "scale" if "norm" in old.lower() else "kernel"
      names[f"{key}{old}.weight"] = f"{path}{new}/{weight}"
      names[f"{key}{old}.bias"] = f"{path}{new}/bias"

  add(_MODULES)
  for i in range(config.vision_layers):
    key, path = f"{_VISION}.{i}.", f"vision/layer_{i}/"
    add(_BEIT_LAYER, key, path)
    del names[f"{key}attention.attention.key.bias"]
    names[key + _TABLE] = path + "relative_position_table"
    for scale in ("lambda_1", "lambda_2"):
      names[key + scale] = path + scale
  for i in range(config.temporal_layers):
    add(_BERT_LAYER, f"{_TEMPORAL}.{i}.", f"temporal/layer_{i}/")
  for i in range(config.fusion_layer):
    add(_BERT_LAYER, f"{_TEXT}.{i}.", f"text_{i}/")
  for i in range(config.fusion_layer, config.text_layers):
    path = f"fusion_{i - config.fusion_layer}/"
    add(_BERT_LAYER | _CROSS_ATTENTION, f"{_TEXT}.{i}.", path)
  return names


def _convert(name: str, value: np.ndarray) -> np.ndarray:
  """PyTorch's order of axes -> flax's: input features before output ones."""
  value = value.astype(np.float32)
  if name.endswith("/kernel"):
    value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
  return np.array(value, order="C")


def _check_shapes(
  model: singularity_lib.Singularity,
  flat: Mapping[str, np.ndarray],
  keys: Mapping[str, str],
) -> None:
  """Raises a ValueError naming every parameter of another shape."""
  c = model.config
  frames = np.zeros((1, c.num_frames, c.image_size, c.image_size, 3))
  ids = np.zeros((1, 1), np.int32)
  variables = jax.eval_shape(model.init, jax.random.key(0), frames, ids, ids)
  expected = traverse_util.flatten_dict(variables["params"], sep="/")
  wrong = [
    f"{keys[name]}: {list(flat[name].shape)} in our order, expected "
    f"{list(expected[name].shape)}"
    for name in flat
    if flat[name].shape != expected[name].shape
  ]
  if wrong:
    raise ValueError("arrays of the wrong shape:\n" + "\n".join(wrong))

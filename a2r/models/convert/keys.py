"""The published keys, which of our parameters each one is, and the two layouts.

Fine-tuned files have the plain keys; pre-training files have the text encoder
one level deeper, and a masked-language head that is tied to the word table.

Keys and shapes are those of Singularity's released code
(https://github.com/jayleicn/singularity).
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from a2r.models.singularity import beit
from a2r.models.singularity.config import Config

# Values that PyTorch stores but derives from the sizes.
BUFFERS = re.compile(r"(\.|^)(relative_position_index|position_ids)$")
# The masked-language head, in pre-training files alone.
MLM_HEAD = "text_encoder.cls.predictions"
PRETRAINING = "text_encoder.bert."
FINE_TUNED = "text_encoder."
WORDS = "text_encoder.embeddings.word_embeddings.weight"

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
}
_MLM_MODULES = {
  f"{MLM_HEAD}.transform.dense": "mlm_head/dense",
  f"{MLM_HEAD}.transform.LayerNorm": "mlm_head/layernorm",
}
_ARRAYS = {
  "temp": "temp",
  "vision_encoder.embeddings.cls_token": "vision/cls_token",
  WORDS: "embeddings/word",
  "text_encoder.embeddings.position_embeddings.weight": "embeddings/position",
  "text_encoder.embeddings.token_type_embeddings.weight": "embeddings/type",
}
_PROJECTIONS = ("vision_proj", "text_proj")
_CROSS = "crossattention.self.query.weight"
_TABLE = (
  "attention.attention.relative_position_bias.relative_position_bias_table"
)
_PATCH = "vision_encoder.embeddings.patch_embeddings.projection.weight"
_VISION = "vision_encoder.encoder.layer"
_TEXT = "text_encoder.encoder.layer"
_TEMPORAL = "temporal_vision_encoder.layer"


def names(config: Config) -> dict[str, str]:
  """Returns every key of a fine-tuned file -> path of our parameter.

  With `config.mlm` also those of the masked-language head; its output matrix,
  which is the word table, and the second copy of its bias are left out.
  """
  names = dict(_ARRAYS)

  def add(modules, key="", path=""):
    for old, new in modules.items():
      weight = "scale" if "norm" in old.lower() else "kernel"
      names[f"{key}{old}.weight"] = f"{path}{new}/{weight}"
      names[f"{key}{old}.bias"] = f"{path}{new}/bias"

  add(_MODULES)
  if config.temporal_embeddings:
    names["temporal_embeddings"] = "temporal/embeddings"
  if config.itm:
    add({"itm_head": "itm_head"})
  if config.mlm:
    add(_MLM_MODULES)
    names[f"{MLM_HEAD}.bias"] = "mlm_head/bias"
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


def buffers(config: Config) -> dict[str, np.ndarray]:
  """Returns what the published code stores beside its parameters."""
  index = beit.relative_position_index(config.grid).astype(np.int64)
  key = _TABLE.replace("bias_table", "index")
  stored = {
    f"{_VISION}.{i}.{key}": index.copy() for i in range(config.vision_layers)
  }
  positions = np.arange(config.max_positions, dtype=np.int64)[None]
  return stored | {"text_encoder.embeddings.position_ids": positions}


def sizes(
  state: Mapping[str, np.ndarray], num_heads: int | None
) -> dict[str, Any]:
  """Returns fields of a `Config`, read off the shapes; what is not there is 1.

  The number of heads is read off the relative position tables if it is None.
  """

  def shape(key, axis):
    found = state.get(key)
    return found.shape[axis] if np.ndim(found) > axis else 1

  table = f"{_VISION}.0.{_TABLE}"
  # The table has (2g - 1)^2 + 3 rows.
  grid = (math.isqrt(max(shape(table, 0) - 3, 1)) + 1) // 2
  text_layers = _num_layers(state, _TEXT)
  fusion = [i for i in range(text_layers) if f"{_TEXT}.{i}.{_CROSS}" in state]
  return dict(
    image_size=grid * shape(_PATCH, 2),
    patch_size=shape(_PATCH, 2),
    num_frames=shape("temporal_embeddings", 1),
    width=shape(_PATCH, 0),
    num_heads=(num_heads or shape(table, 1)) if _PATCH in state else 1,
    mlp_width=shape(f"{_VISION}.0.intermediate.dense.weight", 0),
    vision_layers=_num_layers(state, _VISION),
    temporal_layers=_num_layers(state, _TEMPORAL),
    text_layers=text_layers,
    fusion_layer=min(fusion, default=text_layers),
    vocab_size=shape(WORDS, 0),
    max_positions=shape(
      "text_encoder.embeddings.position_embeddings.weight", 0
    ),
    embed_dim=max(shape(f"{name}.weight", 0) for name in _PROJECTIONS),
    itm=bool(fusion),
  )


def _num_layers(state: Mapping[str, np.ndarray], prefix: str) -> int:
  """Layers under `prefix`, counted by the highest index."""
  pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
  found = (pattern.match(key) for key in state)
  return max((int(m[1]) + 1 for m in found if m), default=0)


def fine_tuned(
  state_dict: Mapping[str, np.ndarray], mlm: bool
) -> tuple[str, dict[str, np.ndarray]]:
  """Returns a file's parameters under the keys of fine-tuned files.

  Args:
    state_dict: published key -> array, of either layout.
    mlm: whether to keep the masked-language head.

  Returns:
    'fine-tuned' or 'pre-training', and key -> array, without buffers.

  Raises:
    ValueError: a value is no array, or the masked-language head is not tied
      to the word table.
  """
  keys = list(state_dict)
  # What torch.nn.DataParallel puts before every key.
  wrapped = bool(keys) and all(key.startswith("module.") for key in keys)
  pretraining = False
  state = {}
  for key, value in state_dict.items():
    key = key.removeprefix("module.") if wrapped else key
    if key.startswith(PRETRAINING):
      pretraining = True
      key = FINE_TUNED + key.removeprefix(PRETRAINING)
    if BUFFERS.search(key):
      continue
    state[key] = np.asarray(value)
    if state[key].dtype.kind in "OSU":
      raise ValueError(f"{key} is no array but {value!r}")
  head = {k: v for k, v in state.items() if k.startswith("text_encoder.cls.")}
  state = {k: v for k, v in state.items() if k not in head}
  if mlm:
    shared = {
      f"{MLM_HEAD}.decoder.weight": state.get(WORDS),
      f"{MLM_HEAD}.decoder.bias": head.get(f"{MLM_HEAD}.bias"),
    }
    for key, original in shared.items():
      if key in head and not np.array_equal(head.pop(key), original):
        raise ValueError(
          f"{key} is not the array it is tied to in the published models"
        )
    state |= head
  return "pre-training" if pretraining else "fine-tuned", state


def pretraining_key(key: str) -> str:
  """Returns the key as pre-training files have it."""
  if not key.startswith(FINE_TUNED) or key.startswith(MLM_HEAD):
    return key
  return PRETRAINING + key.removeprefix(FINE_TUNED)

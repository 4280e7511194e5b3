"""BEiT and BERT, as Hugging Face publishes them, under Singularity's keys.

What Singularity's own pre-training starts from: the models
microsoft/beit-base-patch16-224-pt22k-ft22k and bert-base-uncased.
"""

import re
from collections.abc import Mapping

import numpy as np

# What neither model has: drawn anew, by these keys.
FRESH = (
  r"^(temp|temporal_embeddings|vision_layernorm\..*|vision_proj\..*"
  r"|text_proj\..*|itm_head\..*|temporal_vision_encoder\..*"
  r"|text_encoder\.encoder\.layer\.\d+\.crossattention\..*)$"
)
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight"}
_OLD_NAMES |= {"LayerNorm.beta": "LayerNorm.bias"}


def beit(state_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """A BEiT as the part `vision_encoder` of a published file.

  Args:
    state_dict: key -> array, with or without `beit.` before the keys; a
      classifier is left out.
  """
  state = _without_prefix(state_dict, "beit.", r"classifier\.")
  return {f"vision_encoder.{key}": value for key, value in state.items()}


def bert(
  state_dict: Mapping[str, np.ndarray], *, mlm: bool = False
) -> dict[str, np.ndarray]:
  """A BERT as the part `text_encoder` of a published file.

  Args:
    state_dict: key -> array, with or without `bert.` before the keys; the
      pooler and the next-sentence head are left out.
    mlm: whether to keep the masked-language head.
  """
  dropped = r"pooler\.|cls\.seq_relationship\."
  if not mlm:
    dropped += r"|cls\."
  state = _without_prefix(state_dict, "bert.", dropped)
  return {f"text_encoder.{key}": value for key, value in state.items()}


def _without_prefix(state_dict, prefix, dropped):
  """Keys without `prefix`, by their new names, but for those `dropped`."""
  state = {}
  for key, value in state_dict.items():
    key = key.removeprefix(prefix)
    for old, new in _OLD_NAMES.items():
      key = key.replace(old, new)
    if not re.match(dropped, key):
      state[key] = value
  return state

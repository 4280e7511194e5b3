"""The two layouts of the published files: fine-tuned and pre-training."""

from collections.abc import Mapping

import numpy as np

from a2r.models.convert import keys as convert_keys


def fine_tuned(
  state_dict: Mapping[str, np.ndarray], mlm: bool
) -> tuple[str, dict[str, np.ndarray]]:
  """A file's parameters under the keys of fine-tuned files.

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
    if key.startswith(convert_keys.PRETRAINING):
      pretraining = True
      key = convert_keys.FINE_TUNED + key.removeprefix(convert_keys.PRETRAINING)
    if convert_keys.BUFFERS.search(key):
      continue
    state[key] = np.asarray(value)
    if state[key].dtype.kind in "OSU":
      raise ValueError(f"{key} is no array but {value!r}")
  head = {k: v for k, v in state.items() if k.startswith("text_encoder.cls.")}
  state = {k: v for k, v in state.items() if k not in head}
  if mlm:
    state |= _untied(head, state.get(convert_keys.WORDS))
  return "pre-training" if pretraining else "fine-tuned", state


def _untied(
  head: dict[str, np.ndarray], words: np.ndarray | None
) -> dict[str, np.ndarray]:
  """The masked-language head without what it shares with the word table."""
  prefix = convert_keys.MLM_HEAD
  shared = {
    f"{prefix}.decoder.weight": words,
    f"{prefix}.decoder.bias": head.get(f"{prefix}.bias"),
  }
  for key, original in shared.items():
    if key in head and not np.array_equal(head.pop(key), original):
      raise ValueError(
        f"{key} is not the array it is tied to in the published models"
      )
  return head


def pretraining_key(key: str) -> str:
  """The key as pre-training files have it."""
  if not key.startswith(convert_keys.FINE_TUNED) or key.startswith(
    convert_keys.MLM_HEAD
  ):
    return key
  return convert_keys.PRETRAINING + key.removeprefix(convert_keys.FINE_TUNED)

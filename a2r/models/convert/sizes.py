"""Weights for a model of another picture size or another number of frames.

As the released code of Singularity (https://arxiv.org/abs/2206.03428) loads a
checkpoint: BEiT's relative position tables are interpolated, frame embeddings
are cut or continued with zeros.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from flax import traverse_util
from scipy import interpolate

from a2r.models.singularity.config import Config

# No parameter depends on these.
_FREE = {
  "dropout",
  "drop_path",
  "layer_scale_init",
  "temporal_feature",
  "remat",
  "dtype",
}
# May be there and not wanted, with the parameters under these names.
_PARTS = {
  "temporal_embeddings": "temporal/embeddings",
  "itm": "itm_head/",
  "mlm": "mlm_head/",
}
_STEMS = {"patch": {"stem_features", "stem_patch"}, "conv": {"patch_size"}}
_TABLE = "/relative_position_table"
_FRAMES = "temporal/embeddings"


def fit(params: Any, old: Config, new: Config) -> dict[str, Any]:
  """Returns the parameters of a model of config `old` for one of config `new`.

  Pictures may have another size, clips another number of frames, and the heads
  that `new` does not have are left out.

  Args:
    params: the tree of parameters, what `variables['params']` is.
    old: what they were made for.
    new: what they are wanted for.

  Raises:
    ValueError: names all fields that cannot be changed.
  """
  check(old, new)
  flat = traverse_util.flatten_dict(params, sep="/")
  for field, prefix in _PARTS.items():
    if not getattr(new, field):
      flat = {k: v for k, v in flat.items() if not k.startswith(prefix)}
  if not (new.itm or new.mlm):
    flat = {k: v for k, v in flat.items() if not k.startswith("fusion_")}
  for name, value in flat.items():
    if name.endswith(_TABLE):
      flat[name] = resize_table(np.asarray(value), new.grid)
    elif name == _FRAMES:
      flat[name] = extend_frames(np.asarray(value), new.num_frames)
  return traverse_util.unflatten_dict(flat, sep="/")


def check(old: Config, new: Config) -> None:
  """Raises a ValueError that names the fields that cannot be changed."""
  differ = [
    f"{name} is {getattr(old, name)!r}, wanted is {getattr(new, name)!r}"
    for name in fixed(old, new)
  ]
  if differ:
    raise ValueError(f"these weights do not fit: {'; '.join(differ)}")


def fixed(old: Config, new: Config) -> list[str]:
  """Fields that differ and cannot be changed without training."""
  free = set(_FREE)
  if old.stem == new.stem:
    free |= _STEMS[new.stem]
  if "flat" not in (old.pooling, new.pooling):
    free.add("image_size")
  if new.stem != "conv":
    free.add("num_frames")
  free |= {field for field in _PARTS if getattr(old, field)}
  names = [f.name for f in dataclasses.fields(Config) if f.name not in free]
  return [name for name in names if getattr(old, name) != getattr(new, name)]


def extend_frames(embeddings: np.ndarray, num_frames: int) -> np.ndarray:
  """Returns frame embeddings `[1, T, 1, D]` for T' frames, `[1, T', 1, D]`.

  They are the first T' rows, or all rows and then zeros.
  """
  missing = max(num_frames - embeddings.shape[1], 0)
  padding = ((0, 0), (0, missing), (0, 0), (0, 0))
  return np.pad(embeddings, padding)[:, :num_frames]


def resize_table(table: np.ndarray, grid: int) -> np.ndarray:
  """Returns a relative position table for another grid of patches.

  The offsets of the old table are put at distances that grow like a geometric
  series, dense near zero, so that they reach as far as the new ones; a bicubic
  spline per head through them is read at the new offsets. The three rows of the
  CLS token are kept.

  Args:
    table: `[(2g - 1)^2 + 3, H]`.
    grid: g', patches along one side of the new picture.

  Returns:
    `[(2g' - 1)^2 + 3, H]`.

  Raises:
    ValueError: g is below 3, too small for a cubic spline.
  """
  old, new = math.isqrt(len(table) - 3), 2 * grid - 1
  if old == new:
    return table
  if old < 4:
    raise ValueError(
      f"a grid of {(old + 1) // 2} patches is too small to be interpolated"
    )
  distances = _distances(old // 2, new // 2)
  source = np.concatenate([-distances[::-1], [0.0], distances])
  target = np.arange(-(new // 2), new // 2 + 1)
  heads = table[:-3].T.reshape(-1, old, old)
  resized = [
    interpolate.RectBivariateSpline(source, source, head)(target, target)
    for head in heads
  ]
  rows = np.stack(resized).reshape(len(heads), -1).T
  return np.concatenate([rows.astype(table.dtype), table[-3:]])


def _distances(num_terms: int, reach: int) -> np.ndarray:
  """1, 1 + q, 1 + q + q^2, ...: `num_terms` sums of which the last is `reach`.

  The ratio q is sought in (1.01, 1.5) by bisection, as the released code does:
  its last midpoint counts.
  """
  left, right = 1.01, 1.5
  while right - left > 1e-6:
    ratio = (left + right) / 2
    if (1 - ratio**num_terms) / (1 - ratio) > reach:
      right = ratio
    else:
      left = ratio
  return np.cumsum(ratio ** np.arange(num_terms))

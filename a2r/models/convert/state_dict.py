"""Published PyTorch weights to our parameters and back, exactly."""

import functools
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import traverse_util

from a2r.models.convert import keys as convert_keys
from a2r.models.singularity import singularity as singularity_lib

# Keys that an error names; the rest is counted.
_LISTED = 20


# What the published layout has a place for.
_PUBLISHED = {
  "stem": "patch",
  "itm": True,
  "temporal_embeddings": True,
  "pooling": "cls",
}


class Options(NamedTuple):
  """How to convert.

  Attributes:
    temporal_feature: see `singularity.Config`; None leaves it as it was, which
      for published files is False: their contrastive feature does not see the
      order of the frames.
    num_heads: None reads it off the relative position tables.
    mlm: whether the masked-language head is kept.
    allow_missing: pattern of the keys that may be missing; their parameters
      are drawn as for training from scratch.
    allow_unknown: pattern of the keys that may be left over.
    seed: of parameters that are drawn anew.
    vocab: file of the vocabulary; None takes the one at hand.
  """

  temporal_feature: bool | None = None
  num_heads: int | None = None
  mlm: bool = False
  allow_missing: str | None = None
  allow_unknown: str | None = None
  seed: int = 0
  vocab: pathlib.Path | None = None

  def check(self):
    """Raises a ValueError at a pattern that is none."""
    for name in ("allow_missing", "allow_unknown"):
      try:
        re.compile(getattr(self, name) or "")
      except re.error as error:
        raise ValueError(
          f"{name}={getattr(self, name)!r} is no regular expression: {error}"
        ) from error


class Conversion(NamedTuple):
  """Converted weights, and what became of the keys.

  Attributes:
    model: the module.
    variables: `variables['params']` is the tree of parameters, float32.
    layout: 'fine-tuned' or 'pre-training'.
    fresh: published keys that were missing; their parameters are new.
    ignored: keys that nothing here is for.
  """

  model: singularity_lib.Singularity
  variables: dict[str, Any]
  layout: str
  fresh: list[str]
  ignored: list[str]


def singularity(
  state_dict: Mapping[str, np.ndarray],
  num_heads: int = 12,
  *,
  temporal_feature: bool = False,
  mlm: bool = False,
) -> tuple[singularity_lib.Singularity, dict[str, Any]]:
  """Returns the published Singularity-temporal as our model and variables.

  Every size is read off the shapes. Fine-tuned files and pre-training files
  (keys under `text_encoder.bert.`, with a masked-language head) are both taken.

  Args:
    state_dict: published key -> array, what a file holds under 'model'.
    num_heads: attention heads.
    temporal_feature: see `Options`.
    mlm: see `Options`.

  Returns:
    `(model, variables)` for `model.apply(variables, frames, input_ids, mask)`;
    `variables['params']` is the tree of parameters, float32.

  Raises:
    ValueError: keys are missing, unknown, or of the wrong shape; they are
      listed.
  """
  options = Options(temporal_feature, num_heads, mlm)
  found = from_state_dict(state_dict, options)
  return found.model, found.variables


def from_state_dict(
  state_dict: Mapping[str, np.ndarray],
  options: Options,
  sizes: Mapping[str, Any] | None = None,
) -> Conversion:
  """Converts as `singularity` does, with waivers and a report.

  Args:
    state_dict: published key -> array.
    options: how to convert.
    sizes: fields of the `Config` that the shapes do not show.
  """
  layout, state = convert_keys.fine_tuned(state_dict, options.mlm)
  fields = convert_keys.sizes(state, options.num_heads) | dict(sizes or {})
  config = singularity_lib.Config(
    **fields,
    mlm=options.mlm,
    temporal_feature=bool(options.temporal_feature),
  )
  names = convert_keys.names(config)
  missing, unknown = names.keys() - state.keys(), state.keys() - names.keys()
  _check_keys(missing, unknown, options)
  model = singularity_lib.Singularity(config)
  flat = {n: _ours(n, state[k]) for k, n in names.items() if k in state}
  _check_values(model, flat, {n: k for k, n in names.items()})
  if missing:
    new = tuple(names[key] for key in sorted(missing))
    flat |= jax.device_get(_fresh(model, new, jax.random.key(options.seed)))
  params = traverse_util.unflatten_dict(flat, sep="/")
  return Conversion(
    model, {"params": params}, layout, sorted(missing), sorted(unknown)
  )


def to_state_dict(
  config: singularity_lib.Config,
  params: Any,
  *,
  pretraining: bool = False,
) -> dict[str, np.ndarray]:
  """Returns our parameters under the published keys, as `singularity` takes.

  They are what `load_state_dict(strict=True)` of the released code wants, the
  derived buffers included.

  Args:
    config: of the model.
    params: the tree of parameters, what `variables['params']` is.
    pretraining: the layout of pre-training files, with the masked-language
      head if the model has one; else that of fine-tuned files, without it.

  Raises:
    ValueError: the model has parts that the published one has not, or lacks
      some.
  """
  differ = [k for k, v in _PUBLISHED.items() if getattr(config, k) != v]
  if differ:
    listed = ", ".join(f"{k}={getattr(config, k)!r}" for k in differ)
    raise ValueError(f"the published layout has no place for {listed}")
  flat = traverse_util.flatten_dict(params, sep="/")
  names = convert_keys.names(config)
  if not pretraining:
    names = {k: n for k, n in names.items() if not n.startswith("mlm_head/")}
  lacking = [name for name in names.values() if name not in flat]
  if lacking:
    raise ValueError(f"the parameters lack {lacking}")
  state = {key: _theirs(name, flat[name]) for key, name in names.items()}
  state |= convert_keys.buffers(config)
  if not pretraining:
    return state
  if config.mlm:
    head = convert_keys.MLM_HEAD
    state[f"{head}.decoder.weight"] = state[convert_keys.WORDS]
    state[f"{head}.decoder.bias"] = state[f"{head}.bias"]
  return {
    convert_keys.pretraining_key(key): value for key, value in state.items()
  }


def _check_keys(missing: Iterable[str], unknown: Iterable[str], options):
  """Raises a ValueError that lists the keys no pattern allows."""
  lines, num_faults = ["not the weights of a Singularity-temporal model."], 0
  for what, keys, allowed in (
    ("missing", missing, options.allow_missing),
    ("unknown", unknown, options.allow_unknown),
  ):
    if allowed is not None:
      keys = [key for key in keys if not re.search(allowed, key)]
    keys = sorted(keys)
    more = ", ..." if len(keys) > _LISTED else ""
    listed = ", ".join(map(repr, keys[:_LISTED]))
    lines.append(f"{what} keys ({len(keys)}): [{listed}{more}]")
    num_faults += len(keys)
  if num_faults:
    raise ValueError("\n".join(lines))


def _ours(name: str, value: np.ndarray) -> np.ndarray:
  """PyTorch's order of axes -> flax's: input features before output ones."""
  value = value.astype(np.float32, copy=False)
  if name.endswith("/kernel"):
    value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
  return np.array(value, order="C")


def _theirs(name: str, value: np.ndarray) -> np.ndarray:
  """The way back of `_ours`."""
  value = np.asarray(value)
  if name.endswith("/kernel"):
    value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
  return np.array(value, order="C")


def _check_values(
  model: singularity_lib.Singularity,
  flat: Mapping[str, np.ndarray],
  keys: Mapping[str, str],
) -> None:
  """Raises a ValueError naming every array of another shape, or with NaNs."""
  expected = _shapes(model)
  wrong = [
    f"{keys[name]}: {list(value.shape)} in our order, expected "
    f"{list(expected[name].shape)}"
    for name, value in flat.items()
    if value.shape != expected[name].shape
  ]
  if wrong:
    raise ValueError("arrays of the wrong shape:\n" + "\n".join(wrong))
  wrong = [keys[name] for name in flat if not np.isfinite(flat[name]).all()]
  if wrong:
    raise ValueError(f"arrays with values that are not finite: {wrong}")


@functools.cache
def _shapes(model: singularity_lib.Singularity) -> dict[str, Any]:
  """Path of every parameter -> its shape."""
  params = jax.eval_shape(
    lambda rng: singularity_lib.init_params(model, rng), jax.random.key(0)
  )
  return traverse_util.flatten_dict(params, sep="/")


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fresh(
  model: singularity_lib.Singularity, names: tuple[str, ...], rng: jax.Array
) -> dict[str, jax.Array]:
  """New values of the parameters `names`, as for training from scratch."""
  params = singularity_lib.init_params(model, rng)
  flat = traverse_util.flatten_dict(params, sep="/")
  return {name: flat[name] for name in names}

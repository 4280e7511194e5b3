"""Trees of arrays as flat tables of names, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

_MAX_DEPTH = 100  # Beyond some thousands, JAX fails on a tree.


def flatten(tree: Any) -> dict[str, Any]:
  """Returns a pytree's leaves by their path, like `0/mu/dense/kernel`."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): leaf
    for path, leaf in leaves
  }


def nest(flat: Mapping[str, Any], where: str = "a tree") -> dict[str, Any]:
  """Returns nested dicts of leaves named by path.

  Raises:
    ValueError: a path is too deep, or leads through a leaf; begins with
      `where`.
  """
  nested = {}
  for path, leaf in flat.items():
    *parents, last = path.split("/")
    if len(parents) > _MAX_DEPTH:
      raise ValueError(f"{where}: {path[:40]!r}... is nested too deeply")
    node = nested
    for name in parents:
      node = node.setdefault(name, {})
      if not isinstance(node, dict):
        raise ValueError(f"{where}: {path!r} lies in an array")
    if last in node:
      raise ValueError(f"{where}: {path!r} is an array that others lie in")
    node[last] = leaf
  return nested


def fit(template: Any, tree: Mapping[str, Any], where: str) -> Any:
  """Returns `template` with the leaves of the nested dicts `tree`.

  Args:
    template: pytree with the structure, shapes and dtypes that are wanted.
    tree: nested dicts of arrays.
    where: where `tree` comes from, for the error.

  Raises:
    ValueError: they differ; lists all differences.
  """
  stored, wanted = flatten(tree), flatten(template)
  faults = [f"  only stored: {k}" for k in stored if k not in wanted]
  faults += [f"  only in the model: {k}" for k in wanted if k not in stored]
  for name, leaf in wanted.items():
    if name in stored:
      got, want = _signature(stored[name]), _signature(leaf)
      if got != want:
        faults.append(f"  {name}: stored {got}, the model has {want}")
  if faults:
    listed = "\n".join(faults[:20])
    more = f"\n  ... and {len(faults) - 20} more" if len(faults) > 20 else ""
    raise ValueError(f"{where} does not fit the model:\n{listed}{more}")
  leaves = [np.asarray(stored[name]) for name in wanted]
  return jax.tree.unflatten(jax.tree.structure(template), leaves)


def check_finite(tree: Any, where: str):
  """Fails where an array of a pytree has a value that is NaN or infinite.

  Args:
    tree: pytree of arrays, or of None in place of some.
    where: where it comes from, for the error.

  Raises:
    ValueError: some are not finite; names the first.
  """
  for name, leaf in flatten(tree).items():
    array = np.asarray(leaf)
    # One pass without a copy: a sum is finite only if all its terms are.
    with np.errstate(all="ignore"):
      if array.dtype.kind in "iub" or np.isfinite(array.sum()):
        continue
    count = int((~np.isfinite(array)).sum())
    if count:
      raise ValueError(
        f"{where}: {count} of {array.size} values of {name} are not finite: "
        "nothing can be made of them; take another checkpoint, or train again"
      )


def _signature(leaf: Any) -> str:
  shape = tuple(np.shape(leaf))
  dtype = getattr(leaf, "dtype", None) or np.asarray(leaf).dtype
  return f"{np.dtype(dtype).name}{list(shape)}"

"""The published keys and shapes at full size, without any weights."""

import ast
import math
import pathlib

import jax
import pytest

from a2r.core import trees
from a2r.models.convert import keys
from a2r.models.singularity import singularity

KEYS = pathlib.Path(__file__).parents[2] / "golden" / "singularity_keys.tsv"
# PyTorch's axes in ours, of a dense layer and of a convolution.
_ORDER = {2: (1, 0), 4: (3, 2, 0, 1)}


def _published(variant):
  """Key -> shape and type, of the released code's state dict."""
  rows = [line.split("\t") for line in KEYS.read_text().splitlines()]
  return {
    key: (ast.literal_eval(shape), dtype)
    for name, key, shape, dtype in rows
    if name == variant
  }


@pytest.fixture(scope="module")
def ours():
  """Path of every parameter at the published size -> shape."""
  config = singularity.Config(mlm=True)
  model = singularity.Singularity(config)
  shapes = jax.eval_shape(
    lambda rng: singularity.init_params(model, rng), jax.random.key(0)
  )
  return {name: leaf.shape for name, leaf in trees.flatten(shapes).items()}


@pytest.mark.parametrize(
  "variant, count", [("retrieval", 503), ("pretrain", 510)]
)
def test_every_key_is_used_once_and_has_its_shape(ours, variant, count):
  mlm = variant == "pretrain"
  config = singularity.Config(mlm=mlm)
  published = _published(variant)
  assert len(published) == count
  names = keys.names(config)
  stored = {k: (v.shape, str(v.dtype)) for k, v in keys.buffers(config).items()}
  for key, name in names.items():
    shape = ours[name]
    if name.endswith("/kernel"):
      shape = tuple(shape[axis] for axis in _ORDER[len(shape)])
    stored[key] = (shape, "float32")
  if mlm:
    head = keys.MLM_HEAD
    stored[f"{head}.decoder.weight"] = stored[keys.WORDS]
    stored[f"{head}.decoder.bias"] = stored[f"{head}.bias"]
    stored = {keys.pretraining_key(key): value for key, value in stored.items()}
  assert stored == published
  # All parameters have a key, and no two the same.
  wanted = {name for name in ours if mlm or not name.startswith("mlm_head/")}
  assert sorted(names.values()) == sorted(wanted)


def test_number_of_parameters(ours):
  names = set(keys.names(singularity.Config()).values())
  assert sum(math.prod(ours[name]) for name in names) == 216_320_963

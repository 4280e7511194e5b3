"""Tiny models with random parameters, made without compiling an init."""

import pathlib

import jax
import numpy as np
import pytest

from a2r.models.singularity import singularity

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

TINY = dict(
  image_size=16,
  patch_size=8,
  num_frames=4,
  stem_features=(4, 8),
  width=16,
  num_heads=2,
  mlp_width=24,
  vision_layers=1,
  temporal_layers=1,
  text_layers=2,
  fusion_layer=1,
  vocab_size=30,
  max_positions=20,
  embed_dim=8,
)


@pytest.fixture(scope="session")
def golden():
  """Name -> array, made by the published PyTorch code at a tiny size."""
  with np.load(GOLDEN / "singularity_tiny.npz") as arrays:
    return dict(arrays)


@pytest.fixture(scope="session")
def make_config():
  """A function of the fields to change -> Config of a tiny model."""
  return lambda **fields: singularity.Config(**TINY | fields)


@pytest.fixture(scope="session")
def make_params():
  """A function of (model, *inputs) -> variables drawn from N(0, 0.5)."""

  def draw(model, *inputs):
    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    rng = np.random.default_rng(0)
    return jax.tree.map(
      lambda s: (0.5 * rng.standard_normal(s.shape)).astype(s.dtype), shapes
    )

  return draw


@pytest.fixture(scope="session")
def inputs():
  """Two clips of noise and three texts of 6, 4 and 2 tokens."""
  rng = np.random.default_rng(1)
  frames = rng.uniform(-1, 1, (2, 4, 16, 16, 3)).astype(np.float32)
  mask = (np.arange(6) < np.array([[6], [4], [2]])).astype(np.int32)
  input_ids = rng.integers(5, 30, (3, 6)).astype(np.int32) * mask
  return frames, input_ids, mask

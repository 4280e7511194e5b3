"""Tiny models with random parameters, made without compiling an init."""

import pathlib

import jax
import numpy as np
import pytest

from a2r.models import convert
from tests import tiny

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden():
  """Name -> array, made by the published PyTorch code at a tiny size."""
  with np.load(GOLDEN / "singularity_tiny.npz") as arrays:
    return dict(arrays)


@pytest.fixture(scope="session")
def published(golden):
  """A function of a prefix in `golden` -> state dict; copied."""

  def select(prefix="sd/"):
    return {
      key.removeprefix(prefix): value
      for key, value in golden.items()
      if key.startswith(prefix)
    }

  return select


@pytest.fixture(scope="session")
def converted(published):
  """The model and the variables of the published state dict."""
  return convert.singularity(published(), num_heads=4)


@pytest.fixture(scope="session")
def make_config():
  """A function of the fields to change -> Config of a tiny model."""
  return tiny.whole_config


@pytest.fixture(scope="session")
def make_params():
  """A function of (model, *inputs) -> variables drawn from N(0, 0.5)."""

  def draw(model, *inputs):
    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    return tiny.draw_like(shapes, scale=0.5)

  return draw


@pytest.fixture(scope="session")
def inputs():
  """Two clips of noise and three texts of 6, 4 and 2 tokens."""
  rng = np.random.default_rng(1)
  frames = rng.uniform(-1, 1, (2, 4, 16, 16, 3)).astype(np.float32)
  mask = (np.arange(6) < np.array([[6], [4], [2]])).astype(np.int32)
  input_ids = rng.integers(5, 30, (3, 6)).astype(np.int32) * mask
  return frames, input_ids, mask

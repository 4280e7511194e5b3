"""Weights for other picture sizes and frames, against the published code."""

import dataclasses

import jax
import numpy as np
import pytest

from a2r.models import convert
from a2r.models.convert import sizes
from a2r.models.singularity import singularity as singularity_lib


@pytest.mark.parametrize(
  "name, grid", [("4to6", 6), ("14to20", 20), ("6to4", 4)]
)
def test_table_equals_published_code(golden, name, grid):
  old, new = golden[f"aux/interp/{name}/old"], golden[f"aux/interp/{name}/new"]
  actual = sizes.resize_table(old, grid)
  assert actual.dtype == np.float32
  np.testing.assert_allclose(actual, new, rtol=0, atol=1e-6)
  np.testing.assert_array_equal(actual[-3:], old[-3:])


def test_table_of_the_same_grid_is_itself_and_of_two_patches_too_small(golden):
  table = golden["aux/interp/4to6/old"]
  np.testing.assert_array_equal(sizes.resize_table(table, 4), table)
  with pytest.raises(ValueError, match="grid of 2 patches is too small"):
    sizes.resize_table(np.zeros((12, 4)), 4)


def test_frames_equal_published_code(golden):
  old = golden["aux/temporal/old"]
  for num_frames in (8, 2):
    expected = golden[f"aux/temporal/load{num_frames}"]
    actual = sizes.extend_frames(old, num_frames)
    np.testing.assert_array_equal(actual, expected)
  # Continued with zeros, unlike a longer clip in a model of four frames.
  assert not np.array_equal(
    sizes.extend_frames(old, 8), golden["aux/temporal/interp8"]
  )


@pytest.mark.parametrize(
  "fields",
  [
    {},
    {"image_size": 48, "num_frames": 6, "itm": False},
    {"image_size": 24, "num_frames": 2, "temporal_feature": True},
    {"temporal_embeddings": False, "dtype": "bfloat16", "drop_path": 0.0},
  ],
)
def test_fitted_weights_are_those_of_the_model(converted, fields):
  old, params = converted[0].config, converted[1]["params"]
  new = dataclasses.replace(old, **fields)
  fitted = convert.fit(params, old, new)
  model = singularity_lib.Singularity(new)
  shapes = jax.eval_shape(
    lambda rng: singularity_lib.init_params(model, rng), jax.random.key(0)
  )
  assert jax.tree.map(np.shape, fitted) == jax.tree.map(np.shape, shapes)
  if not fields:
    jax.tree.map(np.testing.assert_array_equal, fitted, params)


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"width": 64}, "width is 32, wanted is 64"),
    ({"patch_size": 16}, "patch_size is 8, wanted is 16"),
    ({"mlm": True}, "mlm is False, wanted is True"),
    ({"pooling": "flat"}, "pooling is 'cls', wanted is 'flat'"),
    ({"num_heads": 8, "vision_layers": 2}, "num_heads .*; vision_layers"),
    ({"max_positions": 32, "vocab_size": 99}, "vocab_size .*; max_positions"),
  ],
)
def test_what_cannot_be_fitted_is_named(converted, fields, message):
  old = converted[0].config
  with pytest.raises(ValueError, match=f"do not fit: {message}"):
    convert.fit({}, old, dataclasses.replace(old, **fields))


def test_a_stem_that_sees_the_clip_keeps_its_frames(make_config):
  old = make_config(stem="conv")
  with pytest.raises(ValueError, match="num_frames is 4, wanted is 8"):
    convert.fit({}, old, dataclasses.replace(old, num_frames=8))

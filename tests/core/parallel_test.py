"""Batches and states over one and over eight devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import parallel


def test_shard_and_back():
  batch = {"x": np.arange(32.0).reshape(16, 2), "y": np.arange(16)}
  sharded = parallel.shard(batch)
  assert sharded["x"].shape == (8, 2, 2) and sharded["y"].shape == (8, 2)
  assert len(sharded["x"].sharding.device_set) == 8
  np.testing.assert_array_equal(sharded["x"].reshape(16, 2), batch["x"])
  assert parallel.shard(batch, 2)["y"].shape == (2, 8)
  with pytest.raises(ValueError, match="12 does not split over 8 devices"):
    parallel.shard({"x": np.zeros((12, 2))})
  with pytest.raises(ValueError, match="9 devices asked for"):
    parallel.replicate({"x": np.zeros(2)}, 9)


@pytest.mark.parametrize("num", [1, 8])
def test_replicate_and_back(num):
  tree = {"x": jnp.arange(3.0), "step": np.int32(4), "none": None}
  many = parallel.replicate(tree, num)
  assert many["x"].shape == (num, 3) and many["step"].shape == (num,)
  back = parallel.unreplicate(many)
  np.testing.assert_array_equal(back["x"], tree["x"])
  assert back["step"] == 4 and back["step"].dtype == np.int32
  assert back["none"] is None
  np.testing.assert_array_equal(parallel.unreplicate(np.ones((2, 3))), 1.0)


def test_a_broadcast_keeps_all_bits():
  tree = {
    "weights": np.array([[-0.0, np.nan], [1e-40, np.inf]], np.float32),
    "scale": np.float16(0.1),
    "flags": np.array([True, False, True]),
    "step": np.int32(-3),
    "none": None,
  }
  back = parallel.broadcast(tree | {"device": jnp.arange(3)})
  for name in ("weights", "scale", "flags", "step"):
    assert back[name].dtype == tree[name].dtype
    assert back[name].shape == tree[name].shape
    assert back[name].tobytes() == tree[name].tobytes()
  np.testing.assert_array_equal(back["device"], [0, 1, 2])
  assert back["none"] is None


@pytest.mark.parametrize("num", [1, 8])
def test_a_step_gathers_in_order_and_averages(num):
  def step(state, batch):
    everything = parallel.all_gather(batch["x"], parallel.AXIS)
    mean = parallel.pmean(batch["x"].sum(), parallel.AXIS)
    index = parallel.axis_index(parallel.AXIS)
    return state + 1, {"all": everything, "mean": mean, "index": index}

  step_fn = parallel.pmap_step(step)
  state = parallel.replicate(np.float32(0), num)
  batch = parallel.shard({"x": np.arange(16.0)}, num)
  before, saved = state, parallel.unreplicate(state)
  for _ in range(2):
    state, out = step_fn(state, batch)
  assert before.is_deleted()  # The state's memory was reused.
  np.testing.assert_array_equal(saved, 0.0)
  np.testing.assert_array_equal(state, np.full(num, 2.0))
  np.testing.assert_array_equal(out["all"], np.tile(np.arange(16.0), (num, 1)))
  np.testing.assert_allclose(out["mean"], np.full(num, 120 / num))
  np.testing.assert_array_equal(out["index"], np.arange(num))


def test_without_an_axis_nothing_happens():
  x = np.arange(3)
  assert parallel.all_gather(x, None) is x
  assert parallel.pmean(x, None) is x
  assert parallel.axis_index(None) == 0
  assert parallel.num_devices() == jax.device_count()

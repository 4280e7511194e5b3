"""The published schedule and decay, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.learners import finetune_optimizer


def _schedule(**changes):
  values = dict(learning_rate=2.0, warmup_steps=0, num_steps=10, floor=0.1)
  return finetune_optimizer.make_schedule(**values | changes)


def test_cosine_stays_at_the_floor():
  schedule = _schedule()
  np.testing.assert_allclose(schedule(0), 2.0)
  np.testing.assert_allclose(schedule(5), 1.0, rtol=1e-6)
  # 1 + cos(0.8 pi) is 0.19, half of it below a tenth.
  np.testing.assert_allclose(schedule(7), 1 + np.cos(0.7 * np.pi), rtol=1e-5)
  np.testing.assert_allclose([schedule(8), schedule(10)], 0.2, rtol=1e-6)


def test_warmup_is_a_line_above_the_floor():
  schedule = _schedule(warmup_steps=4, num_steps=14)
  expected = [0.2, 0.5, 1.0, 1.5, 2.0]
  np.testing.assert_allclose(
    [schedule(step) for step in range(5)], expected, rtol=1e-6
  )
  with pytest.raises(ValueError, match="warmup_steps=10 must be below"):
    _schedule(warmup_steps=10)


def test_what_is_decayed():
  params = {
    "temp": np.float32(1),
    "dense": {"kernel": np.zeros((2, 2)), "bias": np.zeros(2)},
    "cls_token": np.zeros((1, 1, 2)),
  }
  assert finetune_optimizer.decay_mask(params) == {
    "temp": True,
    "dense": {"kernel": True, "bias": False},
    "cls_token": True,
  }


def test_first_update_is_the_learning_rate_and_the_decay():
  optimizer = finetune_optimizer.make_optimizer(
    learning_rate=0.1,
    warmup_steps=0,
    num_steps=5,
    weight_decay=0.02,
    floor=0.1,
    b1=0.9,
    b2=0.999,
  )
  params = {"kernel": np.full((1, 2), 3.0, np.float32)}
  grads = {"kernel": np.array([[1e4, -1e-3]], np.float32)}
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  decay = 0.1 * 0.02 * 3
  expected = [[-0.1 - decay, 0.1 - decay]]
  np.testing.assert_allclose(updates["kernel"], expected, rtol=1e-4)


def test_temperature_stays_in_its_range_and_comes_back():
  optimizer = finetune_optimizer.make_optimizer(
    learning_rate=0.01, warmup_steps=0, num_steps=1000, weight_decay=0.0,
    floor=1.0, b1=0.0, b2=0.0,
  )  # fmt: skip
  params = {"backbone": {"temp": jnp.float32(0.07)}, "other": jnp.float32(0.07)}
  state = optimizer.init(params)

  @jax.jit
  def step(params, state, gradient):
    gradients = jax.tree.map(lambda x: x * 0 + gradient, params)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state

  for _ in range(100):
    params, state = step(params, state, 1.0)
  np.testing.assert_allclose(params["backbone"]["temp"], 0.001, rtol=1e-3)
  assert params["other"] < -0.9
  params, state = step(params, state, -1.0)
  np.testing.assert_allclose(params["backbone"]["temp"], 0.011, rtol=1e-3)
  for _ in range(100):
    params, state = step(params, state, -1.0)
  np.testing.assert_allclose(params["backbone"]["temp"], 0.5, rtol=1e-6)

"""The published schedule and decay, by hand."""

import numpy as np
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

"""Warm-up, cosine, clipping and what weight decay leaves alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.core import optim

SCHEDULE = dict(learning_rate=2.0, warmup_steps=4, floor=0.1)
SETTINGS = dict(
  learning_rate=0.1,
  warmup_steps=0,
  num_steps=10,
  weight_decay=0.5,
  clip_norm=1.0,
)


def test_schedule_by_hand():
  schedule = optim.make_schedule(**SCHEDULE, num_steps=12)
  # 8 steps of cosine from 2 to 0.2; half way is their mean.
  values = [float(schedule(step)) for step in (0, 2, 4, 8, 12, 50)]
  np.testing.assert_allclose(values, [0.2, 1.1, 2.0, 1.1, 0.2, 0.2], rtol=1e-5)
  schedule = optim.make_schedule(learning_rate=2.0, warmup_steps=0, num_steps=5)
  np.testing.assert_allclose([schedule(0), schedule(5)], [2.0, 0.0], atol=1e-7)


def test_a_late_decay_leaves_all_before_it_alone():
  short, long = (
    optim.make_schedule(**SCHEDULE, num_steps=num_steps, decay_steps=6)
    for num_steps in (12, 40)
  )
  values = [float(short(step)) for step in (0, 2, 4, 6, 9, 12)]
  np.testing.assert_allclose(values, [0.2, 1.1, 2.0, 2.0, 1.1, 0.2], rtol=1e-5)
  for step in range(7):
    assert float(short(step)) == float(long(step))


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"warmup_steps": 10}, "warmup_steps=10 must be below"),
    ({"rule": "sgd"}, "unknown rule 'sgd'; known: adamw"),
  ],
)
def test_mistakes_are_told(changes, message):
  with pytest.raises(ValueError, match=message):
    optim.make_optimizer(**SETTINGS | changes)


def test_decay_spares_biases_vectors_and_prompts():
  params = {
    "backbone": {
      "dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones((2, 3))},
      "norm": {"scale": jnp.ones(3)},
      "temp": jnp.ones(()),
    },
    "prompts": {"failure": jnp.ones((2, 3, 4, 5)), "human": jnp.ones((4, 5))},
  }
  mask = optim.decay_mask(params)
  assert mask == {
    "backbone": {
      "dense": {"kernel": True, "bias": False},
      "norm": {"scale": False},
      "temp": False,
    },
    "prompts": {"failure": False, "human": False},
  }


def test_first_update_by_hand():
  # Adam's first step is -sign(g); decay adds -0.5 p; both times the rate.
  optimizer = optim.make_optimizer(**SETTINGS)
  params = {"kernel": jnp.full((1, 2), 3.0), "bias": jnp.full((2,), 3.0)}
  grads = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([4.0, 5.0])}
  state = optimizer.init(params)
  updates, _ = jax.jit(optimizer.update)(grads, state, params)
  np.testing.assert_allclose(updates["kernel"], [[-0.25, -0.05]], rtol=1e-4)
  np.testing.assert_allclose(updates["bias"], [-0.1, -0.1], rtol=1e-4)


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_the_encoder_of_clips_may_be_slower(clip_norm):
  part = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
  params = {
    "backbone": {"stem": {"conv": part}, "temporal": part, "text_0": part},
    "prompts": {"human": jnp.ones((1, 3))},
  }
  grads = jax.tree.map(lambda x: 0.1 * x, params)
  settings = SETTINGS | {"clip_norm": clip_norm}

  def first_update(**changes):
    optimizer = optim.make_optimizer(**settings, **changes)
    update = jax.jit(optimizer.update)
    return update(grads, optimizer.init(params), params)[0]

  plain = first_update()
  for rate in (0.25, 0.0):
    expected = plain | {"backbone": dict(plain["backbone"])}
    for name in ("stem", "temporal"):
      expected["backbone"][name] = jax.tree.map(
        functools.partial(jnp.multiply, rate), plain["backbone"][name]
      )
    jax.tree.map(
      np.testing.assert_array_equal, first_update(vision_rate=rate), expected
    )


def test_muon_makes_the_update_of_a_kernel_orthogonal():
  optimizer = optim.make_optimizer(
    **SETTINGS | {"weight_decay": 0.0}, rule="muon"
  )
  kernel = jnp.zeros((2, 2, 3, 4))  # A convolution: a matrix of 12 x 4.
  params = {"kernel": kernel, "bias": jnp.zeros(4)}
  grads = jax.tree.map(
    lambda p: jax.random.normal(jax.random.key(0), p.shape), params
  )
  updates, _ = jax.jit(optimizer.update)(grads, optimizer.init(params), params)
  sizes = jnp.linalg.svd(updates["kernel"].reshape(12, 4))[1]
  # Newton and Schulz's iteration leaves singular values near one another.
  assert sizes.max() < 2 * sizes.min()
  # The size of AdamW's: 0.2 of the learning rate, root mean square.
  size = jnp.sqrt((updates["kernel"] ** 2).mean())
  np.testing.assert_allclose(size, 0.2 * 0.1, rtol=0.3)
  # Biases are AdamW's, with Nesterov's momentum here: signs of the gradient.
  np.testing.assert_array_equal(
    jnp.sign(updates["bias"]), -jnp.sign(grads["bias"])
  )


@pytest.mark.parametrize("rule", ["adamw", "muon"])
def test_muon_decays_kernels_alone(rule):
  params = {
    "dense": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)},
    "word": {"embedding": jnp.ones((5, 4))},
    "positions": jnp.ones((6, 4)),
  }
  optimizer = optim.make_optimizer(**SETTINGS, rule=rule)
  grads = jax.tree.map(jnp.zeros_like, params)
  updates, _ = jax.jit(optimizer.update)(grads, optimizer.init(params), params)
  decayed = jax.tree.map(lambda x: bool((x < 0).all()), updates)
  rest = rule == "adamw"
  assert decayed == {
    "dense": {"kernel": True, "bias": False},
    "word": {"embedding": rest},
    "positions": rest,
  }


def test_a_toy_problem_is_solved():
  optimizer = optim.make_optimizer(
    **SETTINGS | {"num_steps": 200, "weight_decay": 0.0, "clip_norm": None}
  )
  target = jnp.array([1.0, -2.0])
  x = jnp.zeros(2)
  state = optimizer.init(x)

  def step(_, carry):
    x, state = carry
    updates, state = optimizer.update(2 * (x - target), state, x)
    return optax.apply_updates(x, updates), state

  x, _ = jax.jit(lambda *carry: jax.lax.fori_loop(0, 200, step, carry))(
    x, state
  )
  np.testing.assert_allclose(x, target, atol=0.02)

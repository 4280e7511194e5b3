"""The learner on a tiny model: what it sees, its losses, devices, learning."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r import losses
from a2r.core import images, parallel
from a2r.learners import base, finetune, loop
from a2r.models.singularity import singularity
from tests import tiny

CONFIG = tiny.config(
  fusion_layer=0, max_positions=8, pooling="flat", itm=True, mlm=True
)
MODEL = singularity.Singularity(CONFIG)
PLAIN = singularity.Singularity(dataclasses.replace(CONFIG, mlm=False))
WEIGHTS = dict(itc=1.0, itm=0.5, mlm=0.25)
WORDS = dict(mask_id=4, vocab_size=12)
RNG = jax.random.key(7)


def make_learner(model=MODEL, micro_batch=0, **changes):
  settings = {"weights": WEIGHTS, "flip": "none", "hard_negatives": True}
  return finetune.make_learner(
    model,
    finetune.Settings(**settings | changes),
    init_fn=functools.partial(singularity.init_params, model),
    micro_batch=micro_batch,
    **WORDS,
  )


def make_batch(num_pairs=16, side=12):
  """Clips of one gray level each, and random captions with their mirrors."""
  draw = np.random.default_rng(0)
  levels = draw.integers(0, 256, (num_pairs, 1, 1, 1, 1))
  shape = (num_pairs, 2, side, side, 3)
  batch = {
    "frames": np.broadcast_to(levels, shape).astype(np.uint8),
    "task": draw.integers(0, 5, num_pairs).astype(np.int32),
    "directed": np.arange(num_pairs) % 2 == 0,
  }
  batch["mirrored_task"] = batch["task"] ^ 1
  table = np.concatenate(
    [np.full((6, 1), 2), draw.integers(5, 12, (6, 3))], axis=1
  ).astype(np.int32)
  for prefix in ("", "mirrored_"):
    task = batch[f"{prefix}task"]
    batch[f"{prefix}input_ids"] = table[task]
    batch[f"{prefix}attention_mask"] = np.ones((num_pairs, 4), np.int32)
  return batch


def make_params(learner):
  """Parameters large enough for clips and captions to differ."""
  shapes = jax.eval_shape(learner.init, jax.random.key(0))[0]
  draw = np.random.default_rng(1)
  params = jax.tree.map(
    lambda s: (0.4 * draw.standard_normal(s.shape)).astype(s.dtype), shapes
  )
  params["backbone"]["temp"] = np.float32(0.2)
  return params


@pytest.mark.slow
def test_loss_of_two_pairs_is_the_published_one():
  """Each of two has the other as its only negative."""
  batch = make_batch(2)
  batch["task"] = np.array([0, 1], np.int32)
  learner = make_learner(weights=dict(itc=1.0, itm=0.5, mlm=0.0))
  params = make_params(learner)

  @jax.jit
  def expect(params):
    variables = {
      "params": params["backbone"] | {"mlm_head": params["mlm_head"]}
    }
    frames = images.normalize(batch["frames"][:, :, :8, :8])
    output = MODEL.apply(
      variables, frames, batch["input_ids"], batch["attention_mask"]
    )
    own, other = np.array([0, 1]), np.array([1, 0])
    logits = output.itm_logits
    negative = jnp.concatenate([logits[other, own], logits[own, other]])
    itc = losses.soft_target_contrastive(output.sim, own)
    itm = losses.image_text_matching(
      logits[own, own], negative, np.ones(4, bool)
    )
    return itc, itm

  loss_fn = jax.jit(learner.loss_fn, static_argnums=4)
  loss, metrics = loss_fn(params, {}, batch, RNG, None)
  itc, itm = expect(params)
  np.testing.assert_allclose(metrics["itc_loss"], itc, rtol=1e-5)
  np.testing.assert_allclose(metrics["itm_loss"], itm, rtol=1e-5)
  np.testing.assert_allclose(loss, itc + 0.5 * itm, rtol=1e-5)
  assert "mlm_loss" not in metrics
  # One caption for both: no negative is left, and nothing is NaN.
  batch["task"] = np.zeros(2, np.int32)
  _, metrics = loss_fn(params, {}, batch, RNG, None)
  assert np.isfinite(metrics["itm_loss"])
  np.testing.assert_allclose(metrics["itc_top1"], 1.0)


def on_one_and_eight(function, params, batch):
  """`function(params, batch, axis_name)` on one device, and on eight."""
  one = jax.jit(function, static_argnums=2)(params, batch, None)
  _, eight = parallel.pmap_step(
    lambda params, batch: (params, function(params, batch, parallel.AXIS))
  )(parallel.replicate(params), parallel.shard(batch))
  return one, eight


def test_eight_devices_have_the_loss_of_one():
  """Negatives of both kinds are of the whole batch, and the same ones."""
  learner = make_learner(flip="swap", weights=WEIGHTS | {"mlm": 0.0})

  def loss_fn(params, batch, axis_name):
    return learner.loss_fn(params, {}, batch, RNG, axis_name)

  one, eight = on_one_and_eight(loss_fn, make_params(learner), make_batch())
  assert sorted(one[1]) == [
    "itc_loss",
    "itc_top1",
    "itm_accuracy",
    "itm_loss",
    "temperature",
  ]
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, np.full(8, b), rtol=1e-5),
    eight,
    one,
  )


@pytest.mark.slow
def test_eight_devices_have_the_gradients_of_one():
  learner = make_learner(flip="swap")

  def grad_fn(params, batch, axis_name):
    args = params, {}, batch, RNG, axis_name
    grads, _ = jax.grad(learner.loss_fn, has_aux=True)(*args)
    return parallel.pmean(grads, axis_name)

  one, eight = on_one_and_eight(grad_fn, make_params(learner), make_batch())
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=0, atol=1e-4 * max(np.abs(b).max(), 1e-3)
    ),
    parallel.unreplicate(eight),
    one,
  )
  assert np.abs(one["backbone"]["itm_head"]["kernel"]).max() > 1e-3
  assert np.abs(one["mlm_head"]["bias"]).max() > 1e-3


def draw_views(batch, flip):
  """The batch and 200 draws of what is seen of it."""
  for name, clip in enumerate(batch["frames"]):
    clip[:] = np.arange(clip.shape[2])[:, None] * 5 + name
  rngs = jax.random.split(jax.random.key(0), (200, len(batch["task"])))
  see = functools.partial(finetune.augment_batch, flip=flip, size=8)
  seen = jax.jit(jax.vmap(see, in_axes=(0, None)))(rngs, batch)
  row = np.asarray(seen["frames"])[:, :, 0, 0, :, 0].astype(int)
  return seen, row[..., 0] > row[..., -1]


@pytest.mark.parametrize(
  "flip",
  [
    pytest.param("none", marks=pytest.mark.slow),
    pytest.param("always", marks=pytest.mark.slow),
    "swap",
    "safe",
  ],
)
def test_who_is_mirrored(flip):
  batch = make_batch(4)
  batch["frames"] = batch["frames"].copy()
  batch["mirrored_task"][1] = -1
  seen, mirrored = draw_views(batch, flip)
  share = {"none": [0] * 4, "safe": [0, 0.5] * 2, "always": [0.5] * 4}
  share = share.get(flip, [0.5, 0, 0.5, 0.5])
  np.testing.assert_allclose(mirrored.mean(axis=0), share, atol=0.12)
  for name in ("task", "input_ids", "attention_mask"):
    swapped = flip == "swap"
    mirror = batch[f"mirrored_{name}"] if swapped else batch[name]
    chosen = mirrored.reshape(200, 4, *[1] * (mirror.ndim - 1))
    expected = np.where(chosen, mirror, batch[name])
    np.testing.assert_array_equal(seen[name], expected)


def test_temperature_is_clamped_but_can_come_back():
  value, slope = jax.value_and_grad(finetune._clamped)(0.7)
  assert (float(value), float(slope)) == (0.5, 1.0)
  np.testing.assert_allclose(finetune._clamped(jnp.float32(-1.0)), 1e-3)
  np.testing.assert_allclose(finetune._clamped(jnp.float32(0.07)), 0.07)


def test_head_lies_beside_the_backbone():
  params, extra = jax.eval_shape(make_learner().init, jax.random.key(0))
  assert sorted(params) == ["backbone", "mlm_head"] and extra == {}
  alone = jax.eval_shape(
    lambda rng: singularity.init_params(PLAIN, rng), jax.random.key(0)
  )
  chex.assert_trees_all_equal_structs(params["backbone"], alone)


@pytest.mark.slow
def test_it_learns_which_caption_is_whose():
  """Four gray levels, four captions; micro-batches on the way."""
  learner = make_learner(micro_batch=8, hard_negatives=False)
  batch = make_batch()
  task = np.arange(16, dtype=np.int32) % 4
  batch["task"] = task
  batch["input_ids"] = np.stack([np.full(16, 2), task + 5, task + 6], 1)
  batch["attention_mask"] = np.ones((16, 3), np.int32)
  batch["frames"] = np.broadcast_to(
    (task * 80).astype(np.uint8)[:, None, None, None, None], (16, 2, 12, 12, 3)
  )
  optimizer = optax.adam(3e-3)
  params, extra = learner.init(jax.random.key(0))
  state = base.create_state(params, extra, optimizer)
  step = jax.jit(loop.make_step_fn(learner, optimizer, None))
  for _ in range(300):
    state, metrics = step(state, batch, 0)
  assert metrics["itc_top1"] == 1
  # At best: four clips of a batch have the same caption.
  assert metrics["itc_loss"] < np.log(4) + 0.05
  # Without a look at the clips: the entropy of 1 in 3.
  assert metrics["itm_loss"] < 0.45
  assert metrics["mlm_loss"] < 1.3


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"flip": "both"}, "train.flip 'both'"),
    ({"weights": {"itc": 1.0}}, "loss.weights are of itc, itm, mlm"),
    ({"weights": dict(itc=0, itm=0, mlm=0)}, "loss.weights"),
    ({"weights": dict(itc=1, itm=-1, mlm=0)}, "loss.weights"),
    ({"model": PLAIN}, "loss.weights.mlm=0.25"),
  ],
)
def test_wrong_settings_are_named(changes, message):
  with pytest.raises(ValueError, match=message):
    make_learner(**changes)


def test_schedule_is_a_line_and_a_cosine_that_stay_above_the_floor():
  def rates(steps, **changes):
    given = dict(learning_rate=2.0, warmup_steps=0, num_steps=10, floor=0.1)
    schedule = finetune.make_schedule(**given | changes)
    return [schedule(step) for step in steps]

  # 1 + cos(0.8 pi) is 0.19, half of it below a tenth.
  expected = [2.0, 1.0, 1 + np.cos(0.7 * np.pi), 0.2, 0.2]
  np.testing.assert_allclose(rates([0, 5, 7, 8, 10]), expected, rtol=1e-5)
  warm = rates(range(5), warmup_steps=4, num_steps=14)
  np.testing.assert_allclose(warm, [0.2, 0.5, 1.0, 1.5, 2.0], rtol=1e-6)
  with pytest.raises(ValueError, match="warmup_steps=10 must be below"):
    rates([0], warmup_steps=10)


def test_what_is_decayed():
  params = {
    "temp": np.float32(1),
    "dense": {"kernel": np.zeros((2, 2)), "bias": np.zeros(2)},
    "cls_token": np.zeros((1, 1, 2)),
  }
  assert finetune.decay_mask(params) == {
    "temp": True,
    "dense": {"kernel": True, "bias": False},
    "cls_token": True,
  }


def test_first_update_is_the_learning_rate_and_the_decay():
  optimizer = finetune.make_optimizer(
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
  optimizer = finetune.make_optimizer(
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

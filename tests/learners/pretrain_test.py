import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import parallel
from a2r.learners import pretrain
from a2r.models import singularity
from a2r.sim import humans
from configs import backbones


@pytest.fixture(scope="module")
def tokenizer():
  return pretrain.make_tokenizer(400)


def _model():
  sizes = backbones.smoke().to_dict() | {"image_size": 32}
  return singularity.Singularity(singularity.Config(**sizes))


def test_equal_captions_are_all_positives():
  ids = jnp.array([[1, 2], [1, 2], [1, 3]])
  logits = jnp.array([[2.0, 2.0, -9e3], [2.0, 2.0, -9e3], [-9e3, -9e3, 5.0]])
  # Rows and columns 0 and 1 split their mass over two equal positives.
  loss = pretrain._soft_contrastive(logits, ids)
  np.testing.assert_allclose(loss, 2 / 3 * np.log(2), rtol=1e-6)


def test_every_caption_has_its_own_tokens(tokenizer):
  ids, mask = pretrain._caption_table(tokenizer)
  templates, nouns = len(humans.TEMPLATES), len(humans.NOUNS)
  assert ids.shape == (templates, nouns, nouns, pretrain.MAX_LENGTH)
  assert (mask.sum(-1) < pretrain.MAX_LENGTH).all()  # None was cut.
  cup, faucet = humans.NOUNS.index("cup"), humans.NOUNS.index("faucet")
  text = humans.caption(3, [cup, faucet])
  np.testing.assert_array_equal(
    ids[3, cup, faucet], tokenizer([text], pretrain.MAX_LENGTH)[0][0]
  )


def test_opposites_point_at_each_other():
  opposite = pretrain._opposites()
  paired = np.flatnonzero(opposite >= 0)
  assert len(paired) == 2 * len(humans.OPPOSITES)
  np.testing.assert_array_equal(opposite[opposite[paired]], paired)


@pytest.mark.slow
def test_clips_and_loss_are_the_same_on_one_and_on_eight_devices(tokenizer):
  learner = pretrain.make_learner(_model(), tokenizer, caption_weight=0.5)
  params, extra = jax.jit(learner.init)(jax.random.key(0))

  def loss(params, batch):
    return learner.loss_fn(
      params, extra, batch, jax.random.key(1), parallel.AXIS
    )[0]

  clip = {"clip": np.arange(8, dtype=np.int32)}
  losses = []
  for num in (1, 8):
    step = jax.pmap(loss, axis_name=parallel.AXIS)
    value = step(parallel.replicate(params, num), parallel.shard(clip, num))
    losses.append(float(np.asarray(value)[0]))
  np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.slow
def test_a_few_steps_lower_the_loss(tokenizer):
  learner = pretrain.make_learner(_model(), tokenizer, caption_weight=0.5)
  params, extra = jax.jit(learner.init)(jax.random.key(0))
  batch = {"clip": jnp.arange(8)}

  @jax.jit
  def step(params):
    (loss, _), grads = jax.value_and_grad(learner.loss_fn, has_aux=True)(
      params, extra, batch, jax.random.key(1), None
    )
    return jax.tree.map(lambda p, g: p - 0.03 * g, params, grads), loss

  losses = []
  for _ in range(12):
    params, loss = step(params)
    losses.append(float(loss))
  assert losses[-1] < losses[0]

"""Each loss on eight devices, negatives gathered, equals it on one."""

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import parallel

WEIGHTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def _features(weights, x):
  y = x @ weights
  return y / jnp.linalg.norm(y, axis=-1, keepdims=True)


def _cdc(weights, batch, axis_name):
  video = _features(weights, batch["video"])
  video, task = parallel.all_gather((video, batch["task"]), axis_name)
  return losses.cross_domain_contrastive(
    video[::2], video[1::2], task[::2], task[1::2], temperature=0.1
  )


def _vlc(weights, batch, axis_name):
  video = _features(weights, batch["video"])
  texts = _features(weights, batch["text"])
  failure = _features(weights, batch["failure_text"])
  video, texts, failure, task = parallel.all_gather(
    (video, texts, failure, batch["task"]), axis_name
  )
  return losses.video_language_contrastive(
    video, texts, temperature=0.1, failure_text=failure, has_failure=task < 2
  )


def _fvlc(weights, batch, axis_name):
  features = [
    _features(weights, batch[name])
    for name in ("video", "text", "failure_text")
  ]
  video, text, failure, task = parallel.all_gather(
    (*features, batch["task"]), axis_name
  )
  return losses.failure_video_language_contrastive(
    video, text, failure, task % 2, temperature=0.1
  )


def _bce(weights, batch, axis_name):
  features = [_features(weights, batch[name]) for name in ("video", "text")]
  video, text, task = parallel.all_gather((*features, batch["task"]), axis_name)
  return losses.binary_cross_entropy(video, text, task == 0)


def _losses(weights, batch, axis_name):
  terms = [f(weights, batch, axis_name) for f in (_cdc, _vlc, _fvlc, _bce)]
  return jnp.stack(terms)


def test_eight_devices_equal_one():
  draw = np.random.default_rng(1)
  batch = {
    "video": draw.normal(size=(16, 6)).astype(np.float32),
    "text": draw.normal(size=(16, 6)).astype(np.float32),
    "failure_text": draw.normal(size=(16, 3, 6)).astype(np.float32),
    "task": draw.integers(0, 3, 16),
  }

  def step(weights, batch):
    grads = jax.jacrev(_losses)(weights, batch, parallel.AXIS)
    values = _losses(weights, batch, parallel.AXIS)
    return weights, (values, parallel.pmean(grads, parallel.AXIS))

  one = jax.jit(
    lambda *args: (_losses(*args, None), jax.jacrev(_losses)(*args, None))
  )(WEIGHTS, batch)
  _, eight = parallel.pmap_step(step)(
    parallel.replicate(WEIGHTS), parallel.shard(batch)
  )
  np.testing.assert_allclose(eight[0], np.tile(one[0], (8, 1)), rtol=1e-5)
  np.testing.assert_allclose(
    parallel.unreplicate(eight[1]), one[1], rtol=1e-4, atol=1e-5
  )

"""The failure prompts' loss against small sums done by hand."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

TAU = 0.5
VIDEO = jnp.array([[1.0, 0.0], [0.0, 1.0]])
TEXT = jnp.array([[0.6, 0.8], [0.8, 0.6]])
FAILURE = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [0.6, -0.8]]])

jitted = jax.jit(losses.failure_video_language_contrastive)


def fvlc(video, text, failure, cluster, tau=TAU):
  return jitted(video, text, failure, jnp.asarray(cluster), temperature=tau)


def test_by_hand():
  # Cosines with the text and the two failure texts: .6, 1, 0 and .6, .8, -.8.
  e = [math.exp(c / TAU) for c in (0.6, 1.0, 0.0, 0.8, -0.8)]
  first = -math.log(e[1] / (e[0] + e[1] + e[2]))
  second = -math.log(e[4] / (e[0] + e[3] + e[4]))
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1])
  np.testing.assert_allclose(value, first + second, rtol=1e-6)


def test_perfect_match_is_zero():
  text = -VIDEO
  failure = jnp.stack([VIDEO, -VIDEO], axis=1)
  np.testing.assert_allclose(
    fvlc(VIDEO, text, failure, [0, 0], 0.05), 0.0, atol=1e-6
  )


def test_all_equal_is_log_of_the_texts():
  video = jnp.tile(jnp.array([[1.0, 0.0]]), (4, 1))
  failure = jnp.tile(video[:, None], (1, 3, 1))
  np.testing.assert_allclose(
    fvlc(video, video, failure, [0, 1, 2, 0]), 4 * math.log(4), rtol=1e-6
  )


def test_one_clip_without_prompts_and_no_clip():
  no_clip = fvlc(VIDEO[:0], TEXT[:0], FAILURE[:0], jnp.zeros(0, jnp.int32))
  np.testing.assert_allclose(no_clip, 0.0)
  one_prompt = fvlc(VIDEO[:1], TEXT[:1], FAILURE[:1, :1], [0])
  expected = -math.log(1 / (1 + math.exp((0.6 - 1.0) / TAU)))
  np.testing.assert_allclose(one_prompt, expected, rtol=1e-6)


def test_a_clip_without_a_cluster_adds_nothing():
  value, grad = jax.value_and_grad(fvlc)(VIDEO, TEXT, FAILURE, [0, -1])
  np.testing.assert_allclose(
    value, fvlc(VIDEO[:1], TEXT[:1], FAILURE[:1], [0]), rtol=1e-6
  )
  np.testing.assert_array_equal(grad[1], 0.0)


def test_order_of_clips_and_prompts_does_not_matter():
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1])
  clips = fvlc(VIDEO[::-1], TEXT[::-1], FAILURE[::-1], [1, 0])
  prompts = fvlc(VIDEO, TEXT, FAILURE[:, ::-1], [1, 0])
  np.testing.assert_allclose([clips, prompts], value, rtol=1e-6)


def test_high_temperature_is_log_of_the_texts():
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1], 1e5)
  np.testing.assert_allclose(value, 2 * math.log(3), rtol=1e-4)


def test_gradient_finite_and_same_under_jit():
  def loss(*args):
    return losses.failure_video_language_contrastive(
      *args, jnp.array([0, 1]), temperature=0.01
    )

  grad_fn = jax.value_and_grad(loss, argnums=(0, 1, 2))
  out = grad_fn(VIDEO, TEXT, FAILURE)
  chex.assert_tree_all_finite(out)
  chex.assert_trees_all_close(
    jax.jit(grad_fn)(VIDEO, TEXT, FAILURE), out, rtol=1e-5
  )


def test_shapes_are_checked():
  with pytest.raises(AssertionError):
    fvlc(VIDEO, TEXT[:1], FAILURE, [0, 1])
  with pytest.raises(AssertionError):
    fvlc(VIDEO, TEXT, FAILURE, [0])

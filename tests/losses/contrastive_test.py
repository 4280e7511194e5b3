"""Contrastive losses against small sums done by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses
from a2r.losses import contrastive

TAU = 0.5
E1, E2 = math.exp(1 / TAU), math.exp(0 / TAU)  # Cosine 1 and 0.

VIDEO = np.float32([[1.0, 0.0], [0.0, 1.0]])
TEXT = np.float32([[0.6, 0.8], [0.8, 0.6]])
FAILURE = np.float32([[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [0.6, -0.8]]])

X, Y = np.float32([1.0, 0.0]), np.float32([0.0, 1.0])
NEAR = np.float32([0.6, 0.8])
ANCHOR = np.stack([X, X, X])
# Cosines with the anchor: 1, .6, 0 and 0, .6, .6.
POSITIVE, NEGATIVE = np.stack([X, NEAR, Y]), np.stack([Y, NEAR, NEAR])


def jitted(loss_fn, **options):
  """Compiled by shape, not by operation; `TAU` unless another is given."""
  compiled = jax.jit(loss_fn, **options)

  def call(*args, tau=TAU, **kwargs):
    return compiled(*map(jnp.asarray, args), temperature=tau, **kwargs)

  return call


cdc = jitted(losses.cross_domain_contrastive, static_argnames="exclude_self")
vlc = jitted(losses.video_language_contrastive)
fvlc = jitted(losses.failure_video_language_contrastive)
soft = jax.jit(losses.soft_target_contrastive)
triplet = jax.jit(losses.triplet_margin, static_argnames="margin")


def unit(seed, *shape):
  x = np.random.default_rng(seed).normal(size=shape)
  return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def test_cross_domain_by_hand():
  # Robot x of task 0; human x of task 0 and y of task 1.
  args = [[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [0], [0, 1]
  total = E1 + E1 + E2  # Denominator of either x: itself, the other, y.
  anchor_x = -(math.log(E1 / total) + math.log(E1 / total)) / 2
  anchor_y = -math.log(E1 / (E1 + 2 * E2))  # Alone: only itself is positive.
  np.testing.assert_allclose(cdc(*args), 2 * anchor_x + anchor_y, rtol=1e-6)
  anchor_x = -math.log(E1 / (E1 + E2))  # Only the other x is positive.
  value = cdc(*args, exclude_self=True)
  np.testing.assert_allclose(value, 2 * anchor_x, rtol=1e-6)


def test_cross_domain_positives_are_averaged_and_anchors_summed():
  # One task, cosines 0.6 (robot-human), all others 1: two positives each.
  robot, human = [[1.0, 0.0]], [[0.6, 0.8]]
  same, other = math.exp(1 / TAU), math.exp(0.6 / TAU)
  anchor = -(math.log(same / (same + other)) + math.log(other / (same + other)))
  np.testing.assert_allclose(
    cdc(robot, human, [3], [3]), 2 * anchor / 2, rtol=1e-6
  )


def test_cross_domain_limits():
  # All equal, or told apart by nothing: the logarithm of the batch.
  same = np.tile([[0.6, 0.8]], (3, 1))
  value = cdc(same, same, [0, 1, 2], [0, 0, 2])
  np.testing.assert_allclose(value, 6 * math.log(6), rtol=1e-6)
  value = cdc(unit(0, 2, 5), unit(1, 2, 5), [0, 1], [0, 1], tau=1e5)
  np.testing.assert_allclose(value, 4 * math.log(4), rtol=1e-4)
  # Two tasks far apart, three clips each: each anchor has two positives.
  robot = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
  human = np.array([[1, 0], [-1, 0]], np.float32)
  args = robot, human, [0, 1, 0, 1], [0, 1]
  value = cdc(*args, tau=0.05, exclude_self=True)
  np.testing.assert_allclose(value, 6 * math.log(2), rtol=1e-5)
  # A single clip.
  args = [[1.0, 0.0]], np.zeros((0, 2)), [0], np.zeros(0, np.int32)
  for exclude_self in (False, True):
    value = cdc(*args, exclude_self=exclude_self)
    np.testing.assert_allclose(value, 0.0, atol=1e-6)


def test_cross_domain_order_and_numbering_do_not_matter():
  robot, human = unit(0, 4, 5), unit(1, 4, 5)
  robot_task, human_task = np.array([0, 1, 2, 0]), np.array([1, 1, 0, 3])
  order = np.array([2, 0, 3, 1])
  names = np.array([7, 3, 9, 1])
  value = cdc(robot, human, robot_task, human_task)
  again = cdc(robot[order], human, names[robot_task[order]], names[human_task])
  swapped = cdc(human, robot, human_task, robot_task)
  np.testing.assert_allclose(value, again, rtol=1e-5)
  np.testing.assert_allclose(value, swapped, rtol=1e-5)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_cross_domain_gradient(check_gradient, exclude_self):
  # Task 5 is alone: without itself it has no positive at all.
  tasks = np.array([0, 5]), np.array([0, 1])

  def loss_fn(robot, human, tasks=tasks):
    return losses.cross_domain_contrastive(
      robot, human, *tasks, temperature=0.01, exclude_self=exclude_self
    )

  check_gradient(loss_fn, unit(0, 2, 5), unit(1, 2, 5))
  alone = np.array([4]), np.zeros(0, int)
  grad = jax.jit(jax.grad(loss_fn))(unit(0, 1, 5), np.zeros((0, 5)), alone)
  np.testing.assert_allclose(grad, 0.0, atol=1e-6)


def test_cross_domain_half_precision_features_give_a_float32_loss():
  half = jnp.asarray(unit(0, 2, 4), jnp.bfloat16)
  tasks = jnp.array([0, 1])
  value = losses.cross_domain_contrastive(
    half, half, tasks, tasks, temperature=TAU
  )
  assert value.dtype == jnp.float32


def test_video_language_by_hand():
  # Pair 0 agrees (cosine 1), pair 1 does not (cosine 0).
  video = [[1.0, 0.0], [0.0, 1.0]]
  text = [[1.0, 0.0], [1.0, 0.0]]
  to_text = -math.log(E1 / (E1 + E1)) - math.log(E2 / (E2 + E2))
  to_video = -math.log(E1 / (E1 + E2)) - math.log(E2 / (E1 + E2))
  np.testing.assert_allclose(vlc(video, text), to_text + to_video, rtol=1e-6)


def test_video_language_by_hand_with_failure_texts():
  # Only pair 0 has failure texts, and only video to text sees them.
  video = text = [[1.0, 0.0], [0.0, 1.0]]
  failure = [[[0.6, 0.8], [0.0, 1.0]]] * 2
  to_text = -math.log(E1 / (E1 + E2 + math.exp(0.6 / TAU) + E2))
  to_text -= math.log(E1 / (E1 + E2))
  to_video = -2 * math.log(E1 / (E1 + E2))
  value = vlc(
    video,
    text,
    failure_text=jnp.array(failure),
    has_failure=jnp.array([True, False]),
  )
  np.testing.assert_allclose(value, to_text + to_video, rtol=1e-6)


def test_video_language_limits():
  eye, same = np.eye(4), np.tile([[0.6, 0.8]], (4, 1))
  np.testing.assert_allclose(vlc(eye, eye, tau=0.02), 0.0, atol=1e-6)
  np.testing.assert_allclose(vlc(unit(0, 1, 3), unit(1, 1, 3)), 0, atol=1e-6)
  np.testing.assert_allclose(vlc(same, same), 8 * math.log(4), rtol=1e-6)
  failure = np.tile(np.float32([[[0.6, 0.8]]]), (4, 3, 1))
  value = vlc(same, same, failure_text=failure)
  expected = 4 * math.log(4 + 3) + 4 * math.log(4)
  np.testing.assert_allclose(value, expected, rtol=1e-6)
  # A text nearer its clip costs less, the more so the lower the temperature.
  video = unit(0, 4, 5)
  near = unit(7, 4, 5) * 0.1 + video
  values = [vlc(video, near, tau=tau) for tau in (1.0, 0.3, 0.1)]
  assert values[0] > values[1] > values[2]


def test_video_language_no_failure_texts_three_ways():
  video, text = unit(0, 3, 4), unit(1, 3, 4)
  plain = vlc(video, text)
  none = vlc(video, text, failure_text=jnp.zeros((3, 0, 4)))
  masked = vlc(
    video,
    text,
    failure_text=unit(2, 3, 2, 4),
    has_failure=jnp.zeros(3, bool),
  )
  np.testing.assert_allclose([none, masked], plain, rtol=1e-6)


def test_video_language_mask_without_failure_texts_is_an_error():
  with pytest.raises(ValueError, match="failure_text"):
    vlc(np.eye(2), np.eye(2), has_failure=jnp.ones(2))


def test_video_language_order_does_not_matter_and_directions_are_symmetric():
  video, text = unit(0, 4, 5), unit(1, 4, 5)
  order = np.array([3, 1, 0, 2])
  value = vlc(video, text)
  np.testing.assert_allclose(vlc(video[order], text[order]), value, rtol=1e-5)
  np.testing.assert_allclose(vlc(text, video), value, rtol=1e-5)


def test_video_language_gradient(check_gradient):
  def loss_fn(video, text, failure):
    mask = jnp.array([True, False, True])
    return losses.video_language_contrastive(
      video, text, temperature=0.01, failure_text=failure, has_failure=mask
    )

  args = unit(0, 3, 4), unit(1, 3, 4), unit(2, 3, 2, 4)
  _, grads = check_gradient(loss_fn, *args)
  np.testing.assert_array_equal(grads[2][1], 0.0)  # The masked pair's.


def test_failure_by_hand():
  # Cosines with the text and the two failure texts: .6, 1, 0 and .6, .8, -.8.
  e = [math.exp(c / TAU) for c in (0.6, 1.0, 0.0, 0.8, -0.8)]
  first = -math.log(e[1] / (e[0] + e[1] + e[2]))
  second = -math.log(e[4] / (e[0] + e[3] + e[4]))
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1])
  np.testing.assert_allclose(value, first + second, rtol=1e-6)


def test_failure_limits():
  failure = np.stack([VIDEO, -VIDEO], axis=1)
  perfect = fvlc(VIDEO, -VIDEO, failure, [0, 0], tau=0.05)
  np.testing.assert_allclose(perfect, 0.0, atol=1e-6)
  same = np.tile(np.float32([[1, 0]]), (4, 1))
  failure = np.tile(same[:, None], (1, 3, 1))
  equal = fvlc(same, same, failure, [0, 1, 2, 0])
  np.testing.assert_allclose(equal, 4 * math.log(4), rtol=1e-6)
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1], tau=1e5)
  np.testing.assert_allclose(value, 2 * math.log(3), rtol=1e-4)
  no_clip = fvlc(VIDEO[:0], TEXT[:0], FAILURE[:0], np.zeros(0, np.int32))
  np.testing.assert_allclose(no_clip, 0.0)
  one_prompt = fvlc(VIDEO[:1], TEXT[:1], FAILURE[:1, :1], [0])
  expected = -math.log(1 / (1 + math.exp((0.6 - 1.0) / TAU)))
  np.testing.assert_allclose(one_prompt, expected, rtol=1e-6)


def test_failure_a_clip_without_a_cluster_adds_nothing():
  value, grad = jax.jit(jax.value_and_grad(fvlc))(
    VIDEO, TEXT, FAILURE, np.array([0, -1])
  )
  np.testing.assert_allclose(
    value, fvlc(VIDEO[:1], TEXT[:1], FAILURE[:1], [0]), rtol=1e-6
  )
  np.testing.assert_array_equal(grad[1], 0.0)


def test_failure_order_of_clips_and_prompts_does_not_matter():
  value = fvlc(VIDEO, TEXT, FAILURE, [0, 1])
  clips = fvlc(VIDEO[::-1], TEXT[::-1], FAILURE[::-1], [1, 0])
  prompts = fvlc(VIDEO, TEXT, FAILURE[:, ::-1], [1, 0])
  np.testing.assert_allclose([clips, prompts], value, rtol=1e-6)


def test_failure_gradient(check_gradient):
  def loss_fn(*args):
    return losses.failure_video_language_contrastive(
      *args, jnp.array([0, 1]), temperature=0.01
    )

  check_gradient(loss_fn, VIDEO, TEXT, FAILURE)


def test_soft_targets_are_shared_by_equal_captions():
  actual = contrastive.soft_targets(np.array([4, 7, 4]))
  expected = [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]]
  np.testing.assert_allclose(actual, expected)
  several = np.array([[4, 1], [4, 2], [4, 1]])
  np.testing.assert_allclose(contrastive.soft_targets(several), expected)


def test_soft_value_by_hand():
  # Rows: softmax(0, log 3) = (1/4, 3/4) and (1/2, 1/2); columns: of (0, 0) and
  # of (log 3, 0).
  sim = np.array([[0.0, np.log(3.0)], [0.0, 0.0]])
  rows = (np.log(4) + np.log(2)) / 2
  columns = (np.log(2) + np.log(4)) / 2
  loss = soft(sim, np.array([0, 1]))
  np.testing.assert_allclose(loss, (rows + columns) / 2, rtol=1e-6)
  # One caption for both: each row's cross-entropy to (1/2, 1/2).
  rows = ((np.log(4) + np.log(4 / 3)) / 2 + np.log(2)) / 2
  loss = soft(sim, np.array([5, 5]))
  np.testing.assert_allclose(loss, rows, rtol=1e-6)


def test_soft_equal_captions_do_not_repel():
  def loss_fn(sim):
    return losses.soft_target_contrastive(sim, np.array([0, 0, 1]))

  sim = 4 * np.eye(3, dtype=np.float32)
  sim[0, 1] = sim[1, 0] = 4
  gradient = np.asarray(jax.jit(jax.grad(loss_fn))(sim))
  np.testing.assert_allclose(gradient[:2, :2], gradient[0, 0], rtol=1e-4)
  assert (gradient[:2, 2] > 0).all() and gradient[0, 0] < 0


def test_soft_order_of_pairs_does_not_matter():
  sim = np.random.default_rng(0).normal(size=(5, 5)) * 10
  index = np.array([0, 1, 1, 2, 0])
  order = np.array([3, 0, 4, 1, 2])
  loss = soft(sim, index)
  same = soft(sim[order][:, order], index[order])
  np.testing.assert_allclose(loss, same, rtol=1e-6)


def test_triplet_by_hand():
  # max(0, .2 - 1 + 0), max(0, .2 - .6 + .6), max(0, .2 - 0 + .6).
  for mask, expected in (
    (None, (0 + 0.2 + 0.8) / 3),
    (np.array([1, 1, 0]), 0.1),
    (np.zeros(3), 0.0),
  ):
    value = triplet(ANCHOR, POSITIVE, NEGATIVE, margin=0.2, mask=mask)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_triplet_limits_and_order():
  far = triplet(ANCHOR, ANCHOR, -ANCHOR, margin=0.2)
  assert far == 0
  wrong = triplet(ANCHOR, -ANCHOR, ANCHOR, margin=0.2)
  np.testing.assert_allclose(wrong, 2.2, rtol=1e-6)
  order = np.array([2, 0, 1])
  value = triplet(ANCHOR, POSITIVE, NEGATIVE, margin=0.2)
  again = triplet(ANCHOR, POSITIVE[order], NEGATIVE[order], margin=0.2)
  np.testing.assert_allclose(again, value, rtol=1e-6)


def test_triplet_gradient_by_hand(check_gradient):
  def loss_fn(*args):
    return losses.triplet_margin(*args, margin=0.2)

  _, grads = check_gradient(loss_fn, ANCHOR, POSITIVE, NEGATIVE)
  active = np.array([[0.0], [1.0], [1.0]]) / 3
  np.testing.assert_allclose(grads[1], -active * ANCHOR, atol=1e-6)
  np.testing.assert_allclose(grads[2], active * ANCHOR, atol=1e-6)
  check_gradient(loss_fn, ANCHOR, ANCHOR, ANCHOR)

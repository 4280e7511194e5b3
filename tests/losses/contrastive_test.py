"""Contrastive losses against small sums done by hand."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses

TAU = 0.5
E1, E2 = math.exp(1 / TAU), math.exp(0 / TAU)  # Cosine 1 and 0.

# One compilation per shape, rather than one per operation and shape.
jitted_cdc = jax.jit(
  losses.cross_domain_contrastive, static_argnames="exclude_self"
)
jitted_vlc = jax.jit(losses.video_language_contrastive)


def unit(seed, *shape):
  x = np.random.default_rng(seed).normal(size=shape)
  return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def cdc(robot, human, robot_task, human_task, tau=TAU, **kwargs):
  return jitted_cdc(
    jnp.asarray(robot, jnp.float32),
    jnp.asarray(human, jnp.float32),
    jnp.asarray(robot_task),
    jnp.asarray(human_task),
    temperature=tau,
    **kwargs,
  )


def vlc(video, text, tau=TAU, **kwargs):
  return jitted_vlc(
    jnp.asarray(video, jnp.float32),
    jnp.asarray(text, jnp.float32),
    temperature=tau,
    **kwargs,
  )


class TestCrossDomain:
  def test_by_hand(self):
    # Robot x of task 0; human x of task 0 and y of task 1.
    x, y = [1.0, 0.0], [0.0, 1.0]
    total = E1 + E1 + E2  # Denominator of either x: itself, the other, y.
    anchor_x = -(math.log(E1 / total) + math.log(E1 / total)) / 2
    anchor_y = -math.log(E1 / (E1 + 2 * E2))  # Alone: only itself is positive.
    np.testing.assert_allclose(
      cdc([x], [x, y], [0], [0, 1]), 2 * anchor_x + anchor_y, rtol=1e-6
    )

  def test_by_hand_without_self(self):
    x, y = [1.0, 0.0], [0.0, 1.0]
    anchor_x = -math.log(E1 / (E1 + E2))  # Only the other x is positive.
    np.testing.assert_allclose(
      cdc([x], [x, y], [0], [0, 1], exclude_self=True), 2 * anchor_x, rtol=1e-6
    )

  def test_positives_are_averaged_and_anchors_summed(self):
    # One task, cosines 0.6 (robot-human), all others 1: two positives each.
    robot, human = [[1.0, 0.0]], [[0.6, 0.8]]
    same, other = math.exp(1 / TAU), math.exp(0.6 / TAU)
    anchor = -(
      math.log(same / (same + other)) + math.log(other / (same + other))
    )
    np.testing.assert_allclose(
      cdc(robot, human, [3], [3]), 2 * anchor / 2, rtol=1e-6
    )

  def test_all_equal_is_log_of_the_batch(self):
    same = np.tile([[0.6, 0.8]], (3, 1))
    value = cdc(same, same, [0, 1, 2], [0, 0, 2])
    np.testing.assert_allclose(value, 6 * math.log(6), rtol=1e-6)

  def test_perfect_match_without_self_is_log_of_positives(self):
    # Two tasks far apart, three clips each: each anchor has two positives.
    robot = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
    human = np.array([[1, 0], [-1, 0]], np.float32)
    value = cdc(robot, human, [0, 1, 0, 1], [0, 1], 0.05, exclude_self=True)
    np.testing.assert_allclose(value, 6 * math.log(2), rtol=1e-5)

  def test_one_clip_is_zero(self):
    empty, tasks = np.zeros((0, 2)), np.zeros((0,), np.int32)
    for exclude_self in (False, True):
      value = cdc([[1.0, 0.0]], empty, [0], tasks, exclude_self=exclude_self)
      np.testing.assert_allclose(value, 0.0, atol=1e-6)

  def test_order_and_numbering_do_not_matter(self):
    robot, human = unit(0, 4, 5), unit(1, 4, 5)
    robot_task, human_task = np.array([0, 1, 2, 0]), np.array([1, 1, 0, 3])
    order = np.array([2, 0, 3, 1])
    names = np.array([7, 3, 9, 1])
    value = cdc(robot, human, robot_task, human_task)
    again = cdc(
      robot[order], human, names[robot_task[order]], names[human_task]
    )
    swapped = cdc(human, robot, human_task, robot_task)
    np.testing.assert_allclose(value, again, rtol=1e-5)
    np.testing.assert_allclose(value, swapped, rtol=1e-5)

  def test_high_temperature_is_log_of_the_batch(self):
    value = cdc(unit(0, 2, 5), unit(1, 2, 5), [0, 1], [0, 1], 1e5)
    np.testing.assert_allclose(value, 4 * math.log(4), rtol=1e-4)

  @pytest.mark.parametrize("exclude_self", [False, True])
  def test_gradient_finite_and_same_under_jit(self, exclude_self):
    # Task 5 is alone: without itself it has no positive at all.
    robot, human = unit(0, 2, 5), unit(1, 2, 5)

    robot_task, human_task = jnp.array([0, 5]), jnp.array([0, 1])

    def loss(robot):
      return losses.cross_domain_contrastive(
        robot,
        human,
        robot_task,
        human_task,
        temperature=0.01,
        exclude_self=exclude_self,
      )

    value, grad = jax.value_and_grad(loss)(robot)
    chex.assert_tree_all_finite(grad)
    chex.assert_trees_all_close(
      jax.jit(jax.value_and_grad(loss))(robot), (value, grad), rtol=1e-4
    )

  def test_a_clip_alone_has_no_gradient_without_positives(self):
    def loss(robot):
      return cdc(robot, np.zeros((0, 2)), [4], np.zeros(0), exclude_self=True)

    grad = jax.grad(loss)(jnp.array([[1.0, 0.0]]))
    np.testing.assert_array_equal(grad, 0.0)

  def test_half_precision_features_give_a_float32_loss(self):
    half = jnp.asarray(unit(0, 2, 4), jnp.bfloat16)
    tasks = jnp.array([0, 1])
    value = losses.cross_domain_contrastive(
      half, half, tasks, tasks, temperature=TAU
    )
    assert value.dtype == jnp.float32

  def test_shapes_are_checked(self):
    with pytest.raises(AssertionError):
      cdc(unit(0, 2, 5), unit(0, 2, 4), [0, 1], [0, 1])
    with pytest.raises(AssertionError):
      cdc(unit(0, 2, 5), unit(0, 2, 5), [0, 1, 2], [0, 1])


class TestVideoLanguage:
  def test_by_hand(self):
    # Pair 0 agrees (cosine 1), pair 1 does not (cosine 0).
    video = [[1.0, 0.0], [0.0, 1.0]]
    text = [[1.0, 0.0], [1.0, 0.0]]
    to_text = -math.log(E1 / (E1 + E1)) - math.log(E2 / (E2 + E2))
    to_video = -math.log(E1 / (E1 + E2)) - math.log(E2 / (E1 + E2))
    np.testing.assert_allclose(vlc(video, text), to_text + to_video, rtol=1e-6)

  def test_by_hand_with_failure_texts(self):
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

  def test_perfect_match_is_zero(self):
    eye = np.eye(4)
    np.testing.assert_allclose(vlc(eye, eye, 0.02), 0.0, atol=1e-6)

  def test_one_pair_is_zero(self):
    np.testing.assert_allclose(vlc(unit(0, 1, 3), unit(1, 1, 3)), 0, atol=1e-6)

  def test_all_equal_is_log_of_the_batch(self):
    same = np.tile([[0.6, 0.8]], (5, 1))
    np.testing.assert_allclose(vlc(same, same), 10 * math.log(5), rtol=1e-6)

  def test_all_equal_with_failures_is_log_of_batch_and_failures(self):
    same = np.tile([[0.6, 0.8]], (4, 1))
    failure = jnp.tile(jnp.array([[[0.6, 0.8]]]), (4, 3, 1))
    np.testing.assert_allclose(
      vlc(same, same, failure_text=failure),
      4 * math.log(4 + 3) + 4 * math.log(4),
      rtol=1e-6,
    )

  def test_no_failure_texts_three_ways(self):
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

  def test_mask_without_failure_texts_is_an_error(self):
    with pytest.raises(ValueError, match="failure_text"):
      vlc(np.eye(2), np.eye(2), has_failure=jnp.ones(2))

  def test_order_does_not_matter_and_directions_are_symmetric(self):
    video, text = unit(0, 4, 5), unit(1, 4, 5)
    order = np.array([3, 1, 0, 2])
    value = vlc(video, text)
    np.testing.assert_allclose(vlc(video[order], text[order]), value, rtol=1e-5)
    np.testing.assert_allclose(vlc(text, video), value, rtol=1e-5)

  def test_lower_temperature_rewards_a_right_ranking(self):
    video = unit(0, 4, 5)
    text = unit(7, 4, 5) * 0.1 + video
    values = [vlc(video, text, tau) for tau in (1.0, 0.3, 0.1)]
    assert values[0] > values[1] > values[2]

  def test_gradient_finite_and_same_under_jit(self):
    video, text, failure = unit(0, 3, 4), unit(1, 3, 4), unit(2, 3, 2, 4)

    def loss(video, text, failure):
      mask = jnp.array([True, False, True])
      return losses.video_language_contrastive(
        video, text, temperature=0.01, failure_text=failure, has_failure=mask
      )

    grad_fn = jax.value_and_grad(loss, argnums=(0, 1, 2))
    out = grad_fn(video, text, failure)
    chex.assert_tree_all_finite(out)
    np.testing.assert_array_equal(out[1][2][1], 0.0)  # The masked pair's.
    chex.assert_trees_all_close(
      jax.jit(grad_fn)(video, text, failure), out, rtol=1e-4, atol=1e-5
    )

  def test_shapes_are_checked(self):
    with pytest.raises(AssertionError):
      vlc(unit(0, 3, 4), unit(0, 2, 4))
    with pytest.raises(AssertionError):
      vlc(unit(0, 3, 4), unit(0, 3, 4), failure_text=jnp.zeros((2, 3, 4)))

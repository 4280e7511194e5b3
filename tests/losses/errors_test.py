"""What does not fit is an error, of every loss."""

import jax.numpy as jnp
import pytest

from a2r import losses
from a2r.losses import video_prediction

TWO, THREE = jnp.eye(2, 4), jnp.eye(3, 4)
WIDE = jnp.eye(3, 5)
TAU, FVLC = {"temperature": 1}, losses.failure_video_language_contrastive
TASKS = jnp.arange(3)
FAILURE = jnp.zeros((3, 2, 4))
VIDEO, LATENT = jnp.zeros((2, 3, 4, 4, 3)), jnp.zeros((2, 3, 5))


@pytest.mark.parametrize(
  "loss_fn, arguments, settings",
  [
    (losses.binary_cross_entropy, (THREE, TWO, TASKS), {}),
    (losses.binary_cross_entropy, (THREE, THREE, TASKS[:2]), {}),
    (losses.softmax_cross_entropy, (THREE, TASKS[:2]), {}),
    (losses.class_log_odds, (jnp.zeros((2, 1)),), {}),
    (losses.same_task_discrimination, (THREE[:, :2], TWO[:, :2]), {}),
    (losses.same_task_discrimination, (THREE, THREE), {}),
    (losses.cross_domain_contrastive, (THREE, WIDE, TASKS, TASKS), TAU),
    (losses.cross_domain_contrastive, (THREE, TWO, TASKS, TASKS), TAU),
    (losses.video_language_contrastive, (THREE, TWO), TAU),
    (
      losses.video_language_contrastive,
      (THREE, THREE),
      TAU | {"failure_text": FAILURE[:2]},
    ),
    (FVLC, (THREE, TWO, FAILURE, TASKS), TAU),
    (FVLC, (THREE, THREE, FAILURE, TASKS[:2]), TAU),
    (losses.soft_target_contrastive, (TWO, TASKS[:2]), {}),
    (losses.triplet_margin, (THREE, TWO, THREE), {"margin": 0.1}),
    (losses.value_implicit, (THREE, THREE, THREE, TWO), {}),
    (losses.language_image_contrastive, (THREE, TWO), {}),
    (losses.image_text_matching, (THREE, TWO[:, :2], TASKS[:2]), {}),
    (
      video_prediction.video_prediction,
      (VIDEO[:, :2], VIDEO, (LATENT, LATENT), (LATENT, LATENT)),
      {"beta": 1.0},
    ),
  ],
)
def test_shapes_are_checked(loss_fn, arguments, settings):
  with pytest.raises(AssertionError):
    loss_fn(*arguments, **settings)


@pytest.mark.parametrize(
  "loss_fn, num, settings",
  [
    (losses.triplet_margin, 3, {"margin": -0.1}),
    (losses.value_implicit, 4, {"gamma": 1.0}),
  ],
)
def test_settings_are_checked(loss_fn, num, settings):
  with pytest.raises(ValueError, match=next(iter(settings))):
    loss_fn(*[TWO] * num, **settings)

"""The loss of video prediction, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from a2r.losses import video_prediction


def test_divergence_by_hand():
  # p = N(1, 4), q = N(3, 1): 1/2 (log 1/4 - 1 + 4 + 4).
  kl = video_prediction.gaussian_kl(
    *map(jnp.float32, (1.0, np.log(4.0), 3.0, 0.0))
  )
  np.testing.assert_allclose(kl, 0.5 * (7 - np.log(4.0)), rtol=1e-6)
  same = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
  kl = video_prediction.gaussian_kl(*same, *same)
  np.testing.assert_array_equal(kl, 0)


def test_divergence_is_the_mean_log_ratio():
  rng = np.random.default_rng(0)
  mean, logvar, other_mean, other_logvar = 0.3, -0.5, -0.2, 0.4
  draws = mean + np.exp(logvar / 2) * rng.normal(size=400_000)

  def log_density(m, v):
    return -0.5 * (v + np.square(draws - m) * np.exp(-v))

  ratio = log_density(mean, logvar) - log_density(other_mean, other_logvar)
  kl = video_prediction.gaussian_kl(
    *map(jnp.float32, (mean, logvar, other_mean, other_logvar))
  )
  np.testing.assert_allclose(kl, ratio.mean(), atol=0.01)


def inputs(batch=2, time=3, latent=4):
  frames = np.zeros((batch, time, 2, 2, 3), np.float32)
  zeros = np.zeros((batch, time, latent), np.float32)
  return frames, zeros


def test_value_by_hand():
  frames, zeros = inputs()
  predicted = frames.copy()
  predicted[0, 1] = 0.5  # One of six pictures: mse 0.25 / 6.
  means = zeros + 2.0  # 2 nats each, 12 of them in a clip.
  loss, metrics = video_prediction.video_prediction(
    predicted, frames, (means, zeros), (zeros, zeros), beta=0.01
  )
  np.testing.assert_allclose(metrics["mse"], 0.25 / 6, rtol=1e-6)
  np.testing.assert_allclose(metrics["kl"], 24.0, rtol=1e-6)
  np.testing.assert_allclose(loss, 0.25 / 6 + 0.24, rtol=1e-6)
  loss, _ = video_prediction.video_prediction(
    frames, frames, (zeros, zeros), (zeros, zeros), beta=1.0
  )
  assert loss == 0


def test_gradients_are_finite_for_wide_and_narrow_gaussians():
  frames, zeros = inputs()

  def loss_fn(logvar, other):
    return video_prediction.video_prediction(
      frames, frames, (zeros, zeros + logvar), (zeros, zeros + other), beta=1.0
    )[0]

  for pair in ((-10.0, 0.0), (0.0, 10.0), (3.0, -3.0)):
    assert np.isfinite(jax.grad(loss_fn, (0, 1))(*pair)).all()

"""The loss of video prediction with learned priors, as FitVid has it.

Babaeizadeh et al., "FitVid: Overfitting in Pixel-Level Video Prediction"
(https://arxiv.org/abs/2106.13195), its released code.

Letters: B clips, T predicted frames, H W picture, Z numbers in a latent.
"""

import chex
import jax
import jax.numpy as jnp


def gaussian_kl(
  mean: jax.Array,
  logvar: jax.Array,
  other_mean: jax.Array,
  other_logvar: jax.Array,
) -> jax.Array:
  """KL(p || q) of diagonal Gaussians, number by number, in nats.

    1/2 (log v_q - log v_p - 1 + v_p / v_q + (m_p - m_q)^2 / v_q)

  Args:
    mean: `[...]` m_p.
    logvar: `[...]` log v_p, v the variance.
    other_mean: `[...]` m_q.
    other_logvar: `[...]` log v_q.

  Returns:
    `[...]`; the sum over an axis is the divergence of the joint Gaussians.
  """
  chex.assert_equal_shape([mean, logvar, other_mean, other_logvar])
  squared = jnp.square(mean - other_mean) * jnp.exp(-other_logvar)
  ratio = logvar - other_logvar
  return 0.5 * (jnp.exp(ratio) - ratio - 1.0 + squared)


def video_prediction(
  predicted: jax.Array,
  frames: jax.Array,
  posterior: tuple[jax.Array, jax.Array],
  prior: tuple[jax.Array, jax.Array],
  *,
  beta: float,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns the loss `mse + beta * kl`, and these two.

  The squared error is the mean over all numbers of the frames, the divergence
  of the posteriors from the priors is summed over time and latents and
  averaged over clips.

  Args:
    predicted: `[B, T, H, W, 3]` in [0, 1].
    frames: `[B, T, H, W, 3]` in [0, 1], the true ones.
    posterior: mean and log variance `[B, T, Z]`.
    prior: mean and log variance `[B, T, Z]`.
    beta: weight of the divergence.
  """
  chex.assert_rank(predicted, 5)
  chex.assert_equal_shape([predicted, frames])
  chex.assert_rank([*posterior, *prior], 3)
  squared = jnp.square(predicted - frames).astype(jnp.float32)
  mse = jnp.mean(squared)
  divergence = gaussian_kl(*posterior, *prior).astype(jnp.float32)
  kl = divergence.sum(axis=(1, 2)).mean()
  return mse + beta * kl, {"mse": mse, "kl": kl}

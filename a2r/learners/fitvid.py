"""FitVid: a video model trained on clips with actions.

Babaeizadeh et al., "FitVid: Overfitting in Pixel-Level Video Prediction"
(https://arxiv.org/abs/2106.13195).

Letters: B clips, T frames, H W picture, A numbers in the actions of one tick.
"""

import jax
import jax.numpy as jnp

from a2r.core import rng as rng_lib
from a2r.learners import base
from a2r.losses import video_prediction
from a2r.models.fitvid import fitvid


def make_learner(config: fitvid.Config, *, beta: float) -> base.Learner:
  """Returns the learner.

  A batch has `frames` uint8 `[B, T, H, W, 3]` and `actions` `[B, T-1, A]`.
  `extra` holds the running moments of batch normalization: those of all
  devices' clips, every step.

  Args:
    config: sizes of the model.
    beta: weight of the divergence between posterior and prior.
  """

  def init(rng):
    variables = jax.jit(fitvid.init_variables, static_argnums=0)(config, rng)
    variables = dict(variables)
    return variables.pop("params"), variables

  def loss_fn(params, extra, batch, rng, axis_name):
    model = fitvid.FitVid(config, train=True, axis_name=axis_name)
    video = batch["frames"].astype(jnp.float32) / 255.0
    num_clips, num_frames = video.shape[:2]
    keys = rng_lib.row_keys(rng, num_clips, axis_name)
    size = num_frames - 1, config.latent_size
    noise = jax.vmap(lambda key: jax.random.normal(key, size))(keys)
    (predicted, posterior, prior), extra = model.apply(
      {"params": params, **extra}, video, batch["actions"], noise,
      mutable=list(extra),
    )  # fmt: skip
    loss, metrics = video_prediction.video_prediction(
      predicted, video[:, 1:], posterior, prior, beta=beta
    )
    return loss, (metrics, extra)

  return base.Learner(init, loss_fn, updates_extra=True)

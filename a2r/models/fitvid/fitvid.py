"""FitVid: action-conditioned video prediction with one large latent model.

Babaeizadeh et al., "FitVid: Overfitting in Pixel-Level Video Prediction"
(https://arxiv.org/abs/2106.13195). An encoder makes a code h of every picture;
a learned prior and, while training, a posterior that sees the next picture
give a latent z; LSTMs predict the next picture's code from h, the action and
z; a decoder draws it, helped by the encoder's maps of the last context frame.

Batch normalization's running moments are a collection of their own,
`batch_stats`; `train` chooses between them and the batch's moments.

Letters: B clips, T frames, H W picture, A numbers in the actions of one tick
(`Config.tick_size`), Z numbers in a latent, D size of a code, M rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.fitvid import parts
from a2r.models.fitvid.config import Config

PyTree = Any


class Gaussian(NamedTuple):
  """Diagonal Gaussians.

  Attributes:
    mean: `[..., Z]`.
    logvar: `[..., Z]` log of the variance.
  """

  mean: jax.Array
  logvar: jax.Array

  def sample(self, noise: jax.Array | None) -> jax.Array:
    """A draw from standard normal `noise` `[..., Z]`; None: the mean."""
    if noise is None:
      return self.mean
    return self.mean + jnp.exp(0.5 * self.logvar) * noise


class Context(NamedTuple):
  """What a prediction goes on from.

  Attributes:
    prior, predictor: carries of the LSTMs, arrays `[M, ...]`.
    code: `[M, D]`, of the newest picture.
    skips: `[M, h, w, C]` maps of the last true picture, in the encoder's order.
  """

  prior: PyTree
  predictor: PyTree
  code: jax.Array
  skips: Sequence[jax.Array]


class FitVid(nn.Module):
  """The model; `config` has all sizes.

  Attributes:
    config: sizes.
    train: normalize by the batch's moments, and update the running ones.
    axis_name: the devices' axis that these moments are taken over, or None.
  """

  config: Config
  train: bool = False
  axis_name: str | None = None

  def setup(self):
    config, mode = self.config, (self.train, self.axis_name)
    latent = config.rnn_size, config.latent_layers, config.latent_size
    self.encoder = parts.Encoder(config, *mode)
    self.decoder = parts.Decoder(config, *mode)
    self.posterior = parts.GaussianLSTM(*latent)
    self.prior = parts.GaussianLSTM(*latent)
    self.frame_predictor = parts.GaussianLSTM(
      config.rnn_size, config.predictor_layers, config.code_size
    )

  def __call__(
    self, video: jax.Array, actions: jax.Array, noise: jax.Array
  ) -> tuple[jax.Array, Gaussian, Gaussian]:
    """Predicts every frame from the true ones before it, for training.

    The codes are those of the true frames beyond the context too, and the
    latents are drawn from the posterior.

    Args:
      video: `[B, T, H, W, 3]` float in [0, 1].
      actions: `[B, T-1, A]`; those of tick t lead from frame t to t + 1.
      noise: `[B, T-1, Z]`, standard normal.

    Returns:
      Frames 1, ..., T-1 `[B, T-1, H, W, 3]`, the posteriors and the priors
      `[B, T-1, Z]`.
    """
    batch, num_frames = video.shape[:2]
    codes, skips = self.encoder(video.reshape(-1, *video.shape[2:]))
    codes = codes.reshape(batch, num_frames, -1)
    last = self.config.num_past - 1
    skips = [x.reshape(batch, num_frames, *x.shape[1:])[:, last] for x in skips]

    posterior, prior, predictor = (
      part.start(batch)
      for part in (self.posterior, self.prior, self.frame_predictor)
    )
    posteriors, priors, predicted = [], [], []
    for t in range(num_frames - 1):
      posterior, moments = self.posterior(posterior, codes[:, t + 1])
      posteriors.append(Gaussian(*moments))
      prior, moments = self.prior(prior, codes[:, t])
      priors.append(Gaussian(*moments))
      z = posteriors[-1].sample(noise[:, t])
      predictor, code = self._predict(predictor, codes[:, t], actions[:, t], z)
      predicted.append(code)

    code = jnp.stack(predicted, axis=1).reshape(batch * (num_frames - 1), -1)
    frames = self.decoder(code, skips)
    frames = frames.reshape(batch, num_frames - 1, *video.shape[2:])
    posteriors, priors = (
      jax.tree.map(lambda *xs: jnp.stack(xs, axis=1), *moments)
      for moments in (posteriors, priors)
    )
    return frames, posteriors, priors

  def start(
    self,
    video: jax.Array,
    actions: jax.Array,
    noise: jax.Array | None = None,
  ) -> Context:
    """Goes through the context: once, however many futures it has.

    Args:
      video: `[M, num_past, H, W, 3]` float in [0, 1].
      actions: `[M, num_past - 1, A]`, those that were executed.
      noise: `[M, num_past - 1, Z]`, or None for the priors' means.
    """
    size, num_past = video.shape[:2]
    codes, skips = self.encoder(video.reshape(-1, *video.shape[2:]))
    codes = codes.reshape(size, num_past, -1)
    skips = [x.reshape(size, num_past, *x.shape[1:])[:, -1] for x in skips]
    context = Context(
      self.prior.start(size), self.frame_predictor.start(size), codes[:, 0], ()
    )
    for t in range(num_past - 1):
      now = None if noise is None else noise[:, t]
      context, _ = self._advance(context, actions[:, t], now)
      context = context._replace(code=codes[:, t + 1])
    return context._replace(skips=tuple(skips))

  def tick(
    self,
    context: Context,
    actions: jax.Array,
    noise: jax.Array | None = None,
  ) -> tuple[Context, jax.Array]:
    """Draws the next frame of every row, `[M, H, W, 3]` float in [0, 1].

    The context it returns has the code of the old picture: with `observe` of
    the new one, another tick can follow; after the last tick there is no need.

    Args:
      context: of M rows.
      actions: `[M, A]`.
      noise: `[M, Z]`, or None for the prior's mean.
    """
    context, code = self._advance(context, actions, noise)
    return context, self.decoder(code, context.skips)

  def observe(self, context: Context, frames: jax.Array) -> Context:
    """The context with `frames` `[M, H, W, 3]` as the newest pictures."""
    return context._replace(code=self.encoder(frames)[0])

  def _advance(self, context, actions, noise):
    """One step of the prior and the predictor; `[M, D]` code of the next."""
    prior, moments = self.prior(context.prior, context.code)
    z = Gaussian(*moments).sample(noise)
    predictor, code = self._predict(context.predictor, context.code, actions, z)
    return context._replace(prior=prior, predictor=predictor), code

  def _predict(self, carry, code, actions, z):
    """The predictor's carry and the next picture's code `[M, D]`.

    As released, it is the mean of the predictor's Gaussian; the variance is
    computed and not used.
    """
    x = jnp.concatenate([code, actions, z], axis=-1)
    carry, (mean, _) = self.frame_predictor(carry, x)
    return carry, nn.sigmoid(mean)


def predict(
  model: FitVid,
  variables: PyTree,
  context: Context,
  actions: jax.Array,
  noise: jax.Array | None = None,
) -> jax.Array:
  """Returns the T frames that follow a context, `[M, T, H, W, 3]` in [0, 1].

  Every frame is fed back to predict the next one, thus all frames up to the
  last are drawn: only what comes after it can be left out.

  Args:
    model: with `train` off.
    variables: `params` and `batch_stats`.
    context: of M rows.
    actions: `[M, T, A]`.
    noise: `[M, T, Z]`, or None for the priors' means.
  """
  # Time first.
  actions, noise = jax.tree.map(lambda x: x.swapaxes(0, 1), (actions, noise))

  def tick(context, inputs):
    return model.apply(variables, context, *inputs, method="tick")

  def follow(carry, inputs):
    context = model.apply(variables, *carry, method="observe")
    carry = tick(context, inputs)
    return carry, carry[1]

  first, rest = (
    jax.tree.map(lambda x, part=part: x[part], (actions, noise))
    for part in (0, slice(1, None))
  )
  carry = tick(context, first)
  # XLA runs on one core of a CPU what is inside of a loop.
  unroll = jax.default_backend() == "cpu"
  _, frames = jax.lax.scan(follow, carry, rest, unroll=unroll or 1)
  frames = jnp.concatenate([carry[1][None], frames])
  return frames.swapaxes(0, 1)


def group(actions: jax.Array, stride: int) -> jax.Array:
  """The actions of every tick: `[..., T * stride, 5]` -> `[..., T, A]`."""
  *rows, num_steps, size = actions.shape
  return actions.reshape(*rows, num_steps // stride, stride * size)


def init_variables(config: Config, rng: jax.Array) -> PyTree:
  """Random `params` and fresh `batch_stats`; `rng` is consumed."""
  size = config.image_size
  shapes = (
    (1, config.num_past + 1, size, size, 3),
    (1, config.num_past, config.tick_size),
    (1, config.num_past, config.latent_size),
  )
  model = FitVid(config)
  return model.init(rng, *(jnp.zeros(shape) for shape in shapes))

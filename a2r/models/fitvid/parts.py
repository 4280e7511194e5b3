"""The parts of FitVid: residual blocks, encoder, decoder, LSTMs.

Babaeizadeh et al., "FitVid: Overfitting in Pixel-Level Video Prediction"
(https://arxiv.org/abs/2106.13195), and the released Flax code, whose parameter
tree is kept name by name.

Letters: N pictures, H W their size, P the patch, C channels, D the size of a
picture's code, E contexts of skip connections (N is a multiple of E).
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.core import images
from a2r.models.fitvid.config import Config

_MOMENTUM, _EPSILON = 0.9, 1e-5
_SQUEEZE, _FEWEST = 16, 4  # Channels over this one, never below that one.


_pointwise = functools.partial(nn.Conv, kernel_size=(1, 1), use_bias=False)


class SEBlock(nn.Module):
  """Squeeze and excitation: channels weighed by the means of all."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """`[N, H, W, C]` -> the same shape."""
    channels = x.shape[-1]
    reduced = max(channels // _SQUEEZE, _FEWEST)
    weights = x.mean(axis=(1, 2))
    weights = nn.relu(nn.Dense(reduced, name="reduce")(weights))
    weights = nn.sigmoid(nn.Dense(channels, name="expand")(weights))
    return x * weights[:, None, None]


class EncoderBlock(nn.Module):
  """A residual block of two 3x3 convolutions.

  Attributes:
    filters: C after it.
    stride: of the first convolution.
    train, axis_name: as in `fitvid.FitVid`.
  """

  filters: int
  stride: int
  train: bool
  axis_name: str | None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """`[N, H, W, C']` -> `[N, H / stride, W / stride, C]`."""
    norm = _norm(self)
    shortcut, size = x, (self.stride, self.stride)
    x = nn.swish(norm()(x))
    x = nn.Conv(self.filters, (3, 3), size, use_bias=False)(x)
    x = nn.swish(norm()(x))
    x = nn.Conv(self.filters, (3, 3), use_bias=False)(x)
    x = SEBlock()(x)
    if shortcut.shape != x.shape:
      project = _pointwise(self.filters, strides=size, name="conv_proj")
      shortcut = norm(name="norm_proj")(project(shortcut))
    return nn.swish(shortcut + x)


class DecoderBlock(nn.Module):
  """A residual block that is wide inside.

  Attributes:
    filters: C after it.
    expansion: how many times wider it is inside.
    kernel: side of the convolution inside.
    upsample: whether the picture is doubled first.
    train, axis_name: as in `EncoderBlock`.
  """

  filters: int
  expansion: int
  kernel: int
  upsample: bool
  train: bool
  axis_name: str | None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """`[N, H, W, C']` -> `[N, H, W, C]`, or twice the size."""
    norm = _norm(self)
    wide = self.filters * self.expansion
    if self.upsample:
      x = x.repeat(2, axis=1).repeat(2, axis=2)
    shortcut = x
    x = norm()(x)
    x = _pointwise(wide)(x)
    x = nn.swish(norm()(x))
    x = nn.Conv(wide, (self.kernel, self.kernel), use_bias=False)(x)
    x = nn.swish(norm()(x))
    x = _pointwise(self.filters)(x)
    x = norm(scale_init=nn.initializers.zeros)(x)
    x = SEBlock()(x)
    if shortcut.shape[-1] != self.filters:
      project = _pointwise(self.filters, name="conv_proj")
      shortcut = norm(name="norm_proj")(project(shortcut))
    return nn.swish(shortcut + x)


class Encoder(nn.Module):
  """Pictures to codes, and the maps that the decoder is helped with."""

  config: Config
  train: bool
  axis_name: str | None

  @nn.compact
  def __call__(self, pictures: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """Codes `[N, D]` and every block's output `[N, h, w, C]`, in order.

    Args:
      pictures: `[N, H, W, 3]` float in [0, 1].
    """
    x = images.fold_patches(pictures, self.config.patch)
    skips = []
    for stage, filters in enumerate(self.config.filters):
      for block in range(self.config.num_blocks):
        stride = 2 if stage and not block else 1
        x = EncoderBlock(filters, stride, self.train, self.axis_name)(x)
        skips.append(x)
    if self.config.pooling == "mean":
      x = x.mean(axis=(1, 2))
    return nn.Dense(self.config.code_size)(x.reshape(len(x), -1)), skips


class Decoder(nn.Module):
  """Codes to pictures."""

  config: Config
  train: bool
  axis_name: str | None

  @nn.compact
  def __call__(self, code: jax.Array, skips: Sequence[jax.Array]) -> jax.Array:
    """`[N, H, W, 3]` float in [0, 1].

    Args:
      code: `[N, D]`, those of one context next to each other.
      skips: `[E, h, w, C]` maps of each context, in the encoder's order.
    """
    config = self.config
    side, filters = config.coarsest, config.filters[::-1]
    x = nn.Dense(side * side * filters[0])(code)
    x = x.reshape(-1, side, side, filters[0])
    skips = list(skips)
    for stage, features in enumerate(filters):
      for block in range(config.num_blocks):
        inside = config.expansion, config.decoder_kernel
        upsample = bool(stage and not block)
        x = DecoderBlock(
          features, *inside, upsample, self.train, self.axis_name
        )(x)
        # The maps of each context go to its rows, which lie side by side.
        skip = skips.pop()
        rows = x.reshape(len(skip), -1, *x.shape[1:]) + skip[:, None]
        x = rows.reshape(x.shape)
    x = nn.Conv(3 * config.patch**2, (3, 3), use_bias=False)(x)
    return images.unfold_patches(nn.sigmoid(x), config.patch)


class GaussianLSTM(nn.Module):
  """LSTM layers that end in a diagonal Gaussian.

  Attributes:
    size: width of the layers.
    num_layers: of them.
    output_size: numbers in the Gaussian.
  """

  size: int
  num_layers: int
  output_size: int

  def setup(self):
    self.embed = nn.Dense(self.size)
    cells = range(self.num_layers)
    self.layers = [nn.OptimizedLSTMCell(self.size) for _ in cells]
    self.mean = nn.Dense(self.output_size)
    self.logvar = nn.Dense(self.output_size)

  def start(self, num_rows: int):
    """The carry `num_layers` x 2 x `[N, size]` before the first step: zeros."""
    zeros = jnp.zeros((num_rows, self.size))
    return tuple((zeros, zeros) for _ in range(self.num_layers))

  def __call__(self, carry, x: jax.Array):
    """The next carry, and mean and log variance `[N, output_size]`.

    Args:
      carry: of the step before, or from `start`.
      x: `[N, any]` input of this step.
    """
    x, after = self.embed(x), []
    for layer, before in zip(self.layers, carry, strict=True):
      state, x = layer(before, x)
      after.append(state)
    return tuple(after), (self.mean(x), self.logvar(x))


def _norm(block):
  """Makes batch normalizations as `block` wants them.

  The moments are those of all devices' rows: with each device's own, as in the
  released code, the result would depend on how a batch is split.
  """

  def make(**options):
    return nn.BatchNorm(
      use_running_average=not block.train,
      momentum=_MOMENTUM,
      epsilon=_EPSILON,
      axis_name=block.axis_name if block.train else None,
      **options,
    )

  return make

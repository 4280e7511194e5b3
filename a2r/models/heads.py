"""What the methods to compare with put on the backbone.

Letters: B clips, T frames, H W picture, C classes, E feature width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers, singularity

_DISCRIMINATOR_WIDTHS = (512, 256, 128, 64, 32)


class Classifier(nn.Module):
  """A linear head on the feature of clips.

  The parameters are `{'backbone', 'head'}`, the first those of
  `singularity.Singularity(config)`.

  Attributes:
    config: of the backbone.
    num_classes: C.
    temperature: divides the unit feature before the head, so that a head of
      unit rows gives logits as the backbone was trained with.
  """

  config: singularity.Config
  num_classes: int
  temperature: float

  def setup(self):
    self.backbone = singularity.Singularity(self.config)
    self.head = layers.torch_dense(self.num_classes)

  def video(self, frames: jax.Array, deterministic: bool = True) -> jax.Array:
    """Logits `[B, C]` of clips; arguments as in `Adapt2Reward.video`."""
    _, feature = self.backbone.encode_video(frames, deterministic)
    feature = layers.l2_normalize(feature.mean(axis=1))
    return self.head(feature / self.temperature)


class Discriminator(nn.Module):
  """DVD's head: do two clips show the same task?

  A perceptron on the features of two clips, one after the other. Chen et al.,
  "Learning Generalizable Robotic Reward Functions from 'In-The-Wild' Human
  Videos" (https://arxiv.org/abs/2103.16817, released code).
  """

  @nn.compact
  def __call__(self, left: jax.Array, right: jax.Array) -> jax.Array:
    """`[..., E]` and `[..., E]` -> `[..., 2]` logits of different and same."""
    x = jnp.concatenate([left, right], axis=-1)
    for i, width in enumerate(_DISCRIMINATOR_WIDTHS):
      x = nn.relu(layers.torch_dense(width, name=f"dense_{i}")(x))
    return layers.torch_dense(2, name="logits")(x)


class Stills(nn.Module):
  """Unit features of frames that know nothing of the frames around them.

  The parameters are `{'backbone'}`, those of `singularity.Singularity(config)`.

  Attributes:
    config: of the backbone.
  """

  config: singularity.Config

  def setup(self):
    self.backbone = singularity.Singularity(self.config)

  def video(self, frames: jax.Array, deterministic: bool = True) -> jax.Array:
    """Features `[B, T, E]` of frames; arguments as in `Adapt2Reward.video`.

    A backbone that looks at whole clips is shown each frame standing still.
    """
    config = self.config
    clips = frames.reshape(-1, 1, *frames.shape[2:])
    if config.stem == "conv":
      clips = jnp.repeat(clips, config.num_frames, axis=1)
    _, feature = self.backbone.encode_video(clips, deterministic)
    feature = layers.l2_normalize(feature.mean(axis=1))
    return feature.reshape(*frames.shape[:2], -1)

"""The backbone as a classifier of activities.

Letters: B clips, T frames, H W picture, C classes, E feature width.
"""

import jax
from flax import linen as nn

from a2r.models.singularity import layers, singularity


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
    self.head = nn.Dense(self.num_classes, kernel_init=layers.torch_linear_init)

  def video(self, frames: jax.Array, deterministic: bool = True) -> jax.Array:
    """Logits of clips.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1].
      deterministic: no dropout; else a 'dropout' rng is needed.

    Returns:
      `[B, C]` float32.
    """
    _, feature = self.backbone.encode_video(frames, deterministic)
    feature = layers.l2_normalize(feature.mean(axis=1))
    return self.head(feature / self.temperature)

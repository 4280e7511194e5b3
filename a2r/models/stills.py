"""The backbone as an image model: features of single frames.

Letters: B clips, T frames, H W picture, N texts, L tokens, E feature width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers, singularity


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
    """The feature of every frame.

    One that looks at whole clips at once is shown the frame standing still.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1], any T.
      deterministic: no dropout; else a 'dropout' rng is needed.

    Returns:
      `[B, T, E]` float32.
    """
    config = self.config
    whole_clip = config.stem == "conv" and config.stem_window == "clip"
    clips = frames.reshape(-1, 1, *frames.shape[2:])
    if whole_clip:
      clips = jnp.repeat(clips, config.num_frames, axis=1)
    _, feature = self.backbone.encode_video(clips, deterministic)
    feature = layers.l2_normalize(feature.mean(axis=1))
    return feature.reshape(*frames.shape[:2], -1)

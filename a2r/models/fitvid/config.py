"""Sizes of FitVid (`a2r.models.fitvid.fitvid`).

Letters as in `a2r.models.fitvid.parts`.
"""

import dataclasses

from a2r.core import checks


@dataclasses.dataclass(frozen=True)
class Config:
  """Sizes of `fitvid.FitVid`; the defaults are the published model's.

  Attributes:
    image_size: side of the square picture, in pixels.
    patch: squares of this side are folded into channels before the encoder
      and unfolded after the decoder; the published model has 1.
    filters: C of the encoder's stages, the first at H / patch, every further
      one at half the size; the decoder has them in reverse.
    num_blocks: residual blocks of a stage.
    expansion: how many times wider the inside of a decoder's block is.
    decoder_kernel: side of the convolution inside it.
    code_size: D.
    pooling: how the last map becomes a code: by its 'mean' over places as
      published, or 'flat', all of it. A shallow encoder hardly knows where in
      the picture it is, so that a mean forgets where things are.
    rnn_size: width of the LSTMs.
    predictor_layers: LSTM layers of the frame predictor.
    latent_layers: LSTM layers of the posterior and of the prior.
    latent_size: numbers in the latent z.
    action_size: numbers in the action of one control step.
    stride: control steps of one tick of the model's clock; the model takes
      their actions concatenated. The published model has 1.
    num_past: true frames that a prediction starts from.
  """

  image_size: int = 64
  patch: int = 1
  filters: tuple[int, ...] = (64, 128, 256, 512)
  num_blocks: int = 2
  expansion: int = 4
  decoder_kernel: int = 5
  code_size: int = 128
  pooling: str = "mean"
  rnn_size: int = 256
  predictor_layers: int = 2
  latent_layers: int = 1
  latent_size: int = 10
  action_size: int = 5
  stride: int = 1
  num_past: int = 2

  def __post_init__(self):
    object.__setattr__(self, "filters", tuple(self.filters))
    if not self.filters:
      raise ValueError("filters are empty: the model has no stage")
    halvings = self.patch * 2 ** (len(self.filters) - 1)
    if self.image_size % halvings:
      raise ValueError(
        f"image_size={self.image_size} does not go through patch={self.patch} "
        f"and {len(self.filters)} stages: it must be a multiple of {halvings}"
      )
    checks.one_of("pooling", self.pooling, ("mean", "flat"))
    checks.at_least("num_past", self.num_past, 1)
    checks.at_least("stride", self.stride, 1)

  @property
  def tick_size(self) -> int:
    """Numbers in the actions of one tick."""
    return self.action_size * self.stride

  @property
  def coarsest(self) -> int:
    """Side of the last stage's maps."""
    return self.image_size // self.patch // 2 ** (len(self.filters) - 1)

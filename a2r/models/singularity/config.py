"""Sizes and switches of the backbone."""

import dataclasses

from a2r.core import checks

_CHOICES = {
  "stem": ("patch", "conv"),
  "pooling": ("cls", "flat"),
  "dtype": ("float32", "bfloat16"),
}


@dataclasses.dataclass(frozen=True)
class Config:
  """Sizes and switches of `Singularity`; the defaults are the base model's.

  Attributes:
    image_size: side of the square picture, in pixels.
    patch_size: side of a patch, for the stem 'patch'.
    num_frames: frames of a clip that the temporal embeddings are made for.
    stem: 'patch' as published, or 'conv' (see `stems.ConvStem`).
    stem_features: channels of the layers of the stem 'conv'.
    stem_patch: side of the squares that its first layer takes.
    stem_window: not a field: stored settings have it, and 'clip', what the stem
      'conv' sees at once, is all there is.
    width: size D of every token.
    num_heads: attention heads, in all encoders.
    mlp_width: hidden size of every MLP.
    vision_layers: BEiT blocks.
    temporal_layers: layers of the temporal encoder.
    text_layers: BERT layers, those of fusion included.
    fusion_layer: index of the first fusion layer; text alone goes through the
      layers before it.
    vocab_size: rows of the word table.
    max_positions: longest text in tokens, prompts included.
    embed_dim: size E of the contrastive features.
    dropout: rate in the text, fusion and temporal layers.
    drop_path: stochastic depth of the last BEiT block.
    layer_scale_init: first value of BEiT's layer scales.
    temporal_feature: whether the contrastive feature has gone through the
      temporal encoder. The published models say no, and cannot see order.
    pooling: how a frame's and a text's tokens become one feature: 'cls' as
      published; 'flat' a dense layer over all places of the frame, and the
      mean over words. Trained from nothing, the CLS tokens of all texts start
      out nearly equal and stay so for long.
    temporal_embeddings: whether frame embeddings are added.
    itm: whether the fusion layers and the matching head are built.
    mlm: whether the fusion layers and the masked-language head are built.
    remat: whether gradients compute each layer's activations again instead of
      keeping them: less memory, a third more time, the same values.
    dtype: compute type, 'float32' or 'bfloat16'; parameters, softmax,
      LayerNorm statistics and outputs are float32.
  """

  image_size: int = 224
  patch_size: int = 16
  num_frames: int = 4
  stem: str = "patch"
  stem_features: tuple[int, ...] = (32, 64, 128, 128)
  stem_patch: int = 4
  stem_window: dataclasses.InitVar[str | None] = None
  width: int = 768
  num_heads: int = 12
  mlp_width: int = 3072
  vision_layers: int = 12
  temporal_layers: int = 2
  text_layers: int = 12
  fusion_layer: int = 9
  vocab_size: int = 30522
  max_positions: int = 512
  embed_dim: int = 256
  dropout: float = 0.1
  drop_path: float = 0.1
  layer_scale_init: float = 0.1
  temporal_feature: bool = True
  pooling: str = "cls"
  temporal_embeddings: bool = True
  itm: bool = True
  mlm: bool = False
  remat: bool = False
  dtype: str = "float32"

  def __post_init__(self, stem_window: str | None):
    # Config files and JSON give lists; a module's fields must hash.
    object.__setattr__(self, "stem_features", tuple(self.stem_features))
    for name, known in _CHOICES.items():
      checks.one_of(name, getattr(self, name), known)
    if self.stem == "conv":
      checks.one_of("stem_window", stem_window, ("clip", None))
      checks.at_least("stem_patch", self.stem_patch, 1)
    for field in dataclasses.fields(self):
      if field.type is int and field.name not in ("fusion_layer", "stem_patch"):
        least = 0 if field.name.endswith("_layers") else 1
        checks.at_least(field.name, getattr(self, field.name), least)
    for name in ("dropout", "drop_path"):
      value = getattr(self, name)
      if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    if self.width % self.num_heads:
      raise ValueError(
        f"width {self.width} is not a multiple of num_heads {self.num_heads}"
      )
    if self.stem == "conv" and not self.stem_features:
      raise ValueError("stem_features is empty; the stem conv needs one entry")
    if self.image_size % self._stride:
      raise ValueError(
        f"image_size {self.image_size} is not a multiple of the "
        f"stem's stride {self._stride}"
      )
    if not 0 <= self.fusion_layer <= self.text_layers:
      raise ValueError(
        f"fusion_layer {self.fusion_layer} is not within text_layers "
        f"{self.text_layers}"
      )
    for name in ("itm", "mlm"):
      if getattr(self, name) and self.fusion_layer == self.text_layers:
        raise ValueError(
          f"{name} needs fusion layers: fusion_layer must be below "
          f"text_layers, both are {self.text_layers}"
        )

  @property
  def _stride(self) -> int:
    if self.stem == "patch":
      return self.patch_size
    return self.stem_patch * 2 ** (len(self.stem_features) - 1)

  @property
  def grid(self) -> int:
    """Patches along one side of the picture."""
    return self.image_size // self._stride

  def check_frames(self, shape: tuple[int, ...]) -> None:
    """Raises a ValueError unless `shape` is `[B, T, size, size, 3]`."""
    size = self.image_size
    if len(shape) != 5 or shape[2:] != (size, size, 3):
      raise ValueError(
        f"frames must be [B, T, {size}, {size}, 3], got {list(shape)}"
      )
    if self.stem == "conv" and shape[1] != self.num_frames:
      raise ValueError(
        f"the stem 'conv' takes {self.num_frames} frames, got {shape[1]}"
      )

"""Singularity-temporal, the video-language backbone.

Lei et al., Revealing Single Frame Bias for Video-and-Language Learning,
https://arxiv.org/abs/2206.03428: a BEiT tower per frame, a temporal encoder, a
BERT text encoder, and BERT fusion layers that attend to the image tokens.

Two features come out of the video. The tokens `image_embeds` have always gone
through the temporal encoder. The contrastive feature has NOT in the published
models: it is pooled before, so it cannot tell a clip from its reverse. With
`temporal_feature` (the released code's `update_pooler_embed`) it is the CLS
token of each frame after the temporal encoder.

Letters: B clips, T frames, H W picture, S tokens of a frame, N texts, L tokens,
P prompt tokens, D width, E feature size.
"""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import beit, bert, layers, stems, temporal
from a2r.models.singularity.config import Config

__all__ = ["Config", "Output", "Singularity", "init_params"]


@flax.struct.dataclass
class Output:
  """What the whole model returns.

  Attributes:
    image_embeds: `[B, T * S, D]` image tokens, frame by frame.
    text_embeds: `[N, L, D]` text tokens before fusion.
    image_feat: `[B, T, E]` unit feature of every frame.
    text_feat: `[N, E]` unit feature of every text.
    sim: `[B, N]` mean over frames of the cosines, over the temperature.
    itm_logits: `[B, N, 2]` logits of (no match, match); None without `itm`.
  """

  image_embeds: jax.Array
  text_embeds: jax.Array
  image_feat: jax.Array
  text_feat: jax.Array
  sim: jax.Array
  itm_logits: jax.Array | None


class Singularity(nn.Module):
  """The backbone; `model.apply(variables, frames, input_ids, mask)`."""

  config: Config

  def setup(self):
    c = self.config
    stem = stems.PatchStem if c.stem == "patch" else stems.ConvStem
    self.stem = stem(c)
    self.vision = beit.Beit(c)
    self.vision_layernorm = layers.LayerNorm(dtype=c.dtype)
    self.temporal = temporal.TemporalEncoder(c)
    self.embeddings = bert.Embeddings(c)
    layer = layers.maybe_remat(bert.Layer, c.remat, 4)
    self.text = [layer(c) for _ in range(c.fusion_layer)]
    self.pooler = _FlatPooler(c.width) if c.pooling == "flat" else None
    self.vision_proj = layers.torch_dense(c.embed_dim)
    self.text_proj = layers.torch_dense(c.embed_dim)
    self.temp = self.param("temp", nn.initializers.constant(0.07), ())
    if c.itm or c.mlm:
      self.fusion = [
        layer(c, cross_attention=True)
        for _ in range(c.fusion_layer, c.text_layers)
      ]
    if c.itm:
      self.itm_head = layers.torch_dense(2)
    if c.mlm:
      self.mlm_head = bert.MaskedLanguageHead(c.dtype)

  def __call__(
    self,
    frames: jax.Array,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    deterministic: bool = True,
  ) -> Output:
    """Features and scores of every clip with every text.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1].
      input_ids: `[N, L]` int, [CLS] first, padded.
      attention_mask: `[N, L]`, one for tokens, zero for padding.
      deterministic: no dropout; else a 'dropout' rng is needed.
    """
    image_embeds, image_feat = self.encode_video(frames, deterministic)
    text_embeds, text_feat = self.encode_text(
      input_ids, attention_mask, deterministic=deterministic
    )
    # The cosine of every frame, then their mean: not that of a mean feature.
    cosine = jnp.einsum("bte,ne->bn", image_feat, text_feat)
    sim = cosine / image_feat.shape[1] / self.temp
    itm_logits = None
    if self.config.itm:
      num_clips, num_texts = sim.shape
      pairs = self.match(
        jnp.repeat(image_embeds, num_texts, axis=0),
        jnp.tile(text_embeds, (num_clips, 1, 1)),
        jnp.tile(attention_mask, (num_clips, 1)),
        deterministic,
      )
      itm_logits = pairs.reshape(num_clips, num_texts, 2)
    if self.config.mlm and self.is_initializing():
      one = image_embeds[:1], text_embeds[:1], attention_mask[:1]
      self.predict_words(*one, deterministic)
    return Output(
      image_embeds, text_embeds, image_feat, text_feat, sim, itm_logits
    )

  def encode_video(
    self, frames: jax.Array, deterministic: bool = True
  ) -> tuple[jax.Array, jax.Array]:
    """Tokens and features of clips.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1], H = W = `config.image_size`.
      deterministic: no dropout, no drop-path.

    Returns:
      `[B, T * S, D]` float32 tokens, and `[B, T, E]` float32 unit features.

    Raises:
      ValueError: frames of another shape than the config says.
    """
    config, (batch, num_frames) = self.config, frames.shape[:2]
    config.check_frames(frames.shape)
    x, pooled = self.vision(self.stem(frames), deterministic)
    x = self.vision_layernorm(x).reshape(batch, num_frames, *x.shape[1:])
    x = self.temporal(x, deterministic)
    pooled = pooled.reshape(batch, num_frames, -1)
    if config.temporal_feature and config.temporal_layers and num_frames > 1:
      pooled = x[:, :, 0] if not self.pooler else self.pooler(x[:, :, 1:])
    feature = self.vision_proj(pooled.astype(jnp.float32))
    tokens = x.reshape(batch, -1, x.shape[-1]).astype(jnp.float32)
    return tokens, layers.l2_normalize(feature)

  def encode_text(
    self,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    prompt: jax.Array | None = None,
    deterministic: bool = True,
  ) -> tuple[jax.Array, jax.Array]:
    """Tokens and features of texts, with learned tokens if given.

    Args:
      input_ids: `[N, L]` int, [CLS] first, padded.
      attention_mask: `[N, L]`, one for tokens, zero for padding.
      prompt: `[N, P, D]` tokens put between [CLS] and the words; positions are
        counted after that.
      deterministic: no dropout.

    Returns:
      `[N, P + L, D]` float32 tokens, and `[N, E]` float32 unit features.
    """
    x = self.embeddings(input_ids, prompt, deterministic)
    if prompt is not None:
      ones = jnp.ones(prompt.shape[:2], attention_mask.dtype)
      attention_mask = jnp.concatenate(
        [attention_mask[:, :1], ones, attention_mask[:, 1:]], axis=1
      )
    bias = bert.mask_bias(attention_mask)
    for layer in self.text:
      x = layer(x, None, bias, deterministic)
    x = x.astype(jnp.float32)
    if self.config.pooling == "cls":
      pooled = x[:, 0]
    else:
      weight = attention_mask[..., None] / attention_mask.sum(-1)[:, None, None]
      pooled = jnp.sum(x * weight, axis=1)
    return x, layers.l2_normalize(self.text_proj(pooled))

  def match(
    self,
    image_embeds: jax.Array,
    text_embeds: jax.Array,
    attention_mask: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Image-text matching logits of aligned pairs; class 1 is a match.

    Args:
      image_embeds: `[N, T * S, D]` tokens of the clip of each pair.
      text_embeds: `[N, L, D]` tokens of its text, from `encode_text`.
      attention_mask: `[N, L]`.
      deterministic: no dropout.

    Returns:
      `[N, 2]` float32.

    Raises:
      ValueError: the model was built without this head.
    """
    pairs = image_embeds, text_embeds, attention_mask
    x = self._fuse("itm", *pairs, deterministic)
    return self.itm_head(x[:, 0].astype(jnp.float32))

  def predict_words(
    self,
    image_embeds: jax.Array,
    text_embeds: jax.Array,
    attention_mask: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Logits of the word at each place of texts, given their clips.

    Args and errors are those of `match`, the texts with words masked out.

    Returns:
      `[N, L, vocab_size]` float32.
    """
    pairs = image_embeds, text_embeds, attention_mask
    x = self._fuse("mlm", *pairs, deterministic)
    return self.mlm_head(x, self.embeddings.word)

  def _fuse(
    self, head, image_embeds, text_embeds, attention_mask, deterministic
  ):
    """`[N, L, D]` text tokens that have attended to the image tokens."""
    if not getattr(self.config, head):
      raise ValueError(
        f"this model has no such head: its config has {head}=False"
      )
    dtype = self.config.dtype
    bias = bert.mask_bias(attention_mask)
    x, image_embeds = text_embeds.astype(dtype), image_embeds.astype(dtype)
    for layer in self.fusion:
      x = layer(x, image_embeds, bias, deterministic)
    return x


@functools.partial(jax.jit, static_argnums=0)
def init_params(model: nn.Module, rng: jax.Array) -> Any:
  """Returns random parameters of a module that is called as `Singularity` is.

  Args:
    model: the module; its `config` has the sizes.
    rng: key; consumed.
  """
  size = model.config.image_size
  frames = jnp.zeros((1, model.config.num_frames, size, size, 3))
  ids = jnp.zeros((1, 2), jnp.int32)
  return model.init(rng, frames, ids, ids)["params"]


class _FlatPooler(nn.Module):
  """A dense layer over all patches of a frame: it knows where they are."""

  width: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, T, S, D]` -> `[B, T, D]`."""
    x = nn.Dense(self.width // 4, name="reduce")(x.astype(jnp.float32))
    x = nn.Dense(self.width, name="dense")(x.reshape(*x.shape[:2], -1))
    return layers.gelu(layers.LayerNorm(epsilon=1e-6, name="layernorm")(x))

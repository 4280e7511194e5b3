"""Sizes of the backbone that the experiments share."""

from ml_collections import config_dict


def small() -> config_dict.ConfigDict:
  """Singularity, narrow, with convolutions for eyes: 1.6 M parameters."""
  return config_dict.create(
    image_size=64,
    num_frames=8,
    stem="conv",
    stem_features=(96, 192, 256),
    stem_patch=4,
    stem_window="clip",
    width=128,
    num_heads=4,
    mlp_width=256,
    vision_layers=0,
    temporal_layers=1,
    text_layers=2,
    fusion_layer=2,
    vocab_size=640,
    max_positions=32,
    embed_dim=128,
    dropout=0.0,
    drop_path=0.0,
    layer_scale_init=1.0,
    temporal_feature=True,
    pooling="flat",
    temporal_embeddings=True,
    itm=False,
    dtype="float32",
  )


def paper() -> config_dict.ConfigDict:
  """Singularity-temporal as published, its feature made temporal.

  For accelerators: parameters and sums are float32, products are bfloat16.
  """
  return config_dict.create(
    image_size=224,
    patch_size=16,
    num_frames=4,
    stem="patch",
    width=768,
    num_heads=12,
    mlp_width=3072,
    vision_layers=12,
    temporal_layers=2,
    text_layers=12,
    fusion_layer=9,
    vocab_size=30522,
    max_positions=512,
    embed_dim=256,
    dropout=0.1,
    drop_path=0.1,
    layer_scale_init=0.1,
    temporal_feature=True,
    pooling="cls",
    temporal_embeddings=True,
    itm=True,
    mlm=False,
    remat=False,
    dtype="bfloat16",
  )


def smoke() -> config_dict.ConfigDict:
  """The smallest backbone that has all parts, for tests."""
  config = small()
  config.update(
    num_frames=4,
    stem_features=(8, 16, 16),
    width=16,
    num_heads=2,
    mlp_width=32,
    vision_layers=1,
    text_layers=1,
    fusion_layer=1,
    embed_dim=16,
  )
  return config

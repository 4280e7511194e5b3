"""Stage 1 at the published size: Singularity on Something-Something V2.

Starts from weights that were pre-trained on images and video, a folder that
`launch.convert` wrote, and trains contrast and matching as the released code
does (Lei et al., https://arxiv.org/abs/2206.03428):

  python -m launch.finetune --config=configs/singularity_ssv2.py \\
    --config.data.human.path=/data/ssv2 --config.model.init=runs/singularity

The run folder is what stage 2 starts from:
`python -m launch.train --config.model.init=runs/singularity_ssv2`.

Sizes: `template` (the default) has templates for captions ('pushing something
from left to right'), `label` the labels of clips ('pushing a cup from left to
right'). `smoke` shows in minutes, on a CPU and with clips made here, that all
runs.

What differs from the released code: the contrastive feature goes through the
temporal encoder, so that it sees the order of frames (as published it is with
--config.model.backbone.temporal_feature=False). Clips whose caption says left
or right are not mirrored: `train.flip` is 'safe', as published 'always'. The
negatives of all devices count, and products are bfloat16. Clips are stored as
16 square frames, of which training draws and crops four.
"""

from ml_collections import config_dict

from a2r.core import checks
from configs import backbones

# Short captions, what the published runs had.
_SIZES = {
  "template": dict(learning_rate=1e-4, max_length=22),
  "label": dict(learning_rate=1e-5, max_length=25),
}
_SMOKE_TEMPLATES = (
  "Closing something",
  "Opening something",
  "Pushing something from left to right",
  "Pushing something from right to left",
)


def get_config(size: str = "template") -> config_dict.ConfigDict:
  """Settings in one of the sizes."""
  if size == "smoke":
    return _smoke()
  checks.one_of("size", size, [*_SIZES, "smoke"])
  return config_dict.create(
    seed=42,
    data=dict(
      dir="datasets",
      image_size=224,
      stored_frames=16,
      captions=size,
      human=dict(source="ssv2", path="", templates=(), clips_per_template=0),
      validation=dict(clips=2000),
    ),
    model=dict(init="scratch", backbone=backbones.paper()),
    loss=dict(weights=dict(itc=1.0, itm=1.0, mlm=0.0), hard_negatives=True),
    optim=dict(
      learning_rate=_SIZES[size]["learning_rate"],
      warmup_steps=0,
      weight_decay=0.02,
      b1=0.9,
      b2=0.999,
      floor=0.1,
    ),
    train=dict(
      num_epochs=10,
      batch_size=32,
      max_length=_SIZES[size]["max_length"],
      flip="safe",
      micro_batch=0,
      log_every=50,
      checkpoint_every=1000,
    ),
    eval=dict(num_reranked=128, chunk_size=16),
  )


def _smoke():
  config = get_config()
  config.data.update(image_size=64, stored_frames=8)
  config.data.human.update(
    source="procedural", templates=_SMOKE_TEMPLATES, clips_per_template=12
  )
  config.data.validation.clips = 16
  config.model.backbone.update(
    image_size=64,
    width=32,
    num_heads=2,
    mlp_width=64,
    vision_layers=1,
    temporal_layers=1,
    text_layers=2,
    fusion_layer=1,
    vocab_size=640,
    max_positions=32,
    embed_dim=16,
    dropout=0.0,
    drop_path=0.0,
    dtype="float32",
  )
  config.train.update(num_epochs=2, batch_size=8, log_every=1)
  config.train.checkpoint_every = 2
  config.eval.update(num_reranked=4, chunk_size=8)
  return config

"""Stage 1 at `small`: a video-language backbone from procedural human clips.

It plays the part of Singularity's 17M pre-training and its fine-tuning on
Something-Something V2. Clips are drawn on the device while it trains, never the
same twice; held-out clips show worlds it never saw.

  python -m launch.pretrain --config=configs/pretrain.py

writes small_backbone.safetensors and its card to the run folder. On two CPU
cores this took 40 minutes; docs/backbone.md has what it reaches and what was
tried.
"""

from ml_collections import config_dict

from a2r.core import checks
from configs import backbones


def get_config(size: str = "small") -> config_dict.ConfigDict:
  """Settings; `smoke` is a few steps of a tiny backbone."""
  checks.one_of("size", size, ("small", "smoke"))
  config = config_dict.create(
    seed=0,
    model=dict(backbone=backbones.small()),
    # Chances that a clip shows a failure: the hand misses the thing, stops on
    # its way, or stays away; where the template's clips can be told from that.
    data=dict(missed=0.15, stopped=0.25, idle=0.1),
    loss=dict(caption_weight=0.5, target_weight=1.0),
    optim=dict(
      rule="muon",
      learning_rate=2e-3,
      warmup_steps=60,
      decay_steps=800,
      weight_decay=0.05,
      clip_norm=1.0,
      b1=0.9,
      b2=0.98,
      floor=0.01,
    ),
    train=dict(
      num_steps=3600,
      epoch_steps=600,
      batch_size=48,
      log_every=50,
      checkpoint_every=100,
    ),
    eval=dict(clips_per_template=20),
  )
  if size == "smoke":
    config.model.backbone = backbones.smoke()
    config.optim.update(warmup_steps=1, decay_steps=1)
    config.train.update(
      num_steps=4, epoch_steps=2, batch_size=8, log_every=1, checkpoint_every=2
    )
    config.eval.clips_per_template = 1
  return config

"""Action-conditioned video prediction: the dynamics of visual planning.

FitVid (https://arxiv.org/abs/2106.13195) learns to draw what a robot's actions
lead to, from play in one environment of the tabletop: one model for each, as in
DVD (https://arxiv.org/abs/2103.16817).

  python -m launch.train --config=configs/fitvid.py
  python -m launch.train --config=configs/fitvid.py \\
    --config.data.environment=tabletop/test1 --workdir=runs/fitvid_test1

Sizes: `small` (the default) ticks every 4 control steps and takes a CPU core
half an hour. `full` (--config=configs/fitvid.py:full) is the published model of
303 M parameters, which wants an accelerator. `smoke` only shows that everything
runs.
"""

from ml_collections import config_dict

from a2r.core import checks


def get_config(size: str = "small") -> config_dict.ConfigDict:
  """Settings of the experiment in one of its sizes."""
  sizes = {"small": _small, "full": _full, "smoke": _smoke}
  checks.one_of("size", size, sizes)
  return sizes[size]()


def _small():
  return config_dict.create(
    seed=0,
    method="fitvid",
    data=dict(
      dir="datasets",
      environment="tabletop/train",  # One, or several with commas between.
      # Shares of the episodes. DVD's are all uniform; objects move more often
      # where a script is at work.
      sources=dict(
        uniform=0.5,
        held=0.15,
        random=0.15,
        expert=0.1,
        near_miss=0.05,
        noise=0.05,
      ),
      episodes=2000,  # Of 60 control steps.
      validation_episodes=48,
      test_episodes=128,
    ),
    model=dict(
      image_size=64,
      patch=4,
      filters=(24, 48),
      num_blocks=1,
      expansion=1,
      decoder_kernel=3,
      code_size=64,
      pooling="flat",
      rnn_size=128,
      predictor_layers=2,
      latent_layers=1,
      latent_size=10,
      action_size=5,
      stride=4,
      num_past=2,
    ),
    loss=dict(beta=1e-4),
    optim=dict(
      learning_rate=1e-3,
      warmup_steps=0,
      weight_decay=0.0,
      clip_norm=100.0,
      b1=0.9,
      b2=0.999,
      floor=0.0,  # Published: 1, a constant rate. A short run wants its end.
    ),
    train=dict(
      num_steps=4000,
      epoch_steps=250,
      batch_size=16,
      num_future=5,  # Pictures after the `num_past` of a window.
      start_fraction=0.25,  # Windows that begin before the episode does.
      log_every=50,
      checkpoint_every=250,
    ),
    eval=dict(
      num_future=5,
      latent="mean",  # Or "sample", as published: of the prior.
      best_metric="psnr",
    ),
  )


def _full():
  config = _small()
  config.data.update(episodes=10_000, test_episodes=256)
  config.model.update(
    patch=1,
    filters=(64, 128, 256, 512),
    num_blocks=2,
    expansion=4,
    decoder_kernel=5,
    code_size=128,
    pooling="mean",
    rnn_size=256,
    stride=1,
  )
  config.optim.update(floor=1.0)
  config.train.update(
    num_steps=200_000,  # Published: 10 M; DVD's SV2P: 200 k.
    epoch_steps=5000,
    batch_size=128,
    num_future=10,
    log_every=100,
    checkpoint_every=1000,
  )
  config.eval.update(num_future=20)
  return config


def _smoke():
  config = _small()
  config.data.update(episodes=4, validation_episodes=2, test_episodes=2)
  # Assigned: an update would leave in it what the small one has besides.
  config.data.sources = dict(uniform=0.5, random=0.5)
  config.model.update(
    image_size=16,
    filters=(8, 8),
    code_size=8,
    rnn_size=8,
    latent_size=2,
    stride=10,
  )
  config.train.update(
    num_steps=4,
    epoch_steps=2,
    batch_size=8,
    num_future=2,
    log_every=1,
    checkpoint_every=2,
  )
  config.eval.update(num_future=2)
  return config

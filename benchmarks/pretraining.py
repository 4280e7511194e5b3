"""Where a step of stage 1 spends its time, part by part.

  python -m benchmarks.pretraining

Times the drawing of clips, the video tower and the texts, forward and with
gradients, and whole steps, for the stems that were tried; with the operations
and bytes that XLA counts. Run it on the cores of interest (`taskset -c 0`).
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import compilation, optim
from a2r.learners import base
from a2r.learners import pretrain as stage
from a2r.learners import state as state_lib
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips
from benchmarks import results
from configs import pretrain

_CALLS = 5
STEMS = {
  "shipped": {},
  "5x5 convolution": {
    "stem_patch": 0,
    "stem_features": (32, 64, 128, 128),
    "vision_layers": 1,
    "num_frames": 4,
  },
  "squares": {
    "stem_features": (96, 128, 128),
    "vision_layers": 1,
    "num_frames": 4,
  },
  "shipped, bfloat16": {"dtype": "bfloat16"},
}


def main():
  """Measures and writes benchmarks/results/pretraining-<backend>.json."""
  compilation.enable_cache()
  config = pretrain.get_config()
  batch = config.train.batch_size
  rows = [_drawing(config, batch)]
  for name, sizes in STEMS.items():
    config = pretrain.get_config()
    config.model.backbone.update(sizes)
    rows += _parts(name, config, batch)
  results.write("pretraining", rows, batch_size=batch)


def _drawing(config, batch):
  labels = np.arange(batch, dtype=np.int32) % len(human_clips.TEMPLATES)
  backbone = config.model.backbone

  def draw(rng):
    return human_clips.sample_clips(
      rng,
      labels,
      num_frames=backbone.num_frames,
      image_size=backbone.image_size,
    )

  return _measure("drawing", "", draw, jax.random.key(0))


def _parts(name, config, batch):
  backbone = config.model.backbone
  model = singularity.Singularity(singularity.Config(**backbone))
  tokenizer = stage.make_tokenizer(backbone.vocab_size)
  learner = stage.make_learner(model, tokenizer, **config.loss)
  optimizer = optim.make_optimizer(
    num_steps=config.train.num_steps, **config.optim
  )
  params, extra = jax.jit(learner.init)(jax.random.key(0))
  state = state_lib.create(params, extra, optimizer)
  shape = (batch, backbone.num_frames, *[backbone.image_size] * 2, 3)
  frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  ids = jnp.ones((2 * batch, 14), jnp.int32)

  def video(params):
    return stage.video_feature(model, params, frames)[:, 0].sum()

  def texts(params):
    return stage.text_feature(model, params, ids, ids)[:, 0].sum()

  step = base.make_step_fn(learner.loss_fn, optimizer, 0, None)
  views = next(
    stage.make_batches(model.config, seed=0, start_step=0, batch_size=batch)
  )
  weights = params["backbone"]
  return [
    _measure("video, forward", name, video, weights),
    _measure("video, with gradients", name, jax.grad(video), weights),
    _measure("texts, with gradients", name, jax.grad(texts), weights),
    _measure("whole step", name, step, state, views),
  ]


def _measure(part, stem, function, *args):
  """Seconds of a call, and what XLA counts in it."""
  begin = time.perf_counter()
  compiled = jax.jit(function).lower(*args).compile()
  compile_seconds = time.perf_counter() - begin
  jax.block_until_ready(compiled(*args))
  begin = time.perf_counter()
  for _ in range(_CALLS):
    jax.block_until_ready(compiled(*args))
  seconds = (time.perf_counter() - begin) / _CALLS
  cost = compiled.cost_analysis()
  row = {
    "part": part,
    "stem": stem,
    "seconds": round(seconds, 4),
    "compile_seconds": round(compile_seconds, 1),
    "gflop": round(cost.get("flops", 0.0) / 1e9, 2),
    "gbytes": round(cost.get("bytes accessed", 0.0) / 1e9, 2),
  }
  print(row, flush=True)
  return row


if __name__ == "__main__":
  main()

"""Makes the small backbone: stage 1, on procedural human clips.

  python -m launch.pretrain --config=configs/pretrain.py
  python -m launch.pretrain --config=configs/pretrain.py:smoke

Clips are drawn while it trains; nothing is read from disk. A run that was
stopped or killed goes on with the same command. It ends with
small_backbone.safetensors and its card in the run folder; copied to a2r/assets
they are what launch.train starts from.
"""

import itertools
import json
import pathlib
import sys

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from a2r.core import checkpoint, optim, signals
from a2r.learners import loop
from a2r.learners import pretrain as stage
from a2r.models import singularity
from launch import common, initial

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Settings: configs/pretrain.py, with :smoke after it."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "The run folder; runs/<name of the settings> by default."
)


def main():
  """Reads the flags and trains."""
  config = _CONFIG.value
  if config is None:
    raise ValueError(
      "--config is missing, such as --config=configs/pretrain.py"
    )
  workdir = pathlib.Path(
    _WORKDIR.value or common.default_workdir("config=", sys.argv[1:])
  ).expanduser()
  with common.locked(workdir):
    common.store_config(workdir, config.to_dict())
    _train(config, workdir)


def _train(config, workdir):
  tokenizer = stage.make_tokenizer(config.model.backbone.vocab_size)
  tokenizer.save(workdir / "tokenizer.json")
  model = singularity.Singularity(singularity.Config(**config.model.backbone))
  evaluate = stage.make_evaluator(
    model, tokenizer, clips_per_template=config.eval.clips_per_template
  )
  batch = {"clip": np.arange(config.train.batch_size, dtype=np.int32)}
  result = loop.train(
    stage.make_learner(
      model, tokenizer, caption_weight=config.loss.caption_weight
    ),
    optim.make_optimizer(num_steps=config.train.num_steps, **config.optim),
    lambda step: itertools.repeat(batch),
    workdir=str(workdir),
    seed=config.seed,
    num_steps=config.train.num_steps,
    epoch_steps=config.train.epoch_steps,
    log_every=config.train.log_every,
    checkpoint_every=config.train.checkpoint_every,
    validate_fn=lambda params, extra: evaluate(params),
    best_metric=config.eval.best_metric,
  )
  if not result.finished:
    step = int(result.state.step)
    raise signals.Stopped(f"after step {step} of {config.train.num_steps}")
  _write_backbone(config, workdir, evaluate)


def _write_backbone(config, workdir, evaluate):
  best = checkpoint.load(workdir)
  params = best.parts["params"]
  card = {
    "data": "procedural human clips, drawn during training; not real video",
    "templates": len(stage.humans.TEMPLATES),
    "held_out": evaluate(params),
    "held_out_clips": config.eval.clips_per_template
    * len(stage.humans.TEMPLATES),
    "step": best.step,
    "num_steps": config.train.num_steps,
    "batch_size": config.train.batch_size,
    "hours": round(_seconds(workdir) / 3600, 2),
    "device": jax.devices()[0].device_kind,
    "seed": config.seed,
    "num_params": sum(x.size for x in jax.tree.leaves(params)),
    "command": "python -m launch.pretrain --config=configs/pretrain.py",
  }
  path = workdir / "small_backbone.safetensors"
  initial.save_backbone(path, params, workdir / "tokenizer.json", card)
  common.write_json(workdir / "small_backbone.json", card)
  print(json.dumps(card, indent=2))
  print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")


def _seconds(workdir: pathlib.Path) -> float:
  """Training time so far, from the speeds on record."""
  seconds, before = 0.0, 0
  for line in (workdir / "metrics.jsonl").read_text().splitlines():
    row = json.loads(line)
    if row.get("steps_per_second"):
      seconds += (row["step"] - before) / row["steps_per_second"]
      before = row["step"]
  return seconds


if __name__ == "__main__":
  common.run(main)

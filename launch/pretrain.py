"""Makes the small backbone: stage 1, on procedural human clips.

  python -m launch.pretrain --config=configs/pretrain.py
  python -m launch.pretrain --config=configs/pretrain.py:smoke

Clips are drawn while it trains; nothing is read from disk. A run that was
stopped or killed goes on with the same command, and `train.num_steps` may then
be another as long as the learning rate has not begun to fall. Each epoch leaves
a backbone in snapshots/. The run ends with small_backbone.safetensors and its
card in the run folder; copied to a2r/assets they are what launch.train starts
from. On a CPU every core is a device.
"""

import json
import pathlib

from etils import epy

from launch import app

with epy.lazy_imports():
  import jax

  from a2r.core import compilation, files, optim, signals
  from a2r.learners import loop, pretrain_eval
  from a2r.learners import pretrain as stage
  from a2r.models.singularity import singularity
  from a2r.runs import weights
  from a2r.sim.humans import human_clips

_FLAGS = app.RunFlags("configs/pretrain.py")


def main():
  """Reads the flags and trains."""
  with _FLAGS.open() as (config, workdir):
    compilation.use_cores(config.train.batch_size)
    _train(config, workdir)


def _train(config, workdir):
  tokenizer = stage.make_tokenizer(config.model.backbone.vocab_size)
  tokenizer.save(workdir / "tokenizer.json")
  model = singularity.Singularity(singularity.Config(**config.model.backbone))
  evaluate = pretrain_eval.make_evaluator(
    model, tokenizer, clips_per_template=config.eval.clips_per_template
  )
  learner = stage.make_learner(model, tokenizer, **config.loss)

  def on_epoch(params, extra, epoch):
    metrics = evaluate(params["backbone"])
    step = epoch * config.train.epoch_steps
    path = workdir / "snapshots" / f"step-{step:06d}.safetensors"
    _write_backbone(config, workdir, params, step, metrics, path)
    return extra, metrics

  result = loop.train(
    learner._replace(on_epoch=on_epoch),
    optim.make_optimizer(num_steps=config.train.num_steps, **config.optim),
    lambda step: stage.make_batches(
      model.config,
      seed=config.seed,
      start_step=step,
      batch_size=config.train.batch_size,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    ),
    workdir=str(workdir),
    seed=config.seed,
    num_steps=config.train.num_steps,
    epoch_steps=config.train.epoch_steps,
    log_every=config.train.log_every,
    checkpoint_every=config.train.checkpoint_every,
  )
  step, params = int(result.state.step), result.state.params
  if not result.finished:
    raise signals.StopRequested(
      f"after step {step} of {config.train.num_steps}"
    )
  path = workdir / "small_backbone.safetensors"
  metrics = evaluate(params["backbone"])
  card = _write_backbone(config, workdir, params, step, metrics, path)
  files.write_json(path.with_suffix(".json"), card)
  print(json.dumps(card, indent=2))
  print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")


def _write_backbone(config, workdir, params, step, metrics, path):
  """Writes the backbone after `step` and returns its card."""
  backbone = params["backbone"]
  card = {
    "data": "procedural human clips, drawn during training; not real video",
    "templates": len(human_clips.TEMPLATES),
    "held_out": metrics,
    "held_out_clips": config.eval.clips_per_template
    * len(human_clips.TEMPLATES),
    "step": step,
    "num_steps": config.train.num_steps,
    "batch_size": config.train.batch_size,
    "hours": round(_seconds(workdir) / 3600, 2),
    "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    "seed": config.seed,
    "num_params": sum(x.size for x in jax.tree.leaves(backbone)),
    "command": "python -m launch.pretrain --config=configs/pretrain.py",
  }
  path.parent.mkdir(exist_ok=True)
  weights.save_backbone(path, backbone, workdir / "tokenizer.json", card)
  return card


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
  app.run(main)

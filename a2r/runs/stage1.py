"""Runs of stage 1: the backbone, before any robot.

`run` trains on videos with captions (launch.finetune), `run_procedural` on
clips that are drawn while it trains (launch.pretrain).
"""

import dataclasses
import functools
import json
import pathlib
from typing import Any

import jax
import optax

from a2r.core import compilation, files, hosts, optim, writer
from a2r.evaluation import retrieval, tables
from a2r.learners import finetune, loop, pretrain, pretrain_eval
from a2r.models import pretrained
from a2r.models.singularity import singularity
from a2r.runs import captioned, run_folder, weights
from a2r.runs import settings as settings_lib
from a2r.runs.data_settings import DataSettings
from a2r.sim.humans import human_clips, scenes
from configs import ranges

REPORT = "report.json"
_DIRECTIONS = {
  "text to video": "text_to_video",
  "video to text": "video_to_text",
  "text to video, matched": "matched/text_to_video",
  "video to text, matched": "matched/video_to_text",
}


def read(config: Any) -> tuple[weights.Model, finetune.Settings]:
  """Returns the network and the losses of a config, all of which is checked.

  Args:
    config: as configs/singularity_ssv2.py gives it.

  Raises:
    ValueError: settings that make no sense; says which, and what they may be.
    FileNotFoundError: the first weights are not there.
  """
  ranges.check(config)
  train, model = config.train, weights.read_model(config.model)
  backbone = model.backbone
  settings_lib.check_batch(
    {"train.batch_size": train.batch_size}, train.micro_batch
  )
  if not 2 <= train.max_length <= backbone.max_positions:
    raise ValueError(
      f"train.max_length={train.max_length} must be in [2, "
      f"{backbone.max_positions}], the last being max_positions of the backbone"
    )
  if backbone.num_frames > config.data.stored_frames:
    raise ValueError(
      f"model.backbone.num_frames={backbone.num_frames} are more than the "
      f"data.stored_frames={config.data.stored_frames} of a clip"
    )
  losses = finetune.Settings(**config.loss.to_dict(), flip=train.flip)
  losses.check_backbone(backbone)
  return model, losses


def _read_length(
  config: Any, num_clips: int
) -> tuple[loop.Clocks, optax.GradientTransformation]:
  """Returns the clocks and the optimizer of a run on so many clips."""
  train = config.train
  epoch_steps = num_clips // train.batch_size
  if not epoch_steps:
    raise ValueError(
      f"{num_clips} clips to train on do not fill a batch of "
      f"{train.batch_size}: lower train.batch_size"
    )
  clocks = loop.Clocks(
    num_steps=train.num_epochs * epoch_steps,
    epoch_steps=epoch_steps,
    log_every=train.log_every,
    checkpoint_every=train.checkpoint_every,
  )
  optimizer = finetune.make_optimizer(
    num_steps=clocks.num_steps, **config.optim
  )
  return clocks, optimizer


def run(config: Any, workdir: pathlib.Path):
  """Trains on videos with captions, evaluates and prints the tables.

  Arguments and errors are those of `train.run`, the config
  configs/singularity_ssv2.py's.
  """
  network, losses = read(config)
  data, train = config.data, config.train
  settings = DataSettings.from_config(data)
  asked = {
    "captions": data.captions,
    "num_held_out": data.validation.clips,
  }
  most = captioned.count(settings, **asked)
  if most is not None:  # Faults are told before clips are made.
    _read_length(config, most)
  clips = captioned.open_clips(settings, config.seed, **asked)
  hosts.check_same("the set of clips", [len(clips.train), len(clips.captions)])
  clocks, optimizer = _read_length(config, len(clips.train))
  start = weights.load(network, clips.captions)
  start.tokenizer.save(workdir / "tokenizer.json")
  model = singularity.Singularity(network.backbone)
  sizes = {
    "num_frames": network.backbone.num_frames,
    "image_size": data.image_size,
    "max_length": train.max_length,
  }
  held_out = captioned.load_held_out(clips, start.tokenizer, **sizes)
  evaluate = functools.partial(
    retrieval.evaluate, model, chunk_size=config.eval.chunk_size, **held_out
  )
  learner = finetune.make_learner(
    model,
    losses,
    init_fn=lambda rng: weights.fit(start, singularity.init_params(model, rng)),
    mask_id=start.tokenizer.mask_id,
    vocab_size=start.tokenizer.vocab_size,
    micro_batch=train.micro_batch,
  )
  state = loop.train(
    learner,
    optimizer,
    functools.partial(
      captioned.make_batches,
      clips,
      start.tokenizer,
      **sizes,
      batch_size=train.batch_size,
      flip=train.flip,
      seed=config.seed,
      num_steps=clocks.num_steps,
    ),
    clocks,
    workdir=str(workdir),
    seed=config.seed,
    # The matching head ranks again at the end alone: it takes long.
    validate_fn=lambda params, extra: evaluate(params["backbone"]),
    items=run_folder.read_items(workdir),
  )
  if not hosts.is_writer():
    return
  # Without a matching head nothing is ranked again.
  num_reranked = config.eval.num_reranked if losses.weights["itm"] else 0
  metrics = evaluate(state.params["backbone"], num_reranked=num_reranked)
  report = {
    "num_steps": clocks.num_steps,
    "trained_on": len(clips.train),
    "held_out": {
      "clips": len(held_out["frames"]),
      "captions": len(held_out["captions"].input_ids),
      "templates": len(clips.templates),
    },
    "metrics": metrics,
    "backbone": start.card,
    "config": config.to_dict(),
  }
  files.write_json(workdir / REPORT, report, recorded=True)
  print(_tables(metrics, **report["held_out"]))
  print(f"\nReport: {workdir / REPORT}. Adapt it to a robot:")
  print(f"  python -m launch.train --config.model.init={workdir} ...")


def _tables(metrics, clips, captions, templates) -> str:
  """What is printed of the metrics, beside the sizes of what was held out."""
  rows = [
    (name, *(100 * metrics[f"{key}/{rank}"] for rank in ("r1", "r5", "r10")))
    for name, key in _DIRECTIONS.items()
    if f"{key}/r1" in metrics
  ]
  title = f"Percent of {clips} held-out clips and their {captions} captions"
  text = tables.Table(title, ("ranked", "R@1", "R@5", "R@10"), rows).text()
  if "top1" in metrics:
    text += (
      f"\n\nAmong {templates} templates: top-1 {100 * metrics['top1']:.2f} %, "
      f"top-5 {100 * metrics['top5']:.2f} %"
    )
  return text


def run_procedural(config: Any, workdir: pathlib.Path):
  """Trains on procedural clips and writes small_backbone.safetensors.

  Arguments and errors are those of `train.run`, the config
  configs/pretrain.py's.
  """
  ranges.check(config)
  failures = [config.data[name] for name in scenes.OUTCOMES[1:]]
  if sum(failures) > 1:
    raise ValueError(
      f"data.missed, data.stopped and data.idle are {failures}, more than 1 "
      "together"
    )
  train, batch_size = config.train, config.train.batch_size
  # A CPU's cores: before JAX touches a device.
  compilation.use_cores(batch_size)
  settings_lib.check_batch({"train.batch_size": batch_size})
  clocks = loop.read_clocks(train)
  optimizer = optim.make_optimizer(num_steps=clocks.num_steps, **config.optim)
  backbone = singularity.Config(**config.model.backbone)
  model = singularity.Singularity(backbone)
  tokenizer = pretrain.make_tokenizer(backbone.vocab_size)
  tokenizer.save(workdir / "tokenizer.json")
  clips_per_template = config.eval.clips_per_template
  evaluate = pretrain_eval.make_evaluator(
    model, tokenizer, clips_per_template=clips_per_template
  )
  learner = pretrain.make_learner(model, tokenizer, **config.loss)

  def write(params, step, metrics, path):
    """Writes the backbone after `step` and returns its card."""
    card = {
      "config": dataclasses.asdict(backbone),
      "data": "procedural human clips, drawn during training; not real video",
      "templates": len(human_clips.TEMPLATES),
      "held_out": metrics,
      "held_out_clips": clips_per_template * len(human_clips.TEMPLATES),
      "step": step,
      "num_steps": clocks.num_steps,
      "batch_size": batch_size,
      "hours": round(_count_seconds(workdir) / 3600, 2),
      "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
      "seed": config.seed,
      "num_params": sum(x.size for x in jax.tree.leaves(params)),
      "command": "python -m launch.pretrain --config=configs/pretrain.py",
    }
    path.parent.mkdir(exist_ok=True)
    pretrained.save(path, params, workdir / "tokenizer.json", card)
    return card

  def on_epoch(params, extra, epoch):
    metrics = evaluate(params["backbone"])
    step = epoch * clocks.epoch_steps
    path = workdir / "snapshots" / f"step-{step:06d}.safetensors"
    write(params["backbone"], step, metrics, path)
    return extra, metrics

  state = loop.train(
    learner._replace(on_epoch=on_epoch),
    optimizer,
    lambda step: pretrain.make_batches(
      backbone,
      seed=config.seed,
      start_step=step,
      batch_size=batch_size,
      failures=failures,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    ),
    clocks,
    workdir=str(workdir),
    seed=config.seed,
  )
  if not hosts.is_writer():
    return
  params = state.params["backbone"]
  path = workdir / "small_backbone.safetensors"
  card = write(params, int(state.step), evaluate(params), path)
  files.write_json(path.with_suffix(".json"), card, recorded=True)
  print(json.dumps(card, indent=2))
  print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")


def _count_seconds(workdir: pathlib.Path) -> float:
  """Returns the training time so far, from the speeds on record."""
  seconds, before = 0.0, 0
  for row in writer.read(workdir):
    if row.get("steps_per_second"):
      seconds += (row["step"] - before) / row["steps_per_second"]
      before = row["step"]
  return seconds

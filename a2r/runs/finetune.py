"""One run of stage 1 on videos, from the settings to the table at its end."""

import functools
import json
import pathlib
from typing import Any

import jax

from a2r.core import files, signals
from a2r.evaluation import retrieval, tables
from a2r.learners import finetune, finetune_optimizer, loop
from a2r.models.singularity import singularity
from a2r.runs import captioned, initial

REPORT = "report.json"
_WAYS = {
  "text to video": "text_to_video",
  "video to text": "video_to_text",
  "text to video, matched": "matched/text_to_video",
  "video to text, matched": "matched/video_to_text",
}


def run(config: Any, workdir: pathlib.Path):
  """Trains, evaluates and prints the tables.

  Args:
    config: the settings, as configs/singularity_ssv2.py gives them.
    workdir: the run folder; a run that was stopped there goes on.

  Raises:
    ValueError: settings or clips that make no sense.
    signals.StopRequested: the process was asked to stop; all is saved.
  """
  check(config)
  clips = captioned.open_clips(config.data, config.seed)
  num_steps = captioned.num_steps(config.train, clips)
  if not num_steps:
    raise ValueError(
      f"{len(clips.train)} clips to train on do not fill a batch of "
      f"{config.train.batch_size}: lower train.batch_size"
    )
  start = initial.find_weights(config.model, clips.captions)
  start.tokenizer.save(workdir / "tokenizer.json")
  model = singularity.Singularity(singularity.Config(**config.model.backbone))
  held_out = captioned.load_held_out(
    config, clips, start.tokenizer, model.config.num_frames
  )
  evaluate = functools.partial(
    retrieval.evaluate,
    model,
    frames=held_out.frames,
    captions=held_out.captions,
    classes=held_out.classes,
    chunk_size=config.eval.chunk_size,
  )
  result = loop.train(
    make_learner(config, model, start),
    finetune_optimizer.make_optimizer(num_steps=num_steps, **config.optim),
    captioned.make_batches_fn(
      config, clips, start.tokenizer, model.config.num_frames
    ),
    workdir=str(workdir),
    seed=config.seed,
    num_steps=num_steps,
    epoch_steps=captioned.epoch_steps(config.train, clips),
    log_every=config.train.log_every,
    checkpoint_every=config.train.checkpoint_every,
    # The matching head ranks again at the end alone: it takes long.
    validate_fn=lambda params, extra: evaluate(params["backbone"]),
    items={
      "config": json.loads(json.dumps(config.to_dict())),
      "tokenizer": json.loads((workdir / "tokenizer.json").read_text()),
    },
  )
  if not result.finished:
    step = int(result.state.step)
    raise signals.StopRequested(f"after step {step} of {num_steps}")
  metrics = evaluate(
    result.state.params["backbone"], num_reranked=_num_reranked(config)
  )
  _report(workdir, config, clips, held_out, metrics, start.card, num_steps)


def make_learner(config, model, start):
  """The learner of the settings.

  Args:
    config: the settings.
    model: the backbone.
    start: its first weights and its tokenizer.
  """

  def init_fn(rng):
    params = finetune.init_params(model, rng)
    return initial.fit(config.model.init, params, start.params)

  return finetune.make_learner(
    model,
    weights=config.loss.weights.to_dict(),
    flip=config.train.flip,
    initial_params=init_fn,
    mask_id=start.tokenizer.mask_id,
    vocab_size=start.tokenizer.vocab_size,
    hard_negatives=config.loss.hard_negatives,
    micro_batch=config.train.micro_batch,
  )


def check(config: Any):
  """Finds what is wrong with the settings before anything is made.

  Raises:
    ValueError: says which key, and what it should be.
  """
  initial.check(config.model)
  train, num_devices = config.train, jax.device_count()
  for name in ("num_epochs", "log_every", "checkpoint_every", "batch_size"):
    if train[name] < 1:
      raise ValueError(f"train.{name} must be at least 1, got {train[name]}")
  if train.batch_size % num_devices:
    raise ValueError(
      f"train.batch_size={train.batch_size} does not split over {num_devices} "
      f"devices: make it a multiple of {num_devices}"
    )
  on_device = train.batch_size // num_devices
  if train.micro_batch < 0 or (
    train.micro_batch and on_device % train.micro_batch
  ):
    raise ValueError(
      f"train.micro_batch={train.micro_batch} does not divide the {on_device} "
      "clips of a device; 0 takes them all at once"
    )
  backbone = singularity.Config(**config.model.backbone)
  if not 2 <= train.max_length <= backbone.max_positions:
    raise ValueError(
      f"train.max_length={train.max_length} must be in [2, "
      f"{backbone.max_positions}], the last being max_positions of the backbone"
    )
  if config.eval.num_reranked < 0:
    raise ValueError(
      f"eval.num_reranked must be at least 0, got {config.eval.num_reranked}"
    )
  if backbone.num_frames > config.data.stored_frames:
    raise ValueError(
      f"model.backbone.num_frames={backbone.num_frames} are more than the "
      f"data.stored_frames={config.data.stored_frames} of a clip"
    )
  # What is wrong with the losses and the flip is told before clips are read.
  finetune.make_learner(
    singularity.Singularity(backbone),
    weights=config.loss.weights.to_dict(),
    flip=train.flip,
    mask_id=0,
    vocab_size=1,
  )


def _num_reranked(config) -> int:
  """Without a matching head nothing is ranked again."""
  return config.eval.num_reranked if config.loss.weights.itm else 0


def _report(workdir, config, clips, held_out, metrics, card, num_steps):
  """Writes report.json and prints the tables."""
  sizes = {
    "clips": len(held_out.frames),
    "captions": len(held_out.captions.input_ids),
    "templates": len(clips.templates),
  }
  report = {
    "num_steps": num_steps,
    "trained_on": len(clips.train),
    "held_out": sizes,
    "metrics": metrics,
    "backbone": card,
    "config": json.loads(json.dumps(config.to_dict())),
  }
  files.write_json(workdir / REPORT, report)
  rows = [
    (name, *(100 * metrics[f"{key}/{rank}"] for rank in ("r1", "r5", "r10")))
    for name, key in _WAYS.items()
    if f"{key}/r1" in metrics
  ]
  title = "Percent of {clips} held-out clips and their {captions} captions"
  header = ("ranked", "R@1", "R@5", "R@10")
  print(tables.Table(title.format(**sizes), header, rows).text())
  if "top1" in metrics:
    print(
      f"\nAmong {sizes['templates']} templates: top-1 "
      f"{100 * metrics['top1']:.2f} %, top-5 {100 * metrics['top5']:.2f} %"
    )
  print(f"\nReport: {workdir / REPORT}. Adapt it to a robot:")
  print(f"  python -m launch.train --config.model.init={workdir} ...")

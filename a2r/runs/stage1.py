"""Runs of stage 1: the backbone, before any robot.

`run` trains on videos with captions (launch.finetune), `run_procedural` on
clips that are drawn while it trains (launch.pretrain).
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax

from a2r.core import checks, compilation, files, optim
from a2r.evaluation import retrieval, tables
from a2r.learners import finetune, loop, pretrain, pretrain_eval
from a2r.models.singularity import singularity
from a2r.runs import captioned, weights
from a2r.runs import settings as settings_lib
from a2r.runs.data_settings import DataSettings
from a2r.sim.humans import human_clips

REPORT = "report.json"
_DIRECTIONS = {
  "text to video": "text_to_video",
  "video to text": "video_to_text",
  "text to video, matched": "matched/text_to_video",
  "video to text, matched": "matched/video_to_text",
}


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of `run`; those in `optim` are arguments."""

  seed: int
  data: DataSettings
  captions: str
  num_held_out: int
  model: weights.Model
  loss: finetune.Settings
  optim: Mapping[str, Any]
  num_epochs: int
  batch: captioned.Batch
  micro_batch: int
  log_every: int
  checkpoint_every: int
  num_reranked: int
  chunk_size: int

  def __post_init__(self):
    for name in ("num_epochs", "log_every", "checkpoint_every"):
      checks.at_least(f"train.{name}", getattr(self, name), 1)
    checks.at_least("eval.num_reranked", self.num_reranked, 0)
    settings_lib.check_batch(
      {"train.batch_size": self.batch.size}, self.micro_batch
    )
    backbone = self.model.backbone
    if not 2 <= self.batch.max_length <= backbone.max_positions:
      raise ValueError(
        f"train.max_length={self.batch.max_length} must be in [2, "
        f"{backbone.max_positions}], the last being max_positions of the "
        "backbone"
      )
    if backbone.num_frames > self.data.stored_frames:
      raise ValueError(
        f"model.backbone.num_frames={backbone.num_frames} are more than the "
        f"data.stored_frames={self.data.stored_frames} of a clip"
      )
    self.loss.check_backbone(backbone)


def read(config: Any) -> Settings:
  """Returns the settings of a config, as configs/singularity_ssv2.py gives it.

  Raises:
    ValueError: they make no sense; says which key, and what it should be.
    FileNotFoundError: the first weights are not there.
  """
  model = weights.read_model(config.model)
  weights.check(model)
  train = config.train
  return Settings(
    seed=config.seed,
    data=DataSettings.from_config(config.data),
    captions=config.data.captions,
    num_held_out=config.data.validation.clips,
    model=model,
    loss=finetune.Settings(**config.loss.to_dict(), flip=train.flip),
    optim=config.optim.to_dict(),
    num_epochs=train.num_epochs,
    batch=captioned.Batch(
      size=train.batch_size,
      num_frames=model.backbone.num_frames,
      image_size=config.data.image_size,
      max_length=train.max_length,
      flip=train.flip,
    ),
    micro_batch=train.micro_batch,
    log_every=train.log_every,
    checkpoint_every=train.checkpoint_every,
    num_reranked=config.eval.num_reranked,
    chunk_size=config.eval.chunk_size,
  )


def run(config: Any, workdir: pathlib.Path):
  """Trains on videos with captions, evaluates and prints the tables.

  Args:
    config: the settings, as configs/singularity_ssv2.py gives them.
    workdir: the run folder; a run that was stopped there goes on.

  Raises:
    ValueError: settings or clips that make no sense.
    signals.StopRequested: the process was asked to stop; all is saved.
  """
  settings = read(config)
  clips = captioned.open_clips(
    settings.data,
    settings.seed,
    captions=settings.captions,
    num_held_out=settings.num_held_out,
  )
  epoch_steps = len(clips.train) // settings.batch.size
  if not epoch_steps:
    raise ValueError(
      f"{len(clips.train)} clips to train on do not fill a batch of "
      f"{settings.batch.size}: lower train.batch_size"
    )
  clocks = loop.Clocks(
    num_steps=settings.num_epochs * epoch_steps,
    epoch_steps=epoch_steps,
    log_every=settings.log_every,
    checkpoint_every=settings.checkpoint_every,
  )
  start = weights.load(settings.model, clips.captions)
  start.tokenizer.save(workdir / "tokenizer.json")
  model = singularity.Singularity(settings.model.backbone)
  held_out = captioned.load_held_out(clips, settings.batch, start.tokenizer)
  evaluate = functools.partial(
    retrieval.evaluate, model, **held_out._asdict(),
    chunk_size=settings.chunk_size,
  )  # fmt: skip
  learner = finetune.make_learner(
    model,
    settings.loss,
    init_fn=lambda rng: start.fit(finetune.init_params(model, rng)),
    mask_id=start.tokenizer.mask_id,
    vocab_size=start.tokenizer.vocab_size,
    micro_batch=settings.micro_batch,
  )
  state = loop.train(
    learner,
    finetune.make_optimizer(num_steps=clocks.num_steps, **settings.optim),
    lambda step: captioned.make_batches(
      clips,
      settings.batch,
      start.tokenizer,
      step,
      seed=settings.seed,
      num_steps=clocks.num_steps,
    ),
    clocks,
    workdir=str(workdir),
    seed=settings.seed,
    # The matching head ranks again at the end alone: it takes long.
    validate_fn=lambda params, extra: evaluate(params["backbone"]),
    items={
      "config": json.loads(json.dumps(config.to_dict())),
      "tokenizer": files.read_json(workdir / "tokenizer.json"),
    },
  )
  # Without a matching head nothing is ranked again.
  num_reranked = settings.num_reranked if settings.loss.weights["itm"] else 0
  metrics = evaluate(state.params["backbone"], num_reranked=num_reranked)
  _report(config, workdir, clips, held_out, metrics, clocks, start.card)


def _report(config, workdir, clips, held_out, metrics, clocks, card):
  """Writes report.json and prints the tables."""
  sizes = {
    "clips": len(held_out.frames),
    "captions": len(held_out.captions.input_ids),
    "templates": len(clips.templates),
  }
  report = {
    "num_steps": clocks.num_steps,
    "trained_on": len(clips.train),
    "held_out": sizes,
    "metrics": metrics,
    "backbone": card,
    "config": config.to_dict(),
  }
  files.write_json(workdir / REPORT, report)
  rows = [
    (name, *(100 * metrics[f"{key}/{rank}"] for rank in ("r1", "r5", "r10")))
    for name, key in _DIRECTIONS.items()
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


def run_procedural(config: Any, workdir: pathlib.Path):
  """Trains on procedural clips and writes small_backbone.safetensors.

  Args:
    config: the settings, as configs/pretrain.py gives them.
    workdir: the run folder; a run that was stopped there goes on.

  Raises:
    ValueError: settings that make no sense.
    signals.StopRequested: the process was asked to stop; all is saved.
  """
  train, batch_size = config.train, config.train.batch_size
  # A CPU's cores: before JAX touches a device.
  compilation.use_cores(batch_size)
  settings_lib.check_batch({"train.batch_size": batch_size})
  clocks = loop.read_clocks(train)
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
    weights.save_backbone(path, params, workdir / "tokenizer.json", card)
    return card

  def on_epoch(params, extra, epoch):
    metrics = evaluate(params["backbone"])
    step = epoch * clocks.epoch_steps
    path = workdir / "snapshots" / f"step-{step:06d}.safetensors"
    write(params["backbone"], step, metrics, path)
    return extra, metrics

  state = loop.train(
    learner._replace(on_epoch=on_epoch),
    optim.make_optimizer(num_steps=clocks.num_steps, **config.optim),
    lambda step: pretrain.make_batches(
      backbone,
      seed=config.seed,
      start_step=step,
      batch_size=batch_size,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    ),
    clocks,
    workdir=str(workdir),
    seed=config.seed,
  )
  params = state.params["backbone"]
  path = workdir / "small_backbone.safetensors"
  card = write(params, int(state.step), evaluate(params), path)
  files.write_json(path.with_suffix(".json"), card)
  print(json.dumps(card, indent=2))
  print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")


def _count_seconds(workdir: pathlib.Path) -> float:
  """Returns the training time so far, from the speeds on record."""
  seconds, before = 0.0, 0
  for line in (workdir / "metrics.jsonl").read_text().splitlines():
    row = json.loads(line)
    if row.get("steps_per_second"):
      seconds += (row["step"] - before) / row["steps_per_second"]
      before = row["step"]
  return seconds

"""What the configs must have, and what their numbers may be, by key.

Programs check a config before they make anything; a number has one range. What
several settings must be together is checked where they meet.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from a2r.core import checks


@dataclasses.dataclass(frozen=True)
class Range:
  """Finite numbers from `low` to `high`, both included unless `is_open`."""

  low: float
  high: float = math.inf
  low_is_open: bool = False
  high_is_open: bool = False

  def __contains__(self, value: float) -> bool:
    return (
      math.isfinite(value)
      and self.low <= value <= self.high
      and not (self.low_is_open and value == self.low)
      and not (self.high_is_open and value == self.high)
    )

  def __str__(self) -> str:
    if math.isinf(self.low):
      return "a finite number"
    if math.isinf(self.high):
      return f"{'above' if self.low_is_open else 'at least'} {self.low}"
    left, right = "[("[self.low_is_open], "])"[self.high_is_open]
    return f"in {left}{self.low}, {self.high}{right}"


_FINITE = Range(-math.inf)
_POSITIVE = Range(0, low_is_open=True)
# Steps are counted in 32 bits; a larger number is a slip of the hand.
_FROM_0 = Range(0, 2**31 - 1)
_FROM_1 = Range(1, 2**31 - 1)
_FRAMES, _PIXELS = Range(1, checks.MAX_FRAMES), Range(1, checks.MAX_PIXELS)
_SHARE = Range(0, 1)
_BELOW_1 = Range(0, 1, high_is_open=True)

RANGES = {
  "seed": Range(0, 2**32 - 1),
  # data.
  "data.image_size": _PIXELS,
  "data.stored_frames": _FRAMES,
  "data.robot.success_threshold": _FINITE,
  "data.robot.successes": _FROM_0,
  "data.robot.failures": _FROM_0,
  "data.robot.near_miss_fraction": _SHARE,
  "data.human.clips_per_template": _FROM_0,
  "data.missed": _SHARE,
  "data.stopped": _SHARE,
  "data.idle": _SHARE,
  "data.validation.successes": _FROM_0,
  "data.validation.failures": _FROM_0,
  "data.validation.share": _BELOW_1,
  "data.validation.clips": _FROM_1,
  "data.sources.uniform": _SHARE,
  "data.sources.held": _SHARE,
  "data.sources.random": _SHARE,
  "data.sources.expert": _SHARE,
  "data.sources.near_miss": _SHARE,
  "data.sources.noise": _SHARE,
  "data.episodes": _FROM_1,
  "data.validation_episodes": _FROM_1,
  "data.test_episodes": _FROM_1,
  # model.
  "model.num_failure_prompts": _FROM_0,
  "model.failure_prompt_length": _FROM_0,
  "model.domain_prompt_length": _FROM_0,
  "model.backbone.image_size": _PIXELS,
  "model.backbone.patch_size": _FROM_1,
  "model.backbone.num_frames": _FRAMES,
  "model.backbone.stem_features": _FROM_1,
  "model.backbone.stem_patch": _FROM_1,
  "model.backbone.width": _FROM_1,
  "model.backbone.num_heads": _FROM_1,
  "model.backbone.mlp_width": _FROM_1,
  "model.backbone.vision_layers": _FROM_0,
  "model.backbone.temporal_layers": _FROM_0,
  "model.backbone.text_layers": _FROM_0,
  "model.backbone.fusion_layer": _FROM_0,
  "model.backbone.vocab_size": _FROM_1,
  "model.backbone.max_positions": _FROM_1,
  "model.backbone.embed_dim": _FROM_1,
  "model.backbone.dropout": _BELOW_1,
  "model.backbone.drop_path": _BELOW_1,
  "model.backbone.layer_scale_init": _FROM_0,
  "model.image_size": _PIXELS,
  "model.patch": _FROM_1,
  "model.filters": _FROM_1,
  "model.num_blocks": _FROM_1,
  "model.expansion": _FROM_1,
  "model.decoder_kernel": _FROM_1,
  "model.code_size": _FROM_1,
  "model.rnn_size": _FROM_1,
  "model.predictor_layers": _FROM_1,
  "model.latent_layers": _FROM_1,
  "model.latent_size": _FROM_1,
  "model.action_size": _FROM_1,
  "model.stride": _FROM_1,
  "model.num_past": _FROM_1,
  # loss.
  "loss.weights.cdc": _FROM_0,
  "loss.weights.vlc": _FROM_0,
  "loss.weights.fvlc": _FROM_0,
  "loss.weights.bce": _FROM_0,
  "loss.weights.itc": _FROM_0,
  "loss.weights.itm": _FROM_0,
  "loss.weights.mlm": _FROM_0,
  "loss.temperature": _POSITIVE,
  "loss.caption_weight": _FROM_0,
  "loss.target_weight": _FROM_0,
  "loss.beta": _FROM_0,
  # Methods to compare with.
  "concept2robot.clips_per_template": _FROM_0,
  "dvd.steps": _FROM_1,
  "dvd.num_views": _FROM_1,
  "dvd.num_demos": _FROM_1,
  "dvd.batch_size": _FROM_1,
  "dvd.robot_probability": _SHARE,
  "dvd.optim.learning_rate": _POSITIVE,
  "dvd.optim.momentum": _BELOW_1,
  "dvd.optim.weight_decay": _FROM_0,
  "liv.weights.clip": _FROM_0,
  "liv.weights.vision": _FROM_0,
  "liv.weights.lang": _FROM_0,
  "liv.gamma": _SHARE,
  "liv.num_negatives": _FROM_0,
  "triplet.margin": _FROM_0,
  # optim.
  "optim.learning_rate": _POSITIVE,
  "optim.warmup_steps": _FROM_0,
  "optim.decay_steps": _FROM_0,
  "optim.weight_decay": _FROM_0,
  "optim.clip_norm": _POSITIVE,
  "optim.vision_rate": _SHARE,
  "optim.b1": _BELOW_1,
  "optim.b2": _BELOW_1,
  "optim.floor": _SHARE,
  # train.
  "train.num_steps": _FROM_0,
  "train.num_epochs": _FROM_1,
  "train.epoch_steps": _FROM_1,
  "train.batch.human": _FROM_0,
  "train.batch.robot": _FROM_0,
  "train.batch.failure": _FROM_0,
  "train.batch_size": _FROM_1,
  "train.crop": _BELOW_1,
  "train.color": _BELOW_1,
  "train.warp": Range(0, 0.25, high_is_open=True),
  "train.max_length": Range(2),
  "train.num_future": _FROM_1,
  "train.start_fraction": _SHARE,
  "train.micro_batch": _FROM_0,
  "train.log_every": _FROM_1,
  "train.checkpoint_every": _FROM_1,
  # eval.
  "eval.successes": _FROM_0,
  "eval.failures": _FROM_0,
  "eval.clips_per_template": _FROM_1,
  "eval.num_future": _FROM_1,
  "eval.num_reranked": _FROM_0,
  "eval.chunk_size": _FROM_1,
}

# Sections of all configs; others are methods'.
_SECTIONS = (
  "seed", "method", "data", "model", "loss", "optim", "train", "eval",
)  # fmt: skip
_FREE = ("model.backbone.", "data.sources.")


def check(config: Any):
  """Checks the numbers of a config of this folder, or of one like them.

  None stands for none and is not checked, nor is a key without a range.

  Args:
    config: a `ConfigDict`.

  Raises:
    ValueError: numbers out of their range; names all of them.
  """
  faults = [
    f"{key}={value} must be {RANGES[key]}"
    for key, value in numbers(config.to_dict())
    if key in RANGES and value not in RANGES[key]
  ]
  if faults:
    raise ValueError("; ".join(faults))


def missing(config: Any, like: Any) -> list[str]:
  """Returns the keys that a config lacks, of those that one like it has.

  What a method has besides is needed by that method alone; a backbone and
  shares of sources may have other keys.

  Args:
    config: a `ConfigDict`.
    like: one that has all.
  """
  there = set(keys(config.to_dict()))
  needed = (*_SECTIONS, config.get("method"))
  return [
    key
    for key in keys(like.to_dict())
    if key not in there
    and key.rpartition(".")[0] in there | {""}
    and key.partition(".")[0] in needed
    and not key.startswith(_FREE)
  ]


def keys(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
  """Yields the keys of nested settings, those of sections too."""
  for name, value in settings.items():
    yield prefix + name
    if isinstance(value, Mapping):
      yield from keys(value, f"{prefix}{name}.")


def numbers(
  settings: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, float]]:
  """Yields the numbers of nested settings, those of a list too, by key."""
  for name, value in settings.items():
    if isinstance(value, Mapping):
      yield from numbers(value, f"{prefix}{name}.")
      continue
    for item in value if isinstance(value, list | tuple) else [value]:
      if isinstance(item, int | float) and not isinstance(item, bool):
        yield f"{prefix}{name}", item

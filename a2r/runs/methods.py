"""What a training run asks of a method, and how methods share settings."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import optax

from a2r.learners import base, registry
from a2r.sim.humans import human_clips

KNOWN = tuple(registry.METHODS)
# The parts of a batch that each baseline looks at, where the run has them.
PARTS = {
  name: row.parts
  for name, row in registry.METHODS.items()
  if name != "adapt2reward"
}


class Method(NamedTuple):
  """What the loop needs of a method, and what its run folder gets.

  Attributes:
    learner: the method.
    optimizer: makes updates from gradients.
    batches_fn: from a step to the batches from there on.
    validate_fn: see `loop.train`.
    spec: the method's own keys of reward.json.
  """

  learner: base.Learner
  optimizer: optax.GradientTransformation
  batches_fn: Callable[[int], Iterator[Any]]
  validate_fn: Callable[[Any, Any], Mapping[str, float]] | None
  spec: Mapping[str, Any]


def adjust(config: Any) -> Any:
  """The settings as the baseline has them: batches and human clips.

  A step has as many clips as one of Adapt2Reward: Concept2Robot's are all
  human; LIV takes half of them, as it encodes four frames of each one by one,
  rounded up to a multiple of the number of devices.
  DVD, whose clips are encoded before, takes `dvd.steps` steps for each.

  Raises:
    ValueError: settings that leave the method nothing to learn from.
  """
  method = config.method
  config = config.copy_and_resolve_references()
  batch = config.train.batch
  config.loss.weights.update(cdc=0.0, vlc=0.0, fvlc=0.0, bce=0.0)
  config.model.update(
    num_failure_prompts=0, failure_prompt_length=0, domain_prompt_length=0
  )
  if method == "concept2robot":
    if config.data.human.source == "none":
      raise ValueError(
        "concept2robot learns from human clips alone: data.human.source='none' "
        "leaves it nothing"
      )
    batch.update(human=sum(batch.values()), robot=0, failure=0)
    settings = config.concept2robot
    templates = tuple(settings.templates)
    if config.data.human.source == "procedural":
      templates = templates or human_clips.TEMPLATES
    config.data.human.update(
      templates=templates, clips_per_template=settings.clips_per_template
    )
  elif method == "dvd":
    for key in ("num_steps", "epoch_steps", "log_every", "checkpoint_every"):
      config.train[key] *= config.dvd.steps
  elif method == "liv":
    devices = jax.device_count()
    for name, size in batch.items():
      batch[name] = -(-size // (2 * devices)) * devices
  for name in batch:
    if name not in PARTS[method]:
      batch[name] = 0
  if not config.data.robot.failures and config.data.robot.source == "tabletop":
    batch.failure = 0
  return config


def groups(config: Any) -> tuple[str, ...]:
  """The parts of a batch that a baseline looks at, of adjusted settings."""
  batch = config.train.batch
  return tuple(name for name in PARTS[config.method] if batch[name])

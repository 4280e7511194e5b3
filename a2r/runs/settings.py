"""What a run of `launch.train` is asked for: the config, read and checked once.

A method's own wishes (clips of a step, number of steps, human clips) are in
what `read` returns; what is used as the config has it is not.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax

from a2r import sim
from a2r.core import checks, optim
from a2r.learners import base, encoding, loop, registry
from a2r.runs import weights
from a2r.runs.data_settings import DataSettings
from configs import ranges
from data import pipeline

_NO_PROMPTS = {
  "num_failure_prompts": 0,
  "failure_prompt_length": 0,
  "domain_prompt_length": 0,
}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What follows from a config, its method's wishes applied.

  Attributes:
    method: its row.
    options: the method's own settings, a `method.settings`.
    uses_failures: whether the method cannot do without failed clips.
    batch: clips of a step, by part; those that the method looks at.
    optimizer: makes updates from gradients.
    eval: what the finished run is judged on: what the config has there.
    notes: what the user should know, one line each.
  """

  method: base.Method
  options: Any
  seed: int
  data: DataSettings
  uses_failures: bool
  model: weights.Model
  batch: Mapping[str, int]
  augmentation: encoding.Augmentation
  clocks: loop.Clocks
  optimizer: optax.GradientTransformation
  eval: Any
  notes: tuple[str, ...]


def read(config: Any, without: Sequence[str] = ()) -> Settings:
  """Returns the settings of a config, as configs/envgen.py gives them.

  Args:
    config: the config.
    without: names of losses that are left out, by weights of 0.

  Raises:
    ValueError: they make no sense; says which key, and what it should be.
    FileNotFoundError: the first weights are not there.
  """
  ranges.check(config)
  checks.one_of("method", config.method, registry.METHODS)
  for name in config.eval.environments:
    checks.one_of("eval.environments", name, sim.ENVIRONMENTS)
  for name in config.eval.tasks:
    checks.one_of("eval.tasks", name, sim.TASKS)
  method = registry.METHODS[config.method]
  options = config[method.config_key].to_dict()
  zero_shot = config.train.num_steps == 0
  if zero_shot:
    _check_zero_shot(config)
    without = (*without, "fvlc")
  for name in without:
    options["weights"][name] = 0.0
  options = method.settings(**options)
  train, data = config.train, DataSettings.from_config(config.data)
  prompts = {} if method.prompts and not zero_shot else _NO_PROMPTS
  model = weights.read_model(config.model, **prompts)
  _check_prompts(options, model)
  if size := getattr(options, "batch_size", 0):  # Of what it trains itself.
    check_batch({f"{method.config_key}.batch_size": size})
  share = method.share(options, train.batch.to_dict(), data.human.source)
  clocks = loop.read_clocks(train, share.steps)
  _check_best_metric(config.eval.best_metric, data.robot)
  return Settings(
    method=method,
    options=options,
    seed=config.seed,
    data=change_human(data, **share.human),
    uses_failures="failure" in share.needs,
    model=model,
    batch=_find_batch(method, share, data, train.micro_batch),
    augmentation=encoding.Augmentation(
      train.augment, train.crop, train.color, train.warp, train.mirror
    ),
    clocks=clocks,
    optimizer=_make_optimizer(config.optim, clocks.num_steps),
    eval=config.eval,
    notes=share.notes,
  )


def _check_zero_shot(config):
  """Fails where a run of no steps would not be its backbone zero-shot."""
  if config.method != "adapt2reward" or config.model.init == "scratch":
    raise ValueError(
      "train.num_steps=0 judges model.init as it is, by the method "
      f"'adapt2reward'; got method={config.method!r} and "
      f"model.init={config.model.init!r}"
    )


def _make_optimizer(config, num_steps):
  """The optimizer; a run of no steps has none to speak of."""
  if not num_steps:
    return optax.identity()
  return optim.make_optimizer(num_steps=num_steps, **config)


def change_human(data: DataSettings, **changes: Any) -> DataSettings:
  """Returns settings of data with other ones of human clips."""
  human = dataclasses.replace(data.human, **changes)
  return dataclasses.replace(data, human=human)


def _check_prompts(options, model):
  weight = getattr(options, "weights", {}).get("fvlc", 0)
  if weight and not model.num_failure_prompts:
    raise ValueError(
      f"loss.weights.fvlc={weight} needs model.num_failure_prompts of at least "
      "1; for a run without them set it to 0"
    )


def _check_best_metric(name, robot):
  """Checks it; the tasks of the user's own clips are not known yet."""
  if name.startswith("auroc/") and robot.is_users:
    return
  tasks = () if robot.is_users else robot.tasks or sim.TARGETS
  known = ("auroc", *(f"auroc/{task}" for task in tasks))
  checks.one_of("eval.best_metric", name, known)


def _find_batch(method, share, data, micro_batch) -> dict[str, int]:
  """Returns the clips of a step by part, after what spans several settings."""
  sizes = {
    name: share.batch.get(name, 0) if name in method.parts else 0
    for name in pipeline.PARTS
  }
  source = data.human.source
  if "human" in method.parts and (source == "none") != (sizes["human"] < 1):
    raise ValueError(
      f"data.human.source={source!r} with train.batch.human={sizes['human']}: "
      "robot clips alone are source 'none' and 0; sources of human clips: "
      "procedural, ssv2, records, folder"
    )
  if "robot" in method.parts:
    checks.at_least("train.batch.robot", sizes["robot"], 1)
  no_failures = data.robot.source == "tabletop" and not data.robot.failures
  if "failure" in share.needs:
    for key, lacks in (
      ("train.batch.failure", not sizes["failure"]),
      ("data.robot.failures", no_failures),
    ):
      if lacks:
        raise ValueError(f"{key}=0 needs {share.needs['failure']}")
  if no_failures:
    sizes["failure"] = 0
  check_batch({f"train.batch.{k}": n for k, n in sizes.items()}, micro_batch)
  return sizes


def check_batch(sizes: Mapping[str, int], micro_batch: int = 0):
  """Fails where a step's clips do not split over the devices.

  Args:
    sizes: clips by the key of their number.
    micro_batch: clips that a device encodes at a time; 0 is all of them.

  Raises:
    ValueError: says which key, and what it should be.
  """
  devices = jax.device_count()
  for key, size in sizes.items():
    if size % devices:
      raise ValueError(
        f"{key}={size} does not split over {devices} devices: make it a "
        f"multiple of {devices}"
      )
  on_device = sum(sizes.values()) // devices
  if micro_batch < 0 or (micro_batch and on_device % micro_batch):
    raise ValueError(
      f"train.micro_batch={micro_batch} does not divide the {on_device} clips "
      "of a device; 0 takes them all at once"
    )

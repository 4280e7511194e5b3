"""Adapt2Reward: a video-language model adapted with human and robot clips.

Yang et al., "Adapt2Reward: Adapting Video-Language Models to Generalizable
Robotic Rewards via Failure Prompts" (https://arxiv.org/abs/2407.14872).

Letters: B clips, T frames, H W picture, I instructions of the run, M of them
with robot clips (the first ones, which have failure prompts), K failure
prompts each, L tokens, E feature width.
"""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from a2r import reward as reward_lib
from a2r.core import parallel
from a2r.learners import base, encoding, failure_clusters
from a2r.learners import objective as objective_lib
from a2r.models import adapt2reward as net
from a2r.models import scorer


def make_learner(
  model: net.Adapt2Reward,
  *,
  instruction_ids: np.ndarray,
  instruction_mask: np.ndarray,
  weights: Mapping[str, float],
  temperature: float,
  crop: float,
  color: float,
  may_mirror: np.ndarray | None = None,
  micro_batch: int | None = None,
  initial_params: Any = None,
  failure_frames: Any = None,
  failure_task: np.ndarray | None = None,
) -> base.Learner:
  """Returns the method.

  Its extra is `{'centers': [M, K, E] float32, 'cluster_labels': [F] int32}`,
  made from the starting weights and renewed by `on_epoch`.

  Args:
    model: the module; its sizes give M and K.
    instruction_ids: `[I, L]` tokens of the run's instructions, in the order
      that a batch's `task` counts; robot tasks first.
    instruction_mask: `[I, L]` 1 for tokens, 0 for padding.
    weights: of cdc, vlc, fvlc and bce; a term of weight 0 is not computed.
    temperature: divisor of the cosines in all softmaxes.
    crop: strength of `models.augmentation.augment`.
    color: the same.
    may_mirror: `[I]` bool, whether a clip of an instruction still shows it when
      left is right. If given, clips are cropped and mirrored as those of the
      published models were, but for this; `crop` and `color` have no part.
    micro_batch: clips that a device encodes at a time, see
      `core.batching`; all of them by default.
    initial_params: `rng -> params` or the parameters to start from; random
      by default.
    failure_frames: the failed training clips `[F, T, H, W, 3]` uint8, or what
      can be iterated over again and again to give them in parts `[n, T, H, W,
      3]`; clip i is the one whose `record` is i. Needed where fvlc > 0.
    failure_task: `[F]` the instruction that each clip failed at.

  Returns:
    The learner; without the failure prompts' loss it has no `on_epoch`.

  Raises:
    ValueError: weights or clips that make no sense.
  """
  objective = objective_lib.Objective(**weights, temperature=temperature)
  instruction_ids, instruction_mask = _without_padding(
    model, instruction_ids, instruction_mask
  )
  cluster_fn = None
  if objective.fvlc:
    cluster_fn = failure_clusters.make_cluster_fn(
      model, failure_frames, failure_task
    )

  augment = functools.partial(
    encoding.augment, may_mirror=may_mirror, crop=crop, color=color
  )
  init = functools.partial(
    _init, model, instruction_ids, initial_params, cluster_fn, failure_task
  )
  loss_fn = functools.partial(
    _loss,
    model,
    objective,
    (instruction_ids, instruction_mask),
    augment,
    micro_batch,
  )

  def on_epoch(params, extra, epoch):
    del epoch  # The centers so far are the start, nothing is drawn.
    return cluster_fn(params, previous=extra)

  return base.Learner(init, loss_fn, on_epoch if cluster_fn else None)


def init_params(
  model: net.Adapt2Reward, rng: jax.Array, instruction_ids: np.ndarray
) -> Any:
  """Returns random parameters; `[I, L]` instructions give the text length."""
  size = model.config.image_size
  frames = jnp.zeros((1, model.config.num_frames, size, size, 3))
  ids = jnp.asarray(instruction_ids[:1])
  return jax.jit(model.init)(rng, frames, ids, jnp.ones_like(ids))["params"]


def _init(model, ids, initial_params, cluster_fn, failure_task, rng):
  """The params and the extra that a fresh run starts from."""
  rng_params, rng_clusters = jax.random.split(rng)
  params = initial_params
  if callable(initial_params):
    params = initial_params(rng_params)
  elif initial_params is None:
    params = init_params(model, rng_params, ids)
  if cluster_fn is None:
    num_clips = 0 if failure_task is None else len(failure_task)
    return params, failure_clusters.unclustered(model, num_clips)
  return params, cluster_fn(params, rng=rng_clusters)[0]


def _loss(
  model,
  objective,
  tokens,
  augment,
  micro_batch,
  params,
  extra,
  batch,
  rng,
  axis_name,
):
  """The loss of the global batch and its terms, see `base.Learner`."""
  rng_clips, rng_text = jax.random.split(rng)
  batch = {name: batch[name] for name in objective.groups if name in batch}
  video = encoding.encode_clips(
    model,
    params,
    batch,
    rng_clips,
    axis_name,
    augment=augment,
    micro_batch=micro_batch,
  )
  texts = _encode_texts(
    model, params, *tokens, rng_text, with_failures=objective.fvlc > 0
  )
  indices = {
    name: {key: part[key] for key in ("task", "record")}
    for name, part in batch.items()
  }
  video, indices = parallel.all_gather((video, indices), axis_name)
  return objective_lib.weighted_sum(
    objective, video, texts, indices, extra["cluster_labels"]
  )


def _without_padding(model, ids, mask):
  """The tables without the padding of all texts; fails if they do not fit."""
  ids, mask = encoding.without_padding(ids, mask)
  if len(ids) < model.num_tasks:
    raise ValueError(
      f"{len(ids)} instructions for a model of {model.num_tasks} robot tasks"
    )
  return ids, mask


def _encode_texts(model, params, ids, mask, rng, *, with_failures):
  """Features of every text of the run, each encoded once.

  Returns:
    `human` `[I, E]`, `robot` `[M, E]` (no robot clip has another task) and,
    if asked for, `failure` `[M, K, E]`.
  """
  rng_text, rng_failure = jax.random.split(rng)
  num_tasks = model.num_tasks
  domain = np.repeat([net.HUMAN, net.ROBOT], [len(ids), num_tasks]).astype(
    np.int32
  )
  text = model.apply(
    {"params": params},
    np.concatenate([ids, ids[:num_tasks]]),
    np.concatenate([mask, mask[:num_tasks]]),
    domain,
    deterministic=False,
    method="text",
    rngs={"dropout": rng_text},
  )
  texts = {"human": text[: len(ids)], "robot": text[len(ids) :]}
  if with_failures:
    texts["failure"] = model.apply(
      {"params": params},
      ids[:num_tasks],
      mask[:num_tasks],
      np.arange(num_tasks, dtype=np.int32),
      deterministic=False,
      method="failure_text",
      rngs={"dropout": rng_failure},
    )
  return texts


def _load(folder: pathlib.Path, checkpoint: str) -> scorer.Scorer:
  """The scorer of a run or of an exported reward, in the form it was given."""
  return reward_lib.load(folder, checkpoint).scorer


METHOD = base.Method(
  name="adapt2reward",
  label="Adapt2Reward",
  color="#0072B2",
  parts=("human", "robot", "failure"),
  load=_load,
)

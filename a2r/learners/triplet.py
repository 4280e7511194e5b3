"""Triplets of an instruction, a clip that shows it, and one that does not.

A common baseline: the distance of instruction and clip, trained by the margin
loss of FaceNet (Schroff et al., https://arxiv.org/abs/1503.03832). A clip that
does not show an instruction is a failed one of its own task, where the batch
has one, else a successful one of another task.

Letters: B clips of both domains, N clips that may be negatives, T frames, I
instructions, L tokens, E feature width.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import parallel
from a2r.learners import base, encoding, run_files
from a2r.models import saved, scorer
from a2r.models.singularity import singularity


def make_learner(
  config: singularity.Config,
  *,
  instruction_ids: np.ndarray,
  instruction_mask: np.ndarray,
  margin: float,
  augment: Callable[..., jax.Array],
  backbone_fn: Callable[[jax.Array], Any],
  micro_batch: int | None = None,
) -> base.Learner:
  """Returns the method; of a batch's three parts any may be missing.

  Args:
    config: of the backbone.
    instruction_ids: `[I, L]` tokens of the run's instructions, in the order
      that a batch's `task` counts.
    instruction_mask: `[I, L]` 1 for tokens, 0 for padding.
    margin: how much farther a wrong clip shall be, in cosine distance.
    augment: `(rng, clip, task) -> clip` for the network, unbatched.
    backbone_fn: `rng -> params` of the backbone.
    micro_batch: clips that a device encodes at a time.
  """
  model = encoding.plain_model(config)
  tokens = encoding.without_padding(instruction_ids, instruction_mask)

  def init(rng):
    return {"backbone": backbone_fn(rng)}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rng_clips, rng_text = jax.random.split(rng)
    video = encoding.encode_clips(
      model, params, batch, rng_clips, axis_name,
      augment=augment, micro_batch=micro_batch,
    )  # fmt: skip
    text = encoding.encode_texts(model, params, *tokens, rng_text)
    task = {name: part["task"] for name, part in batch.items()}
    video, task = parallel.all_gather((video, task), axis_name)
    return _loss(video, task, text, margin)

  return base.Learner(init, loss_fn)


def _loss(video, task, text, margin):
  """The loss of the global batch, and its figures."""
  shown = [name for name in ("human", "robot") if name in video]
  clips = jnp.concatenate([video[name] for name in shown])
  own = jnp.concatenate([task[name] for name in shown])
  others, other_task, failed = clips, own, np.zeros(len(clips), bool)
  if "failure" in video:
    others = jnp.concatenate([clips, video["failure"]])
    other_task = jnp.concatenate([own, task["failure"]])
    failed = np.arange(len(others)) >= len(clips)
  chosen = choose_negatives(own, other_task, failed)
  # Every pair of an anchor and one of its negatives is a triplet; an anchor
  # counts the same however many it has.
  anchor = text[own]
  gaps = jax.vmap(
    lambda a, p, mask: losses.triplet_margin(
      jnp.broadcast_to(a, others.shape),
      jnp.broadcast_to(p, others.shape),
      others,
      margin=margin,
      mask=mask,
    )
  )(anchor, clips, chosen)
  has_one = chosen.any(axis=1)
  loss = jnp.sum(jnp.where(has_one, gaps, 0)) / jnp.maximum(has_one.sum(), 1)
  nearest = jnp.argmax(clips @ anchor.T, axis=1)
  return loss, {
    "accuracy": jnp.mean(own[nearest] == own),
    "with_failure": jnp.mean((chosen & failed).any(axis=1)),
  }


def choose_negatives(
  task: jax.Array, other_task: jax.Array, failed: np.ndarray
) -> jax.Array:
  """Which clips do not show which instructions.

  Args:
    task: `[B]` the instructions.
    other_task: `[N]` what the clips show, or failed at.
    failed: `[N]` bool.

  Returns:
    `[B, N]` bool: the failed clips of the own task, where there are any, else
    the successful ones of other tasks.
  """
  same = task[:, None] == other_task[None]
  failures = same & failed
  others = ~same & ~failed
  return jnp.where(failures.any(axis=1, keepdims=True), failures, others)


def _load(folder: pathlib.Path, checkpoint: str) -> scorer.Scorer:
  run = saved.read_run(folder, checkpoint)
  model = encoding.plain_model(run.config)
  return scorer.cosine(METHOD.name, model, run.params, run_files.text_fn(run))


METHOD = base.Method(
  name="triplet",
  label="Triplet loss",
  color="#D55E00",
  parts=("human", "robot", "failure"),
  load=_load,
)

"""Triplets of an instruction, a clip that shows it, and one that does not.

A common baseline: the distance of instruction and clip, trained by the margin
loss of FaceNet (Schroff et al., https://arxiv.org/abs/1503.03832). A clip that
does not show an instruction is a failed one of its own task, where the batch
has one, else a successful one of another task.

Letters: B clips of both domains, N clips that may be negatives, T frames, I
instructions, L tokens, E feature width.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import parallel
from a2r.learners import base, encoding, run_files
from a2r.models import saved, scorer


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of the method's own.

  Attributes:
    margin: how much farther a wrong clip shall be, in cosine distance.
  """

  margin: float


def make(setup: base.Setup, settings: Settings) -> base.Training:
  """Returns the method of a run; any part of a batch may be missing."""
  model, tokens = encoding.plain_model(setup.model.config), setup.tokens()
  augment = setup.augmentation.of_texts(setup.texts)

  def init(rng):
    return {"backbone": setup.init_backbone(rng)}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rng_clips, rng_text = jax.random.split(rng)
    video = encoding.encode_clips(
      model, params, batch, rng_clips, axis_name,
      augment=augment, micro_batch=setup.micro_batch,
    )  # fmt: skip
    text = encoding.encode_texts(model, params, tokens, rng_text)
    task = {name: part["task"] for name, part in batch.items()}
    video, task = parallel.all_gather((video, task), axis_name)
    return _loss(video, task, text, settings.margin)

  return base.Training(base.Learner(init, loss_fn), {})


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


def make_scorer(run: saved.Run) -> scorer.Scorer:
  """Returns the scorer of a run, see `base.Method`."""
  model = encoding.plain_model(run.config)
  text_fn = run_files.make_text_fn(model, run)
  return scorer.cosine(METHOD.name, model, run.params, text_fn)


METHOD = base.Method(
  name="triplet",
  label="Triplet loss",
  color="#D55E00",
  parts=("human", "robot", "failure"),
  settings=Settings,
  make=make,
  make_scorer=make_scorer,
)

"""Stage 1 on real video: Singularity trained as its authors trained it.

Lei et al., "Revealing Single Frame Bias for Video-and-Language Learning"
(https://arxiv.org/abs/2206.03428), its released code. Clips are cropped and
mirrored at random; then three losses, each weighted: video-text contrast
(`itc`), video-text matching with hard negatives (`itm`), and masked words
(`mlm`, of pre-training only). Unlike the released code, negatives of both kinds
come from the batch of all devices. The optimizer is the released code's too.

Letters: B pairs of a clip and its caption, T frames, H W stored picture, S
tokens of a frame, L tokens of a text, D width, E features.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from a2r import losses
from a2r.core import batching, checks, images, parallel
from a2r.core import rng as rng_lib
from a2r.learners import base
from a2r.losses import contrastive, masked_language, matching
from a2r.models import augmentation
from a2r.models.singularity import singularity

LOSSES = ("itc", "itm", "mlm")
# Which clips are mirrored, half of the time: none; all, whatever the caption
# says (as published); those whose caption has a mirrored one, which they then
# get (`core.text.mirror`); those whose caption says no direction.
FLIPS = ("none", "always", "swap", "safe")
# The least and the greatest temperature of the contrast.
_TEMPERATURES = (0.001, 0.5)
_HEAD = "mlm_head"


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is minimized, and what the network sees.

  Attributes:
    weights: of `LOSSES`; a term of weight 0 is not computed.
    hard_negatives: see `losses.matching.sample_negatives`.
    flip: one of `FLIPS`.
  """

  weights: Mapping[str, float]
  hard_negatives: bool
  flip: str

  def __post_init__(self):
    checks.one_of("train.flip", self.flip, FLIPS)
    base.check_weights("loss.weights", self.weights, LOSSES)

  def check_backbone(self, config: singularity.Config):
    """Raises a ValueError if a loss needs a head that the backbone lacks."""
    for name in ("itm", "mlm"):
      if self.weights[name] and not getattr(config, name):
        raise ValueError(
          f"loss.weights.{name}={self.weights[name]} needs a backbone with "
          f"{name}=True"
        )


def make_learner(
  model: singularity.Singularity,
  settings: Settings,
  *,
  init_fn: Callable[[jax.Array], Any],
  mask_id: int,
  vocab_size: int,
  micro_batch: int = 0,
) -> base.Learner:
  """Returns the learner; its parameters are `{'backbone': ...}`.

  A masked-language head lies beside the backbone, as 'mlm_head': what comes
  after this stage has no use for it.

  A batch has `frames` `[B, T, H, W, 3]` uint8, `input_ids` and
  `attention_mask` `[B, L]` and `task` `[B]`, the number of each caption: clips
  of one number are positives of each other. With the flip 'safe' it also has
  `directed` `[B]` bool, whether the caption says a direction; with 'swap'
  `mirrored_input_ids`, `mirrored_attention_mask` and `mirrored_task`, of the
  mirrored clip's caption: a clip whose `mirrored_task` is -1 stays as it is.

  Args:
    model: the backbone.
    settings: what is minimized.
    init_fn: `rng -> params` of the backbone, its head included.
    mask_id: the token [MASK].
    vocab_size: pieces of the tokenizer.
    micro_batch: clips that a device encodes at a time, see
      `core.batching.map_micro_batches`; 0 is all of them.

  Raises:
    ValueError: a loss needs a head that the backbone lacks.
  """
  settings.check_backbone(model.config)
  weights = settings.weights

  def init(rng):
    params = dict(init_fn(rng))
    head = {_HEAD: params.pop(_HEAD)} if _HEAD in params else {}
    return {"backbone": params, **head}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rng_augment, rng_dropout, rng_negative, rng_word = jax.random.split(rng, 4)
    num_pairs = len(batch["task"])
    batch = augment_batch(
      rng_lib.row_keys(rng_augment, num_pairs, axis_name),
      batch,
      flip=settings.flip,
      size=model.config.image_size,
    )
    device = jax.random.fold_in(rng_dropout, parallel.axis_index(axis_name))
    apply = _make_apply(model, params, device)
    pairs = _encode(apply, batch, micro_batch)
    rest = ("tokens", "words", "mask") if weights["itm"] else ()
    names = ("clip", "caption", "index", *rest)
    known = parallel.all_gather({k: pairs[k] for k in names}, axis_name)
    temperature = _clamped(params["backbone"]["temp"])
    # Means over frames of the cosines of every clip with every caption.
    sim = contrastive.cosines("bte,ne->bn", known["clip"], known["caption"])
    sim = sim / known["clip"].shape[1] / temperature
    terms, metrics = {}, {"temperature": temperature}
    if weights["itc"]:
      terms["itc"] = losses.soft_target_contrastive(sim, known["index"])
      best = known["index"][sim.argmax(axis=1)]
      metrics["itc_top1"] = (best == known["index"]).mean()
    if weights["itm"]:
      rngs = jax.vmap(jax.random.split, out_axes=1)(
        rng_lib.row_keys(rng_negative, num_pairs, axis_name)
      )
      terms["itm"], metrics["itm_accuracy"] = _matching(
        apply, rngs, pairs, known, sim, axis_name, hard=settings.hard_negatives
      )
    if weights["mlm"]:
      rngs = rng_lib.row_keys(rng_word, num_pairs, axis_name)
      words = {"mask_id": mask_id, "vocab_size": vocab_size}
      terms["mlm"] = _masked_words(apply, rngs, batch, pairs, axis_name, words)
    loss = sum(weights[name] * term for name, term in terms.items())
    return loss, {f"{k}_loss": v for k, v in terms.items()} | metrics

  return base.Learner(init, loss_fn)


def augment_batch(
  rngs: jax.Array, batch: Mapping[str, jax.Array], *, flip: str, size: int
) -> dict[str, jax.Array]:
  """Returns a batch cropped and mirrored, its captions with it.

  Args:
    rngs: `[B]` keys, one for each clip; consumed.
    batch: see `make_learner`.
    flip: one of `FLIPS`.
    size: side of the pictures.

  Returns:
    `frames` `[B, T, size, size, 3]` uint8, `input_ids`, `attention_mask` and
    `task`.
  """
  num_pairs = len(batch["task"])
  allowed = jnp.full(num_pairs, flip == "always")
  if flip == "safe":
    allowed = ~batch["directed"].astype(bool)
  elif flip == "swap":
    allowed = batch["mirrored_task"] >= 0

  def augment(rng, frames, allowed):
    rng_crop, rng_flip = jax.random.split(rng)
    frames = augmentation.random_resized_crop(rng_crop, frames[None], size=size)
    frames, flipped = augmentation.flip(rng_flip, frames, allowed[None])
    return frames[0], flipped[0]

  frames, flipped = jax.vmap(augment)(rngs, batch["frames"], allowed)
  seen = {"frames": frames}
  for name in ("input_ids", "attention_mask", "task"):
    seen[name] = batch[name]
    if flip == "swap":
      mirrored = batch[f"mirrored_{name}"]
      chosen = flipped.reshape(-1, *[1] * (mirrored.ndim - 1))
      seen[name] = jnp.where(chosen, mirrored, batch[name])
  return seen


def _make_apply(model, params, rng_dropout):
  """`apply(number, method, *args)` in training, dropout of its own number."""
  head = {k: v for k, v in params.items() if k == _HEAD}
  variables = {"params": params["backbone"] | head}

  def apply(number, method, *args):
    rng = jax.random.fold_in(rng_dropout, number)
    return model.apply(
      variables, *args,
      deterministic=False, method=method, rngs={"dropout": rng},
    )  # fmt: skip

  return apply


def _encode(apply, batch, micro_batch):
  """Tokens and features of this device's clips and captions."""

  def encode_clips(part, frames):
    # Numbers from 8 on; those below are other calls.
    return apply(8 + part, "encode_video", images.normalize(frames))

  tokens, clip = batching.map_micro_batches(
    encode_clips, micro_batch, batch["frames"]
  )
  texts = batch["input_ids"], batch["attention_mask"]
  words, caption = apply(0, "encode_text", *texts)
  return {
    "tokens": tokens,
    "clip": clip,
    "words": words,
    "caption": caption,
    "mask": batch["attention_mask"],
    "index": batch["task"],
  }


def _clamped(temperature):
  """The temperature within its range, where its gradient is that of the edge.

  The optimizer keeps the parameter there; first weights may lie outside.
  """
  inside = jax.lax.stop_gradient(jnp.clip(temperature, *_TEMPERATURES))
  return inside + (temperature - jax.lax.stop_gradient(temperature))


def _matching(apply, rngs, pairs, known, sim, axis_name, *, hard):
  """The matching loss over all devices, and the share of right answers.

  Args:
    apply: see `_make_apply`.
    rngs: `[2, B]` keys of this device's captions and clips.
    pairs: this device's, see `_encode`.
    known: the same of all devices.
    sim: similarities of these over the temperature.
    axis_name: the devices' axis, or None.
    hard: see `losses.matching.sample_negatives`.
  """
  own, every = pairs["index"], known["index"]
  rows = parallel.axis_index(axis_name) * len(own) + jnp.arange(len(own))
  draw = functools.partial(matching.sample_negatives, hard=hard)
  image, image_valid = draw(rngs[0], sim.T[rows], own, every)
  text, text_valid = draw(rngs[1], sim[rows], own, every)
  tokens, words, mask = (pairs[k] for k in ("tokens", "words", "mask"))
  logits = apply(
    1,
    "match",
    jnp.concatenate([tokens, known["tokens"][image], tokens]),
    jnp.concatenate([words, words, known["words"][text]]),
    jnp.concatenate([mask, mask, known["mask"][text]]),
  )
  valid = jnp.concatenate([image_valid, text_valid])
  positive, negative, valid = parallel.all_gather(
    (logits[: len(own)], logits[len(own) :], valid), axis_name
  )
  loss = losses.image_text_matching(positive, negative, valid)
  hits = (positive[:, 1] > positive[:, 0]).sum()
  hits += ((negative[:, 0] > negative[:, 1]) & valid).sum()
  return loss, hits / (len(positive) + valid.sum())


def _masked_words(apply, rngs, batch, pairs, axis_name, words):
  """The masked-language loss over all devices."""
  mask = batch["attention_mask"]
  shown, labels = masked_language.mask_words(
    rngs, batch["input_ids"], mask, **words
  )
  embeds, _ = apply(2, "encode_text", shown, mask)
  logits = apply(3, "predict_words", pairs["tokens"], embeds, mask)
  terms = masked_language.word_cross_entropy(logits, labels)
  return losses.masked_language_modeling(
    *parallel.all_gather((terms, labels), axis_name)
  )


def make_optimizer(
  *, weight_decay: float, b1: float, b2: float, **schedule: float
) -> optax.GradientTransformation:
  """Returns AdamW as published, without clipping.

  No update leads a parameter 'temp' out of `_TEMPERATURES`.

  Args:
    weight_decay: of all parameters that `decay_mask` marks.
    b1: decay of the gradient's mean.
    b2: decay of the squared gradient's mean.
    **schedule: arguments of `make_schedule`.
  """
  learning_rate = make_schedule(**schedule)
  return optax.chain(
    optax.adamw(
      learning_rate, b1=b1, b2=b2, weight_decay=weight_decay, mask=decay_mask
    ),
    optax.stateless(_bound_temperature),
  )


def _bound_temperature(updates: Any, params: Any) -> Any:
  """The updates, that of the temperature cut where its range ends."""

  def bound(path, update, param):
    if getattr(path[-1], "key", None) != "temp":
      return update
    return jnp.clip(param + update, *_TEMPERATURES) - param

  return jax.tree_util.tree_map_with_path(bound, updates, params)


def make_schedule(
  *, learning_rate: float, warmup_steps: int, num_steps: int, floor: float
) -> optax.Schedule:
  """Returns step -> learning rate.

  A straight line from `floor` over `warmup_steps`, then half a cosine towards
  zero that stays at `floor` once it is there: unlike `core.optim`'s, which
  reaches the floor with the last step.

  Args:
    learning_rate: the peak.
    warmup_steps: length of the line; 0 starts at the peak.
    num_steps: length of the run.
    floor: the lowest learning rate as a share of the peak.

  Raises:
    ValueError: the warm-up is as long as the run.
  """
  if warmup_steps >= num_steps:
    raise ValueError(
      f"warmup_steps={warmup_steps} must be below num_steps={num_steps}"
    )

  def schedule(step):
    rising = step / max(warmup_steps, 1)
    progress = (step - warmup_steps) / (num_steps - warmup_steps)
    falling = 0.5 * (1 + jnp.cos(math.pi * progress))
    share = jnp.where(step < warmup_steps, rising, falling)
    return learning_rate * jnp.maximum(share, floor)

  return schedule


def decay_mask(params: Any) -> Any:
  """True for what is decayed: all that has not one axis, such as 'temp'."""
  return jax.tree.map(lambda x: jnp.ndim(x) != 1, params)

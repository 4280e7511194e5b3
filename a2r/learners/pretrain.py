"""Stage 1: the backbone learns what people do, from procedural human clips.

Clips are drawn on the device inside the step, each from its own key, so that
none is ever seen twice and the run is the same on any number of devices. Every
clip may also be seen mirrored, which is cheaper than drawing another. Three
losses: the clip against a text of every template; the clip against the batch's
captions, which name objects and colors, both directions; and what the
simulator knows for free: where the subject is, how it moves in the picture,
and what it is.

Letters: B clips, C templates, T frames, L tokens, E features.
"""

import functools
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from a2r.core import parallel, text
from a2r.learners import base
from a2r.models import frames as pictures
from a2r.models import layers, singularity
from a2r.sim import human_texts, humans

MAX_LENGTH = 20
_DRAWN_LENGTH = 14  # The longest text that training draws.
_TEXTS = 2**31 - 1  # Folded into a step's key for its texts; no clip has it.
_NUM = len(humans.TEMPLATES)


def make_tokenizer(vocab_size: int) -> text.Tokenizer:
  """A vocabulary of the texts that training can draw."""
  return text.Tokenizer.train(human_texts.corpus(), vocab_size=vocab_size)


class Targets(nn.Module):
  """Reads off a clip's feature what the simulator knows of its subject."""

  @nn.compact
  def __call__(self, feature: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`[B, E]` -> start and shift in the picture `[B, 4]`, nouns `[B, N]`."""
    x = feature * np.sqrt(feature.shape[-1])
    x = layers.gelu(nn.Dense(128, name="hidden")(x))
    place = nn.Dense(4, name="place")(x)
    return place, nn.Dense(len(humans.NOUNS), name="noun")(x)


class _Views(NamedTuple):
  """What a batch shows: clips and what is known of each.

  Attributes:
    frames: `[B, T, S, S, 3]` uint8.
    label: `[B]` template.
    nouns: `[B, 2]`.
    color: `[B]`.
    place: `[B, 4]` start and shift of the subject, half pictures.
  """

  frames: jax.Array
  label: jax.Array
  nouns: jax.Array
  color: jax.Array
  place: jax.Array


def make_learner(
  model: singularity.Singularity,
  tokenizer: text.Tokenizer,
  *,
  caption_weight: float,
  target_weight: float,
  mirror: bool,
) -> base.Learner:
  """The learner; a batch is `{'clip': [B] int32}`, numbers within the step.

  Its parameters are `{'backbone', 'targets'}`.

  Args:
    model: the backbone.
    tokenizer: of its texts.
    caption_weight: weight of the caption loss; the template loss has 1.
    target_weight: weight of the loss on the subject's place, shift and noun.
    mirror: whether each clip is also seen mirrored, left as right.
  """
  config = model.config
  tables = human_texts.make_tables(tokenizer, _DRAWN_LENGTH)

  def init(rng):
    shape = (1, config.num_frames, config.image_size, config.image_size, 3)
    ids = jnp.zeros((1, MAX_LENGTH), jnp.int32)
    backbone = model.init(rng, jnp.zeros(shape), ids, ids)["params"]
    feature = jnp.zeros((1, config.embed_dim))
    targets = Targets().init(rng, feature)["params"]
    return {"backbone": backbone, "targets": targets}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rngs = jax.vmap(lambda i: jax.random.fold_in(rng, i))(batch["clip"])
    views = _draw_views(rngs, config, mirror)
    rng_class = jax.random.split(jax.random.fold_in(rng, _TEXTS), _NUM)
    classes = _class_texts(tables, rng_class)
    captions = _captions(tables, rngs, views)
    backbone = params["backbone"]
    video = video_feature(model, backbone, views.frames)
    named = text_feature(model, backbone, *captions)
    target_loss = _target_loss(params["targets"], video, views)
    video, named, known = parallel.all_gather(
      (video, named, (views.label, views.nouns)), axis_name
    )
    classes = text_feature(model, backbone, *classes)
    scale = 1.0 / jnp.clip(backbone["temp"], 0.01, 0.5)
    logits = scale * video @ classes.T
    template_loss = optax.softmax_cross_entropy_with_integer_labels(
      logits, known[0]
    ).mean()
    caption_loss = _soft_contrastive(scale * video @ named.T, _alike(*known))
    target_loss = parallel.pmean(target_loss, axis_name)
    loss = template_loss + caption_weight * caption_loss
    loss += target_weight * target_loss
    return loss, {
      "template_loss": template_loss,
      "caption_loss": caption_loss,
      "target_loss": target_loss,
      "top1": (logits.argmax(-1) == known[0]).mean(),
      "temperature": 1.0 / scale,
    }

  return base.Learner(init=init, loss_fn=loss_fn)


def video_feature(model, params, frames):
  """`[B, E]` unit features of uint8 clips `[B, T, S, S, 3]`."""
  _, feature = model.apply(
    {"params": params}, pictures.normalize(frames), method="encode_video"
  )
  return layers.l2_normalize(feature.mean(axis=1))


def text_feature(model, params, input_ids, mask):
  """`[N, E]` unit features of tokens `[N, L]`."""
  return model.apply({"params": params}, input_ids, mask, method="encode_text")[
    1
  ]


def _draw_views(rngs, config, mirror) -> _Views:
  """New clips, one for each key, followed by their mirror images."""
  rng_label, rng_clip = jax.vmap(jax.random.split, out_axes=1)(rngs)
  label = jax.vmap(lambda r: jax.random.randint(r, (), 0, _NUM))(rng_label)
  clips = humans.sample_clips(
    rng_clip, label, num_frames=config.num_frames, image_size=config.image_size
  )
  place = jnp.concatenate([clips.start, clips.shift], axis=-1)
  views = _Views(clips.frames, label, clips.nouns, clips.color, place)
  if not mirror:
    return views
  mirrored = views._replace(
    frames=views.frames[:, :, :, ::-1],
    label=_mirrored_labels()[label],
    place=place * jnp.array([-1.0, 1.0, -1.0, 1.0]),
  )
  return jax.tree.map(lambda *x: jnp.concatenate(x), views, mirrored)


def _mirrored_labels():
  """`[C]` what each template is called when left is right."""
  swap = {"left to right": "right to left", "right to left": "left to right"}
  pattern = re.compile("|".join(swap))
  names = [
    pattern.sub(lambda found: swap[found[0]], name) for name in humans.TEMPLATES
  ]
  return jnp.array([humans.TEMPLATES.index(name) for name in names])


def _class_texts(tables, rngs):
  """Ids and mask `[C, L]` of one way to say each template, about something."""
  something = jnp.full((_NUM, 2), len(humans.NOUNS))
  draw = jax.vmap(functools.partial(human_texts.draw, tables))
  return draw(rngs, jnp.arange(_NUM), something, something[:, 0])


def _captions(tables, rngs, views):
  """Ids and mask `[B, L]` of one caption of each view, objects named."""
  views_per_clip = len(views.label) // len(rngs)
  rngs = jax.vmap(lambda r: jax.random.fold_in(r, _TEXTS))(
    jnp.tile(rngs, views_per_clip)
  )
  draw = jax.vmap(functools.partial(human_texts.draw, tables))
  return draw(rngs, views.label, views.nouns, views.color)


def _alike(label, nouns):
  """`[B, B]` whether two views show the same with the same objects."""
  return (label[:, None] == label) & (nouns[:, None] == nouns).all(-1)


def _soft_contrastive(logits, alike):
  """Contrastive loss in both directions; all that is alike is positive."""
  targets = alike / alike.sum(-1, keepdims=True)
  rows = optax.softmax_cross_entropy(logits, targets).mean()
  columns = optax.softmax_cross_entropy(logits.T, targets).mean()
  return 0.5 * (rows + columns)


def _target_loss(params, video, views):
  place, noun = Targets().apply({"params": params}, video)
  regression = optax.huber_loss(place, views.place, delta=0.1).sum(-1) * 10.0
  naming = optax.softmax_cross_entropy_with_integer_labels(
    noun, views.nouns[:, 0]
  )
  return (regression + naming).mean()

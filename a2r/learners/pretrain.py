"""Stage 1: the backbone learns what people do, from procedural human clips.

Clips are drawn on the device, each from its own key, so that none is ever seen
twice and the run is the same on any number of devices. In some nobody does what
the template says; their texts say so ("failing to close the drawer", "nothing
happens to the drawer"). Three losses: the clip against a text of every template
and of failing at each; the clip against the batch's captions, which name
objects and colors, both directions; and what the simulator knows for free:
where the subject is, how it moves in the picture, and what it is.

Letters: B clips, C templates, T frames, L tokens, E features.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from a2r import losses
from a2r.core import images, parallel, text
from a2r.core import rng as rng_lib
from a2r.learners import base
from a2r.models.singularity import layers, singularity
from a2r.sim.humans import human_clips, scenes, texts

MAX_LENGTH = 20
_DRAWN_LENGTH = 14  # The longest text that training draws.
_TEXTS = 2**31 - 1  # Folded into a key for its texts; no clip has this number.
_NUM = len(human_clips.TEMPLATES)
_NUM_CLASSES = len(texts.OUTCOME_WORDS.phrases)


def make_tokenizer(vocab_size: int) -> text.Tokenizer:
  """Returns a vocabulary of the texts that training can draw."""
  corpus = texts.corpus(texts.OUTCOME_WORDS)
  return text.Tokenizer.train(corpus, vocab_size=vocab_size)


class Targets(nn.Module):
  """Reads off a clip's feature what the simulator knows of its subject."""

  @nn.compact
  def __call__(self, feature: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`[B, E]` -> start and shift in the picture `[B, 4]`, nouns `[B, N]`."""
    x = feature * np.sqrt(feature.shape[-1])
    x = layers.gelu(nn.Dense(128, name="hidden")(x))
    place = nn.Dense(4, name="place")(x)
    return place, nn.Dense(len(human_clips.NOUNS), name="noun")(x)


class Views(NamedTuple):
  """What a batch shows: clips and what is known of each.

  Attributes:
    clip: `[B]` int32, the clip's number within the step.
    frames: `[B, T, S, S, 3]` uint8.
    label: `[B]` int32 in `texts.OUTCOME_WORDS`: its template; where it fails,
      the template's number and C; where nothing is done, 2 C.
    nouns: `[B, 2]` int32.
    color: `[B]` int32.
    place: `[B, 4]` start and shift of the subject, in half pictures.
  """

  clip: jax.Array
  frames: jax.Array
  label: jax.Array
  nouns: jax.Array
  color: jax.Array
  place: jax.Array


def make_batches(
  config: singularity.Config,
  *,
  seed: int,
  start_step: int,
  batch_size: int,
  failures: Sequence[float] = (0.0, 0.0, 0.0),
  process_index: int = 0,
  process_count: int = 1,
) -> Iterator[Views]:
  """Yields this host's part of each step's clips, from `start_step` on.

  A step's clips are drawn while the step before trains, by a program of its
  own: it is compiled once for all settings of a learner.

  Args:
    config: of the backbone; gives T and S.
    seed: of the run; a step's clips depend on it and the step's number alone.
    start_step: steps already made.
    batch_size: B of all hosts together.
    failures: chances of each of `scenes.OUTCOMES` but the first, where the
      template's clips may have it.
    process_index: this host's number.
    process_count: number of hosts.
  """
  part = batch_size // process_count
  numbers = np.arange(part, dtype=np.int32) + process_index * part
  draw = functools.partial(
    _draw_views,
    seed,
    failures=np.asarray(failures, np.float32),
    clip=numbers,
    num_frames=config.num_frames,
    image_size=config.image_size,
  )
  following = draw(np.uint32(start_step))
  for step in itertools.count(start_step + 1):
    views, following = following, draw(np.uint32(step))
    yield jax.device_get(views)


@functools.partial(jax.jit, static_argnames=("num_frames", "image_size"))
def _draw_views(seed, step, failures, *, clip, num_frames, image_size) -> Views:
  """The clips `clip` `[B]` of one step."""
  rngs = _clip_keys(rng_lib.step_key(seed, step), clip)
  rng_label, rng_clip = jax.vmap(jax.random.split, out_axes=1)(rngs)
  draw = functools.partial(_draw_label, failures)
  template, outcome = jax.vmap(draw)(rng_label)
  clips = human_clips.sample_clips(
    rng_clip,
    template,
    outcome=outcome,
    num_frames=num_frames,
    image_size=image_size,
  )
  place = jnp.concatenate([clips.start, clips.shift], axis=-1)
  label = jnp.select(
    [outcome == scenes.DONE, outcome == scenes.IDLE],
    [template, 2 * _NUM],
    template + _NUM,
  )
  return Views(clip, clips.frames, label, clips.nouns, clips.color, place)


def _draw_label(failures, rng):
  """A template `[]`, and an outcome `[]` that its clips may have."""
  rngs = jax.random.split(rng)
  template = jax.random.randint(rngs[0], (), 0, _NUM)
  chances = failures * jnp.asarray(human_clips.MAY_FAIL)[template]
  chances = jnp.append(1.0 - chances.sum(), chances)
  return template, jax.random.categorical(rngs[1], jnp.log(chances))


def _clip_keys(rng, clip):
  """Keys `[B]` of the clips `clip` `[B]` of a step."""
  return jax.vmap(lambda i: jax.random.fold_in(rng, i))(clip)


def make_learner(
  model: singularity.Singularity,
  tokenizer: text.Tokenizer,
  *,
  caption_weight: float,
  target_weight: float,
) -> base.Learner:
  """Returns the learner; its parameters are `{'backbone', 'targets'}`.

  A batch is `Views`.

  Args:
    model: the backbone.
    tokenizer: of its texts.
    caption_weight: weight of the caption loss; the template loss has 1.
    target_weight: weight of the loss on the subject's place, shift and noun.
  """
  config = model.config
  tables = texts.make_tables(tokenizer, _DRAWN_LENGTH, texts.OUTCOME_WORDS)
  draw_texts = jax.vmap(functools.partial(texts.draw, tables))

  def init(rng):
    shape = (1, config.num_frames, config.image_size, config.image_size, 3)
    ids = jnp.zeros((1, MAX_LENGTH), jnp.int32)
    backbone = model.init(rng, jnp.zeros(shape), ids, ids)["params"]
    feature = jnp.zeros((1, config.embed_dim))
    targets = Targets().init(rng, feature)["params"]
    return {"backbone": backbone, "targets": targets}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rngs = jax.vmap(lambda r: jax.random.fold_in(r, _TEXTS))(
      _clip_keys(rng, batch.clip)
    )
    # One way to say each class, about something; and one caption of each view,
    # objects named.
    numbers = jnp.arange(_NUM_CLASSES)
    something = jnp.full((_NUM_CLASSES, 2), len(human_clips.NOUNS))
    rng_class = jax.random.split(jax.random.fold_in(rng, _TEXTS), _NUM_CLASSES)
    classes = draw_texts(rng_class, numbers, something, something[:, 0])
    captions = draw_texts(rngs, batch.label, batch.nouns, batch.color)
    backbone = params["backbone"]
    video = video_feature(model, backbone, batch.frames)
    named = text_feature(model, backbone, *captions)
    target_loss = _target_loss(params["targets"], video, batch)
    video, named, label, nouns = parallel.all_gather(
      (video, named, batch.label, batch.nouns), axis_name
    )
    classes = text_feature(model, backbone, *classes)
    scale = 1.0 / jnp.clip(backbone["temp"], 0.01, 0.5)
    logits = scale * video @ classes.T
    template_loss = losses.softmax_cross_entropy(logits, label)
    # Views of one template and the same objects are positives of each other.
    caption_loss = losses.soft_target_contrastive(
      scale * video @ named.T, jnp.column_stack((label, nouns))
    )
    target_loss = parallel.pmean(target_loss, axis_name)
    loss = template_loss + caption_weight * caption_loss
    loss += target_weight * target_loss
    return loss, {
      "template_loss": template_loss,
      "caption_loss": caption_loss,
      "target_loss": target_loss,
      "top1": (logits.argmax(-1) == label).mean(),
      "temperature": 1.0 / scale,
    }

  return base.Learner(init=init, loss_fn=loss_fn)


def video_feature(model, params, frames):
  """`[B, E]` unit features of uint8 clips `[B, T, S, S, 3]`."""
  _, feature = model.apply(
    {"params": params}, images.normalize(frames), method="encode_video"
  )
  return layers.l2_normalize(feature.mean(axis=1))


def text_feature(model, params, input_ids, mask):
  """`[N, E]` unit features of tokens `[N, L]`."""
  texts = input_ids, mask
  return model.apply({"params": params}, *texts, method="encode_text")[1]


def _target_loss(params, video, views):
  place, noun = Targets().apply({"params": params}, video)
  regression = optax.huber_loss(place, views.place, delta=0.1).sum(-1) * 10.0
  naming = optax.softmax_cross_entropy_with_integer_labels(
    noun, views.nouns[:, 0]
  )
  return (regression + naming).mean()

"""Stage 1: the backbone learns what people do, from procedural human clips.

Clips are drawn on the device inside the step, each from its own key, so that
none is ever seen twice and the run is the same on any number of devices. Two
losses: the clip against the texts of all templates, and the clip against the
captions of the batch (with the objects' names), both directions.

Letters: B clips, C templates, T frames, L tokens, E features.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from a2r.core import parallel, text
from a2r.learners import base
from a2r.models import frames as pictures
from a2r.models import layers, singularity
from a2r.sim import human_templates as templates
from a2r.sim import humans

MAX_LENGTH = 20
_HELD_OUT = 2**31 - 1  # Keys of held-out clips; training never draws it.
_CHUNK = 54


def make_tokenizer(vocab_size: int) -> text.Tokenizer:
  """A vocabulary of all captions that the templates and nouns can make."""
  captions = [templates.caption(i, pair) for i, pair in _all_captions()]
  return text.Tokenizer.train(
    captions + list(humans.TEMPLATES), vocab_size=vocab_size
  )


def make_learner(
  model: singularity.Singularity,
  tokenizer: text.Tokenizer,
  *,
  caption_weight: float,
) -> base.Learner:
  """The learner; a batch is `{'clip': [B] int32}`, numbers within the step.

  Args:
    model: the backbone.
    tokenizer: of its texts.
    caption_weight: weight of the caption loss; the template loss has 1.
  """
  size, num_frames = model.config.image_size, model.config.num_frames
  class_texts = _class_texts(tokenizer)
  captions = _caption_table(tokenizer)

  def init(rng):
    frames = jnp.zeros((1, num_frames, size, size, 3))
    params = model.init(rng, frames, *class_texts)["params"]
    return params, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rngs = jax.vmap(lambda i: jax.random.fold_in(rng, i))(batch["clip"])
    rng_label, rng_clip = jax.vmap(jax.random.split, out_axes=1)(rngs)
    labels = jax.vmap(
      lambda r: jax.random.randint(r, (), 0, len(humans.TEMPLATES))
    )(rng_label)
    frames, nouns, *_ = humans.sample_clips(
      rng_clip, labels, num_frames=num_frames, image_size=size
    )
    caption = jnp.stack([labels, nouns[:, 0], nouns[:, 1]], axis=-1)
    input_ids, mask = (table[tuple(caption.T)] for table in captions)
    video = video_feature(model, params, frames)
    named = _text_feature(model, params, input_ids, mask)
    video, named, labels, input_ids = parallel.all_gather(
      (video, named, labels, input_ids), axis_name
    )
    classes = _text_feature(model, params, *class_texts)
    scale = 1.0 / jnp.clip(params["temp"], 0.01, 0.5)
    logits = scale * video @ classes.T
    template_loss = optax.softmax_cross_entropy_with_integer_labels(
      logits, labels
    ).mean()
    caption_loss = _soft_contrastive(scale * video @ named.T, input_ids)
    loss = template_loss + caption_weight * caption_loss
    return loss, {
      "template_loss": template_loss,
      "caption_loss": caption_loss,
      "top1": (logits.argmax(-1) == labels).mean(),
      "temperature": 1.0 / scale,
    }

  return base.Learner(init=init, loss_fn=loss_fn)


def video_feature(model, params, frames):
  """`[B, E]` unit features of uint8 clips `[B, T, S, S, 3]`."""
  _, feature = model.apply(
    {"params": params}, pictures.normalize(frames), method="encode_video"
  )
  return layers.l2_normalize(feature.mean(axis=1))


def make_evaluator(
  model: singularity.Singularity,
  tokenizer: text.Tokenizer,
  *,
  clips_per_template: int,
):
  """`evaluate(params) -> metrics` on held-out clips of every template.

  The metrics: `top1` over all templates; `opposites`, how often the right one
  of two opposite templates scores higher; `reversed_opposites`, the same for
  the opposite template when the frames run backwards.
  """
  size, num_frames = model.config.image_size, model.config.num_frames
  labels = np.tile(np.arange(len(humans.TEMPLATES)), clips_per_template)
  class_texts = _class_texts(tokenizer)
  opposite = _opposites()

  @jax.jit
  def logits(params, chunk, labels):
    rng = jax.random.fold_in(jax.random.key(_HELD_OUT), chunk)
    frames, *_ = humans.sample_clips(
      rng, labels, num_frames=num_frames, image_size=size
    )
    classes = _text_feature(model, params, *class_texts)
    both = jnp.concatenate([frames, frames[:, ::-1]])
    scores = video_feature(model, params, both) @ classes.T
    return jnp.split(scores, 2)

  def evaluate(params):
    padding = -len(labels) % _CHUNK
    chunks = np.append(labels, labels[:padding]).reshape(-1, _CHUNK)
    scores = [logits(params, i, chunk) for i, chunk in enumerate(chunks)]
    forward, backward = (
      np.concatenate(part)[: len(labels)] for part in zip(*scores, strict=True)
    )
    paired = opposite[labels] >= 0
    own, other = labels[paired], opposite[labels][paired]
    row = np.arange(paired.sum())
    forward_pair, backward_pair = forward[paired], backward[paired]
    return {
      "top1": float((forward.argmax(-1) == labels).mean()),
      "opposites": float(
        (forward_pair[row, own] > forward_pair[row, other]).mean()
      ),
      "reversed_opposites": float(
        (backward_pair[row, other] > backward_pair[row, own]).mean()
      ),
    }

  return evaluate


def _text_feature(model, params, input_ids, mask):
  return model.apply({"params": params}, input_ids, mask, method="encode_text")[
    1
  ]


def _soft_contrastive(logits, input_ids):
  """Contrastive loss in both directions; equal captions are all positives."""
  same = (input_ids[:, None] == input_ids[None]).all(-1).astype(jnp.float32)
  targets = same / same.sum(-1, keepdims=True)
  rows = optax.softmax_cross_entropy(logits, targets).mean()
  columns = optax.softmax_cross_entropy(logits.T, targets).mean()
  return 0.5 * (rows + columns)


def _all_captions():
  nouns = range(len(humans.NOUNS))
  return [
    (i, (first, second))
    for i in range(len(humans.TEMPLATES))
    for first in nouns
    for second in nouns
  ]


def _class_texts(tokenizer):
  """Ids and mask `[C, L]` of the templates, 'something' left in place."""
  return tokenizer(list(humans.TEMPLATES), MAX_LENGTH)


def _caption_table(tokenizer):
  """Ids and mask `[C, nouns, nouns, L]` of every caption."""
  texts = [templates.caption(i, pair) for i, pair in _all_captions()]
  shape = (len(humans.TEMPLATES), len(humans.NOUNS), len(humans.NOUNS), -1)
  return tuple(
    jnp.asarray(x).reshape(shape) for x in tokenizer(texts, MAX_LENGTH)
  )


def _opposites():
  """`[C]` index of the opposite template, -1 where there is none."""
  opposite = np.full(len(humans.TEMPLATES), -1)
  for one, other in humans.OPPOSITES:
    a, b = humans.TEMPLATES.index(one), humans.TEMPLATES.index(other)
    opposite[a], opposite[b] = b, a
  return opposite

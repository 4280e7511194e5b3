"""How well a backbone reads clips and texts that training never draws.

Held-out clips show scenes, palettes, cameras and hands outside training's
ranges. A clip is classified among the texts of all templates: those of
Something-Something V2, other words for them, or the same with objects named.

Letters: B clips, C templates, L tokens, E features.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import batching
from a2r.core import text as text_lib
from a2r.learners import pretrain
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips, people, scenes
from a2r.sim.humans import texts as human_texts

_HELD_OUT = 2**31 - 1  # Keys of held-out clips; training never draws it.
_CHUNK = 50
_NUM = len(human_clips.TEMPLATES)


def make_evaluator(
  model: singularity.Singularity,
  tokenizer: text_lib.Tokenizer,
  *,
  clips_per_template: int,
):
  """`evaluate(params) -> metrics` of a backbone on held-out clips.

  The metrics, all shares of clips: `top1` among the templates; `top5`;
  `opposites`, the right one of two opposite templates scores higher;
  `reversed_opposites`, the same of the opposite template when the frames run
  backwards; `paraphrases`, top-1 among held-out paraphrases; `names`, top-1
  among the templates with names of objects that training uses, and
  `new_names`, with names that it never does; `familiar`, top-1 on clips of
  training's ranges. And one that is no share: `outcome`, the area under the ROC
  curve of clips against failures at the same template, by how much nearer they
  are to it than to failing at it; the mean over templates that can fail.
  """
  labels = np.repeat(np.arange(_NUM), clips_per_template)
  rngs = jax.random.split(jax.random.key(_HELD_OUT), len(labels))
  done, failures = np.zeros_like(labels), _failures(labels)
  can_fail = failures != scenes.DONE

  @jax.jit
  def features(params, rngs, labels, outcome, held_out):
    """Features of clips, of the same backwards, and the clips' nouns."""
    clips = human_clips.sample_clips(
      rngs,
      labels,
      held_out,
      outcome,
      num_frames=model.config.num_frames,
      image_size=model.config.image_size,
    )
    both = jnp.concatenate([clips.frames, clips.frames[:, ::-1]])
    video = pretrain.video_feature(model, params, both)
    return *jnp.split(video, 2), clips.nouns

  def encode_clips(params, held_out, outcome):
    rows = rngs, labels, outcome
    return batching.map_chunks(
      lambda rows: features(params, *rows, held_out), _CHUNK, rows
    )

  encode_texts = jax.jit(functools.partial(pretrain.text_feature, model))

  def evaluate(params):
    def texts_of(texts):
      tokens = tokenizer(texts, pretrain.MAX_LENGTH)
      return np.asarray(encode_texts(params, *tokens))

    video, backwards, nouns = encode_clips(params, 1, done)
    failed, _, _ = encode_clips(params, 1, failures)
    familiar, _, _ = encode_clips(params, 0, done)
    classes = texts_of(list(human_clips.TEMPLATES))
    failing = texts_of([text_lib.failing(x) for x in human_clips.TEMPLATES])
    ways = (classes - failing)[labels[can_fail]]
    margins = [
      np.einsum("be,be->b", clips[can_fail], ways) for clips in (video, failed)
    ]
    scores = video @ classes.T
    return {
      **_ranks(scores, labels),
      **_opposites(scores, backwards @ classes.T, labels, opposites()),
      "paraphrases": _paraphrases(texts_of, video, labels),
      "names": _named(texts_of, video, labels, nouns, "known"),
      "new_names": _named(texts_of, video, labels, nouns, "name"),
      "familiar": _top1(familiar @ classes.T, labels),
      "outcome": _outcome(*margins, labels[can_fail]),
    }

  return evaluate


def measure_people(
  model: singularity.Singularity,
  tokenizer: text_lib.Tokenizer,
  params,
  *,
  clips_per_template: int,
) -> tuple[dict[str, float], np.ndarray]:
  """Measures a backbone on held-out clips of all templates of `people`.

  Returns:
    Shares of clips, and the share of each template `[C]` found among all.
    `all/`, `first/` (templates that stage 1 trains on, their clips those of
    `make_evaluator`) and `acts/` have `top1` and `top5` among all templates,
    and `opposites` and `reversed_opposites` as there; `acts_alone/` has the
    acts among the acts.
  """
  num = len(people.TEMPLATES)
  labels = np.repeat(np.arange(num), clips_per_template)
  rngs = jax.random.split(jax.random.key(_HELD_OUT), len(labels))
  encode = jax.jit(functools.partial(pretrain.video_feature, model))

  def features(rows):
    frames = people.sample_clips(
      *rows,
      1,
      num_frames=model.config.num_frames,
      image_size=model.config.image_size,
    ).frames
    return encode(params, frames), encode(params, frames[:, ::-1])

  video, backwards = batching.map_chunks(features, _CHUNK, (rngs, labels))
  texts = tokenizer(list(people.TEMPLATES), model.config.max_positions)
  classes = np.asarray(pretrain.text_feature(model, params, *texts))
  scores, flipped = video @ classes.T, backwards @ classes.T
  act = labels >= _NUM
  metrics, opposite = {}, opposites(people)
  for part, rows in (("all", labels >= 0), ("first", ~act), ("acts", act)):
    shares = _ranks(scores[rows], labels[rows])
    shares |= _opposites(scores[rows], flipped[rows], labels[rows], opposite)
    metrics |= {f"{part}/{name}": share for name, share in shares.items()}
  alone = _ranks(scores[act][:, _NUM:], labels[act] - _NUM)
  metrics |= {f"acts_alone/{name}": share for name, share in alone.items()}
  right = scores.argmax(-1) == labels
  return metrics, right.reshape(num, clips_per_template).mean(-1)


def _failures(labels):
  """How each clip fails, the ways of its template in turn; or does not."""
  outcomes = np.zeros_like(labels)
  for template, may in enumerate(human_clips.MAY_FAIL):
    rows = np.flatnonzero(labels == template)
    if may.any():
      outcomes[rows] = np.resize(1 + np.flatnonzero(may), len(rows))
  return outcomes


def _outcome(done, failed, labels):
  """Mean AUROC over templates of margins `[B]` of done and of failed clips."""
  parts = [labels == template for template in np.unique(labels)]
  aurocs = [(done[part, None] > failed[part]).mean() for part in parts]
  return float(np.mean(aurocs))


def _top1(scores, labels):
  return float((scores.argmax(-1) == labels).mean())


def _ranks(scores, labels):
  own = scores[np.arange(len(labels)), labels]
  rank = (scores > own[:, None]).sum(-1)
  return {"top1": float((rank < 1).mean()), "top5": float((rank < 5).mean())}


def _opposites(forward, backward, labels, opposite):
  """Shares of right answers between two opposites, both ways of time."""
  rows = np.flatnonzero(opposite[labels] >= 0)
  own, other = labels[rows], opposite[labels[rows]]
  right = forward[rows, own] > forward[rows, other]
  flipped = backward[rows, other] > backward[rows, own]
  return {
    "opposites": float(right.mean()),
    "reversed_opposites": float(flipped.mean()),
  }


def opposites(clips=human_clips) -> np.ndarray:
  """`[C]` index of the opposite template, -1 where there is none.

  Args:
    clips: `human_clips` or `people`, whose templates they are.
  """
  opposite = np.full(len(clips.TEMPLATES), -1)
  for one, other in clips.OPPOSITES:
    a, b = clips.TEMPLATES.index(one), clips.TEMPLATES.index(other)
    opposite[a], opposite[b] = b, a
  return opposite


def _paraphrases(texts_of, video, labels):
  """Mean top-1 over sets of one held-out paraphrase per template."""
  sets = zip(*human_texts.held_out("paraphrase"), strict=False)
  shares = [_top1(video @ texts_of(list(texts)).T, labels) for texts in sets]
  return float(np.mean(shares))


def _named(texts_of, video, labels, nouns, kind):
  """Top-1 among the templates' texts with each clip's objects named."""
  right = np.zeros(len(labels), bool)
  for pair in np.unique(nouns, axis=0):
    rows = (nouns == pair).all(-1)
    texts = [human_clips.caption(i, pair) for i in range(_NUM)]
    if kind != "known":
      texts = human_texts.held_out_texts(kind, pair)
    scores = video[rows] @ texts_of(texts).T
    right[rows] = scores.argmax(-1) == labels[rows]
  return float(right.mean())

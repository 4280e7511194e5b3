"""Measures how well clips find their captions and captions their clips.

Lei et al. (Singularity, https://arxiv.org/abs/2206.03428): the cosines rank all
pairs; then the matching head, which looks at a clip and a text together, ranks
the best of each row again.

Letters: V clips, N captions, C classes, P pairs, T frames, L tokens, D width, E
features.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import batching, images
from a2r.models.singularity import singularity

RANKS = (1, 5, 10)
_UNSCORED = -100.0  # Of pairs that the matching head does not see.


class Texts(NamedTuple):
  """Texts and whose they are.

  Attributes:
    input_ids: `[N, L]` int.
    attention_mask: `[N, L]`.
    own: `[V]` int, the row of each clip's text.
  """

  input_ids: np.ndarray
  attention_mask: np.ndarray
  own: np.ndarray


def evaluate(
  model: singularity.Singularity,
  params: Any,
  frames: np.ndarray,
  captions: Texts,
  classes: Texts | None = None,
  *,
  num_reranked: int = 0,
  chunk_size: int = 16,
) -> dict[str, float]:
  """Returns shares of queries with a right answer among the best.

  Args:
    model: the backbone.
    params: its parameters.
    frames: `[V, T, H, W, 3]` uint8, any H and W.
    captions: N different ones, each of one clip or more.
    classes: C texts that each clip is told apart among, such as templates.
    num_reranked: captions per clip and clips per caption that the matching head
      ranks again, 128 in the published figures; 0 leaves it out.
    chunk_size: clips encoded at once; eight times as many pairs are matched.

  Returns:
    `text_to_video/r1` (a clip of the caption comes first), `r5`, `r10`, and
    `video_to_text/...`; with re-ranking also `matched/text_to_video/...` and
    `matched/video_to_text/...`; with classes `top1` and `top5`.
  """
  params = jax.device_put(params)
  reranks = num_reranked > 0

  def encode_clips(chunk):
    tokens, clip = _encode_clips(model, params, chunk)
    # The tokens of all clips are large: only the matching head wants them.
    return tokens if reranks else None, clip

  def encode_texts(texts):
    tokens = texts.input_ids, texts.attention_mask
    encode = functools.partial(_encode_texts, model, params)
    return batching.map_chunks(encode, chunk_size, tokens)

  tokens, clip = batching.map_chunks(encode_clips, chunk_size, frames)
  words, caption = encode_texts(captions)
  cosines = _cosines(clip, caption)
  own = captions.own[:, None] == np.arange(len(captions.input_ids))
  result = _both_ways(cosines, cosines.T, own)
  if reranks:
    by_clip = _best(cosines, num_reranked)
    by_text = _best(cosines.T, num_reranked).T
    pairs = np.argwhere(by_clip | by_text)
    known = jax.device_put((tokens, words, captions.attention_mask))
    scores = np.zeros(cosines.shape, np.float32)
    match = functools.partial(_match, model, params, known)
    matches = batching.map_chunks(match, 8 * chunk_size, pairs)
    scores[tuple(pairs.T)] = matches
    to_text = np.where(by_clip, scores, _UNSCORED)
    to_video = np.where(by_text, scores, _UNSCORED).T
    matched = _both_ways(to_text, to_video, own)
    result |= {f"matched/{name}": value for name, value in matched.items()}
  if classes is not None:
    _, label = encode_texts(classes)
    right = classes.own[:, None] == np.arange(len(classes.input_ids))
    rates = recalls(_cosines(clip, label), right)
    result |= {"top1": rates["r1"], "top5": rates["r5"]}
  return result


def recalls(scores: np.ndarray, right: np.ndarray) -> dict[str, float]:
  """Returns shares of queries with a right answer in the best 1, 5 and 10.

  A wrong answer that scores the same as the right one comes before it: a
  constant score finds nothing.

  Args:
    scores: `[Q, A]` of every query with every answer.
    right: `[Q, A]` bool, each row with one or more.
  """
  best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
  rank = (~right & (scores >= best)).sum(axis=1)
  return {f"r{k}": float((rank < k).mean()) for k in RANKS}


def _both_ways(to_text, to_video, own) -> Mapping[str, float]:
  ways = {
    "text_to_video": recalls(to_video, own.T),
    "video_to_text": recalls(to_text, own),
  }
  return {f"{way}/{k}": v for way, r in ways.items() for k, v in r.items()}


def _best(scores: np.ndarray, num: int) -> np.ndarray:
  """Bool of the shape of `scores`: the `num` best of each row."""
  order = np.argsort(-scores, axis=1, kind="stable")[:, :num]
  chosen = np.zeros(scores.shape, bool)
  np.put_along_axis(chosen, order, True, axis=1)
  return chosen


@functools.partial(jax.jit, static_argnums=0)
def _encode_clips(model, params, frames):
  """Tokens `[B, T * S, D]` and features `[B, T, E]` of clips."""
  frames = images.resize(frames, model.config.image_size)
  tokens, clip = model.apply(
    {"params": params}, images.normalize(frames), method="encode_video"
  )
  # What the matching head makes of them anyway; in bfloat16 half the memory.
  return tokens.astype(model.config.dtype), clip


@functools.partial(jax.jit, static_argnums=0)
def _encode_texts(model, params, tokens):
  """Tokens `[B, L, D]` and features `[B, E]` of texts."""
  return model.apply({"params": params}, *tokens, method="encode_text")


def _cosines(clip, caption):
  """`[V, N]` mean over frames of the cosines."""
  return np.einsum("vte,ne->vn", clip, caption, optimize=True) / clip.shape[1]


@functools.partial(jax.jit, static_argnums=0)
def _match(model, params, known, pairs):
  """How much each pair `[P, 2]` of a clip and a text matches, `[P]`."""
  tokens, words, mask = known
  clip, text = pairs.T
  logits = model.apply(
    {"params": params}, tokens[clip], words[text], mask[text], method="match"
  )
  return logits[:, 1]

"""What every method becomes for planning and for evaluation: a scorer.

Letters: N clips, T frames, S picture size, L texts, E feature width.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import frames as frame_rule
from a2r.models import encoders, forms
from a2r.models import frames as pictures

PyTree = Any
_CHUNK = 40


class Scorer(NamedTuple):
  """How well clips show what texts say; higher is better.

  `encode_fn` and `score_fn` are pure JAX, hash, and are equal for equal models:
  as static arguments of a jitted program they compile once per kind of model,
  not once per run.

  Attributes:
    name: of the method.
    params: all weights that the two functions read.
    encode_fn: `(params, frames uint8 [N, T, S, S, 3]) -> features`, a tree of
      arrays `[N, ...]`.
    score_fn: `(params, features, context) -> [N, L]` float32.
    context_fn: list of L texts -> context, a tree of arrays; on the host. A
      ValueError or KeyError in one line for a text that it cannot judge.
    num_frames: T.
    image_size: S.
  """

  name: str
  params: PyTree
  encode_fn: Callable[[PyTree, jax.Array], PyTree]
  score_fn: Callable[[PyTree, PyTree, PyTree], jax.Array]
  context_fn: Callable[[Sequence[str]], PyTree]
  num_frames: int
  image_size: int


def scores(
  scorer: Scorer, clips: np.ndarray, texts: Sequence[str]
) -> np.ndarray:
  """The score of every clip for every text.

  Args:
    scorer: judges.
    clips: `[N, T', H, W, 3]` uint8, any T', H and W: frames are taken evenly,
      first and last included, and resized.
    texts: L of them.

  Returns:
    `[N, L]` float32.

  Raises:
    ValueError: clips of another type or rank.
  """
  return judge(scorer, encode(scorer, clips), texts)


def encode(scorer: Scorer, clips: np.ndarray) -> PyTree:
  """What `judge` takes of clips, see `scores`: a tree of `[N, ...]`."""
  clips = encoders.check_clips(clips)
  index = frame_rule.frame_indices(clips.shape[1], scorer.num_frames, "ends")

  def encode(chunk):
    size = scorer.image_size
    return _encode(scorer.encode_fn, size, scorer.params, chunk[:, index])

  return _in_chunks(encode, clips)


def judge(scorer: Scorer, features: PyTree, texts: Sequence[str]) -> np.ndarray:
  """`[N, L]` float32 scores of what `encode` returned for every text."""
  context = scorer.context_fn(list(texts))

  def judge(chunk):
    return _judge(scorer.score_fn, scorer.params, chunk, context)

  return _in_chunks(judge, features).astype(np.float32)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(encode_fn, size, params, frames):
  return encode_fn(params, pictures.resize(frames, size))


@functools.partial(jax.jit, static_argnums=0)
def _judge(score_fn, params, features, context):
  return score_fn(params, features, context)


def _in_chunks(function, rows: PyTree) -> PyTree:
  """`function(rows)` in numpy, some rows at a time; the last are padded."""
  num = jax.tree.leaves(rows)[0].shape[0]
  size = min(num, _CHUNK)
  parts = []
  for start in range(0, num, size):
    # Filled up with its last row.
    index = np.minimum(np.arange(start, start + size), num - 1)
    part = function(jax.tree.map(lambda x, i=index: x[i], rows))
    parts.append(jax.device_get(part))
  return jax.tree.map(lambda *x: np.concatenate(x)[:num], *parts)


@dataclasses.dataclass(frozen=True)
class EncodeVideo:
  """Unit features `[N, E]` of clips, by a module with a method `video`.

  Attributes:
    model: the module; its parameters are `params["model"]` of the scorer.
  """

  model: Any

  def __call__(self, params: PyTree, frames: jax.Array) -> jax.Array:
    return self.model.apply(
      {"params": params["model"]}, pictures.normalize(frames), method="video"
    )


@dataclasses.dataclass(frozen=True)
class FormScore:
  """A form of Adapt2Reward's reward, one of `forms.FORMS`.

  The context is a `forms.Texts`.

  Attributes:
    form: its name.
  """

  form: str

  def __call__(
    self, params: PyTree, features: jax.Array, context: forms.Texts
  ) -> jax.Array:
    return forms.FORMS[self.form](features, context, params["temperature"])


@dataclasses.dataclass(frozen=True)
class CosineScore:
  """Cosine of a clip's unit feature and a text's; the context is `[L, E]`."""

  def __call__(
    self, params: PyTree, features: jax.Array, context: jax.Array
  ) -> jax.Array:
    del params
    return jnp.einsum(
      "ne,le->nl", features, context, precision=jax.lax.Precision.HIGHEST
    )


def cosine(
  name: str,
  model: Any,
  params: PyTree,
  context_fn: Callable[[Sequence[str]], jax.Array],
) -> Scorer:
  """The scorer of a module with a method `video`: cosines with the texts.

  Args:
    name: of the method.
    model: the module; its `config` has the sizes.
    params: its parameters.
    context_fn: texts -> `[L, E]` unit features.
  """
  return Scorer(
    name=name,
    params={"model": params},
    encode_fn=EncodeVideo(model),
    score_fn=CosineScore(),
    context_fn=context_fn,
    num_frames=model.config.num_frames,
    image_size=model.config.image_size,
  )


@dataclasses.dataclass(frozen=True)
class _NoFeature:
  def __call__(self, params, frames):
    del params
    return jnp.zeros(frames.shape[0], jnp.float32)


@dataclasses.dataclass(frozen=True)
class _AllEqual:
  def __call__(self, params, features, context):
    del params
    return features[:, None] + context[None]


def clock(num_frames: int = 8, image_size: int = 64) -> Scorer:
  """The control that looks at nothing but the time.

  Clips of one length end at one time, so that all scores are equal; what a
  judge of values over time gets from it is the number of the frame.

  Args:
    num_frames: T.
    image_size: S.
  """
  return Scorer(
    name="clock",
    params={},
    encode_fn=_NoFeature(),
    score_fn=_AllEqual(),
    context_fn=lambda texts: jnp.zeros(len(texts), jnp.float32),
    num_frames=num_frames,
    image_size=image_size,
  )

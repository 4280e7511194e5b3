"""What every method becomes for planning and for evaluation: a scorer.

A `Scorer` tells how well clips show what texts say. Its functions are pure, so
that they can stand inside a planner's program; `scores`, `encode` and
`score_features` apply them to any clips and texts from the host. `adapt2reward`
makes the scorer of a trained reward, `cosine` that of a method whose features
are compared as they are.

Letters: N clips, T frames, S picture size, L texts, M trained instructions, K
failure prompts per trained instruction, E feature width.
"""

import dataclasses
import functools
import mmap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from a2r.core import batching, checks, compilation, images
from a2r.core import text as text_lib
from a2r.models import adapt2reward as net
from a2r.models import saved as saved_lib

PyTree = Any
# Clips of one call of a program: few sizes are compiled, whatever their number.
_CHUNKS = (1, 4, 16, 64)
# Of all frames of a call, so that memory depends on no model's sizes either: 64
# clips of the small model, 4 of the published one, which take 0.5 GB.
_MAX_PIXELS = 1 << 21
_LENGTH_STEP = 16


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
  scorer: Scorer, clips: Iterable[np.ndarray], texts: Sequence[str]
) -> np.ndarray:
  """Returns the score of every clip for every text.

  Programs are compiled for batches of 1, 4, 16 and 64 clips, when first met;
  a batch is padded to the next of these and a larger one cut into 64s (large
  models stop at 16 or 4). Pictures of other sizes share nine programs more.

  Clips are read one after the other, and only the frames that the scorer looks
  at: what is asked for beside the clips themselves is the same for any number,
  length and size of them.

  Args:
    scorer: of a method.
    clips: `[N, T', H, W, 3]` uint8, such as a `numpy.memmap`; or N clips
      `[T', H, W, 3]`, each of its own size, such as a generator that reads
      them. Frames are taken evenly, first and last included, and resized.
    texts: L of them.

  Returns:
    `[N, L]` float32; another tree `[N, ...]` where the scorer's `score_fn`
    makes one.

  Raises:
    ValueError: clips of another type or rank, none at all, or a text that is
      none.
  """
  clips = check_clips(clips)
  context = _make_context(scorer, texts)
  return _score_chunks(scorer, encode(scorer, clips), context)


def encode(scorer: Scorer, clips: Iterable[np.ndarray]) -> PyTree:
  """Returns the features `[N, ...]` of clips, see `scores`."""
  compilation.check_process()
  size = scorer.image_size
  most = _MAX_PIXELS // (scorer.num_frames * size * size)
  sizes = [num for num in _CHUNKS if num <= max(most, 1)]
  frames = _take_frames(scorer, check_clips(clips))
  encode = functools.partial(_encode, scorer.encode_fn, scorer.params)
  return batching.map_stream(encode, sizes, frames)


def _take_frames(scorer: Scorer, clips: Iterable[np.ndarray]):
  """Yields the frames `[T, S, S, 3]` uint8 of each clip that are looked at."""
  size = scorer.image_size
  for clip in clips:
    index = images.frame_indices(len(clip), scorer.num_frames, "ends")
    frames = shrink([clip[i] for i in index], size)
    # What was read of a file counts as the process's memory until it is given
    # back; a copy, which has no mode, is in none.
    if isinstance(clip, np.memmap) and clip.mode not in (None, "c"):
      clip._mmap.madvise(mmap.MADV_DONTNEED)
    yield frames


def shrink(frames: Sequence[np.ndarray], size: int) -> np.ndarray:
  """Returns pictures `[H, W, 3]` uint8 as scorers see them: `[T, S, S, 3]`."""
  if frames[0].shape[:2] == (size, size):
    return np.stack(frames)
  return np.asarray(_resize(*images.pick(frames, size)))


def score_features(
  scorer: Scorer, features: PyTree, texts: Sequence[str]
) -> np.ndarray:
  """Returns the scores of what `encode` returned for every text."""
  return _score_chunks(scorer, features, _make_context(scorer, texts))


def _make_context(scorer, texts):
  compilation.check_process()
  if isinstance(texts, str):
    raise ValueError(f"expected a list of texts, got {texts!r}")
  return scorer.context_fn(list(texts))


def _score_chunks(scorer, features, context):
  score = functools.partial(_score, scorer.score_fn, scorer.params, context)
  return batching.map_chunks(score, _CHUNKS, features)


# Models of equal sizes share these programs.
_resize = jax.jit(images.resize_by)


@functools.partial(jax.jit, static_argnums=0)
def _encode(encode_fn, params, frames):
  return encode_fn(params, frames)


@functools.partial(jax.jit, static_argnums=0)
def _score(score_fn, params, context, features):
  scores = score_fn(params, features, context)
  return jax.tree.map(lambda x: x.astype(jnp.float32), scores)


def check_clips(clips: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
  """Returns clips to iterate over, `[T, H, W, 3]` uint8 each; see `scores`.

  What is in memory is checked at once, what is made one by one when it comes.

  Raises:
    ValueError: says what clips should be.
  """
  if isinstance(clips, jax.Array):
    clips = np.asarray(clips)  # Cutting it clip by clip is slow.
  if isinstance(clips, np.ndarray) and clips.dtype != object:
    _check_array(clips, "[B, T, H, W, 3]", "clip[None]")
    return clips
  if not isinstance(clips, Iterable):
    raise ValueError(f"expected clips, got {clips!r}")
  checked = _check_each(clips)
  return list(checked) if isinstance(clips, list | tuple) else checked


def _check_each(clips):
  index = -1
  for index, clip in enumerate(clips):
    clip = clip if isinstance(clip, np.ndarray) else np.asarray(clip)
    _check_array(clip, "[T, H, W, 3]", "[clip]", f"clip {index}: ")
    yield clip
  if index < 0:
    raise ValueError("expected at least one clip, got none")


def _check_array(array, shape: str, one: str, where: str = ""):
  got = f"got {array.dtype} {list(array.shape)}"
  expected = f"{where}clips are uint8 RGB {shape}"
  if array.dtype != np.uint8:
    raise ValueError(f"{expected}, {got}")
  rank = shape.count(",") + 1
  if array.ndim == rank - 1:
    raise ValueError(f"{expected}, {got}; pass one clip as {one}")
  if array.ndim != rank or array.shape[-1] != 3 or not array.size:
    raise ValueError(f"{expected}, none of them zero, {got}")


@dataclasses.dataclass(frozen=True)
class EncodeVideo:
  """Unit features `[N, E]` of clips, by a module with a method `video`.

  Attributes:
    model: the module; its parameters are `params["model"]` of the scorer.
    method: 'video', or 'video_parts' (see `net.Adapt2Reward`).
  """

  model: Any
  method: str = "video"

  def __call__(self, params: PyTree, frames: jax.Array) -> PyTree:
    return self.model.apply(
      {"params": params["model"]}, images.normalize(frames), method=self.method
    )


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
  """Returns the scorer of a module with a method `video`: cosines with texts.

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
class FormScore:
  """A form of Adapt2Reward's reward; the context is a `net.Texts`.

  Attributes:
    form: one of `net.FORMS`; None gives a dict of all of them.
  """

  form: str | None

  def __post_init__(self):
    checks.one_of("form", self.form, (*net.FORMS, None))

  def __call__(self, params: PyTree, features: jax.Array, context: net.Texts):
    def score(form):
      return net.FORMS[form](features, context, params["temperature"])

    return score(self.form) if self.form else {f: score(f) for f in net.FORMS}


def log_odds(scores: np.ndarray, form: str) -> np.ndarray:
  """Returns rewards on an open scale: a softmax's log-odds, others as is."""
  if form not in ("softmax", "own_failures"):
    return np.asarray(scores, np.float64)
  eps = np.finfo(np.float32).eps
  p = np.clip(np.asarray(scores, np.float64), eps, 1 - eps)
  return np.log(p) - np.log1p(-p)


def probability(
  scores: np.ndarray, form: str, scale: float, offset: float
) -> np.ndarray:
  """Returns the probability of success that rewards of a form stand for.

  `sigmoid(scale * log_odds(scores) + offset)`, scale and offset those that
  `evaluation.calibration.fit` found.
  """
  logit = scale * log_odds(scores, form) + offset
  return 1 / (1 + np.exp(-logit))


def encode_parts(scorer: Scorer, clips: Iterable[np.ndarray]) -> PyTree:
  """Returns what `net.Adapt2Reward.video_parts` makes of clips; see `scores`.

  Args:
    scorer: of a reward, see `adapt2reward`.
    clips: see `scores`.
  """
  encode_fn = dataclasses.replace(scorer.encode_fn, method="video_parts")
  return encode(scorer._replace(encode_fn=encode_fn), clips)


@dataclasses.dataclass(frozen=True)
class FailureModes:
  """`net.failure_modes` `[N, 1 + K]` of the one text of a `net.Texts`."""

  def __call__(self, params: PyTree, features: jax.Array, context: net.Texts):
    texts = context.text[0], context.failure[0]
    return net.failure_modes(features, *texts, params["temperature"])


class Instructions:
  """What Adapt2Reward's clips are scored for: texts to a `net.Texts`.

  A text is read as one of the known instructions where it differs from it in
  wording alone (see `text.find_instruction`), which the log tells once.
  """

  def __init__(
    self,
    known: Sequence[str],
    num_trained: int,
    text_fn: Callable[[list[str]], np.ndarray],
    failure_text_fn: Callable[[list[str]], np.ndarray] | None,
    failing_fn: Callable[[list[str]], np.ndarray] | None = None,
    check_fn: Callable[[list[str]], None] = lambda texts: None,
  ):
    """Holds the known instructions; their features are made when first asked.

    Args:
      known: the trained instructions (those with robot data), then the others.
      num_trained: M.
      text_fn: texts to a robot -> `[N, E]`.
      failure_text_fn: the M trained instructions -> `[M, K, E]`; None where no
        failure prompts were trained, which then are ignored everywhere.
      failing_fn: texts without prompts -> `[N, E]`, of failing at each; None
        where the backbone never read of that.
      check_fn: fails for texts that cannot be read; not asked of known ones.
    """
    self.known = list(known)
    self.trained = self.known[:num_trained]
    self.prompted = self.trained if failure_text_fn else []
    self._text_fn = text_fn
    self._failure_text_fn = failure_text_fn
    self._failing_fn = failing_fn
    self._check_fn = check_fn
    self.read = functools.lru_cache(maxsize=1024)(self._read)
    self._make = functools.lru_cache(maxsize=64)(self._make_texts)

  def __call__(self, texts: Sequence[str]) -> net.Texts:
    """Returns the features of texts and of what they compete with."""
    return self._make(tuple(self.read(text) for text in texts))

  def _read(self, text: str) -> str:
    known = text_lib.read_as(text, self.known)
    if known not in self.known:
      self._check_fn([known])
    if text_lib.pre_text(known) != text_lib.pre_text(text):
      logging.info("instruction %r read as %r", text, known)
    return known

  @functools.cached_property
  def _features(self) -> tuple[np.ndarray, np.ndarray]:
    """`[L, E]` of the known instructions, `[M, K, E]` of their failures."""
    # Without known ones, any text gives the width.
    known = np.asarray(self._text_fn(self.known or ["nothing"]))
    known = known[: len(self.known)]
    if not self.prompted:
      return known, np.zeros((1, 1, known.shape[-1]), known.dtype)
    return known, np.asarray(self._failure_text_fn(self.prompted))

  def _make_texts(self, texts: tuple[str, ...]) -> net.Texts:
    known, failures = self._features
    row = {text: i for i, text in enumerate(self.known)}
    index = np.array([row.get(text, -1) for text in texts])
    new = [text for text in texts if text not in row]
    text = np.zeros((len(texts), known.shape[-1]), known.dtype)
    text[index >= 0] = known[index[index >= 0]]
    if new:
      text[index < 0] = np.asarray(self._text_fn(new))
    prompted = (index >= 0) & (index < len(self.prompted))
    failure = failures[np.where(prompted, index, 0)]
    has_failure = np.repeat(prompted[:, None], failure.shape[1], axis=1)
    others = np.flatnonzero(~prompted)
    if self._failing_fn and len(others):
      failure[others, 0] = self._failing_fn([texts[row] for row in others])
      has_failure[others, 0] = True
    return net.Texts(
      text=jnp.asarray(text),
      known=jnp.asarray(known),
      index=jnp.asarray(index),
      failure=jnp.asarray(failure),
      has_failure=jnp.asarray(has_failure),
    )


def adapt2reward(saved: saved_lib.SavedReward) -> Scorer:
  """Returns the scorer of a trained reward; `context_fn` is `Instructions`."""
  compilation.check_process()
  model = saved_lib.make_model(saved)
  params = jax.device_put(saved.params)
  text_fn = make_text_fn(model, params, saved.tokenizer)
  failure_text_fn = functools.partial(text_fn, failures=True)

  def failing_fn(texts):
    return text_fn([text_lib.failing(text) for text in texts], cut=True)

  reads_of_failing = saved.tokenizer.has_word("failing")
  return Scorer(
    name="adapt2reward",
    params={"model": params, "temperature": jnp.float32(saved.temperature)},
    encode_fn=EncodeVideo(model),
    score_fn=FormScore(saved.form),
    context_fn=Instructions(
      saved.instructions,
      saved.num_trained,
      text_fn,
      failure_text_fn if saved.failure_prompts else None,
      failing_fn if reads_of_failing else None,
      saved.tokenizer.check,
    ),
    num_frames=model.config.num_frames,
    image_size=model.config.image_size,
  )


def make_text_fn(
  model: net.Adapt2Reward, params: PyTree, tokenizer: text_lib.Tokenizer
) -> Callable[..., np.ndarray]:
  """Returns a function of texts to unit features, by a module's parameters.

  `text_fn(texts)` is `[N, E]`, the texts read as robot instructions, and
  `text_fn(texts, failures=True)` `[M, K, E]` for the M trained ones. A text of
  too many tokens is a ValueError, or with `cut=True` is cut.
  """
  max_length = model.config.max_positions - (
    model.domain_prompt_length + model.failure_prompt_length
  )

  def text_fn(texts, *, failures=False, cut=False):
    # A power of two: few sizes are compiled, whatever the number of texts.
    num = len(texts) if failures else 1 << (len(texts) - 1).bit_length()
    padded = [*texts, *texts[:1] * (num - len(texts))]
    ids, mask = tokenizer(padded, max_length + 1)
    for text, too_long in zip(padded, mask[:, -1], strict=True):
      if too_long and not cut:
        raise ValueError(
          f"the instruction has more than the model's {max_length} tokens: "
          f"{text!r}"
        )
    # Masked tokens change nothing but cost time.
    steps = -(-int(mask.sum(1).max()) // _LENGTH_STEP)
    length = min(steps * _LENGTH_STEP, max_length)
    tokens = ids[:, :length], mask[:, :length]
    features = _encode_texts(model, failures, params, *tokens)
    return np.asarray(features)[: len(texts)]

  return text_fn


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode_texts(model, failures, params, input_ids, mask):
  variables = {"params": params}
  if failures:
    task = np.arange(len(input_ids), dtype=np.int32)
    return model.apply(variables, input_ids, mask, task, method="failure_text")
  domain = np.full(len(input_ids), net.ROBOT, np.int32)
  return model.apply(variables, input_ids, mask, domain, method="text")

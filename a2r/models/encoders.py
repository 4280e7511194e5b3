"""A trained model as plain functions from clips and texts to unit features.

Letters: B clips, T frames, N texts, M trained instructions, K failure prompts
per trained instruction, E embedding.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import text as text_lib
from a2r.models import frames as pictures
from a2r.models import prompts, reward

_LENGTH_STEP = 16


class Encoders(NamedTuple):
  """Functions to unit features, and what they look at.

  Attributes:
    video: uint8 `[B, T, H, W, 3]` with T = num_frames, any H and W ->
      `[B, E]`. One compilation per B, and a small one per picture size.
    text: list of N texts, read as robot instructions -> `[N, E]`.
    failure_text: list of the M trained instructions -> `[M, K, E]`.
    num_frames: frames of a clip that the model looks at.
  """

  video: Callable[[np.ndarray], jax.Array]
  text: Callable[[list[str]], np.ndarray]
  failure_text: Callable[[list[str]], np.ndarray]
  num_frames: int


def check_clips(clips: np.ndarray) -> np.ndarray:
  """`clips` as a numpy array, or a ValueError that says what it should be."""
  clips = np.asarray(clips)
  got = f"got {clips.dtype} {list(clips.shape)}"
  expected = "clips are uint8 RGB [B, T, H, W, 3]"
  if clips.dtype != np.uint8:
    raise ValueError(f"{expected}, {got}")
  if clips.ndim == 4:
    raise ValueError(f"{expected}, {got}; pass one clip as clip[None]")
  if clips.ndim != 5 or clips.shape[-1] != 3 or not clips.size:
    raise ValueError(f"{expected}, none of them zero, {got}")
  return clips


def params_like(model: reward.Adapt2Reward) -> Any:
  """Shapes and dtypes of the model's parameters, without making any."""
  size = model.config.image_size
  frames = jnp.zeros((1, model.config.num_frames, size, size, 3))
  ids = jnp.zeros((1, 2), jnp.int32)
  make = functools.partial(model.init, jax.random.key(0))
  return jax.eval_shape(make, frames, ids, ids)["params"]


def make_encoders(
  model: reward.Adapt2Reward,
  params: Any,
  tokenizer: text_lib.Tokenizer,
) -> Encoders:
  """The encoders of a trained model.

  Args:
    model: the module.
    params: its parameters.
    tokenizer: the one it was trained with.
  """
  params = jax.device_put(params)
  max_length = model.config.max_positions - (
    model.domain_prompt_length + model.failure_prompt_length
  )
  size = model.config.image_size

  def video(frames):
    if frames.shape[2:4] != (size, size):
      frames = _resize(frames, size)
    return _encode_video(model, params, frames)

  def text(texts):
    # A power of two: few sizes are compiled, whatever the number of texts.
    padded = texts + texts[:1] * (_power_of_two(len(texts)) - len(texts))
    tokens = _tokens(tokenizer, padded, max_length)
    return np.asarray(_encode_text(model, params, *tokens))[: len(texts)]

  def failure_text(texts):
    tokens = _tokens(tokenizer, texts, max_length)
    return np.asarray(_encode_failure_text(model, params, *tokens))

  return Encoders(video, text, failure_text, model.config.num_frames)


# Models of equal sizes share these programs.
_resize = jax.jit(pictures.resize, static_argnums=1)


@functools.partial(jax.jit, static_argnums=0)
def _encode_video(model, params, frames):
  frames = pictures.normalize(frames)
  return model.apply({"params": params}, frames, method="video")


@functools.partial(jax.jit, static_argnums=0)
def _encode_text(model, params, input_ids, mask):
  domain = np.full(len(input_ids), prompts.ROBOT, np.int32)
  return model.apply({"params": params}, input_ids, mask, domain, method="text")


@functools.partial(jax.jit, static_argnums=0)
def _encode_failure_text(model, params, input_ids, mask):
  task = np.arange(len(input_ids), dtype=np.int32)
  return model.apply(
    {"params": params}, input_ids, mask, task, method="failure_text"
  )


def _tokens(tokenizer, texts: list[str], max_length: int):
  """Ids and mask `[N, L]`; an error if a text has over `max_length` tokens.

  L is cut to a multiple of 16: masked tokens change nothing but cost time.
  """
  input_ids, mask = tokenizer(texts, max_length + 1)
  for text, too_long in zip(texts, mask[:, -1], strict=True):
    if too_long:
      raise ValueError(
        f"the instruction has more than the model's {max_length} tokens: "
        f"{text!r}"
      )
  steps = -(-int(mask.sum(1).max()) // _LENGTH_STEP)
  length = min(steps * _LENGTH_STEP, max_length)
  return input_ids[:, :length], mask[:, :length]


def _power_of_two(count: int) -> int:
  """The smallest power of two that is at least `count`."""
  return 1 << (count - 1).bit_length()

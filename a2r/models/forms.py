"""Forms of the reward: how similarities become one number per instruction.

Adapt2Reward (arXiv 2407.14872) rewards a clip with the similarity of video and
instruction, and trains that similarity inside softmaxes (eq. 3, 4, 7, 8). Each
form below reads the same unit features:

  cosine:        v . t
  softmax:       P(t | known instructions, own failure texts), the softmax of
                 eq. 7 with all known instructions in place of the batch's
  own_failures:  P(t | t, own failure texts), the softmax of eq. 8

An instruction without failure texts (no robot data of it) has no eq. 8; its
`own_failures` is its `softmax`, so that it too is a probability that falls when
another text fits the clip better. The probabilities are made from log-odds, so
they resolve up to 1 - 6e-8 and not only to the rounding of exp(v.t / tau).

Letters: B clips, N instructions asked for, L known instructions, K failure
texts per instruction, E embedding.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Texts(NamedTuple):
  """Unit features of the instructions asked for and of what they compete with.

  Attributes:
    text: `[N, E]` the instructions.
    known: `[L, E]` all known instructions; L may be 0.
    index: `[N]` int, the instruction's row in `known`, -1 if it is not known.
    failure: `[N, K, E]` failure texts; rows without any hold anything.
    has_failure: `[N]` bool, whether `failure` counts.
  """

  text: jax.Array
  known: jax.Array
  index: jax.Array
  failure: jax.Array
  has_failure: jax.Array


def cosine(video: jax.Array, texts: Texts, temperature: float) -> jax.Array:
  """`[B, N]` cosine similarities in [-1, 1]; the temperature has no part."""
  del temperature
  return _cosines(video, texts.text)


def softmax(video: jax.Array, texts: Texts, temperature: float) -> jax.Array:
  """`[B, N]` probability of each instruction among all that is known.

  It competes with every other known instruction and, where it has them, its own
  failure texts. An unknown instruction is added to the known ones.

  Args:
    video: `[B, E]` unit features.
    texts: see `Texts`.
    temperature: that of training.
  """
  own, failures = _own_and_failures(video, texts, temperature)
  known = _cosines(video, texts.known) / temperature
  is_self = texts.index[:, None] == jnp.arange(texts.known.shape[0])
  known = jnp.where(is_self, -jnp.inf, known[:, None])
  return _probability(own, jnp.concatenate([known, failures], -1))


def own_failures(
  video: jax.Array, texts: Texts, temperature: float
) -> jax.Array:
  """`[B, N]` probability of each instruction against its own failure texts.

  Instructions without failure texts get `softmax` (see the module's docstring).
  Args as in `softmax`.
  """
  own, failures = _own_and_failures(video, texts, temperature)
  return jnp.where(
    texts.has_failure,
    _probability(own, failures),
    softmax(video, texts, temperature),
  )


def failure_modes(
  video: jax.Array, text: jax.Array, failure: jax.Array, temperature: float
) -> jax.Array:
  """`[B, 1 + K]` probabilities of success and of each failure text.

  Args:
    video: `[B, E]` unit features.
    text: `[E]` the instruction.
    failure: `[K, E]` its failure texts.
    temperature: that of training.
  """
  candidates = jnp.concatenate([text[None], failure])
  return jax.nn.softmax(_cosines(video, candidates) / temperature)


# The first form is the default and wins ties.
FORMS = {
  "cosine": cosine,
  "softmax": softmax,
  "own_failures": own_failures,
}
# That of instructions which no robot clip shows: their cosines also follow what
# all instructions have in common, such as how much the arm moves; a softmax
# takes that out (docs/experiments.md).
UNSEEN = "softmax"


def _cosines(video: jax.Array, text: jax.Array) -> jax.Array:
  """`[B, E]` and `[..., E]` to `[B, ...]`, exact on accelerators too."""
  precision = jax.lax.Precision.HIGHEST
  return jnp.einsum("be,...e->b...", video, text, precision=precision)


def _own_and_failures(video, texts, temperature):
  """Logits `[B, N]` and `[B, N, K]`, the latter -inf where there are none."""
  own = _cosines(video, texts.text) / temperature
  failures = _cosines(video, texts.failure) / temperature
  has_failure = texts.has_failure[:, None]
  return own, jnp.where(has_failure, failures, -jnp.inf)


def _probability(own: jax.Array, others: jax.Array) -> jax.Array:
  """Softmax probability of `own` `[...]` against `others` `[..., M]`."""
  return jax.nn.sigmoid(own - jax.nn.logsumexp(others, axis=-1))

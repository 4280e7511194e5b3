"""The reward network of Adapt2Reward: backbone, prompts, and forms of reward.

Adapt2Reward, https://arxiv.org/abs/2407.14872, section 3. The reward of a clip
for an instruction is the cosine of their features. Training has that similarity
inside softmaxes (eq. 3, 4, 7, 8), of which the other forms are made; all read
the same unit features:

  cosine:        v . t
  softmax:       P(t | known instructions, its failure texts), the softmax of
                 eq. 7 with all known instructions in place of the batch's
  own_failures:  P(t | t, its failure texts), the softmax of eq. 8

An instruction without failure prompts (no robot data of it) competes with the
words "failing to ..." before it, where stage 1 has taught them. Without any
failure text there is no eq. 8: its `own_failures` is its `softmax`, so that it
too is a probability that falls when another text fits the clip better. The
probabilities are made from log-odds, so they resolve up to 1 - 6e-8 and not
only to the rounding of exp(v.t / tau).

Letters: B clips, T frames, H W picture, N texts, L tokens of a text (for the
forms: known instructions), M robot tasks, K failure prompts of a task, D width,
E feature size.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models.singularity import layers, singularity

HUMAN, ROBOT = 0, 1


class Prompts(nn.Module):
  """The tokens; the parameters are `human`, `robot` and `failure`.

  Attributes:
    width: D.
    num_tasks: M.
    num_failure_prompts: K.
    failure_length: tokens of a failure prompt; none are made when it, K or M
      is 0.
    domain_length: tokens of a domain prompt; 0 is none.
  """

  width: int
  num_tasks: int
  num_failure_prompts: int
  failure_length: int
  domain_length: int

  def setup(self):
    # As the word embeddings beside them start.
    init = nn.initializers.normal(0.02)
    if self.domain_length:
      shape = (self.domain_length, self.width)
      self.human = self.param("human", init, shape)
      self.robot = self.param("robot", init, shape)
    shape = (
      self.num_tasks,
      self.num_failure_prompts,
      self.failure_length,
      self.width,
    )
    if all(shape):
      self.failure = self.param("failure", init, shape)

  def domain(self, domain: jax.Array) -> jax.Array:
    """`[N]` int, 0 human and 1 robot -> `[N, domain_length, D]`."""
    if not self.domain_length:
      return jnp.zeros((domain.shape[0], 0, self.width))
    return jnp.stack([self.human, self.robot])[domain]

  def failures(self, task: jax.Array) -> jax.Array:
    """All failure contexts of tasks `[N]`, the robot's domain prompt first.

    Returns:
      `[N, K, domain_length + failure_length, D]`.

    Raises:
      ValueError: there are no failure prompts.
    """
    sizes = self.num_tasks, self.num_failure_prompts, self.failure_length
    if not all(sizes):
      raise ValueError(
        "no failure prompts: num_tasks, num_failure_prompts and "
        f"failure_prompt_length are {sizes}"
      )
    robot = self.domain(jnp.full(task.shape, ROBOT))
    shape = (*task.shape, self.num_failure_prompts, *robot.shape[1:])
    robot = jnp.broadcast_to(robot[:, None], shape)
    return jnp.concatenate([robot, self.failure[task]], axis=2)


class Adapt2Reward(nn.Module):
  """Unit features of clips, instructions and failure contexts, all float32.

  The parameters are `{'backbone', 'prompts'}`; 'backbone' is the parameter tree
  of `singularity.Singularity(config)`, so that a pre-trained or converted one
  can be put there as it is.

  Attributes:
    config: of the backbone.
    num_tasks: M, tasks with failure prompts.
    num_failure_prompts: K.
    failure_prompt_length: tokens of one failure prompt.
    domain_prompt_length: tokens of one domain prompt.
  """

  config: singularity.Config
  num_tasks: int
  num_failure_prompts: int = 3
  failure_prompt_length: int = 4
  domain_prompt_length: int = 4

  def setup(self):
    self.backbone = singularity.Singularity(self.config)
    self.prompts = Prompts(
      self.config.width,
      self.num_tasks,
      self.num_failure_prompts,
      self.failure_prompt_length,
      self.domain_prompt_length,
    )

  def __call__(
    self, frames: jax.Array, input_ids: jax.Array, attention_mask: jax.Array
  ) -> jax.Array:
    """`[B, N]` rewards of every clip for every instruction to a robot.

    Goes through every parameter, for `init`; use the methods below elsewhere.
    """
    if self.is_initializing():
      self.backbone(frames, input_ids, attention_mask)
    robot = jnp.full(input_ids.shape[:1], ROBOT)
    text = self.text(input_ids, attention_mask, robot)
    return jnp.einsum("be,ne->bn", self.video(frames), text)

  def video(self, frames: jax.Array, deterministic: bool = True) -> jax.Array:
    """Features `[B, E]` of clips, the unit means of their frames' features.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1].
      deterministic: no dropout; else a 'dropout' rng is needed.
    """
    _, feature = self.backbone.encode_video(frames, deterministic)
    return layers.l2_normalize(feature.mean(axis=1))

  def video_parts(self, frames: jax.Array) -> dict[str, jax.Array]:
    """What `video` makes of clips, and what it goes through.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1].

    Returns:
      `video` `[B, E]`, `frames` `[B, T, E]` unit features of every frame,
      `tokens` `[B, T, D]` the mean token of every frame.
    """
    tokens, feature = self.backbone.encode_video(frames)
    batch, num_frames = feature.shape[:2]
    tokens = tokens.reshape(batch, num_frames, -1, tokens.shape[-1])
    return {
      "video": layers.l2_normalize(feature.mean(axis=1)),
      "frames": feature,
      "tokens": tokens.mean(axis=2),
    }

  def text(
    self,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    domain: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Features `[N, E]` of instructions, read as [CLS; domain prompt; words].

    Args:
      input_ids: `[N, L]` int.
      attention_mask: `[N, L]`.
      domain: `[N]` int, 0 human, 1 robot.
      deterministic: no dropout.
    """
    prompt = self.prompts.domain(domain)
    return self.backbone.encode_text(
      input_ids, attention_mask, prompt, deterministic
    )[1]

  def failure_text(
    self,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    task: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Features `[N, K, E]` of every way to fail at an instruction.

    Each is read as [CLS; robot prompt; failure prompt; words].

    Args:
      input_ids: `[N, L]` int.
      attention_mask: `[N, L]`.
      task: `[N]` int below M; a row of a greater one means nothing.
      deterministic: no dropout.
    """
    prompt = self.prompts.failures(task)
    num_texts, num_prompts = prompt.shape[:2]
    _, feature = self.backbone.encode_text(
      jnp.repeat(input_ids, num_prompts, axis=0),
      jnp.repeat(attention_mask, num_prompts, axis=0),
      prompt.reshape(-1, *prompt.shape[2:]),
      deterministic,
    )
    return feature.reshape(num_texts, num_prompts, -1)


def params_like(model: Adapt2Reward) -> Any:
  """Returns shapes and dtypes of the model's parameters, without making any."""
  return jax.eval_shape(
    lambda rng: singularity.init_params(model, rng), jax.random.key(0)
  )


class Texts(NamedTuple):
  """Unit features of the instructions asked for and of what they compete with.

  Attributes:
    text: `[N, E]` the instructions.
    known: `[L, E]` all known instructions; L may be 0.
    index: `[N]` int, the instruction's row in `known`, -1 if it is not known.
    failure: `[N, K, E]` failure texts; rows without any hold anything.
    has_failure: `[N, K]` bool, which of `failure` count.
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

  Instructions without any failure text get `softmax` (see the module's
  docstring). Args as in `softmax`.
  """
  own, failures = _own_and_failures(video, texts, temperature)
  return jnp.where(
    texts.has_failure.any(axis=-1),
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
FORMS = {"cosine": cosine, "softmax": softmax, "own_failures": own_failures}
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
  return own, jnp.where(texts.has_failure, failures, -jnp.inf)


def _probability(own: jax.Array, others: jax.Array) -> jax.Array:
  """Softmax probability of `own` `[...]` against `others` `[..., M]`."""
  return jax.nn.sigmoid(own - jax.nn.logsumexp(others, axis=-1))

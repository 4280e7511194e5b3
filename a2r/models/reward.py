"""The reward network of Adapt2Reward: the backbone and its prompts.

Adapt2Reward, https://arxiv.org/abs/2407.14872, section 3. The reward of a clip
for an instruction is the cosine of their features.

Letters: B clips, T frames, H W picture, N texts, L tokens, K failure prompts,
D width, E feature size.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from a2r.models import prompts
from a2r.models.singularity import layers, singularity


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
    self.prompts = prompts.Prompts(
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
    robot = jnp.full(input_ids.shape[:1], prompts.ROBOT)
    text = self.text(input_ids, attention_mask, robot)
    return jnp.einsum("be,ne->bn", self.video(frames), text)

  def video(self, frames: jax.Array, deterministic: bool = True) -> jax.Array:
    """Features of clips: the unit mean of the unit features of the frames.

    Args:
      frames: `[B, T, H, W, 3]` float in [-1, 1].
      deterministic: no dropout; else a 'dropout' rng is needed.

    Returns:
      `[B, E]`.
    """
    _, feature = self.backbone.encode_video(frames, deterministic)
    return layers.l2_normalize(feature.mean(axis=1))

  def text(
    self,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    domain: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Features of instructions, read as [CLS; domain prompt; words].

    Args:
      input_ids: `[N, L]` int.
      attention_mask: `[N, L]`.
      domain: `[N]` int, 0 human, 1 robot.
      deterministic: no dropout.

    Returns:
      `[N, E]`.
    """
    prompt = self.prompts.domain(domain)
    _, feature = self.backbone.encode_text(
      input_ids, attention_mask, prompt, deterministic
    )
    return feature

  def failure_text(
    self,
    input_ids: jax.Array,
    attention_mask: jax.Array,
    task: jax.Array,
    deterministic: bool = True,
  ) -> jax.Array:
    """Features of every way to fail at an instruction.

    Each is read as [CLS; robot prompt; failure prompt; words].

    Args:
      input_ids: `[N, L]` int.
      attention_mask: `[N, L]`.
      task: `[N]` int below M; a row of a greater one means nothing.
      deterministic: no dropout.

    Returns:
      `[N, K, E]`.
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

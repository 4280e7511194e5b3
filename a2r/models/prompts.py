"""Learned tokens: one set per domain, and K per robot task for its failures.

Adapt2Reward, https://arxiv.org/abs/2407.14872, section 3: tokens of the width
of the word embeddings, put before the words of the instruction.

Letters: M robot tasks, K failure prompts of a task, N texts, D width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

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
    """All failure contexts of tasks, the robot's domain prompt first.

    Args:
      task: `[N]` int below M.

    Returns:
      `[N, K, domain_length + failure_length, D]`.

    Raises:
      ValueError: there are no failure prompts.
    """
    if not (
      self.num_tasks and self.num_failure_prompts and self.failure_length
    ):
      raise ValueError(
        "no failure prompts: num_tasks, num_failure_prompts and "
        f"failure_prompt_length are {self.num_tasks}, "
        f"{self.num_failure_prompts} and {self.failure_length}"
      )
    robot = self.domain(jnp.full(task.shape, ROBOT))
    shape = (*task.shape, self.num_failure_prompts, *robot.shape[1:])
    robot = jnp.broadcast_to(robot[:, None], shape)
    return jnp.concatenate([robot, self.failure[task]], axis=2)

"""Dynamic movement primitives: one action to a whole motion of the hand.

Concept2Robot (Shao et al., "Concept2Robot: Learning Manipulation Concepts from
Instructions and Human Demonstrations", RSS 2020) decides once in an episode.
Each dimension of the hand's pose then follows a critically damped spring to
its goal, pushed by forces that fade (Ijspeert et al., "Dynamical Movement
Primitives", Neural Computation 2013, equation 2.1):

  acceleration = ALPHA * (BETA * (goal - y) - velocity) + force[t]

The unit of time is the episode. Letters: T steps, D dimensions.
"""

import jax
import jax.numpy as jnp
import numpy as np

NUM_STEPS = 49
ALPHA, BETA = 12.0, 3.0
# What a force in [-1, 1] is multiplied by: at the end the goal alone pulls.
RAMP = np.linspace(NUM_STEPS, 0, NUM_STEPS, dtype=np.float32)


def rollout(start: jax.Array, goal: jax.Array, force: jax.Array) -> jax.Array:
  """Returns where the dimensions are after each step, `[T, ..., D]`.

  Args:
    start: `[..., D]`, at rest.
    goal: `[..., D]`; of the way there 0.978 are gone after 49 steps.
    force: `[T, ..., D]`, in units of the goal per episode squared.
  """

  def step(state, force):
    position, velocity = state
    pull = ALPHA * (BETA * (goal - position) - velocity)
    velocity = velocity + (pull + force) / NUM_STEPS
    position = position + velocity / NUM_STEPS
    return (position, velocity), position

  rest = (start, jnp.zeros_like(start))
  return jax.lax.scan(step, rest, jnp.asarray(force))[1]

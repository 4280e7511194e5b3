"""Everything that changes while training."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

PyTree = Any


@struct.dataclass
class TrainState:
  """The state of a run: a checkpoint holds this and nothing else.

  step: `[]` int32, the number of updates made.
  params: the model's parameters.
  opt_state: the optimizer's state.
  extra: what a method keeps beside its parameters, such as clusters.
  """

  step: jax.Array
  params: PyTree
  opt_state: PyTree
  extra: PyTree


def create(
  params: PyTree, extra: PyTree, optimizer: optax.GradientTransformation
) -> TrainState:
  """Returns the state before the first update."""
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    opt_state=optimizer.init(params),
    extra=extra,
  )

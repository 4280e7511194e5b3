"""What every loss is tested for."""

import chex
import jax
import numpy as np
import pytest


@pytest.fixture
def check_gradient():
  """Function of a loss and its arguments -> value and gradients under jit.

  They are finite, and the value is that without jit.
  """

  def check(loss_fn, *args):
    grad_fn = jax.value_and_grad(loss_fn, argnums=tuple(range(len(args))))
    found = jax.device_get(jax.jit(grad_fn)(*args))
    chex.assert_tree_all_finite(found)
    np.testing.assert_allclose(found[0], loss_fn(*args), rtol=1e-4, atol=1e-5)
    return found

  return check

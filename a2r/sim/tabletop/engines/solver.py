"""Newton's method for MuJoCo's convex constraint problem, small and batched.

MuJoCo's acceleration x minimizes

  1/2 (x - a)^T M (x - a) + 1/2 sum_i w_i min(r_i, 0)^2,   r = J x - aref

(no min for equalities; Todorov, "Convex and analytically-invertible dynamics
with contacts and constraints", ICRA 2014; pyramidal cones). This is what
`mujoco.mjx.solve` does; written apart because rollouts of 256 and more episodes
were seen to lock up on a CPU with XLA's Cholesky, which that calls, and because
this program is shorter. Letters: V degrees of freedom, E constraints.
Functions are unbatched and pure.
"""

import functools

import jax
import jax.numpy as jnp

_matmul = functools.partial(jnp.matmul, precision="highest")


def solve(
  inertia: jax.Array,
  free: jax.Array,
  jacobian: jax.Array,
  reference: jax.Array,
  weight: jax.Array,
  start: jax.Array,
  *,
  num_equalities: int,
  iterations: int,
  search_iterations: int,
  tolerance: float = 1e-8,
) -> tuple[jax.Array, jax.Array]:
  """Returns the constrained acceleration and the force, both `[V]`.

  Args:
    inertia: `[V, V]`, M.
    free: `[V]`, the acceleration without constraints, a.
    jacobian: `[E, V]`, J.
    reference: `[E]`, aref.
    weight: `[E]`, w, 0 for a constraint that is not there.
    start: `[V]` a guess, such as the acceleration one timestep before.
    num_equalities: the first constraints that always hold.
    iterations: most steps of Newton's method.
    search_iterations: steps of the search along each direction.
    tolerance: of the gain of one step, relative to the inertia.
  """
  always = jnp.arange(len(reference)) < num_equalities

  def terms(x):
    """Returns residual, weights of the constraints in force, and cost."""
    residual = _matmul(jacobian, x) - reference
    active = weight * (always | (residual < 0))
    offset = x - free
    cost = 0.5 * offset @ _matmul(inertia, offset)
    return residual, active, cost + 0.5 * active @ (residual * residual)

  def step(state):
    x, cost, _, count = state
    residual, active, _ = terms(x)
    gradient = _matmul(inertia, x - free)
    gradient += _matmul(jacobian.T, active * residual)
    hessian = inertia + _matmul(jacobian.T * active, jacobian)
    direction = -solve_spd(hessian, gradient)
    size = _line_search(
      _matmul(inertia, x - free) @ direction,
      direction @ _matmul(inertia, direction),
      residual,
      _matmul(jacobian, direction),
      weight,
      always,
      search_iterations,
    )
    new = x + size * direction
    new_cost = terms(new)[-1]
    better = new_cost < cost
    gain = jnp.where(better, cost - new_cost, 0.0)
    kept = jnp.where(better, new, x)
    return kept, jnp.where(better, new_cost, cost), gain, count + 1

  def cond_fn(state):
    _, _, gain, count = state
    return (count < iterations) & (gain > tolerance * jnp.trace(inertia))

  start_cost, free_cost = terms(start)[-1], terms(free)[-1]
  warm = start_cost < free_cost
  x = jnp.where(warm, start, free)
  cost = jnp.where(warm, start_cost, free_cost)
  x, *_ = jax.lax.while_loop(cond_fn, step, (x, cost, jnp.inf, 0))
  residual, active, _ = terms(x)
  return x, -_matmul(jacobian.T, active * residual)


def solve_spd(matrix: jax.Array, vector: jax.Array) -> jax.Array:
  """Returns x `[V]` with matrix x = vector, by Gauss-Jordan elimination.

  Args:
    matrix: `[V, V]` symmetric positive definite, so that no pivot is sought.
    vector: `[V]`.
  """
  size = len(vector)
  scale = jax.lax.rsqrt(jnp.diagonal(matrix))
  table = jnp.concatenate(
    [matrix * scale[:, None] * scale, (vector * scale)[:, None]], axis=1
  )

  def eliminate(index, table):
    chosen = jnp.arange(size) == index
    row = table[index] / table[index, index]
    column = jnp.where(chosen, 0.0, table[:, index])
    return jnp.where(
      chosen[:, None], row, table - column[:, None] * row[None, :]
    )

  return scale * jax.lax.fori_loop(0, size, eliminate, table)[:, -1]


def _line_search(first, second, residual, change, weight, always, iterations):
  """Returns the step size `[]` that minimizes the cost along a direction.

  The cost's derivative is increasing and piecewise linear: Newton's method on
  it, kept between a size that is too small and one that is too large. `first`
  and `second` `[]` are the quadratic part's derivatives at 0, `residual` is
  `[E]` at 0, `change` its growth per unit of size; `weight` and `always` are
  `[E]` too.
  """

  def step(_, state):
    size, low, high = state
    now = residual + size * change
    active = weight * (always | (now < 0))
    slope = first + size * second + active @ (now * change)
    curve = second + active @ (change * change)
    low = jnp.where(slope <= 0, size, low)
    high = jnp.where(slope > 0, size, high)
    new = size - slope / jnp.maximum(curve, 1e-30)
    middle = jnp.where(high < jnp.inf, 0.5 * (low + high), 2 * size)
    return jnp.where((new >= low) & (new <= high), new, middle), low, high

  size, *_ = jax.lax.fori_loop(0, iterations, step, (1.0, 0.0, jnp.inf))
  return size

"""Tests of the constraint solver: by hand, by enumeration, in large batches."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.tabletop.engines import solver

_V, _E, _EQUALITIES = 6, 12, 2
_BATCH = 300


@functools.partial(jax.jit, static_argnames="num_equalities")
def _solve(*args, num_equalities=_EQUALITIES):
  return solver.solve(
    *args, num_equalities=num_equalities, iterations=30, search_iterations=20
  )


def _spd(rng, size):
  """A random symmetric positive definite matrix of diverse scales."""
  root = rng.normal(size=(size, size))
  scale = 10.0 ** rng.uniform(-1, 1, size)
  return (root @ root.T + 0.5 * np.eye(size)) * scale[:, None] * scale


def _problem(seed):
  """inertia, free, jacobian, reference, weight as in `solver.solve`."""
  rng = np.random.default_rng(seed)
  weight = 10.0 ** rng.uniform(-1, 2, _E)
  weight[-1] = 0  # A constraint that is not there.
  return (
    _spd(rng, _V) / 10,
    rng.normal(size=_V),
    rng.normal(size=(_E, _V)),
    rng.normal(size=_E),
    weight,
  )


def _enumerate(inertia, free, jacobian, reference, weight):
  """The minimum in float64: of all active sets the one that is its own.

  Returns:
    x `[V]` and how many inequalities are in force.
  """
  bits = itertools.product((False, True), repeat=_E - _EQUALITIES)
  active = np.array([(True,) * _EQUALITIES + row for row in bits])
  weights = active * weight
  hessian = inertia + np.einsum("se,ev,ew->svw", weights, jacobian, jacobian)
  right = inertia @ free + weights @ (jacobian * reference[:, None])
  x = np.linalg.solve(hessian, right[..., None])[..., 0]
  broken = x @ jacobian.T < reference
  broken[:, :_EQUALITIES] = True
  (own,) = np.flatnonzero((broken == active).all(axis=1))
  return x[own], active[own, _EQUALITIES:].sum()


@pytest.mark.parametrize("size", [1, 18])
def test_linear_systems_are_solved_as_numpy_does(size):
  rng = np.random.default_rng(size)
  matrix, vector = _spd(rng, size), rng.normal(size=size)
  x = np.asarray(solver.solve_spd(matrix, vector))
  wanted = np.linalg.solve(matrix, vector)
  np.testing.assert_allclose(x, wanted, rtol=1e-3, atol=1e-4)
  residual = np.abs(matrix @ x - vector).max() / np.abs(matrix).max()
  assert residual < 1e-5


@pytest.mark.parametrize(
  ("num_equalities", "free", "weight", "x", "force"),
  [
    # One body of mass 2, x >= 3 or x = 3, weight 6: (2 a + 6 * 3) / 8.
    pytest.param(0, 1.0, 6.0, 2.5, 3.0, id="inequality_in_force"),
    pytest.param(0, 5.0, 6.0, 5.0, 0.0, id="inequality_kept_anyway"),
    pytest.param(1, 1.0, 6.0, 2.5, 3.0, id="equality_from_below"),
    pytest.param(1, 5.0, 6.0, 3.5, -3.0, id="equality_from_above"),
    pytest.param(0, 1.0, 0.0, 1.0, 0.0, id="no_weight_is_no_constraint"),
  ],
)
def test_one_constraint_by_hand(num_equalities, free, weight, x, force):
  args = ([[2.0]], [free], [[1.0]], [3.0], [weight], [0.0])
  got = _solve(*map(jnp.array, args), num_equalities=num_equalities)
  np.testing.assert_allclose(got, [[x], [force]], atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_minimum_from_any_start(seed):
  problem = _problem(seed)
  inertia, free, jacobian, reference, weight = problem
  wanted, num_active = _enumerate(*problem)
  assert 1 <= num_active <= _E - _EQUALITIES - 1
  for start in (free, np.zeros(_V), wanted, np.full(_V, 100.0)):
    x, force = map(np.asarray, _solve(*problem, start))
    np.testing.assert_allclose(x, wanted, atol=2e-4)
    # Stationary, and nothing pulls: what holds by itself has no force.
    pushes = weight * (reference - jacobian @ x)
    pushes[_EQUALITIES:] = np.maximum(pushes[_EQUALITIES:], 0)
    scale = np.abs(pushes).max()
    pulled, moved = jacobian.T @ pushes / scale, inertia @ (x - free) / scale
    np.testing.assert_allclose(force / scale, pulled, atol=1e-4)
    np.testing.assert_allclose(force / scale, moved, atol=1e-3)


def test_large_batches_finish():
  """XLA's Cholesky on a CPU locked up in programs of 256 and more rows."""
  problems = [(*_problem(seed), np.zeros(_V)) for seed in range(_BATCH)]
  batch = (np.float32(x) for x in map(np.stack, zip(*problems, strict=True)))
  x, _ = jax.jit(jax.vmap(_solve))(*batch)
  for seed in range(0, _BATCH, 60):
    wanted, _ = _enumerate(*_problem(seed))
    np.testing.assert_allclose(x[seed], wanted, atol=1e-3)

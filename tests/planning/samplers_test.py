"""Candidates: rules by hand, and a quadratic whose optimum is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.planning import config, samplers
from a2r.sim.tabletop import physics

sample, update, choose = (
  jax.jit(f, static_argnums=0)
  for f in (samplers.sample, samplers.update, samplers.choose)
)

TARGET = np.array([0.3, -0.6, 0.9, 0.5, -0.2], np.float32)


def make(method, **change):
  change = {"num_samples": 20, "num_elites": 4, "horizon": 2} | change
  return config.PlannerConfig(method=method, num_plans=1, **change)


def solve(settings, rng):
  """The answer to -|action - target|^2, and its value."""

  def turn(distribution, index):
    rng_draw = jax.random.fold_in(rng, index)
    candidates = sample(settings, distribution, rng_draw)
    value = -jnp.sum((candidates - TARGET) ** 2, axis=(1, 2))
    distribution = update(settings, distribution, candidates, value)
    return distribution, (candidates, value)

  start, rounds = samplers.init(settings), jnp.arange(settings.num_iterations)
  _, (drawn, values) = jax.lax.scan(turn, start, rounds)
  return choose(settings, drawn, values)


def mean_value(settings):
  """The true value of the answer, averaged over 8 keys."""
  rngs = jax.random.split(jax.random.key(0), 8)
  answers, _, _ = jax.jit(jax.vmap(lambda rng: solve(settings, rng)))(rngs)
  return float(np.mean(-np.sum((answers - TARGET) ** 2, axis=(1, 2))))


def test_cem_beats_shooting_at_equal_numbers_of_candidates():
  size = {"num_samples": 60, "num_elites": 12}
  cem = mean_value(make("cem", num_iterations=10, **size))
  shooting = mean_value(make("shooting", num_samples=600))
  assert cem > -0.1
  assert cem > shooting + 0.5


def test_mppi_comes_near_the_optimum():
  assert mean_value(make("mppi", num_samples=100, num_iterations=15)) > -0.1


@pytest.mark.parametrize("method", config.METHODS)
def test_candidates_stay_in_the_box(method):
  settings = make(method, num_iterations=2)
  start = samplers.init(settings)
  far = start._replace(mean=start.mean + 50, uniform=jnp.asarray(False))
  for distribution in (start, far):
    drawn = sample(settings, distribution, jax.random.key(1))
    assert drawn.shape == (20, 2, 5)
    assert np.all(drawn >= physics.ACTION_LOW)
    assert np.all(drawn <= physics.ACTION_HIGH)


def test_first_round_is_uniform_over_the_box():
  settings = make("cem", num_samples=4000)
  start = samplers.init(settings)
  drawn = sample(settings, start, jax.random.key(3))
  drawn = np.asarray(drawn).reshape(-1, 5) / physics.ACTION_HIGH
  np.testing.assert_allclose(drawn.mean(0), 0, atol=0.03)
  np.testing.assert_allclose(drawn.std(0), 3**-0.5, atol=0.02)
  assert np.abs(drawn).max() > 0.999
  np.testing.assert_allclose(start.std[0] / physics.ACTION_HIGH, 3**-0.5)


def test_cem_refits_to_mean_and_deviation_of_the_elites_as_dvd():
  """100 candidates of which DVD takes a fifth: here value n for number n."""
  settings = config.PlannerConfig(method="cem", horizon=1, num_plans=1)
  candidates = jnp.arange(100.0)[:, None, None] * jnp.ones((1, 1, 5)) / 100
  start = samplers.init(settings)
  refit = update(settings, start, candidates, jnp.arange(100.0))
  # The best 20 are .80 ... .99: mean .895, variance (20^2 - 1) / 12 * 1e-4.
  np.testing.assert_allclose(refit.mean, 0.895, rtol=1e-5)
  np.testing.assert_allclose(refit.std, (399 / 12) ** 0.5 / 100, rtol=1e-4)
  assert not refit.uniform


def test_best_candidate_of_all_rounds_is_chosen():
  settings = make("cem", num_iterations=2)
  candidates = jnp.arange(2 * 3 * 2 * 5.0).reshape(2, 3, 2, 5)
  values = jnp.array([[0.0, 7.0, 1.0], [2.0, 3.0, 6.0]])
  answer, value, index = choose(settings, candidates, values)
  np.testing.assert_array_equal(answer, candidates[0, 1])
  assert (float(value), int(index)) == (7.0, 1)


def test_cem_with_one_elite_keeps_a_floor_of_spread():
  settings = make("cem", num_elites=1)
  start = samplers.init(settings)
  candidates = sample(settings, start, jax.random.key(0))
  refit = update(settings, start, candidates, jnp.arange(20.0))
  np.testing.assert_array_equal(refit.mean, candidates[19])
  np.testing.assert_allclose(refit.std[0], 0.05 * physics.ACTION_HIGH)


@pytest.mark.parametrize("method", config.METHODS)
@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_part(method, lost):
  """As if these candidates had not been drawn."""
  settings = make(method, num_elites=2)
  start = samplers.init(settings)
  drawn = sample(settings, start, jax.random.key(0))
  values = jnp.array([lost, 1.0, lost, 4.0, 2.0])
  rest = jnp.array([1, 3, 4])
  for candidates in (drawn[:5], -drawn[:5]):
    found, expected = (
      (
        update(settings, start, candidates[rows], values[rows]),
        choose(settings, candidates[None, rows], values[None, rows]),
      )
      for rows in (jnp.arange(5), rest)
    )
    np.testing.assert_allclose(found[0].mean, expected[0].mean, rtol=1e-5)
    np.testing.assert_allclose(found[0].std, expected[0].std, rtol=1e-5)
    for a, b in zip(found[1][:2], expected[1][:2], strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-5)
    assert int(found[1][2]) == 3


@pytest.mark.parametrize("method", ["cem", "mppi"])
def test_rounds_with_few_finite_values_or_none(method):
  settings = make(method, num_iterations=2)
  start = samplers.init(settings)
  drawn = sample(settings, start, jax.random.key(0))
  nothing = jnp.full(20, jnp.nan)
  one = nothing.at[7].set(3.0)
  kept = update(settings, start, drawn, nothing)
  for a, b in zip(kept, start, strict=True):
    np.testing.assert_array_equal(a, b)
  refit = update(settings, start, drawn, one)
  np.testing.assert_array_equal(refit.mean, drawn[7])
  rounds = jnp.stack([one, nothing])
  found = choose(settings, jnp.stack([drawn, -drawn]), rounds)
  np.testing.assert_array_equal(found[0], drawn[7])
  assert (float(found[1]), int(found[2])) == (3.0, 7)


def test_mppi_weights_by_hand():
  mppi_weights = jax.jit(samplers.mppi_weights)
  # Values of mean 0 and deviation 1: exp(v / temperature), normalized.
  weights = mppi_weights(jnp.array([-1.0, 1.0]), 0.5)
  share = np.exp(2.0) / (np.exp(2.0) + np.exp(-2.0))
  np.testing.assert_allclose(weights, [1 - share, share], rtol=1e-5)
  equal = mppi_weights(jnp.full(4, 3.0), 0.5)
  np.testing.assert_allclose(equal, 0.25)
  scaled = mppi_weights(1000 * jnp.array([-1.0, 1.0]) + 5, 0.5)
  np.testing.assert_allclose(scaled, weights, rtol=1e-4)


def test_actions_are_held():
  settings = make("shooting", horizon=5, action_repeat=2)
  assert samplers.num_drawn(settings) == 3
  drawn = jnp.arange(3.0)[:, None] * jnp.ones((1, 5))
  held = samplers.hold(settings, drawn)
  np.testing.assert_array_equal(held[:, 0], [0, 0, 1, 1, 2])

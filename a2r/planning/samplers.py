"""Candidate action sequences: random shooting, CEM and MPPI.

A sampler is a distribution over action sequences and the rule that turns the
values of one round of candidates into the next round's distribution. The first
round is uniform over the action box in all of them. A candidate whose value is
not finite (NaN or infinite) has no part in what follows.

Letters as in `a2r.planning.base`, K drawn actions of a sequence, of which each
is held for `action_repeat` steps. Functions are unbatched (one environment;
use `jax.vmap`) and pure.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from a2r.planning import config
from a2r.sim.tabletop import physics

_EPS = 1e-6
# Spread around a single elite, in halves of the action box: TD-MPC's least.
_MIN_STD = 0.05


class Distribution(NamedTuple):
  """What candidates are drawn from.

  Attributes:
    mean, std: `[K, A]` of a Gaussian, cut off at the action box.
    uniform: `[]` bool, draw uniformly over the box instead.
  """

  mean: jax.Array
  std: jax.Array
  uniform: jax.Array


def init(settings: config.PlannerConfig) -> Distribution:
  """The first round's distribution: uniform over the action box."""
  shape = (num_drawn(settings), physics.ACTION_SIZE)
  low, high = _box()
  return Distribution(
    mean=jnp.broadcast_to((low + high) / 2, shape),
    std=jnp.broadcast_to((high - low) / 12**0.5, shape),
    uniform=jnp.asarray(True),
  )


def sample(
  settings: config.PlannerConfig, distribution: Distribution, rng: jax.Array
) -> jax.Array:
  """Candidates `[N, K, A]` within the action box; `rng` is consumed."""
  shape = (settings.num_samples, *distribution.mean.shape)
  low, high = _box()
  rng_uniform, rng_normal = jax.random.split(rng)
  uniform = jax.random.uniform(rng_uniform, shape, minval=low, maxval=high)
  normal = jax.random.normal(rng_normal, shape)
  normal = distribution.mean + distribution.std * normal
  return jnp.where(
    distribution.uniform, uniform, jnp.clip(normal, low, high)
  ).astype(jnp.float32)


def update(
  settings: config.PlannerConfig,
  distribution: Distribution,
  candidates: jax.Array,
  values: jax.Array,
) -> Distribution:
  """The next round's distribution.

  'shooting' keeps its own. 'cem' takes mean and standard deviation of the best
  `num_elites` candidates (as DVD's released code, whose candidates leave the
  box where ours are cut off at it). A single elite has no deviation: it gets
  0.05 of half the box, the least of TD-MPC (Hansen et al.,
  https://arxiv.org/abs/2203.04955). 'mppi' takes both of all candidates with
  the weights of `mppi_weights`; TD-MPC refits the deviation likewise.

  Where fewer values than `num_elites` are finite, the best of them are elites
  more than once; where none is, the distribution stays.

  Args:
    settings: of the planner.
    distribution: that `candidates` were drawn from.
    candidates: `[N, K, A]`.
    values: `[N]`.
  """
  if settings.method == "shooting":
    return distribution
  num_finite = jnp.isfinite(values).sum()
  if settings.method == "cem":
    _, rows = jax.lax.top_k(_finite_or(-jnp.inf, values), settings.num_elites)
    num_elites = jnp.minimum(num_finite, settings.num_elites)
    places = jnp.arange(settings.num_elites) % jnp.maximum(num_elites, 1)
    elites = candidates[rows[places]]
    low, high = _box()
    least = _MIN_STD * (high - low) / 2
    mean = elites.mean(0)
    std = jnp.where(num_elites > 1, elites.std(0), least)
  else:
    weights = mppi_weights(values, settings.temperature)
    mean = jnp.einsum("n,nka->ka", weights, candidates)
    spread = (candidates - mean) ** 2
    std = jnp.sqrt(jnp.einsum("n,nka->ka", weights, spread))
  refit = Distribution(mean, std, jnp.asarray(False))
  return jax.tree.map(
    lambda new, old: jnp.where(num_finite > 0, new, old), refit, distribution
  )


def choose(
  settings: config.PlannerConfig,
  candidates: jax.Array,
  values: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """What to do after all rounds.

  'shooting' and 'cem' do the best candidate of all rounds, as DVD; 'mppi' does
  the weighted mean of the last round (Williams et al.,
  https://arxiv.org/abs/1509.01149, equation 20), whose value is expected to be
  the weighted mean of theirs; if none of them is finite, the best candidate.

  Args:
    settings: of the planner.
    candidates: `[I, N, K, A]` of all I rounds.
    values: `[I, N]`.

  Returns:
    Drawn actions `[K, A]`, their value `[]`, and the place `[]` of the best
    candidate among all I * N. The value is not finite where none is.
  """
  index = jnp.argmax(_finite_or(-jnp.inf, values).ravel())
  flat = candidates.reshape(-1, *candidates.shape[2:])
  best, value = flat[index], values.ravel()[index]
  if settings.method == "mppi":
    weights = mppi_weights(values[-1], settings.temperature)
    mean = jnp.einsum("n,nka->ka", weights, candidates[-1])
    known = jnp.isfinite(values[-1]).any()
    best = jnp.where(known, mean, best)
    value = jnp.where(known, weights @ _finite_or(0.0, values[-1]), value)
  return best, value, index


def mppi_weights(values: jax.Array, temperature: float) -> jax.Array:
  """Weights `[N]` that sum to 1: softmax(values / (temperature * std)).

  Dividing by the values' own standard deviation makes one temperature serve
  rewards of any scale; equal values have equal weights. What is not finite has
  weight 0 and no part in the deviation.
  """
  finite = jnp.isfinite(values)
  # XLA divides by a number that it does not know with other bits.
  std = jnp.where(finite.all(), values.std(), values.std(where=finite))
  scale = temperature * std + _EPS
  values = _finite_or(-jnp.inf, values)
  return jax.nn.softmax((values - values.max()) / scale)


def hold(settings: config.PlannerConfig, drawn: jax.Array) -> jax.Array:
  """Actions `[..., H, A]`: each of `drawn` `[..., K, A]` held in turn."""
  held = jnp.repeat(drawn, settings.action_repeat, axis=-2)
  return held[..., : settings.horizon, :]


def num_drawn(settings: config.PlannerConfig) -> int:
  """K, actions drawn for one candidate."""
  return -(-settings.horizon // settings.action_repeat)


def _finite_or(instead, values):
  return jnp.where(jnp.isfinite(values), values, instead)


def _box():
  return jnp.asarray(physics.ACTION_LOW), jnp.asarray(physics.ACTION_HIGH)

"""Candidate action sequences: random shooting, CEM and MPPI.

A sampler is a distribution over action sequences and the rule that turns the
values of one round of candidates into the next round's distribution. The first
round is uniform over the action box in all of them.

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
  box where ours are cut off at it). 'mppi' takes them of all candidates with
  the weights of `mppi_weights`; TD-MPC (Hansen et al.,
  https://arxiv.org/abs/2203.04955) refits the deviation likewise.

  Args:
    settings: of the planner.
    distribution: that `candidates` were drawn from.
    candidates: `[N, K, A]`.
    values: `[N]`.
  """
  if settings.method == "shooting":
    return distribution
  if settings.method == "cem":
    _, rows = jax.lax.top_k(values, settings.num_elites)
    elites = candidates[rows]
    mean, std = elites.mean(0), elites.std(0)
  else:
    weights = mppi_weights(values, settings.temperature)
    mean = jnp.einsum("n,nka->ka", weights, candidates)
    spread = (candidates - mean) ** 2
    std = jnp.sqrt(jnp.einsum("n,nka->ka", weights, spread))
  return Distribution(mean, std, jnp.asarray(False))


def choose(
  settings: config.PlannerConfig,
  candidates: jax.Array,
  values: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """What to do after all rounds.

  'shooting' and 'cem' do the best candidate of all rounds, as DVD; 'mppi' does
  the weighted mean of the last round (Williams et al.,
  https://arxiv.org/abs/1509.01149, equation 20), whose value is expected to be
  the weighted mean of theirs.

  Args:
    settings: of the planner.
    candidates: `[I, N, K, A]` of all I rounds.
    values: `[I, N]`.

  Returns:
    Drawn actions `[K, A]`, their value `[]`, and the place `[]` of the best
    candidate among all I * N.
  """
  index = jnp.argmax(values.ravel())
  if settings.method == "mppi":
    weights = mppi_weights(values[-1], settings.temperature)
    mean = jnp.einsum("n,nka->ka", weights, candidates[-1])
    return mean, weights @ values[-1], index
  flat = candidates.reshape(-1, *candidates.shape[2:])
  return flat[index], values.ravel()[index], index


def mppi_weights(values: jax.Array, temperature: float) -> jax.Array:
  """Weights `[N]` that sum to 1: softmax(values / (temperature * std)).

  Dividing by the values' own standard deviation makes one temperature serve
  rewards of any scale; equal values have equal weights.
  """
  scale = temperature * values.std() + _EPS
  return jax.nn.softmax((values - values.max()) / scale)


def hold(settings: config.PlannerConfig, drawn: jax.Array) -> jax.Array:
  """Actions `[..., H, A]`: each of `drawn` `[..., K, A]` held in turn."""
  held = jnp.repeat(drawn, settings.action_repeat, axis=-2)
  return held[..., : settings.horizon, :]


def num_drawn(settings: config.PlannerConfig) -> int:
  """K, actions drawn for one candidate."""
  return -(-settings.horizon // settings.action_repeat)


def _box():
  return jnp.asarray(physics.ACTION_LOW), jnp.asarray(physics.ACTION_HIGH)

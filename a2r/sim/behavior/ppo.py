"""Proximal policy optimization on Brax environments, as pure functions.

Networks, losses, acting, normalization and wrappers are Brax's. An iteration
plays one whole episode in every row of every environment with the policy as it
is, then makes several passes over them; an epoch is some iterations, jitted.

Schulman, Wolski, Dhariwal, Radford and Klimov, "Proximal Policy Optimization
Algorithms" (https://arxiv.org/abs/1707.06347), equations 7, 9 and 11.

Letters: B rows, T timesteps of an episode, O observation size, A action size.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import optax
from brax.envs import base
from brax.envs.wrappers import training as wrappers
from brax.training import acting, gradients
from brax.training.acme import running_statistics, specs
from brax.training.agents.ppo import losses
from brax.training.agents.ppo import networks as ppo_networks

OBS_LIMIT = 5.0  # Normalized observations are clipped to as many deviations.
_OBS_VARIANCE = 1e-4  # Added: what hardly varies at first is not blown up.


@dataclasses.dataclass(frozen=True)
class PPOConfig:
  """What training depends on."""

  num_envs: int = 64  # Rows per environment.
  episode_length: int = 60  # T.
  num_iterations: int = 4  # Per epoch.
  num_passes: int = 4  # Over the episodes of an iteration.
  num_minibatches: int = 8  # Per pass.
  hidden: tuple[int, ...] = (64, 64)  # Widths of policy's and value's layers.
  init_std: float = 0.5  # Of the policy's noise at first.
  learning_rate: float = 1e-3  # Adam's.
  max_grad_norm: float = 1.0  # Gradients are clipped to it.
  entropy_cost: float = 1e-3  # The loss's, as the following.
  discounting: float = 0.97
  gae_lambda: float = 0.95
  clipping_epsilon: float = 0.2


@flax.struct.dataclass
class TrainState:
  """All that changes in training."""

  params: losses.PPONetworkParams  # Of policy and value.
  normalizer: running_statistics.RunningStatisticsState  # Of observations.
  opt_state: optax.OptState
  env_steps: jax.Array  # `[]` int32, timesteps played.


class Trainer(NamedTuple):
  """PPO on given environments.

  Attributes:
    init: rng to a `TrainState`.
    epoch: (state, rng) to (state, metrics); jitted. `metrics` holds the mean
      loss terms and `reward`, the mean over episodes of the sum of rewards.
    make_policy: (state, deterministic) to (obs `[..., O]`, rng) to (action
      `[..., A]`, extras).
  """

  init: Callable[[jax.Array], TrainState]
  epoch: Callable[[TrainState, jax.Array], tuple[TrainState, dict]]
  make_policy: Callable[..., Callable[[jax.Array, jax.Array], Any]]


def make_trainer(
  envs: Sequence[base.Env], config: PPOConfig = PPOConfig()
) -> Trainer:
  """Returns PPO on a mix of environments, as many rows in each.

  Args:
    envs: with one observation and one action size among them.
    config: see `PPOConfig`.

  Raises:
    ValueError: if sizes differ, or minibatches cannot be equal.
  """
  sizes = {(env.observation_size, env.action_size) for env in envs}
  if len(sizes) != 1:
    raise ValueError(
      "environments must agree in (observation, action) size, got"
      f" {sorted(sizes)}"
    )
  if len(envs) * config.num_envs % config.num_minibatches:
    raise ValueError(
      f"{len(envs)} x {config.num_envs} rows are no multiple of"
      f" {config.num_minibatches} minibatches"
    )
  ((obs_size, action_size),) = sizes
  networks = make_networks(obs_size, action_size, config)
  optimizer = optax.chain(
    optax.clip_by_global_norm(config.max_grad_norm),
    optax.adam(config.learning_rate),
  )
  wrapped = [wrappers.wrap(env, config.episode_length) for env in envs]
  act = ppo_networks.make_inference_fn(networks)

  def make_policy(state, deterministic=False):
    return act((state.normalizer, state.params.policy), deterministic)

  def epoch(state, rng):
    body = functools.partial(
      _iterate, wrapped, networks, optimizer, config, make_policy
    )
    state, metrics = jax.lax.scan(
      body, state, jax.random.split(rng, config.num_iterations)
    )
    return state, jax.tree.map(jnp.mean, metrics)

  init = functools.partial(_init, networks, optimizer, obs_size)
  return Trainer(init, jax.jit(epoch), make_policy)


def make_networks(
  obs_size: int, action_size: int, config: PPOConfig
) -> ppo_networks.PPONetworks:
  """Policy and value: ReLU layers; the policy's noise has one std per action.

  There is no squashing: environments clip what leaves their action box.
  """
  return ppo_networks.make_ppo_networks(
    obs_size,
    action_size,
    preprocess_observations_fn=functools.partial(
      running_statistics.normalize, max_abs_value=OBS_LIMIT
    ),
    policy_hidden_layer_sizes=config.hidden,
    value_hidden_layer_sizes=config.hidden,
    activation=jax.nn.relu,
    distribution_type="normal",
    noise_std_type="log",
    init_noise_std=config.init_std,
    mean_kernel_init_fn=functools.partial(
      jax.nn.initializers.variance_scaling, 0.01, "fan_in", "uniform"
    ),
  )


def _init(networks, optimizer, obs_size, rng) -> TrainState:
  rng_policy, rng_value = jax.random.split(rng)
  params = losses.PPONetworkParams(
    policy=networks.policy_network.init(rng_policy),
    value=networks.value_network.init(rng_value),
  )
  normalizer = running_statistics.init_state(
    specs.Array((obs_size,), jnp.dtype("float32")), std_eps=_OBS_VARIANCE
  )
  opt_state, env_steps = optimizer.init(params), jnp.zeros((), jnp.int32)
  state = TrainState(params, normalizer, opt_state, env_steps)
  # Weakly typed leaves would make the second epoch compile again.
  return jax.tree.map(
    lambda x: jnp.asarray(x).astype(jnp.result_type(x)), state
  )


def _iterate(envs, networks, optimizer, config, make_policy, state, rng):
  """Plays one episode per row, then learns from them."""
  rng_play, rng_learn = jax.random.split(rng)
  data = _play(envs, make_policy(state), config, rng_play)
  normalizer = running_statistics.update(state.normalizer, data.observation)
  loss_fn = functools.partial(
    losses.compute_ppo_loss,
    ppo_network=networks,
    entropy_cost=config.entropy_cost,
    discounting=config.discounting,
    gae_lambda=config.gae_lambda,
    clipping_epsilon=config.clipping_epsilon,
  )
  update = gradients.gradient_update_fn(
    loss_fn, optimizer, pmap_axis_name=None, has_aux=True
  )

  def on_minibatch(carry, batch):
    params, opt_state = carry
    part, rng = batch
    (_, metrics), params, opt_state = update(
      params, normalizer, part, rng, optimizer_state=opt_state
    )
    return (params, opt_state), metrics

  def on_pass(carry, rng):
    rng_order, rng_loss = jax.random.split(rng)
    num = config.num_minibatches
    order = jax.random.permutation(rng_order, data.reward.shape[0])
    parts = jax.tree.map(
      lambda x: x[order].reshape(num, -1, *x.shape[1:]), data
    )
    return jax.lax.scan(
      on_minibatch, carry, (parts, jax.random.split(rng_loss, num))
    )

  (params, opt_state), metrics = jax.lax.scan(
    on_pass,
    (state.params, state.opt_state),
    jax.random.split(rng_learn, config.num_passes),
  )
  metrics["reward"] = data.reward.sum(axis=1).mean()
  env_steps = state.env_steps + data.reward.size
  return TrainState(params, normalizer, opt_state, env_steps), metrics


def _play(envs, policy, config, rng):
  """Transitions of whole episodes, `[B, T, ...]`, of all environments."""
  parts = []
  for env, rng_env in zip(envs, jax.random.split(rng, len(envs)), strict=True):
    rng_reset, rng_unroll = jax.random.split(rng_env)
    start = env.reset(jax.random.split(rng_reset, config.num_envs))
    _, data = acting.generate_unroll(
      env,
      start,
      policy,
      rng_unroll,
      config.episode_length,
      extra_fields=("truncation",),
    )
    parts.append(data)
  return jax.tree.map(
    lambda *xs: jnp.swapaxes(jnp.concatenate(xs, axis=1), 0, 1), *parts
  )

"""Trains a policy on the tabletop and stops before it is good.

A stopped policy does its task sometimes, and what fails is nearly a success: by
the shaped reward it comes nearer than what fails of random exploration. It is
judged as it will be played, by `a2r.sim.behavior.stopped`, with exploration
noise.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from a2r import sim
from a2r.sim.behavior import policies, ppo, stopped
from a2r.sim.tabletop import observation, physics, rewards, tasks

LAYOUTS = ("tabletop/train", "tabletop/test3")  # One of either layout.
_BELOW = 0.1  # So far below the aim training stops.
_NEARER = 0.1  # Reward of a timestep by which failures beat random ones.
_LEAST = 0.0  # Reward of a timestep of failures: not the wrong way, mostly.
_DONE = 0.9  # A success from which there is no way back to failures.
_NUM_EPISODES = 100
_CONFIG = ppo.PPOConfig(num_iterations=1, init_std=0.3, learning_rate=5e-4)


class Evaluation(NamedTuple):
  """How a policy does in one environment."""

  success: float  # Share of the episodes.
  failing: float  # Mean shaped reward of a timestep of failures, 0 if none.
  approach: float  # Meters from where the hand would touch, at best, mean.


class EarlyStopped(NamedTuple):
  """A policy at its stop."""

  policy: stopped.Policy  # Its weights.
  env_steps: int  # Played in training.
  evaluation: Evaluation  # In the first of `LAYOUTS`.


def train(
  task: str,
  *,
  seed: int,
  stop_at: float,
  num_steps: int,
  report_fn: Callable[[int, dict[str, float]], None] = lambda *_: None,
  config: ppo.PPOConfig = _CONFIG,
) -> EarlyStopped:
  """Trains until the policy goes to the object and sometimes succeeds.

  Args:
    task: one of `sim.TASKS`.
    seed: of all randomness.
    stop_at: the aim, a share of episodes. Training ends 0.1 below it or
      higher, once failures beat random ones; the policy of the epoch that is
      nearest to both aims is returned.
    num_steps: timesteps after which training ends anyway.
    report_fn: called after every epoch with the timesteps and figures; what it
      raises ends the training.
    config: of the training.

  Returns:
    The policy.

  Raises:
    FloatingPointError: a figure of the training is not finite, and with it the
      policy; names the task, the timestep and the figure.
  """
  envs = [sim.make(name, task=task, reward="shaped") for name in LAYOUTS]
  trainer = ppo.make_trainer(envs, config)
  rng_init, rng_epochs = jax.random.split(jax.random.PRNGKey(seed))
  state, epoch, results = trainer.init(rng_init), 0, []
  random = evaluate(None, LAYOUTS[0], task, seed=seed)
  near = max(random.failing + _NEARER, _LEAST)
  while int(state.env_steps) < num_steps:
    state, metrics = trainer.epoch(state, jax.random.fold_in(rng_epochs, epoch))
    epoch += 1
    faults = {k: float(v) for k, v in metrics.items() if not np.isfinite(v)}
    if faults:
      named = ", ".join(f"{name} = {v}" for name, v in faults.items())
      raise FloatingPointError(
        f"{task}, timestep {state.env_steps}: {named}; no policy is kept"
      )
    policy = export(state)
    evaluation = evaluate(policy, LAYOUTS[0], task, seed=seed)
    now = EarlyStopped(policy, int(state.env_steps), evaluation)
    report_fn(
      now.env_steps,
      {"reward": float(metrics["reward"]), **evaluation._asdict()},
    )
    results.append(now)
    nearly = (
      evaluation.success >= stop_at - _BELOW and evaluation.failing >= near
    )
    if nearly or evaluation.success >= max(_DONE, stop_at):
      break

  def miss(result):
    success, failing, _ = result.evaluation
    return abs(success - stop_at) + max(near - failing, 0.0)

  return min(results, key=miss)


def evaluate(
  policy: stopped.Policy | None,
  environment: str,
  task: str,
  *,
  seed: int = 0,
  num_episodes: int = _NUM_EPISODES,
) -> Evaluation:
  """Plays a policy with its noise and reads success off the state.

  Args:
    policy: see `stopped.Policy`; None explores at random.
    environment: one of `sim.ENVIRONMENTS`.
    task: one of `sim.TASKS`.
    seed: of the noise.
    num_episodes: played.
  """
  model = physics.load(environment)
  seeds = [[seed, index] for index in range(num_episodes)]
  if policy is None:
    actions = policies.sample_batch(model, "random", task, seeds)
  else:
    actions = stopped.play_policy(policy, model, seeds)
  states = physics.rollout(model, actions, physics="c").states
  start = np.broadcast_to(states[:, :1], states.shape)
  points = observation.landmarks(np.float64(model.fixtures), states)
  success, reward, distance = _figures(task)(
    states, start, *map(np.float32, points)
  )
  failing = np.asarray(reward)[~np.asarray(success)]
  return Evaluation(
    success=float(success.mean()),
    failing=float(failing.mean()) if failing.size else 0.0,
    approach=float(distance.min(axis=1).mean()),
  )


def evaluate_everywhere(
  policy: stopped.Policy, task: str, seed: int
) -> dict[str, Evaluation]:
  """Evaluates in every environment, by other noise than at the stop."""
  return {
    name: evaluate(policy, name, task, seed=seed + 1)
    for name in sim.ENVIRONMENTS
  }


@functools.cache
def _figures(task):
  """Batches of trajectories to success `[B]`, reward, distance `[B, T+1]`."""

  def figures(states, start, handle, tip):
    reward = jax.vmap(rewards.shaped(task))(states, start, handle, tip)
    distance = jax.vmap(rewards.approach(task))(states, handle, tip)
    return tasks.get(task).success(states), reward, distance

  return jax.jit(jax.vmap(figures))


def export(state: ppo.TrainState) -> stopped.Policy:
  """Returns the policy of a training state as `stopped` plays it."""
  params = state.params.policy["params"]
  hidden = params["MLP_0"]
  layers = [hidden[f"hidden_{index}"] for index in range(len(hidden))]
  layers.append(params["Dense_0"])
  return jax.tree.map(
    np.asarray,
    stopped.Policy(
      mean=state.normalizer.mean,
      std=state.normalizer.std,
      kernels=tuple(layer["kernel"] for layer in layers),
      biases=tuple(layer["bias"] for layer in layers),
      noise=np.exp(params["std_logparam"]["log_value"]),
    ),
  )

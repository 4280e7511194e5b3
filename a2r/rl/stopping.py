"""Trains a policy on the tabletop and stops before it is good.

A stopped policy goes to the right object and does its task sometimes: what it
fails at is nearly a success. It is judged as it will be played, by
`a2r.sim.stopped`, with its exploration noise.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from a2r import sim
from a2r.rl import ppo
from a2r.sim import physics, rewards, stopped, tasks

LAYOUTS = ("tabletop/train", "tabletop/test3")  # One of either layout.
_BELOW = 0.1  # So far below the aim training stops.
_NEAR = 0.1  # Mean approach, meters, that counts as going to the object.
_NUM_JUDGED = 50
_SETTINGS = ppo.Settings(num_iterations=1, init_std=0.3, learning_rate=5e-4)


class Judgment(NamedTuple):
  """How a policy does in one environment.

  Attributes:
    success: share of the episodes.
    approach: nearest that the hand came to where it would touch, meters, mean.
  """

  success: float
  approach: float


class Stopped(NamedTuple):
  """A policy at its stop.

  Attributes:
    policy: its weights.
    env_steps: played in training.
    judgment: in the first of `LAYOUTS`.
  """

  policy: stopped.Policy
  env_steps: int
  judgment: Judgment

  def miss(self, stop_at: float) -> float:
    """How far from the aim, in success and in going to the object."""
    far = max(self.judgment.approach / _NEAR - 1.0, 0.0)
    return abs(self.judgment.success - stop_at) + far


def train(
  task: str,
  *,
  seed: int,
  stop_at: float,
  num_steps: int,
  report_fn: Callable[[int, dict[str, float]], None] = lambda *_: None,
  settings: ppo.Settings = _SETTINGS,
) -> Stopped:
  """Trains until the policy goes to the object and sometimes succeeds.

  Args:
    task: one of `sim.TASKS`.
    seed: of all randomness.
    stop_at: the aim, a share of episodes. Training ends 0.1 below it or
      higher; the policy of the epoch that is nearest to it is returned.
    num_steps: timesteps after which training ends anyway.
    report_fn: called after every epoch with the timesteps and figures; what it
      raises ends the training.
    settings: of the training.

  Returns:
    The policy.
  """
  envs = [sim.make(name, task=task, reward="shaped") for name in LAYOUTS]
  trainer = ppo.make_trainer(envs, settings)
  rng_init, rng_epochs = jax.random.split(jax.random.PRNGKey(seed))
  state, epoch, best = trainer.init(rng_init), 0, None
  while int(state.env_steps) < num_steps:
    state, metrics = trainer.epoch(state, jax.random.fold_in(rng_epochs, epoch))
    epoch += 1
    policy = export(state)
    judgment = judge(policy, LAYOUTS[0], task, seed=seed)
    now = Stopped(policy, int(state.env_steps), judgment)
    report_fn(
      now.env_steps, {"reward": float(metrics["reward"]), **judgment._asdict()}
    )
    if best is None or now.miss(stop_at) < best.miss(stop_at):
      best = now
    near = judgment.approach < _NEAR
    if near and judgment.success >= stop_at - _BELOW:
      break
  return best


def judge(
  policy: stopped.Policy,
  environment: str,
  task: str,
  *,
  seed: int = 0,
  num_episodes: int = _NUM_JUDGED,
) -> Judgment:
  """Plays a policy with its noise and reads success off the state.

  Args:
    policy: see `stopped.Policy`.
    environment: one of `sim.ENVIRONMENTS`.
    task: one of `sim.TASKS`.
    seed: of the noise.
    num_episodes: played.
  """
  model = physics.load(environment)
  seeds = [[seed, index] for index in range(num_episodes)]
  actions = stopped.play_policy(policy, model, seeds)
  log = physics.rollout(model, actions, physics="c").log
  success, distance = _judges(task)
  nearest = distance(log, *stopped.landmarks(model, log)).min(axis=1)
  return Judgment(float(success(log).mean()), float(nearest.mean()))


def judge_everywhere(
  policy: stopped.Policy, task: str, seed: int
) -> dict[str, Judgment]:
  """Judges in every environment, by other noise than at the stop."""
  return {
    name: judge(policy, name, task, seed=seed + 1) for name in sim.ENVIRONMENTS
  }


@functools.cache
def _judges(task):
  """Success `[B]` and distance `[B, T+1]` of batches of trajectories."""
  distance = jax.vmap(jax.vmap(rewards.approach(task)))
  return jax.jit(jax.vmap(tasks.get(task).success)), jax.jit(distance)


def export(state: ppo.TrainState) -> stopped.Policy:
  """The policy of a training state as `stopped` plays it."""
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

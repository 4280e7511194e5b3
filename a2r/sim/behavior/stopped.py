"""Policies trained by reinforcement learning and stopped before they were good.

They nearly do their task: they go to the right object and move it, but often
too little, too late or the wrong way. `launch.rl` trains one per task in the
layouts of tabletop/train and tabletop/test3; each plays in every environment.

A policy is a small network of ReLU layers, played here in numpy and C physics.
Its sums run in one order whatever the batch, so that an episode depends on its
seed alone, to the bit.

Letters: B episodes, O observation size (62), A action size (5), T timesteps.
"""

import functools
import importlib.resources
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from a2r.core import tensors
from a2r.sim.tabletop import episodes, observation, physics, tasks

_FILE = "stopped_policies.safetensors"
OBS_LIMIT = 5.0  # Normalized observations are clipped to as many deviations.


class Policy(NamedTuple):
  """A policy's weights, float32."""

  mean: np.ndarray  # `[O]` normalizes an observation, which is then clipped.
  std: np.ndarray  # `[O]` likewise.
  kernels: tuple[np.ndarray, ...]  # Of the layers; ReLU between them.
  biases: tuple[np.ndarray, ...]  # Likewise.
  noise: np.ndarray  # `[A]` standard deviation of the exploration.


def play(
  model: physics.Model, task: str, seeds: Sequence[Sequence[int]]
) -> np.ndarray:
  """Plays the stopped policy of a task, with its exploration, in C physics.

  Args:
    model: from `physics.load`.
    task: one of `sim.TASKS`.
    seeds: B seeds, each an int or a list of ints for numpy's `default_rng`.

  Returns:
    The actions taken, float32 `[B, 60, 5]` within the action box; row b depends
    on `seeds[b]` alone. Played open loop by `physics.rollout` in C physics they
    give the same episodes.

  Raises:
    KeyError: if the task is unknown, or no policy of it is shipped; the known
      are listed.
  """
  tasks.get(task)
  policies = load()
  if task not in policies:
    raise KeyError(
      f"no stopped policy of {task!r}; there are: {', '.join(policies)}"
    )
  return play_policy(policies[task], model, seeds)


def play_policy(
  policy: Policy, model: physics.Model, seeds: Sequence[Sequence[int]]
) -> np.ndarray:
  """Plays a given policy, as `play` does."""
  size = (physics.NUM_STEPS, physics.ACTION_SIZE)
  noise = np.zeros((len(seeds), *size))
  for row, seed in zip(noise, seeds, strict=True):
    row[:] = np.random.default_rng(seed).standard_normal(size)
  start = episodes.tile(model.start(), len(seeds))
  first, fixtures = episodes.low_dim_state(start), np.float64(model.fixtures)

  def policy_fn(state, step):
    obs = observation.observe(fixtures, state, first)
    action = act(policy, obs) + noise[:, step] * policy.noise
    return np.float32(np.clip(action, -1.0, 1.0))

  *_, actions = episodes.unroll(
    functools.partial(physics.step_c, model),
    start,
    policy_fn,
    physics.NUM_STEPS,
    record_fn=lambda state: None,
    on_host=True,
  )
  return actions


def act(policy: Policy, obs: np.ndarray) -> np.ndarray:
  """Returns the policy's mean action, float64 `[B, A]`, at `obs` `[B, O]`."""
  x = (np.float64(obs) - policy.mean) / policy.std
  x = np.clip(x, -OBS_LIMIT, OBS_LIMIT)
  last = len(policy.kernels) - 1
  for index, (kernel, bias) in enumerate(
    zip(policy.kernels, policy.biases, strict=True)
  ):
    x = _dense(x, np.float64(kernel), np.float64(bias))
    x = x if index == last else np.maximum(x, 0.0)
  return x


@functools.cache
def load() -> dict[str, Policy]:
  """Returns the shipped policies by task."""
  path = importlib.resources.files("a2r.assets") / _FILE
  return from_arrays(tensors.load(pathlib.Path(str(path))))


def to_arrays(policies: Mapping[str, Policy]) -> dict[str, np.ndarray]:
  """Returns named arrays of policies, for a safetensors file."""
  arrays = {}
  for task, policy in policies.items():
    for name in ("mean", "std", "noise"):
      arrays[f"{task}/{name}"] = getattr(policy, name)
    for index, pair in enumerate(
      zip(policy.kernels, policy.biases, strict=True)
    ):
      arrays[f"{task}/kernel{index}"], arrays[f"{task}/bias{index}"] = pair
  return {name: np.float32(array) for name, array in arrays.items()}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Policy]:
  """Inverts `to_arrays`, in the order of `sim.TASKS`."""
  found = {name.partition("/")[0] for name in arrays}
  policies = {}
  for task in (task for task in tasks.TASKS if task in found):
    num_layers = sum(name.startswith(f"{task}/kernel") for name in arrays)
    policies[task] = Policy(
      mean=arrays[f"{task}/mean"],
      std=arrays[f"{task}/std"],
      kernels=tuple(arrays[f"{task}/kernel{i}"] for i in range(num_layers)),
      biases=tuple(arrays[f"{task}/bias{i}"] for i in range(num_layers)),
      noise=arrays[f"{task}/noise"],
    )
  return policies


def _dense(x, kernel, bias):
  """Computes x @ kernel + bias, added up in the order of the inputs.

  A matrix product of BLAS may add up in another order for another batch.
  """
  out = np.zeros((len(x), len(bias))) + bias
  for column, row in zip(x.T, kernel, strict=True):
    out += column[:, None] * row
  return out

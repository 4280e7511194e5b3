"""Trials: whole episodes of planning and acting in the simulator.

Letters as in `a2r.planning.base`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from a2r.planning import base, planner, samplers, simulation, timing
from a2r.sim.tabletop import physics, scene, tasks
from a2r.sim.tabletop.engines import c_engine


class Trials(NamedTuple):
  """What E trials leave behind, numpy arrays.

  Attributes:
    states: float32 `[E, 61, 13]` DVD's state; rows after the last executed step
      copy it.
    qpos: float32 `[E, 61, nq]` joint positions, likewise.
    actions: float32 `[E, horizon * num_plans, 5]` as executed.
    success: bool `[E]`, each task's judgment of the whole episode.
    values: float32 `[E, num_plans]` what the objective expected of each plan;
      NaN without one.
    frames: uint8 `[E, T, S, S, 3]` the episode's clip, evenly spaced, first
      and last state included; None where nobody looked at pictures.
  """

  states: np.ndarray
  qpos: np.ndarray
  actions: np.ndarray
  success: np.ndarray
  values: np.ndarray
  frames: np.ndarray | None


def run(
  environment: str,
  task_names: Sequence[str],
  seeds: Sequence[int],
  dynamics: base.Dynamics | None,
  objective: base.Objective | None,
  settings: base.Settings,
  *,
  physics: str = "auto",
  batch_size: int = 20,
) -> Trials:
  """Plays E trials in one environment; the actions are planned.

  `settings.num_plans` times: plan `horizon` actions, execute them all in the
  simulator. Trial i depends on its seed and task alone, not on the others.

  Args:
    environment: a name of `sim.ENVIRONMENTS`; trials happen there, whatever
      the dynamics predicts with.
    task_names: E names of `sim.TASKS`.
    seeds: E numbers from 0 to 2**32 - 1, of all randomness.
    dynamics: predicts; may be None without an objective.
    objective: judges; None executes uniformly random actions.
    settings: how to plan.
    physics: 'c', 'mjx' or 'auto', of the trials themselves; see
      `physics.rollout`.
    batch_size: trials at a time; the last batch is padded to it, so that
      programs are compiled once.

  Returns:
    The trials in the order asked for.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: no trials, unequal numbers of tasks and seeds, a seed out of
      range, a task that the objective cannot judge, or an objective without
      dynamics.
  """
  indices = _check(task_names, seeds, dynamics, objective, batch_size)
  model = _load(environment)
  plan_fn = None
  if objective is not None:
    plan_fn = planner.make_plan_fn(dynamics, objective, settings)
  world = _World(environment, model, _resolve(physics), dynamics, objective)
  size = min(batch_size, len(indices))
  parts = []
  for start in range(0, len(indices), size):
    rows = np.arange(start, start + size).clip(max=len(indices) - 1)
    chosen = np.asarray(seeds, np.uint32)[rows]
    part = _play(world, plan_fn, settings, indices[rows], chosen)
    parts.append(part)
  return jax.tree.map(lambda *x: np.concatenate(x)[: len(indices)], *parts)


_load, _resolve = physics.load, physics.resolve


class _World(NamedTuple):
  """Where trials happen and who watches."""

  environment: str
  model: physics.Model
  engine: str
  dynamics: base.Dynamics | None
  objective: base.Objective | None

  @property
  def num_frames(self) -> int:
    return self.objective.num_frames if self.objective else 0

  def draw(self, qpos) -> np.ndarray:
    """Pictures uint8 `[..., S, S, 3]`."""
    return simulation.draw(self.environment, qpos, self.dynamics.image_size)


def _check(task_names, seeds, dynamics, objective, batch_size) -> np.ndarray:
  """Returns the tasks `[E]` as indices in `sim.TASKS`."""
  if isinstance(task_names, str) or len(task_names) != len(seeds):
    raise ValueError(
      f"expected one task per seed, got {task_names!r} for {len(seeds)} seeds"
    )
  if not len(seeds) or batch_size < 1:
    raise ValueError(
      f"need at least one trial at a time, got {len(seeds)} trials and"
      f" batch_size {batch_size}"
    )
  if min(seeds) < 0 or max(seeds) >= 2**32:
    raise ValueError(
      f"seeds are from 0 to 2**32 - 1, got {min(seeds)} to {max(seeds)}"
    )
  known = tuple(tasks.TASKS)
  indices = [known.index(tasks.get(name).name) for name in task_names]
  if objective is not None:
    if dynamics is None:
      raise ValueError(f"{objective.name!r} needs a dynamics to predict with")
    able = range(len(known)) if objective.tasks is None else objective.tasks
    for index in set(indices) - set(able):
      raise ValueError(
        f"{objective.name!r} has no instruction of {known[index]!r}; it has"
        f" those of {', '.join(known[i] for i in sorted(able))}"
      )
  return np.asarray(indices, np.int32)


def _play(world, plan_fn, settings, task, seeds) -> Trials:
  """Plays one batch of trials; `task` `[E]`, `seeds` `[E]`."""
  rngs = jax.vmap(jax.random.key)(seeds)
  sim, path, states = _start(world, len(task))
  actions, values = [], []
  for index in range(settings.num_plans):
    step = index * settings.horizon
    rngs_plan = _fold_in(rngs, index)
    if plan_fn is None:
      chosen = _random_actions(settings, rngs_plan)
      values.append(np.full(len(task), np.nan, np.float32))
    else:
      times = timing.make(settings, world.num_frames, step)
      state = _observe(world, settings, sim, path, states, actions, step)
      plan = plan_fn(rngs_plan, state, times, task)
      chosen = plan.actions
      values.append(np.asarray(plan.value))
    actions.append(np.asarray(chosen))
    sim, later, seen = _execute(world, sim, actions[-1])
    last = step + settings.horizon
    for whole, part in ((path, later), (states, seen)):
      whole[:, step + 1 : last + 1] = part[:, 1:]
      whole[:, last:] = part[:, -1:]
  frames = None
  if world.num_frames:
    frames = world.draw(path[:, timing.stored(world.num_frames)])
  success = np.asarray(_outcomes(states))[np.arange(len(task)), task]
  return Trials(
    states=np.float32(states),
    qpos=np.float32(path),
    actions=np.concatenate(actions, axis=1),
    success=success,
    values=np.stack(values, axis=1),
    frames=frames,
  )


def _start(world, num_envs):
  """The state that trials start from, and paths and states full of it."""
  start = jax.tree.map(
    lambda x: np.tile(np.asarray(x), (num_envs, 1)), world.model.start()
  )
  states = np.concatenate(
    [start.hand, start.qpos[:, scene.MUG.start :]], axis=1
  )
  path, states = (
    np.repeat(x[:, None], base.NUM_STATES, axis=1) for x in (start.qpos, states)
  )
  return start, path, states


def _observe(
  world, settings, sim, path, states, actions, step
) -> base.PlanState:
  """What a plan after `step` timesteps of `actions` may know."""
  num_envs, size = len(path), world.dynamics.image_size
  taken = timing.num_taken(settings, world.num_frames)
  stride = world.dynamics.stride
  when = [np.minimum(timing.stored(taken), step)] if taken else []
  when += [np.array([max(step - stride, 0), step])] if stride else []
  pictures = np.zeros((num_envs, 0, size, size, 3), np.uint8)
  if when:
    # Each picture once: most of an episode's clip is still to come.
    needed, place = np.unique(np.concatenate(when), return_inverse=True)
    pictures = world.draw(path[:, needed])[:, place]
  rest = np.zeros((num_envs, stride, physics.ACTION_SIZE), np.float32)
  past = np.concatenate([rest, *actions], axis=1)
  return base.PlanState(
    sim=sim,
    states=states,
    clip=pictures[:, :taken],
    context=pictures[:, taken:],
    past=past[:, past.shape[1] - stride :],
  )


def _execute(world, sim, actions):
  """The states after `actions` `[E, H, A]`, paths and states on the way."""
  if world.engine == "c":
    sim, path = simulation.play_c(world.environment, sim, actions)
    hands = c_engine.hand_positions(
      world.model.mj, path.reshape(-1, path.shape[-1])
    )
    hands = hands.reshape(*path.shape[:2], 3)
    states = np.concatenate([hands, path[..., scene.MUG.start :]], axis=-1)
    return sim, path, states
  return _play_mjx(world.model.fixtures, sim, actions)


def _random_actions(settings, rngs):
  """Actions `[E, H, A]`, uniform over the box."""
  settings = dataclasses.replace(settings, num_samples=1, num_elites=1)
  return _random_jit(settings, rngs)


@functools.partial(jax.jit, static_argnums=0)
def _random_jit(settings, rngs):
  sample = functools.partial(samplers.sample, settings, samplers.init(settings))
  return samplers.hold(settings, jax.vmap(sample)(rngs)[:, 0])


@jax.jit
def _fold_in(rngs, index):
  return jax.vmap(lambda rng: jax.random.fold_in(rng, index))(rngs)


_play_mjx = jax.jit(physics.play_mjx)
_outcomes = jax.jit(jax.vmap(tasks.outcomes))

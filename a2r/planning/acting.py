"""Trials: whole episodes of planning and acting in the simulator.

Letters as in `a2r.planning.base`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from a2r.core import checks
from a2r.planning import base, config, planner, samplers, timing
from a2r.sim.tabletop import drawing, episodes, tasks
from a2r.sim.tabletop import physics as physics_lib


class Trials(NamedTuple):
  """What E trials leave behind, numpy arrays.

  Attributes:
    states: float32 `[E, 61, 13]` DVD's state; rows after the last executed step
      copy it.
    qpos: float32 `[E, 61, nq]` joint positions, likewise.
    actions: float32 `[E, horizon * num_plans, 5]` as executed.
    success: bool `[E]`, by each task's condition on the whole episode.
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
  settings: config.PlannerConfig,
  *,
  physics: str = "auto",
) -> Trials:
  """Plays E trials side by side in one environment; the actions are planned.

  `settings.num_plans` times: plan `horizon` actions, execute them all in the
  simulator. Trial i depends on its seed and task alone, not on the others.

  Args:
    environment: a name of `sim.ENVIRONMENTS`; trials happen there, whatever
      the dynamics predicts with.
    task_names: E names of `sim.TASKS`.
    seeds: E numbers from 0 to 2**32 - 1, of all randomness.
    dynamics: predicts; may be None without an objective.
    objective: values predictions; None executes uniformly random actions.
    settings: how to plan.
    physics: of the trials themselves, as in `sim.make`.

  Returns:
    The trials in the order asked for.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: no trials, unequal numbers of tasks and seeds, a seed out of
      range, a task that the objective has no instruction of, or an objective
      without dynamics.
  """
  task = _find_tasks(task_names, seeds, dynamics, objective)
  model = physics_lib.load(environment)
  play_fn = functools.partial(physics_lib.play_c, model)
  if physics_lib.resolve(physics) == "mjx":
    play_fn = functools.partial(_play_mjx, model.fixtures)
  num_frames, plan_fn = 0, None
  if objective is not None:
    num_frames = objective.num_frames
    plan_fn = planner.make_plan_fn(dynamics, objective, settings)

  def draw(qpos):
    return drawing.draw_frames(model, qpos, image_size=dynamics.image_size)

  rngs = jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))
  sim = episodes.tile(model.start(), len(task))
  path, states = (
    np.repeat(x[:, None], base.NUM_STATES, axis=1)
    for x in (sim.qpos, episodes.low_dim_state(sim))
  )
  actions, values = [], []
  for index in range(settings.num_plans):
    step = index * settings.horizon
    rngs_plan = _fold_in(rngs, index)
    if plan_fn is None:
      actions.append(np.asarray(_sample_actions(settings, rngs_plan)))
      values.append(np.full(len(task), np.nan, np.float32))
    else:
      num_taken = timing.num_taken(settings, num_frames)
      clip, context = _look_back(draw, path, step, num_taken, dynamics.stride)
      rest = np.zeros(
        (len(task), dynamics.stride, physics_lib.ACTION_SIZE), np.float32
      )
      past = np.concatenate([rest, *actions], axis=1)
      state = base.PlanState(
        sim=sim,
        states=states,
        clip=clip,
        context=context,
        past=past[:, past.shape[1] - dynamics.stride :],
      )
      times = timing.make(settings, num_frames, step)
      plan = plan_fn(rngs_plan, state, times, task)
      actions.append(np.asarray(plan.actions))
      values.append(np.asarray(plan.value))
    sim, *executed = play_fn(sim, actions[-1])
    last = step + settings.horizon
    for whole, part in zip((path, states), executed, strict=True):
      whole[:, step + 1 : last + 1] = part[:, 1:]
      whole[:, last:] = part[:, -1:]
  outcomes = tasks.outcomes_many(states)
  return Trials(
    states=np.float32(states),
    qpos=np.float32(path),
    actions=np.concatenate(actions, axis=1),
    success=np.asarray(outcomes)[np.arange(len(task)), task],
    values=np.stack(values, axis=1),
    frames=draw(path[:, timing.stored(num_frames)]) if num_frames else None,
  )


def _find_tasks(task_names, seeds, dynamics, objective) -> np.ndarray:
  """Returns the tasks `[E]` as indices in `sim.TASKS`; see `run`."""
  for seed in seeds:
    checks.count("a trial's seed", seed, 0, 2**32 - 1)
  if isinstance(task_names, str) or len(task_names) != len(seeds):
    raise ValueError(
      f"expected one task per seed, got {task_names!r} for {len(seeds)} seeds"
    )
  if not len(seeds):
    raise ValueError("need at least one trial, got none")
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


def _look_back(draw_fn, path, step, num_taken, stride):
  """The clip and the context of a `PlanState` after `step` timesteps."""
  times = [np.minimum(timing.stored(num_taken), step)] if num_taken else []
  times += [np.array([max(step - stride, 0), step])] if stride else []
  if not times:
    nothing = draw_fn(path[:, :0])
    return nothing, nothing
  # Each picture once: most of an episode's clip is still to come.
  needed, place = np.unique(np.concatenate(times), return_inverse=True)
  pictures = draw_fn(path[:, needed])[:, place]
  return pictures[:, :num_taken], pictures[:, num_taken:]


@functools.partial(jax.jit, static_argnums=0)
def _sample_actions(settings, rngs):
  """Actions `[E, H, A]`, uniform over the box."""
  settings = dataclasses.replace(settings, num_samples=1, num_elites=1)
  sample = functools.partial(samplers.sample, settings, samplers.init(settings))
  return samplers.hold(settings, jax.vmap(sample)(rngs)[:, 0])


_fold_in = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(0, None)))
_play_mjx = jax.jit(physics_lib.play_mjx)

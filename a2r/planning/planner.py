"""Plans: draw candidates, predict, value, and draw better ones.

On an accelerator all candidates of a round are predicted and valued by one
compiled program, `micro_batch` rows at a time, so that memory does not grow
with their number. On a CPU, and with a dynamics on the host, the same is done
by compiled pieces of fixed size in a loop outside, for XLA runs on one core
what is inside of a loop there.

Memory, measured on a CPU with pictures of 64 pixels and the small reward: a
plan of 4,096 candidates takes 0.2 GiB more than one of 100 (with MJX, not
measured, it is set by `micro_batch`).

Letters as in `a2r.planning.base`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from a2r.core import batching
from a2r.planning import base, config, samplers

# Rows that a CPU predicts and values at a time: more do not fit its caches.
_PREDICTED, _VALUED = 100, 25
# While one chunk waits for physics or a picture, another keeps a core busy.
_THREADS = 2


def make_plan_fn(
  dynamics: base.Dynamics,
  objective: base.Objective,
  settings: config.PlannerConfig,
  *,
  on_device: bool | None = None,
) -> Callable[..., base.Plan]:
  """Returns the planner.

  Args:
    dynamics: predicts.
    objective: values the predictions.
    settings: how.
    on_device: whether a round is one compiled program; None: unless the
      dynamics, or JAX's default device, is the host's.

  Returns:
    plan_fn: (keys `[E]`, PlanState `[E]`, Timing, task `[E]` int32 in
    `sim.TASKS`) to a Plan. The plan of an environment depends on its own key,
    state and task alone. A candidate whose value, or predicted state, is not
    finite is never chosen and shapes no later round; plan_fn raises a
    FloatingPointError that names the objective where an environment has no
    other.

  Raises:
    ValueError: the objective needs states that the dynamics does not predict.
  """
  if objective.needs_states and not dynamics.has_states:
    raise ValueError(
      f"{objective.name!r} reads the true state, which {dynamics.name!r} does"
      " not predict"
    )
  if on_device is None:
    on_device = not (dynamics.on_host or jax.default_backend() == "cpu")

  def plan_fn(rngs, state, timing, task) -> base.Plan:
    if dynamics.on_host:
      state = jax.tree.map(np.asarray, state)
    if dynamics.prepare_fn is not None:
      context = _call(dynamics.prepare_fn, dynamics.params, state)
      state = state._replace(context=context, past=None)
    distribution = _init(settings, len(task))
    rounds = []
    for index in range(settings.num_iterations):
      drawn, actions, keys = _draw(settings, distribution, rngs, index)
      args = state, timing, task, actions, keys
      if on_device:
        functions = dynamics.predict_fn, objective.value_fn
        params = dynamics.params, objective.params
        values = _evaluate(functions, settings.micro_batch, params, *args)
      else:
        size = min(settings.micro_batch, _PREDICTED)
        evaluate_fn = _make_evaluate_fn(dynamics, objective, *args)
        values = batching.map_chunks(
          evaluate_fn, size, np.arange(len(actions)), num_threads=_THREADS
        )
      values = values.reshape(drawn.shape[:2])
      rounds.append((drawn, values))
      if index + 1 < settings.num_iterations:
        distribution = _update(settings, distribution, drawn, values)
    stacked = (jnp.stack(x) for x in zip(*rounds, strict=True))
    plan = _choose(settings, *stacked)
    _check_finite(objective, dynamics, plan)
    return plan

  return plan_fn


@functools.partial(jax.jit, static_argnums=(0, 1))
def _evaluate(functions, size, params, state, timing, task, actions, keys):
  """Values `[M]` of actions `[M, H, A]`, `size` rows at a time."""
  predict_fn, value_fn = functions
  num_rows, num_samples = len(actions), len(actions) // len(task)
  size = min(size, num_rows)

  def evaluate(chunk):
    row, actions, keys = chunk
    env = row // num_samples
    rows = _take(state, env)
    future = predict_fn(params[0], rows, actions, timing, keys)
    return _value(value_fn, params[1], rows, future, timing, task[env])

  index = np.arange(-(-num_rows // size) * size).clip(max=num_rows - 1)
  chunks = _take((index, actions, keys), index.reshape(-1, size))
  return jax.lax.map(evaluate, chunks).ravel()[:num_rows]


def _make_evaluate_fn(dynamics, objective, state, timing, task, actions, keys):
  """A function of rows `[B]` to the values `[B]` of their actions."""
  num_samples = len(actions) // len(task)
  actions, task = np.asarray(actions), np.asarray(task)
  predict_fn = dynamics.predict_fn
  if not dynamics.on_host:
    predict_fn = functools.partial(_call, predict_fn)
  seen = state._replace(sim=None, context=None, past=None)

  def evaluate(rows):
    env = rows // num_samples
    future = predict_fn(
      dynamics.params, _take(state, env), actions[rows], timing, keys[rows]
    )

    def value(chunk):
      env, future = chunk
      return _value_piece(
        objective.value_fn,
        objective.params,
        _take(seen, env),
        future,
        timing,
        task[env],
      )

    return batching.map_chunks(value, _VALUED, (env, future))

  return evaluate


def _take(tree, rows):
  return jax.tree.map(lambda x: x[rows], tree)


@functools.partial(jax.jit, static_argnums=0)
def _call(function, *args):
  return function(*args)


def _value(value_fn, params, rows, future, timing, task):
  """Values `[M]`; NaN for a future whose states are not finite."""
  values = value_fn(params, rows, future, timing, task)
  if future.states is None:
    return values
  known = jnp.isfinite(future.states).all((1, 2))
  return jnp.where(known, values, jnp.nan)


_value_piece = jax.jit(_value, static_argnums=0)


def _check_finite(objective, dynamics, plan):
  """Raises where no candidate of an environment has a finite value."""
  finite = np.isfinite(plan.values)
  lost = np.flatnonzero(~finite.any(axis=1))
  if lost.size:
    raise FloatingPointError(
      f"the objective {objective.name!r} has a finite value for none of the "
      f"{finite.shape[1]} candidates of {lost.size} of {len(finite)} "
      f"environments (the first: row {lost[0]}), as {dynamics.name!r} predicts "
      "them: its weights, or what is predicted, are not finite"
    )
  if not finite.all():
    logging.warning(
      "%r: %d of %d candidates have no finite value and are left out",
      objective.name,
      (~finite).sum(),
      finite.size,
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _init(settings, num_envs):
  """The first round's distribution, of each environment."""
  return jax.tree.map(
    lambda x: jnp.broadcast_to(x, (num_envs, *x.shape)),
    samplers.init(settings),
  )


@functools.partial(jax.jit, static_argnums=0)
def _draw(settings, distribution, rngs, index):
  """A round's candidates `[E, N, K, A]`, as actions `[M, H, A]`, keys `[M]`."""

  def draw(distribution, rng):
    rng_draw, rng_predict = jax.random.split(jax.random.fold_in(rng, index))
    keys = jax.random.split(rng_predict, settings.num_samples)
    return samplers.sample(settings, distribution, rng_draw), keys

  drawn, keys = jax.vmap(draw)(distribution, rngs)
  actions = samplers.hold(settings, drawn)
  return drawn, actions.reshape(-1, *actions.shape[2:]), keys.ravel()


@functools.partial(jax.jit, static_argnums=0)
def _update(settings, distribution, drawn, values):
  """The next round's distribution, of each environment."""
  update = functools.partial(samplers.update, settings)
  return jax.vmap(update)(distribution, drawn, values)


@functools.partial(jax.jit, static_argnums=0)
def _choose(settings, drawn, values):
  """The Plan of `[I, E, N, K, A]` candidates worth `[I, E, N]`."""
  drawn, values = jnp.swapaxes(drawn, 0, 1), jnp.swapaxes(values, 0, 1)
  chosen, value, index = jax.vmap(functools.partial(samplers.choose, settings))(
    drawn, values
  )
  actions = samplers.hold(settings, chosen)
  return base.Plan(actions, value, index, values.reshape(len(value), -1))

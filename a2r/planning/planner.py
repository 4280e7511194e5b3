"""Plans: draw candidates, predict, judge, and draw better ones.

On an accelerator a plan is one compiled program: all rounds, and within a
round `micro_batch` rows at a time, so that memory does not grow with the
number of candidates. On a CPU, and with a dynamics on the host, the same is
done by compiled pieces of fixed size in a loop outside, for XLA runs on one
core what is inside of a loop there.

Memory, measured on a CPU with pictures of 64 pixels and the small reward: a
plan of 4,096 candidates takes 0.2 GiB more than one of 100 (with MJX, not
measured, it is set by `micro_batch`).

Letters as in `a2r.planning.base`.
"""

import functools
from collections.abc import Callable
from concurrent import futures

import jax
import jax.numpy as jnp
import numpy as np

from a2r.planning import base, samplers

# Rows that a CPU predicts and judges at a time: more do not fit its caches.
_PREDICTED, _JUDGED = 100, 25
_WORKERS = 2


def make_plan_fn(
  dynamics: base.Dynamics, objective: base.Objective, settings: base.Settings
) -> Callable[..., base.Plan]:
  """Returns the planner.

  Args:
    dynamics: predicts.
    objective: judges.
    settings: how.

  Returns:
    plan_fn: (keys `[E]`, PlanState `[E]`, Timing, task `[E]` int32 in
    `sim.TASKS`) to a Plan. The plan of an environment depends on its own key,
    state and task alone.

  Raises:
    ValueError: the objective needs states that the dynamics does not predict.
  """
  if objective.needs_states and not dynamics.has_states:
    raise ValueError(
      f"{objective.name!r} reads the true state, which {dynamics.name!r} does"
      " not predict"
    )
  if dynamics.on_host or jax.default_backend() == "cpu":
    return functools.partial(_plan_in_pieces, dynamics, objective, settings)
  return functools.partial(plan_in_one, dynamics, objective, settings)


def plan_in_one(dynamics, objective, settings, rngs, state, timing, task):
  """`plan_fn` as one program, for a dynamics that is pure JAX."""
  return _plan_in_one(
    (dynamics.prepare_fn, dynamics.predict_fn, objective.value_fn),
    settings,
    (dynamics.params, objective.params),
    rngs,
    state,
    timing,
    task,
  )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _plan_in_one(functions, settings, params, rngs, state, timing, task):
  prepare_fn, predict_fn, value_fn = functions
  state = _prepare(prepare_fn, params[0], state)
  num_rows = len(task) * settings.num_samples
  size = min(settings.micro_batch, num_rows)

  def judge(part):
    row, actions, keys = part
    env = row // settings.num_samples
    rows = jax.tree.map(lambda x: x[env], state)
    future = predict_fn(params[0], rows, actions, timing, keys)
    return value_fn(params[1], rows, future, timing, task[env])

  def turn(distribution, index):
    drawn, keys = _draw(settings, distribution, rngs, index)
    actions = samplers.hold(settings, drawn)
    parts = (
      jnp.arange(num_rows),
      actions.reshape(num_rows, *actions.shape[2:]),
      keys.ravel(),
    )
    rows = np.arange(-(-num_rows // size) * size).clip(max=num_rows - 1)
    parts = jax.tree.map(
      lambda x: x[rows].reshape(-1, size, *x.shape[1:]), parts
    )
    values = jax.lax.map(judge, parts).ravel()[:num_rows]
    values = values.reshape(drawn.shape[:2])
    return _update(settings, distribution, drawn, values), (drawn, values)

  start = _init(settings, len(task))
  rounds = jnp.arange(settings.num_iterations)
  _, (drawn, values) = jax.lax.scan(turn, start, rounds)
  return _choose(settings, drawn, values)


def _plan_in_pieces(dynamics, objective, settings, rngs, state, timing, task):
  """`plan_fn` by a loop on the host around compiled pieces."""
  if dynamics.on_host:
    state = jax.tree.map(np.asarray, state)
  state = _prepare_jit(dynamics.prepare_fn, dynamics.params, state)
  distribution = _init_jit(settings, len(task))
  rounds = []
  for index in range(settings.num_iterations):
    drawn, keys = _draw_jit(settings, distribution, rngs, index)
    values = _judge_all(
      dynamics, objective, settings, state, timing, task, drawn, keys
    )
    rounds.append((drawn, values))
    if index + 1 < settings.num_iterations:
      distribution = _update_jit(settings, distribution, drawn, values)
  drawn, values = (jnp.stack(x) for x in zip(*rounds, strict=True))
  return _choose_jit(settings, drawn, values)


def _judge_all(dynamics, objective, settings, state, timing, task, drawn, keys):
  """Values `[E, N]` of drawn candidates `[E, N, K, A]`."""
  actions = np.asarray(_hold_jit(settings, drawn))
  actions = actions.reshape(-1, *actions.shape[2:])
  keys, task = keys.ravel(), np.asarray(task)
  num_rows = len(actions)
  size = min(settings.micro_batch, _PREDICTED, num_rows)
  judged = min(_JUDGED, size)

  def judge(start):
    stop = min(start + size, num_rows)
    # A program of its own size would be compiled for a last, shorter part.
    padded = stop if dynamics.on_host else start + size
    part = np.arange(start, padded).clip(max=num_rows - 1)
    rows = _take(state, part // settings.num_samples)
    future = _predict(dynamics, rows, actions[part], timing, keys[part])
    values = []
    for first in range(start, stop, judged):
      part = np.arange(first, first + judged).clip(max=stop - 1)
      env = part // settings.num_samples
      found = _value_jit(
        objective.value_fn,
        objective.params,
        _take(state._replace(sim=None, context=None, past=None), env),
        _take(future, part - start),
        timing,
        task[env],
      )
      values.append(np.asarray(found)[: stop - first])
    return np.concatenate(values)

  # The first part compiles the programs. While one of the others waits for
  # physics or a picture, another keeps a core busy.
  values = [judge(0)]
  with futures.ThreadPoolExecutor(_WORKERS) as pool:
    values += pool.map(judge, range(size, num_rows, size))
  return np.concatenate(values).reshape(drawn.shape[:2])


def _predict(dynamics, rows, actions, timing, keys):
  if dynamics.on_host:
    return dynamics.predict_fn(dynamics.params, rows, actions, timing, keys)
  return _predict_jit(
    dynamics.predict_fn, dynamics.params, rows, actions, timing, keys
  )


def _prepare(prepare_fn, params, state):
  """The state as the dynamics wants it, see `Dynamics.prepare_fn`."""
  if prepare_fn is None:
    return state
  return state._replace(context=prepare_fn(params, state), past=None)


def _prepare_jit(prepare_fn, params, state):
  if prepare_fn is None:
    return state
  return _prepare_compiled(prepare_fn, params, state)


def _take(tree, rows):
  return jax.tree.map(lambda x: x[rows], tree)


def _init(settings, num_envs):
  return jax.tree.map(
    lambda x: jnp.broadcast_to(x, (num_envs, *x.shape)),
    samplers.init(settings),
  )


def _draw(settings, distribution, rngs, index):
  """Candidates `[E, N, K, A]` of a round, and keys `[E, N]` to predict with."""

  def one(distribution, rng):
    rng_draw, rng_predict = jax.random.split(jax.random.fold_in(rng, index))
    keys = jax.random.split(rng_predict, settings.num_samples)
    return samplers.sample(settings, distribution, rng_draw), keys

  return jax.vmap(one)(distribution, rngs)


def _update(settings, distribution, drawn, values):
  update = functools.partial(samplers.update, settings)
  return jax.vmap(update)(distribution, drawn, values)


def _choose(settings, drawn, values):
  """The Plan of `[I, E, N, K, A]` candidates worth `[I, E, N]`."""
  drawn, values = jnp.swapaxes(drawn, 0, 1), jnp.swapaxes(values, 0, 1)
  choose = functools.partial(samplers.choose, settings)
  chosen, value, index = jax.vmap(choose)(drawn, values)
  return base.Plan(
    actions=samplers.hold(settings, chosen),
    value=value,
    index=index,
    values=values.reshape(len(values), -1),
  )


_init_jit = jax.jit(_init, static_argnums=(0, 1))
_draw_jit = jax.jit(_draw, static_argnums=0)
_update_jit = jax.jit(_update, static_argnums=0)
_choose_jit = jax.jit(_choose, static_argnums=0)
_hold_jit = jax.jit(samplers.hold, static_argnums=0)
_prepare_compiled = jax.jit(_prepare, static_argnums=0)
_predict_jit = jax.jit(
  lambda predict_fn, *args: predict_fn(*args), static_argnums=0
)
_value_jit = jax.jit(lambda value_fn, *args: value_fn(*args), static_argnums=0)

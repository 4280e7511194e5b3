"""Whole episodes of a policy, many at once, with pictures.

With MJX everything is one program: physics, observation, reward, policy and
pictures; nothing goes through the host. Environments, tasks and a policy's
parameters are data, so the program is compiled once. With C physics (the
default on a CPU, where it is ten times faster) the same episode is played by a
loop on the host, and no physics is compiled.

Letters: N episodes, T control steps, O observation size.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from a2r.core import checks
from a2r.sim.tabletop import env as tabletop
from a2r.sim.tabletop import episodes, physics, tasks

Policy = Callable[[jax.Array, jax.Array], jax.Array]


def rollout(
  env: tabletop.Tabletop,
  policy: Policy,
  rng: jax.Array,
  num_envs: int,
  *,
  num_steps: int = physics.NUM_STEPS,
  pixels_every: int = 0,
) -> episodes.Episodes:
  """Plays `num_envs` episodes of a policy.

  Episode n depends on `rng` and n alone, not on `num_envs`.

  Args:
    env: from `sim.make`; environment, task and noise are data.
    policy: (rng, observation `[O]`) to an action `[5]`, unbatched and pure. A
      `jax.tree_util.Partial` has its arguments as data; other functions are
      compiled once each.
    rng: a typed key; consumed.
    num_envs: N.
    num_steps: T.
    pixels_every: n, for `frames` of steps 0, n, 2n, ...; 0 for none.

  Returns:
    `states`, `qpos`, `obs`, `actions`, `reward`, `success` and `frames`, JAX
    arrays.

  Raises:
    ValueError: if a number makes no sense.
  """
  checks.count("num_envs", num_envs, 1)
  checks.count("num_steps", num_steps, 1)
  checks.count("pixels_every", pixels_every, 0)
  if pixels_every and num_steps % pixels_every:
    raise ValueError(
      f"pixels_every must divide {num_steps} steps, got {pixels_every}"
    )
  if not isinstance(policy, jax.tree_util.Partial):
    policy = jax.tree_util.Partial(policy)
  play = _play if env.backend == "c" else _play_jit
  return play(
    env.config,
    env.params,
    policy,
    _fold_in(rng, jnp.arange(num_envs)),
    num_steps,
    pixels_every,
  )


def _play(config, params, policy, rngs, num_steps, pixels_every):
  _, (states, qpos, obs, reward), actions = episodes.unroll(
    functools.partial(tabletop.step_many, config, params),
    tabletop.reset_many(params, _fold_in_each(rngs, 0)),
    lambda state, index: _act(policy, rngs, state.obs, index),
    num_steps,
    record_fn=lambda state: (
      state.info["low_dim_state"],
      state.pipeline_state.qpos,
      state.obs,
      state.reward,
    ),
    on_host=config.engine == "c",
  )
  frames = None
  if pixels_every:
    shown = qpos[:, ::pixels_every]
    flat = shown.reshape(-1, shown.shape[-1])
    frames = tabletop.draw_many(config, params, flat)
    frames = frames.reshape(*shown.shape[:2], *frames.shape[1:])
  played = episodes.Episodes(
    states=states,
    qpos=qpos,
    actions=actions,
    obs=obs,
    reward=reward[:, 1:],
    success=tasks.outcomes_many(states)[:, params.task],
    frames=frames,
  )
  return jax.tree.map(jnp.asarray, played)


_play_jit = jax.jit(_play, static_argnums=(0, 4, 5))
_fold_in = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
_fold_in_each = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(0, None)))


@jax.jit
def _act(policy, rngs, obs, index):
  """Returns actions `[N, 5]` at observations `[N, O]` of timestep `index`."""
  return jax.vmap(lambda rng, obs: tabletop.check_action(policy(rng, obs)))(
    _fold_in_each(rngs, index + 1), obs
  )

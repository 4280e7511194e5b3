"""Whole episodes of a policy, many at once: one compiled scan, with pictures.

With MJX everything is one program: physics, observation, reward, policy and,
every n-th step, pictures; nothing goes through the host. Environments, tasks
and a policy's parameters are data, so the program is compiled once. With C
physics (the default on a CPU, where it is ten times faster) the same episode
is played by a loop on the host, and no physics is compiled.

Letters: N episodes, T control steps, F pictures, O observation size, H W image.
"""

import dataclasses
import functools
from collections.abc import Callable

import flax
import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.tabletop import drawing, physics
from a2r.sim.tabletop import env as tabletop
from a2r.sim.tabletop.engines import c_engine

Policy = Callable[[jax.Array, jax.Array], jax.Array]


@flax.struct.dataclass
class Rollout:
  """What N episodes leave behind; index 0 in time is the start.

  Attributes:
    states: `[N, T+1, 13]` DVD's state.
    qpos: `[N, T+1, nq]` joint positions.
    obs: `[N, T+1, O]`.
    actions: `[N, T, 5]` as the policy gave them.
    reward: `[N, T]`.
    success: `[N]` bool, the task's judgment of the whole episode.
    frames: uint8 `[N, F, H, W, 3]` of steps 0, n, 2n, ...; None without.
  """

  states: jax.Array
  qpos: jax.Array
  obs: jax.Array
  actions: jax.Array
  reward: jax.Array
  success: jax.Array
  frames: jax.Array | None


def rollout(
  env: tabletop.Tabletop,
  policy: Policy,
  rng: jax.Array,
  num_envs: int,
  *,
  num_steps: int = physics.NUM_STEPS,
  pixels_every: int = 0,
) -> Rollout:
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
    pixels_every: n, a picture every n-th step; 0 for none.

  Returns:
    JAX arrays.

  Raises:
    ValueError: if a number makes no sense.
  """
  if num_envs < 1 or num_steps < 1:
    raise ValueError(
      f"need at least one episode and step, got {num_envs} and {num_steps}"
    )
  if pixels_every < 0 or (pixels_every and num_steps % pixels_every):
    raise ValueError(
      f"pixels_every must divide {num_steps} steps, got {pixels_every}"
    )
  if not isinstance(policy, jax.tree_util.Partial):
    policy = jax.tree_util.Partial(policy)
  rngs = jax.vmap(functools.partial(jax.random.fold_in, rng))(
    jnp.arange(num_envs)
  )
  play = _play_c if env.backend == "c" else _play_mjx
  return play(env.settings, env.world, policy, rngs, num_steps, pixels_every)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def _play_mjx(settings, world, policy, rngs, num_steps, pixels_every):
  """The whole as one program."""
  fixtures = world.fixtures

  def step(state, index):
    actions = _act(policy, rngs, state.obs, index)
    sim = physics.step_mjx(fixtures, state.pipeline_state, actions)
    state = _advance(settings, world, state, sim)
    return state, (_seen(state), actions, state.reward)

  @jax.jit  # It is traced once.
  def paint(qpos):
    ids = drawing.visible_geoms().moving
    poses = jax.vmap(lambda qpos: physics.geom_poses_mjx(fixtures, qpos, ids))
    return tabletop.draw(settings, world, *poses(qpos))

  def frame(state):
    return paint(state.pipeline_state.qpos) if pixels_every else None

  def stretch(state, indices):
    state, seen = jax.lax.scan(step, state, indices)
    return state, (seen, frame(state))

  start = _reset(settings, world, rngs)
  indices = jnp.arange(num_steps).reshape(-1, pixels_every or num_steps)
  _, (seen, frames) = jax.lax.scan(stretch, start, indices)
  seen = jax.tree.map(lambda x: x.reshape(num_steps, *x.shape[2:]), seen)
  first = frame(start)
  if frames is not None:
    frames = jnp.moveaxis(jnp.concatenate([first[None], frames]), 0, 1)
  return _collect(world, _seen(start), seen, frames)


def _play_c(settings, world, policy, rngs, num_steps, pixels_every):
  """The same in a loop on the host around C physics."""
  model = settings.model
  settings = dataclasses.replace(settings, model=None)  # One compilation.
  state = _reset_jit(settings, world, rngs)
  first, seen, frames = _seen(state), [], []

  def paint():
    if pixels_every:
      qpos = np.asarray(state.pipeline_state.qpos, np.float64)
      poses = c_engine.geom_poses(
        model.mj, qpos, drawing.visible_geoms().moving
      )
      frames.append(_draw(settings, world, *poses))

  paint()
  for index in range(num_steps):
    actions = _act_jit(policy, rngs, state.obs, index)
    sim = jax.tree.map(np.asarray, state.pipeline_state)
    sim = physics.step_c(model, sim, np.asarray(actions))
    state = _advance_jit(settings, world, state, sim)
    seen.append((_seen(state), actions, state.reward))
    if pixels_every and (index + 1) % pixels_every == 0:
      paint()
  seen = jax.tree.map(lambda *x: jnp.stack(x), *seen)
  frames = jnp.stack(frames, axis=1) if pixels_every else None
  return _collect(world, first, seen, frames)


def _reset(settings, world, rngs):
  start = functools.partial(tabletop.reset, settings, world)
  return jax.vmap(lambda rng: start(jax.random.fold_in(rng, 0)))(rngs)


def _act(policy, rngs, obs, index):
  """Actions `[N, 5]` at observations `[N, O]` of timestep `index`."""

  def act(rng, obs):
    rng = jax.random.fold_in(rng, index + 1)
    return tabletop.check_action(policy(rng, obs))

  return jax.vmap(act)(rngs, obs)


def _advance(settings, world, state, sim):
  return jax.vmap(functools.partial(tabletop.advance, settings, world))(
    state, sim
  )


def _seen(state):
  return state.info["low_dim_state"], state.pipeline_state.qpos, state.obs


def _collect(world, first, seen, frames) -> Rollout:
  """`seen` in time order; time becomes the second axis."""
  later, actions, reward = seen
  states, qpos, obs = (
    jnp.moveaxis(jnp.concatenate([one[None], many]), 0, 1)
    for one, many in zip(first, later, strict=True)
  )
  success = jax.vmap(tabletop.tasks.outcomes)(states)[:, world.task]
  return Rollout(
    states=states,
    qpos=qpos,
    obs=obs,
    actions=jnp.moveaxis(actions, 0, 1),
    reward=jnp.moveaxis(reward, 0, 1),
    success=success,
    frames=frames,
  )


_reset_jit = jax.jit(_reset, static_argnums=0)
_act_jit = jax.jit(_act)
_advance_jit = jax.jit(_advance, static_argnums=0)
_draw = jax.jit(tabletop.draw, static_argnums=0)

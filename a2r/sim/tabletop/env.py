"""The tabletop as a Brax environment.

What is observed is `a2r.sim.tabletop.observation`. Action `[5]` as in
`a2r.sim.tabletop.physics`. The reward is 1 in every state in which the task,
judged between the start and that state, is done, else 0; or the dense one of
`a2r.sim.tabletop.rewards`. There is no end of an episode here: DVD's is 60
steps, by Brax's `EpisodeWrapper`.

What distinguishes environments and tasks is `EnvParams`, arrays alone, so one
compiled program serves them all. Functions whose names end in `_many` take N
states side by side and are compiled already.
"""

import contextlib
import dataclasses
import functools
import io

import flax
import jax
import jax.numpy as jnp
import numpy as np

# It prints that Warp is absent.
with contextlib.redirect_stdout(io.StringIO()):
  from brax.envs import base

from a2r.core import checks
from a2r.sim.tabletop import (
  drawing,
  episodes,
  observation,
  rewards,
  scene,
  tasks,
)
from a2r.sim.tabletop import physics as physics_lib
from a2r.sim.tabletop.engines import c_engine

REWARDS = ("sparse", "shaped")


@flax.struct.dataclass
class EnvParams:
  """An environment and a task as arrays."""

  fixtures: jax.Array  # `[3, 3]` places of drawer, coffee machine, faucet.
  start: episodes.SimState  # The state that an episode starts from.
  noise: jax.Array  # `[]` meters, how far off the mug starts in x and y.
  task: jax.Array  # `[]` int, index in `sim.TASKS`.
  scenery: drawing.Scenery  # What is drawn.


@dataclasses.dataclass(frozen=True)
class EnvConfig:
  """What a compiled program depends on."""

  engine: str  # 'c' or 'mjx'.
  model: physics_lib.Model | None  # C's; None with MJX: one program for all.
  reward: str  # 'sparse' or 'shaped'.


class Tabletop(base.Env):
  """One task in one environment; `reset` and `step` are pure.

  `State.pipeline_state` is an `episodes.SimState`; `State.info` holds DVD's
  13-D state now (`low_dim_state`) and at the start (`start`).

  Attributes:
    config: what its compiled programs depend on.
    model: the placed tabletop.
    task: the task that is rewarded.
    image_size, samples: of pictures, as in `make`.
  """

  def __init__(self, config, model, task, *, noise, image_size, samples):
    self.config: EnvConfig = config
    self.model: physics_lib.Model = model
    self.task: tasks.Task = task
    self.image_size, self.samples = image_size, samples
    self._noise = noise

  @functools.cached_property
  def params(self) -> EnvParams:
    """This environment and task as arrays."""
    scenery = drawing.make_scenery(self.model, self.image_size, self.samples)
    with jax.ensure_compile_time_eval():
      return EnvParams(
        fixtures=jnp.asarray(self.model.fixtures),
        start=self.model.start(),
        noise=jnp.asarray(self._noise, jnp.float32),
        task=jnp.asarray(tuple(tasks.TASKS).index(self.task.name)),
        scenery=scenery,
      )

  def reset(self, rng: jax.Array) -> base.State:
    """Returns the start; `rng` moves the mug if the environment has noise."""
    return reset(self.params, rng)

  def step(self, state: base.State, action: jax.Array) -> base.State:
    """Returns the state after one control step.

    Args:
      state: before.
      action: `[5]`, clipped to the action box; NaN counts as 0.

    Raises:
      ValueError: if the action has another shape.
    """
    sim = physics_lib.step(
      self.model,
      state.pipeline_state,
      check_action(action),
      engine=self.config.engine,
    )
    return advance(self.config, self.params, state, sim)

  def render(self, state: base.State) -> jax.Array:
    """Draws an unbatched state, uint8 `[H, W, 3]`; works under jit."""
    poses = physics_lib.geom_poses(
      self.model,
      state.pipeline_state.qpos,
      drawing.visible_geoms().moving,
      engine=self.config.engine,
    )
    return drawing.draw(self.params.scenery, *poses)

  @property
  def observation_size(self) -> int:
    """Length of the observation."""
    return observation.SIZE

  @property
  def action_size(self) -> int:
    """Length of the action."""
    return physics_lib.ACTION_SIZE

  @property
  def backend(self) -> str:
    """The physics engine, 'c' or 'mjx'."""
    return self.config.engine


def make(
  name: str,
  *,
  task: str = "close_drawer",
  image_size: int = 64,
  samples: int = 1,
  physics: str = "auto",
  reward: str = "sparse",
  noise: float = 0.0,
) -> Tabletop:
  """Returns the environment of that name.

  Args:
    name: one of `sim.ENVIRONMENTS`.
    task: one of `sim.TASKS`.
    image_size: H = W of `render` in pixels.
    samples: rays per pixel in each direction, averaged: 2 or 3 smooth edges.
    physics: 'c', 'mjx', or 'auto': C where JAX's default device is a CPU, else
      MJX.
    reward: 'sparse' or 'shaped'.
    noise: meters; a reset moves the mug by up to this in x and in y. DVD's
      episodes all start alike.

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if another argument makes no sense.
  """
  model = physics_lib.load(name)
  checks.one_of("reward", reward, REWARDS)
  checks.count("image_size", image_size, 1, checks.MAX_PIXELS)
  checks.count("samples", samples, 1, checks.MAX_SAMPLES)
  if not 0 <= noise <= 0.1:
    raise ValueError(f"noise must be in [0, 0.1], got {noise}")
  engine = physics_lib.resolve(physics)
  config = EnvConfig(engine, model if engine == "c" else None, reward)
  return Tabletop(
    config,
    model,
    tasks.get(task),
    noise=noise,
    image_size=image_size,
    samples=samples,
  )


def check_action(action: jax.Array) -> jax.Array:
  """Returns `action` `[5]` as float32.

  Raises:
    ValueError: if it has another shape.
  """
  action = jnp.asarray(action, jnp.float32)
  if action.shape != (physics_lib.ACTION_SIZE,):
    raise ValueError(
      f"an action has shape ({physics_lib.ACTION_SIZE},), got {action.shape}"
    )
  return action


def reset(params: EnvParams, rng: jax.Array) -> base.State:
  """Returns the start of an episode, unbatched."""
  offset = jax.random.uniform(rng, (2,), minval=-1.0) * params.noise
  x, start = scene.MUG.start, params.start
  sim = start.replace(qpos=start.qpos.at[x : x + 2].add(offset))
  low_dim = episodes.low_dim_state(sim)
  return base.State(
    pipeline_state=sim,
    obs=observation.observe(params.fixtures, sim, low_dim),
    reward=jnp.zeros(()),
    done=jnp.zeros(()),
    metrics={"success": jnp.zeros(())},
    info={"low_dim_state": low_dim, "start": low_dim},
  )


def advance(
  config: EnvConfig,
  params: EnvParams,
  state: base.State,
  sim: episodes.SimState,
) -> base.State:
  """Returns what follows `state` when the physics goes to `sim`, unbatched."""
  low_dim, start = episodes.low_dim_state(sim), state.info["start"]
  done = tasks.outcomes(jnp.stack([start, low_dim]))[params.task]
  success = done.astype(jnp.float32)
  reward = success
  if config.reward == "shaped":
    points = observation.landmarks(params.fixtures, low_dim)
    reward = rewards.shaped_all(low_dim, start, *points)[params.task]
  return state.replace(
    pipeline_state=sim,
    obs=observation.observe(params.fixtures, sim, start),
    reward=reward,
    metrics=state.metrics | {"success": success},
    info=state.info | {"low_dim_state": low_dim},
  )


@jax.jit
def reset_many(params: EnvParams, rngs: jax.Array) -> base.State:
  """Returns the starts of N episodes; `rngs` `[N]` typed keys."""
  return jax.vmap(functools.partial(reset, params))(rngs)


def step_many(
  config: EnvConfig, params: EnvParams, state: base.State, actions
) -> base.State:
  """Makes one control step of states `[N, ...]` with `actions` `[N, 5]`.

  With C it is a call on the host, outside of XLA, which starts sooner and runs
  faster than a program that calls back; the rest is one program for all
  environments.
  """
  if config.engine == "mjx":
    return _step_mjx(config, params, state, actions)
  sim = jax.tree.map(np.asarray, state.pipeline_state)
  sim = physics_lib.step_c(config.model, sim, np.asarray(actions))
  # Without the model, so that a program serves all environments.
  config = dataclasses.replace(config, model=None)
  return _advance_many(config, params, state, sim)


def draw_many(config: EnvConfig, params: EnvParams, qpos) -> jax.Array:
  """Draws pictures uint8 `[M, H, W, 3]` of joint positions `[M, nq]`."""
  if config.engine == "mjx":
    return drawing.draw_mjx(params.scenery, params.fixtures, qpos)
  qpos = np.asarray(qpos, np.float64)
  ids = drawing.visible_geoms().moving
  poses = c_engine.geom_poses(config.model.mj, qpos, ids)
  return drawing.draw_many(params.scenery, *poses)


@functools.partial(jax.jit, static_argnums=0)
def _advance_many(config, params, state, sim):
  advance_fn = functools.partial(advance, config, params)
  return jax.vmap(advance_fn)(state, sim)


@functools.partial(jax.jit, static_argnums=0)
def _step_mjx(config, params, state, actions):
  sim = physics_lib.step_mjx(params.fixtures, state.pipeline_state, actions)
  return _advance_many(config, params, state, sim)

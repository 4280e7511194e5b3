"""The tabletop as a Brax environment.

Observation `[62]`: joint positions, joint velocities, hand and mocap position,
how far the mug, the drawer and the faucet are from where they started, and
where the drawer's handle, the mug and the tip of the faucet's handle are from
the hand. Action `[5]` as in `a2r.sim.tabletop.physics`. The reward is 1 in
every state in which the task, judged between the start and that state, is done,
else 0; or the dense one of `a2r.sim.tabletop.rewards`. There is no end of an
episode here: DVD's is 60 steps, by Brax's `EpisodeWrapper`.

What distinguishes environments and tasks is a `World`, arrays alone, so one
compiled program serves them all.
"""

import contextlib
import dataclasses
import functools
import io

import flax
import jax
import jax.numpy as jnp

with contextlib.redirect_stdout(io.StringIO()):  # It tells that Warp is absent.
  from brax.envs import base

from a2r.sim.tabletop import drawing, physics, rewards, scene, tasks

REWARDS = ("sparse", "shaped")
_OBSERVATION_SIZE = scene.NQ + scene.NV + 3 + 3 + physics.LOW_DIM_SIZE - 3 + 9


@flax.struct.dataclass
class World:
  """An environment and a task as arrays.

  Attributes:
    fixtures: `[3, 3]` places of drawer, coffee machine and faucet, meters.
    start: the state that an episode starts from.
    noise: `[]` meters, the mug starts up to that far off in x and in y.
    task: `[]` int, index in `sim.TASKS`.
    scenery: what is drawn.
  """

  fixtures: jax.Array
  start: physics.SimState
  noise: jax.Array
  task: jax.Array
  scenery: drawing.Scenery


@dataclasses.dataclass(frozen=True)
class Settings:
  """What a compiled program depends on.

  Attributes:
    engine: 'c' or 'mjx'.
    model: C's model; None with MJX, whose program serves all environments.
    image_size: H = W of pictures in pixels.
    samples: rays per pixel in each direction.
    reward: 'sparse' or 'shaped'.
  """

  engine: str
  model: physics.Model | None
  image_size: int
  samples: int
  reward: str


class Tabletop(base.Env):
  """One task in one environment; `reset` and `step` are pure.

  `State.pipeline_state` is a `physics.SimState`; `State.info` holds DVD's 13-D
  state now (`low_dim_state`) and at the start (`start`).
  """

  def __init__(self, settings: Settings, model: physics.Model, task, noise):
    self.settings = settings
    self._model = model
    self._task = task
    self._renderer = drawing.SceneRenderer(model.variant, model.mj)
    self._noise = noise

  @functools.cached_property
  def world(self) -> World:
    """This environment and task as arrays."""
    size = (self.settings.image_size, self.settings.samples)
    scenery = self._renderer.scenery(*size)
    with jax.ensure_compile_time_eval():
      return World(
        fixtures=jnp.asarray(self._model.fixtures),
        start=self._model.start(),
        noise=jnp.asarray(self._noise, jnp.float32),
        task=jnp.asarray(tuple(tasks.TASKS).index(self._task.name)),
        scenery=scenery,
      )

  def reset(self, rng: jax.Array) -> base.State:
    """The start; `rng` moves the mug if the environment has noise."""
    return reset(self.settings, self.world, rng)

  def step(self, state: base.State, action: jax.Array) -> base.State:
    """The state after one control step.

    Args:
      state: before.
      action: `[5]`, clipped to the action box; NaN counts as 0.

    Raises:
      ValueError: if the action has another shape.
    """
    action = check_action(action)
    sim = physics.step(
      self._model, state.pipeline_state, action, physics=self.settings.engine
    )
    return self.advance(state, sim)

  def advance(self, state: base.State, sim: physics.SimState) -> base.State:
    """The state after `state` when the physics went on to `sim`."""
    return advance(self.settings, self.world, state, sim)

  def render(self, state: base.State) -> jax.Array:
    """The picture of an unbatched state, uint8 `[H, W, 3]`; works under jit."""
    return self.draw(*self.poses(state))

  def poses(self, state: base.State) -> tuple[jax.Array, jax.Array]:
    """Poses `[G, 3]`, `[G, 3, 3]` of the moving shapes, unbatched."""
    return physics.geom_poses(
      self._model,
      state.pipeline_state.qpos,
      self.geom_ids,
      physics=self.settings.engine,
    )

  def draw(self, position: jax.Array, rotation: jax.Array) -> jax.Array:
    """Pictures of moving shapes at `[..., G, 3]`, `[..., G, 3, 3]`."""
    return draw(self.settings, self.world, position, rotation)

  @property
  def geom_ids(self):
    """Rows `[G]` of the moving shapes in the model."""
    return drawing.visible_geoms().moving

  @property
  def task(self) -> tasks.Task:
    """The task that is rewarded."""
    return self._task

  @property
  def model(self) -> physics.Model:
    """The placed tabletop."""
    return self._model

  @property
  def observation_size(self) -> int:
    """Length of the observation."""
    return _OBSERVATION_SIZE

  @property
  def action_size(self) -> int:
    """Length of the action."""
    return physics.ACTION_SIZE

  @property
  def backend(self) -> str:
    """The physics engine, 'c' or 'mjx'."""
    return self.settings.engine


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
  model = _load(name)
  if reward not in REWARDS:
    raise ValueError(f"unknown reward {reward!r}; known: {', '.join(REWARDS)}")
  if image_size < 1 or samples < 1 or not 0 <= noise <= 0.1:
    raise ValueError(
      "need image_size >= 1, samples >= 1 and noise in [0, 0.1], got"
      f" {image_size}, {samples} and {noise}"
    )
  engine = _resolve(physics)
  settings = Settings(
    engine=engine,
    model=model if engine == "c" else None,
    image_size=image_size,
    samples=samples,
    reward=reward,
  )
  return Tabletop(settings, model, tasks.get(task), noise)


_load, _resolve = physics.load, physics.resolve


def check_action(action: jax.Array) -> jax.Array:
  """Returns `action` `[5]` as float32.

  Raises:
    ValueError: if it has another shape.
  """
  action = jnp.asarray(action, jnp.float32)
  if action.shape != (physics.ACTION_SIZE,):
    raise ValueError(
      f"an action has shape ({physics.ACTION_SIZE},), got {action.shape}"
    )
  return action


def reset(settings: Settings, world: World, rng: jax.Array) -> base.State:
  """The start of an episode, unbatched."""
  del settings
  offset = jax.random.uniform(rng, (2,), minval=-1.0) * world.noise
  mug = scene.MUG.start
  sim = world.start.replace(qpos=world.start.qpos.at[mug : mug + 2].add(offset))
  low_dim = physics.low_dim_state(sim)
  return base.State(
    pipeline_state=sim,
    obs=_observe(world, sim, low_dim, low_dim),
    reward=jnp.zeros(()),
    done=jnp.zeros(()),
    metrics={"success": jnp.zeros(())},
    info={"low_dim_state": low_dim, "start": low_dim},
  )


def advance(
  settings: Settings, world: World, state: base.State, sim: physics.SimState
) -> base.State:
  """The state after `state` when the physics went on to `sim`, unbatched."""
  low_dim = physics.low_dim_state(sim)
  start = state.info["start"]
  done = tasks.outcomes(jnp.stack([start, low_dim]))[world.task]
  success = done.astype(jnp.float32)
  reward = success
  if settings.reward == "shaped":
    points = landmarks(world.fixtures, low_dim)
    reward = rewards.shaped_all(low_dim, start, *points)[world.task]
  return state.replace(
    pipeline_state=sim,
    obs=_observe(world, sim, low_dim, start),
    reward=reward,
    metrics=state.metrics | {"success": success},
    info=state.info | {"low_dim_state": low_dim},
  )


def draw(settings: Settings, world: World, position, rotation) -> jax.Array:
  """Pictures of moving shapes at `[..., G, 3]`, `...` nothing or one number."""
  draw_fn = drawing.draw if jnp.ndim(position) == 2 else drawing.draw_many
  return draw_fn(
    world.scenery,
    position,
    rotation,
    image_size=settings.image_size,
    samples=settings.samples,
  )


def _observe(world, sim, low_dim, start):
  handle, tip = landmarks(world.fixtures, low_dim)
  moved = (low_dim - start)[tasks.MUG.start :]
  parts = [sim.qpos, sim.qvel, low_dim[:3], sim.mocap, moved]
  parts += [point - low_dim[:3] for point in (handle, low_dim[tasks.MUG], tip)]
  return jnp.concatenate(parts)


def landmarks(fixtures: jax.Array, low_dim: jax.Array):
  """The drawer's handle and the tip of the faucet's handle, `[3]` each."""
  drawer, _, faucet = fixtures
  slide, angle = low_dim[tasks.DRAWER], low_dim[tasks.FAUCET]
  handle = drawer + jnp.array(scene.HANDLE) + slide * jnp.array([0.0, 1.0, 0.0])
  across, height = scene.FAUCET_REACH, scene.FAUCET_HEIGHT
  arm = [across * jnp.sin(angle), -across * jnp.cos(angle), height]
  return handle, faucet + jnp.stack(arm)

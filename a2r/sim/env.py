"""The tabletop as a Brax environment.

Observation `[53]`: joint positions, joint velocities, hand and mocap position,
and how far the mug, the drawer and the faucet are from where they started.
Action `[5]` as in `a2r.sim.physics`. The reward is 1 in every state in which
the task, judged between the start and that state, is done, else 0. There is no
end of an episode here: DVD's is 60 steps, by Brax's `EpisodeWrapper`.
"""

import jax
import jax.numpy as jnp
from brax.envs import base

from a2r.sim import drawing, physics, scene, tasks


class Tabletop(base.Env):
  """One task in one environment; `reset` and `step` are pure.

  `State.pipeline_state` is a `physics.SimState`; `State.info` holds DVD's 13-D
  state now (`log`) and at the start (`start`).
  """

  def __init__(
    self,
    name: str,
    *,
    task: str = "close_drawer",
    image_size: int = 64,
    physics_engine: str = "auto",
  ):
    self._engine = physics.resolve(physics_engine)
    self._task = tasks.get(task)
    self._model = physics.load(name)
    self._look = drawing.Look(self._model.variant, self._model.mj)
    self._image_size = image_size

  def reset(self, rng: jax.Array) -> base.State:
    """The start, which is always the same; `rng` is not used."""
    del rng
    sim = self._model.start()
    log = physics.log_state(sim)
    return base.State(
      pipeline_state=sim,
      obs=_observe(sim, log, log),
      reward=jnp.zeros(()),
      done=jnp.zeros(()),
      metrics={"success": jnp.zeros(())},
      info={"log": log, "start": log},
    )

  def step(self, state: base.State, action: jax.Array) -> base.State:
    """The state after one control step of `action` `[5]`."""
    sim = physics.step(
      self._model, state.pipeline_state, action, physics=self._engine
    )
    log = physics.log_state(sim)
    start = state.info["start"]
    reward = self._task.success(jnp.stack([start, log])).astype(jnp.float32)
    return state.replace(
      pipeline_state=sim,
      obs=_observe(sim, log, start),
      reward=reward,
      metrics=state.metrics | {"success": reward},
      info=state.info | {"log": log},
    )

  def render(self, state: base.State) -> jax.Array:
    """The picture of an unbatched state, uint8 `[H, W, 3]`; works under jit."""
    position, rotation = physics.geom_poses(
      self._model,
      state.pipeline_state.qpos,
      self._look.geom_ids,
      physics=self._engine,
    )
    return self._look.draw(position, rotation, image_size=self._image_size)

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
    return self._engine


def make(
  name: str,
  *,
  task: str = "close_drawer",
  image_size: int = 64,
  physics: str = "auto",
) -> Tabletop:
  """Returns the environment of that name.

  Args:
    name: one of `sim.ENVIRONMENTS`.
    task: one of `sim.TASKS`.
    image_size: H = W of `render` in pixels.
    physics: 'c', 'mjx', or 'auto': C where JAX's default device is a CPU, else
      MJX.

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if `physics` is unknown.
  """
  return Tabletop(
    name, task=task, image_size=image_size, physics_engine=physics
  )


def _observe(sim, log, start):
  moved = (log - start)[tasks.MUG.start :]
  return jnp.concatenate([sim.qpos, sim.qvel, log[:3], sim.mocap, moved])


_OBSERVATION_SIZE = scene.NQ + scene.NV + 3 + 3 + physics.LOG_SIZE - 3

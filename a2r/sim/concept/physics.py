"""Episodes of one decision: starts and actions to motions.

Two engines stand behind one signature: C MuJoCo on all cores, and MJX, which
runs on any XLA device (`a2r.sim.concept.mjx_engine`).

An action `[350]` in [-1, 1] is a goal `[7]` and forces `[49, 7]` of the
dynamic movement primitives of `a2r.sim.concept.dmp`, each for x, y, z, the
flange's orientation as axis times angle, and the gripper. The goal is taken
from where the flange starts, by up to 0.5 m, 0.1 rad and the gripper's whole
range; the forces fade by `dmp.RAMP`. The gripper only opens from where it
starts: where its dimension is not negative, the last command stays.

Letters: B episodes, T = 49 control steps, S steps of the physics in each.
"""

import functools
import os
import threading
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from etils import epy
from mujoco import rollout as c_rollout

from a2r.core import batching
from a2r.sim.concept import arm, dmp, rotations
from a2r.sim.concept import scene as scene_lib
from a2r.sim.tabletop import physics as tabletop_physics

with epy.lazy_imports():  # It takes seconds.
  from a2r.sim.concept import mjx_engine

resolve = tabletop_physics.resolve
NUM_STEPS = dmp.NUM_STEPS
GOAL_SIZE = 7
ACTION_SIZE = GOAL_SIZE * (1 + NUM_STEPS)
# Of a goal: meters, radians, and gripper commands over 255.
GOAL_SCALE = np.float32([0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 1.0])
_CONTROL = (
  mujoco.mjtState.mjSTATE_CTRL
  | mujoco.mjtState.mjSTATE_MOCAP_POS
  | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)
_CHUNKS = (1, 32, 128)  # Episodes whose motions are made at a time.
_LOCK = threading.Lock()  # The pool and its scratch data serve one call.


class Motion(NamedTuple):
  """What the robot is told in an episode, after each control step."""

  positions: jax.Array  # `[B, T, 3]` of the flange, meters.
  joints: jax.Array  # `[B, T, 7]` of the arm that bring it there, radians.
  fingers: jax.Array  # `[B, T]` radians of the finger joints.


class Episode(NamedTuple):
  """What happened, row 0 the start."""

  start: scene_lib.Start
  qpos: np.ndarray  # `[B, T+1, nq]`.
  qvel: np.ndarray  # `[B, T+1, nv]`.
  contacts: dict[str, np.ndarray]  # bool `[B, T+1]`, by `scene.contacts`.


@jax.jit
def make_motion(
  position: jax.Array,
  quat: jax.Array,
  joints: jax.Array,
  actions: jax.Array,
  grip: jax.Array,
) -> Motion:
  """Returns what actions tell the robot.

  Args:
    position: `[B, 3]` of the flange at the start.
    quat: `[B, 4]` of the flange at the start.
    joints: `[B, 7]` of the arm at the start.
    actions: `[B, 350]`; clipped to [-1, 1].
    grip: `[]` the gripper's command at the start.
  """
  actions = jnp.clip(actions, -1.0, 1.0)
  goal, force = actions[:, :GOAL_SIZE], actions[:, GOAL_SIZE:]
  force = force.reshape(-1, NUM_STEPS, GOAL_SIZE) * dmp.RAMP[:, None]
  rest = (position, rotations.to_vector(quat), jnp.zeros_like(position[:, :1]))
  rest = jnp.concatenate(rest, axis=-1)
  path = dmp.rollout(rest, rest + goal * GOAL_SCALE, jnp.moveaxis(force, 1, 0))
  positions, vectors, opening = path[..., :3], path[..., 3:6], path[..., 6]

  def command(last, opening):
    asked = grip + jnp.trunc(scene_lib.CLOSED * opening)
    now = jnp.where(opening < 0, jnp.clip(asked, 0, scene_lib.CLOSED), last)
    return now, now

  first = jnp.full(len(actions), grip, jnp.float32)
  commands = jax.lax.scan(command, first, opening)[1]
  joints = arm.follow(joints, positions, rotations.from_vector(vectors))
  fingers = commands * (scene_lib.FINGER_RANGE / scene_lib.CLOSED)
  return Motion(*(jnp.moveaxis(x, 0, 1) for x in (positions, joints, fingers)))


def play(
  scene: scene_lib.Scene,
  start: scene_lib.Start,
  actions: np.ndarray,
  *,
  engine: str = "c",
) -> Episode:
  """Plays all control steps of B episodes.

  Args:
    scene: what is played with.
    start: B starts, from `scene.place`.
    actions: `[B, 350]`; clipped to [-1, 1].
    engine: 'c' or 'mjx'.

  Raises:
    ValueError: actions that are not that many finite numbers.
  """
  actions = check_actions(actions, len(start.arm))
  flange = start.positions[:, -1], start.quats[:, -1]
  motion = batching.map_chunks(
    lambda rows: make_motion(*rows, scene.hand.grip),
    _CHUNKS,
    (*flange, start.arm, actions),
  )
  qpos = scene_lib.initial_qpos(scene, start)
  control = _control(scene, start, motion)
  if engine == "mjx":
    control = control[..., : scene.model.nu]
    return Episode(start, *mjx_engine.simulate(scene, start, qpos, control))
  return _simulate(scene, start, qpos, control)


def check_actions(actions: np.ndarray, num: int) -> np.ndarray:
  """Returns actions as float32.

  Raises:
    ValueError: if they are not `[num, 350]` finite numbers.
  """
  actions, shape = np.asarray(actions), (num, ACTION_SIZE)
  if actions.shape != shape or actions.dtype.kind in "OSUcmM":
    raise ValueError(
      f"actions must be {list(shape)} numbers, got {list(actions.shape)} of"
      f" {actions.dtype}"
    )
  actions = actions.astype(np.float32)
  if not np.isfinite(actions).all():
    where = np.argwhere(~np.isfinite(actions))[0].tolist()
    raise ValueError(f"actions are not finite, the first at {where}")
  return actions


def at_start(scene: scene_lib.Scene, start: scene_lib.Start) -> Episode:
  """Returns episodes of no step, to look at."""
  return at_states(scene, start, scene_lib.initial_qpos(scene, start)[:, None])


def at_states(
  scene: scene_lib.Scene, start: scene_lib.Start, qpos: np.ndarray
) -> Episode:
  """Returns episodes of states at rest, to look at.

  Args:
    scene: what is played with.
    start: of B episodes.
    qpos: `[B, F, nq]` joint positions.
  """
  qvel = np.zeros((*qpos.shape[:2], scene.model.nv))
  return Episode(start, qpos, qvel, {})


def _control(scene, start, motion):
  """What the actuators and the fixed things are told, `[B, T * S, ...]`.

  Between control steps the arm's servos go on evenly. A servo's velocity is
  damped against zero, so its target is ahead by what the damping costs.
  """
  model, substeps = scene.model, scene.substeps
  before = np.concatenate([start.arm[:, None], motion.joints[:, :-1]], axis=1)
  change = np.asarray(motion.joints) - before
  share = (np.arange(substeps) + 1) / substeps
  joints = before[:, :, None] + change[:, :, None] * share[:, None]
  servo = model.actuator("servo1")
  lead = -servo.biasprm[2] / servo.gainprm[0]
  joints = joints + (change * scene.rate * lead)[:, :, None]
  fingers = np.broadcast_to(
    motion.fingers[..., None, None], (*joints.shape[:3], 1)
  )
  control = np.concatenate([joints, fingers], axis=-1)
  control = control.reshape(len(control), -1, control.shape[-1])
  fixed = [row for row, one in enumerate(scene.things.values()) if one.fixed]
  poses = [start.positions[:, row] for row in fixed]
  poses += [start.quats[:, row] for row in fixed]
  poses = [np.repeat(pose[:, None], control.shape[1], axis=1) for pose in poses]
  return np.concatenate([control, *poses], axis=-1)


def _simulate(scene, start, qpos, control):
  model, substeps = scene.model, scene.substeps
  batch, nq, nv = len(qpos), model.nq, model.nv
  state = np.concatenate([np.zeros((batch, 1)), qpos, np.zeros((batch, nv))], 1)
  with _LOCK:
    states, sensed = _pool().rollout(
      model, _scratch(scene), state, control, control_spec=_CONTROL
    )
  steps = (batch, NUM_STEPS, substeps, -1)
  states = states.reshape(steps)[:, :, -1]
  touching = sensed.reshape(steps).max(axis=2) > 0
  touching = np.pad(touching, ((0, 0), (1, 0), (0, 0)))
  names = [model.sensor(index).name for index in range(model.nsensor)]
  return Episode(
    start=start,
    qpos=np.concatenate([qpos[:, None], states[..., 1 : 1 + nq]], axis=1),
    qvel=np.pad(states[..., 1 + nq : 1 + nq + nv], ((0, 0), (1, 0), (0, 0))),
    contacts={name: touching[..., i] for i, name in enumerate(names)},
  )


@functools.cache
def _pool() -> c_rollout.Rollout:
  return c_rollout.Rollout(nthread=len(os.sched_getaffinity(0)))


@functools.cache
def _scratch(scene) -> list[mujoco.MjData]:
  return [mujoco.MjData(scene.model) for _ in os.sched_getaffinity(0)]

"""The tabletop's dynamics: action sequences to trajectories.

`rollout` has two engines behind one signature: C MuJoCo on all cores, which is
ten times faster on a CPU, and MJX, which runs and compiles on any XLA device.
Both start from the same state and follow the control of DVD's environment:
an action moves the mocap body, five substeps follow, the mug is set upright.

Letters: B batch, T control steps. An action `[5]` is (dx, dy, dz, rotation,
gripper): 1 in x, y or z moves the mocap by 5 cm, the rotation has no effect,
the gripper is the target of the claws, -1 open and 1 closed.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx
from mujoco import rollout as c_rollout

from a2r.sim import scene, variants

ACTION_SIZE = 5
ACTION_LOW = np.array([-1, -1, -1, -np.pi, -1], np.float32)
ACTION_HIGH = -ACTION_LOW
ACTION_SCALE = 1 / 20
NUM_STEPS = 60
LOG_SIZE = 13
PHYSICS = ("auto", "c", "mjx")
_START_MOCAP = np.array([0.0, 0.5, 0.02])
_START_DRAWER = -0.07
_START_ARM = (0.1916, -0.53, 2.6142, 2.5618, -2.0943, 1.4821, -2.9768)
_SETTLE_STEPS = 100
_FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = (
  mujoco.mjtState.mjSTATE_CTRL
  | mujoco.mjtState.mjSTATE_MOCAP_POS
  | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)


class Trajectory(NamedTuple):
  """What a rollout leaves behind; row 0 is the start.

  Attributes:
    qpos: `[B, T+1, nq]` joint positions.
    log: `[B, T+1, 13]` DVD's low-dimensional state: hand xyz, mug xyz, mug
      quaternion, drawer, coffee button, faucet.
  """

  qpos: np.ndarray | jax.Array
  log: np.ndarray | jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
  """A placed tabletop and the state that every episode starts from.

  Attributes:
    variant: the environment.
    mj: its compiled model.
    qpos, qvel: `[nq]`, `[nv]` at reset.
  """

  variant: variants.Variant
  mj: mujoco.MjModel
  qpos: np.ndarray
  qvel: np.ndarray

  @functools.cached_property
  def mjx(self) -> mjx.Model:
    """The same model for MJX."""
    return mjx.put_model(self.mj, impl="jax")


@functools.cache
def load(name: str) -> Model:
  """Returns the environment of that name, settled and ready.

  As in DVD: 100 control steps with the mocap held at the start and the claws
  driven open, 100 more at rest, then the objects are put in place.
  """
  variant = variants.get(name)
  model = variants.make_model(variant)
  data = mujoco.MjData(model)
  data.qpos[scene.ARM] = _START_ARM
  for gripper in (-1.0, 0.0):
    for _ in range(_SETTLE_STEPS):
      _set_control(data, _START_MOCAP, gripper)
      _place_objects(variant, data)
      mujoco.mj_step(model, data, scene.FRAME_SKIP)
  _place_objects(variant, data)
  return Model(variant, model, data.qpos.copy(), data.qvel.copy())


def rollout(model: Model, actions, *, physics: str = "auto") -> Trajectory:
  """Plays action sequences from the start.

  Args:
    model: from `load`.
    actions: `[B, T, 5]`; clipped to the action box.
    physics: 'c', 'mjx', or 'auto': C where JAX's default device is a CPU, else
      MJX.

  Returns:
    A trajectory, numpy arrays from C and JAX arrays from MJX.

  Raises:
    ValueError: if `physics` is unknown or `actions` has a wrong shape.
  """
  if np.ndim(actions) != 3 or np.shape(actions)[-1] != ACTION_SIZE:
    raise ValueError(
      f"actions must be [batch, steps, 5], got {np.shape(actions)}"
    )
  if resolve(physics) == "c":
    return _rollout_c(model, np.asarray(actions, np.float64))
  return _rollout_mjx(model, jnp.asarray(actions, jnp.float32))


def resolve(physics: str) -> str:
  """Returns the engine, 'c' or 'mjx', that `physics` stands for.

  Raises:
    ValueError: if `physics` is unknown.
  """
  if physics not in PHYSICS:
    raise ValueError(f"unknown physics {physics!r}; known: {PHYSICS}")
  if physics == "auto":
    return "c" if jax.default_backend() == "cpu" else "mjx"
  return physics


def move_mocap(mocap, action, xp=np):
  """The mocap position `[..., 3]` after `action` `[..., 5]`."""
  delta = xp.clip(action[..., :3], -1.0, 1.0) * ACTION_SCALE
  return xp.clip(
    mocap + delta, xp.array(scene.HAND_LOW), xp.array(scene.HAND_HIGH)
  )


def _set_control(data, mocap, gripper):
  data.mocap_pos[0] = mocap
  data.mocap_quat[0] = scene.HAND_QUAT
  data.ctrl[:] = (gripper, -gripper)


def _place_objects(variant, data):
  """The mug upright at its place, the drawer ajar, all else at rest."""
  data.qpos[scene.MUG] = (*variant.layout.mug, 0.0)
  data.qpos[scene.MUG_QUAT] = (1, 0, 0, 0)
  data.qpos[scene.DRAWER] = _START_DRAWER
  data.qpos[scene.BUTTON] = 0.0
  data.qpos[scene.FAUCET] = 0.0
  data.qvel[9:] = 0.0


def _tidy(qpos, qvel):
  """Ends a control step in place: `[B, nq]` and `[B, nv]`."""
  qpos[:, scene.MUG_QUAT] = (1, 0, 0, 0)
  qvel[:, scene.MUG_SPIN] = 0.0
  qvel[:, scene.MUG_SPEED] = qvel[:, scene.MUG_SPEED].clip(
    scene.MUG_SLOWEST, scene.MUG_FASTEST
  )
  drawer = qpos[:, scene.DRAWER].clip(*scene.DRAWER_RANGE)
  qpos[:, scene.DRAWER] = drawer
  qvel[drawer > -scene.DRAWER_LATCH, scene.DRAWER_SPEED] = 0.0


@functools.cache
def _pool() -> c_rollout.Rollout:
  return c_rollout.Rollout(nthread=_num_threads())


def _num_threads() -> int:
  import os

  return len(os.sched_getaffinity(0))


def _rollout_c(model: Model, actions: np.ndarray) -> Trajectory:
  batch, steps, _ = actions.shape
  nq, nv = model.mj.nq, model.mj.nv
  state = np.zeros((batch, mujoco.mj_stateSize(model.mj, _FULL)))
  state[:, 1 : 1 + nq] = model.qpos
  state[:, 1 + nq : 1 + nq + nv] = model.qvel
  mocap = np.tile(_START_MOCAP, (batch, 1))
  quat = np.tile(scene.HAND_QUAT, (batch, 1))
  qpos = np.empty((batch, steps + 1, nq))
  qpos[:, 0] = model.qpos
  data = [mujoco.MjData(model.mj) for _ in range(_num_threads())]
  for step in range(steps):
    mocap = move_mocap(mocap, actions[:, step])
    gripper = np.clip(actions[:, step, 4:], -1.0, 1.0)
    control = np.concatenate([gripper, -gripper, mocap, quat], axis=-1)
    states, _ = _pool().rollout(
      model.mj,
      data,
      state,
      np.repeat(control[:, None], scene.FRAME_SKIP, axis=1),
      control_spec=_CONTROL,
    )
    state = states[:, -1]
    _tidy(state[:, 1 : 1 + nq], state[:, 1 + nq : 1 + nq + nv])
    qpos[:, step + 1] = state[:, 1 : 1 + nq]
  return Trajectory(qpos, _log(model.mj, qpos))


def _log(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
  """DVD's state `[B, T, 13]` float32 of joint positions `[B, T, nq]`."""
  data = mujoco.MjData(model)
  hand = model.body("hand").id
  log = np.empty((*qpos.shape[:-1], LOG_SIZE), np.float32)
  log[..., 3:] = qpos[..., 9:]
  for index in np.ndindex(qpos.shape[:-1]):
    data.qpos[:] = qpos[index]
    mujoco.mj_kinematics(model, data)
    log[(*index, slice(3))] = data.xpos[hand]
  return log

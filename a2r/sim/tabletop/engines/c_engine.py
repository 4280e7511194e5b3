"""C MuJoCo behind numpy arrays: control steps and poses, on all cores.

Letters: B batch, N states, G geoms.
"""

import functools
import os
import threading

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import rollout as c_rollout

from a2r.sim.tabletop import control, scene

_FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = (
  mujoco.mjtState.mjSTATE_CTRL
  | mujoco.mjtState.mjSTATE_MOCAP_POS
  | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)
_LOCK = threading.Lock()  # The pool and its scratch data serve one call.


def step(
  model: mujoco.MjModel,
  qpos: np.ndarray,
  qvel: np.ndarray,
  mocap: np.ndarray,
  gripper: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Makes a control step of each state: five substeps, `control.stabilize`.

  Args:
    model: the model.
    qpos: `[B, nq]`.
    qvel: `[B, nv]`.
    mocap: `[B, 3]` where the mocap body is held.
    gripper: `[B]` target of the claws.

  Returns:
    The next `qpos` and `qvel` and the hand's position `[B, 3]`, float64.
  """
  qpos, qvel = advance(model, qpos, qvel, mocap, gripper)
  return qpos, qvel, hand_positions(model, qpos)


def advance(
  model: mujoco.MjModel,
  qpos: np.ndarray,
  qvel: np.ndarray,
  mocap: np.ndarray,
  gripper: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """Makes a `step` without the hand's position, a loop over the states."""
  batch, (nq, nv) = len(qpos), (model.nq, model.nv)
  state = np.concatenate([np.zeros((batch, 1)), qpos, qvel], axis=1)
  claws = np.stack([gripper, -gripper], axis=1)
  quat = np.tile(scene.HAND_QUAT, (batch, 1))
  targets = np.concatenate([claws, mocap, quat], axis=1)
  targets = np.repeat(targets[:, None], scene.FRAME_SKIP, axis=1)
  with _LOCK:
    states, _ = _pool().rollout(
      model, _scratch(model), state, targets, control_spec=_CONTROL
    )
  last = states[:, -1]
  qpos, qvel = last[:, 1 : 1 + nq], last[:, 1 + nq : 1 + nq + nv]
  return control.stabilize(qpos, qvel, np)


def hand_positions(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
  """Returns hand positions `[N, 3]` of joint positions `[N, nq]`."""
  hand = model.body("hand").id
  positions = np.empty((len(qpos), 3))
  with _LOCK:
    data = _scratch(model)[0]
    for row, joints in enumerate(qpos):
      data.qpos[:] = joints
      mujoco.mj_kinematics(model, data)
      positions[row] = data.xpos[hand]
  return positions


def geom_poses(
  model: mujoco.MjModel, qpos: np.ndarray, geom_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns poses of geoms: `[N, nq]` to `[N, G, 3]` and `[N, G, 3, 3]`."""
  position = np.empty((len(qpos), len(geom_ids), 3), np.float32)
  rotation = np.empty((len(qpos), len(geom_ids), 9), np.float32)
  with _LOCK:
    data = _scratch(model)[0]
    for row, joints in enumerate(qpos):
      data.qpos[:] = joints
      mujoco.mj_kinematics(model, data)
      position[row] = data.geom_xpos[geom_ids]
      rotation[row] = data.geom_xmat[geom_ids]
  return position, rotation.reshape(*rotation.shape[:2], 3, 3)


def call(function, args, like):
  """Calls numpy `function` of `[B, ...]` arrays from a JAX program.

  Args:
    function: of float64 arrays, as `step` and `geom_poses`.
    args: unbatched JAX arrays; under `jax.vmap` one call takes the batch.
    like: arrays with the shapes of the result, which is float32.
  """

  def on_batch(*args):
    lead = np.shape(args[0])[:-1]
    flat = [
      np.asarray(arg, np.float64).reshape(-1, *np.shape(arg)[len(lead) :])
      for arg in args
    ]
    return tuple(
      np.asarray(out, np.float32).reshape(*lead, *out.shape[1:])
      for out in function(*flat)
    )

  shapes = tuple(jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in like)
  return jax.pure_callback(on_batch, shapes, *args, vmap_method="broadcast_all")


@functools.cache
def _pool() -> c_rollout.Rollout:
  return c_rollout.Rollout(nthread=len(os.sched_getaffinity(0)))


@functools.cache
def _scratch(model: mujoco.MjModel) -> list[mujoco.MjData]:
  return [mujoco.MjData(model) for _ in os.sched_getaffinity(0)]

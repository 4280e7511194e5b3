"""MJX behind JAX arrays: control steps and poses, pure, for any XLA device.

All functions are unbatched; use `jax.vmap`.
"""

import contextlib
import functools
import io
from collections.abc import Callable

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.sim import scene

with contextlib.redirect_stdout(
  io.StringIO()
):  # It prints that Warp is absent.
  from mujoco import mjx

# XLA:CPU's fusion emitters make deep kinematic chains hundreds of times slower
# (jax-ml/jax#33761); the renderer is faster with them.
_CPU_OPTIONS = {"xla_cpu_use_fusion_emitters": False}
_CPU_BATCH = 64


def jit(function: Callable) -> Callable:
  """`jax.jit` with the options that physics needs on the default backend."""
  if jax.default_backend() == "cpu":
    return jax.jit(function, compiler_options=_CPU_OPTIONS)
  return jax.jit(function)


def in_slices(function: Callable, actions: jax.Array):
  """`function` of actions `[B, ...]`, a pytree of `[B, ...]`.

  On a CPU in slices of 64: XLA's thread pool there has been seen to lock up
  in one program of 256 and more.
  """
  size = len(actions)
  if jax.default_backend() != "cpu" or size <= _CPU_BATCH:
    return function(actions)
  rows = np.arange(-(-size // _CPU_BATCH) * _CPU_BATCH).clip(max=size - 1)
  parts = [
    jax.block_until_ready(function(actions[part]))
    for part in rows.reshape(-1, _CPU_BATCH)
  ]
  return jax.tree.map(lambda *x: jnp.concatenate(x)[:size], *parts)


def put_model(model: mujoco.MjModel) -> mjx.Model:
  """The model on the device.

  All environments share one topology: they are the same compiled program with
  other positions (`body_pos`) as data.
  """
  fixed = _base_model()
  return fixed.replace(body_pos=jnp.asarray(model.body_pos, jnp.float32))


def step(
  model: mjx.Model,
  qpos: jax.Array,
  qvel: jax.Array,
  mocap: jax.Array,
  gripper: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """One control step: five substeps, then `scene.tidy`.

  Args:
    model: from `put_model`.
    qpos: `[nq]`.
    qvel: `[nv]`.
    mocap: `[3]` where the mocap body is held.
    gripper: `[]` target of the claws.

  Returns:
    The next `qpos` and `qvel` and the hand's position `[3]`.
  """
  data = _base_data().replace(
    qpos=qpos,
    qvel=qvel,
    mocap_pos=mocap[None],
    mocap_quat=jnp.array([scene.HAND_QUAT]),
    ctrl=jnp.stack([gripper, -gripper]),
  )
  data, _ = jax.lax.scan(
    lambda data, _: (_substep(model, data), None),
    data,
    length=scene.FRAME_SKIP,
  )
  qpos, qvel = scene.tidy(data.qpos, data.qvel, jnp)
  data = mjx.kinematics(model, data.replace(qpos=qpos))
  return qpos, qvel, data.xpos[_hand_id()]


def geom_poses(
  model: mjx.Model, qpos: jax.Array, geom_ids
) -> tuple[jax.Array, jax.Array]:
  """World poses of geoms: `[nq]` to `[G, 3]` and `[G, 3, 3]`."""
  data = mjx.kinematics(model, _base_data().replace(qpos=qpos))
  return data.geom_xpos[geom_ids], data.geom_xmat[geom_ids]


def _substep(model, data):
  """`mjx.step`, with the acceleration of the weld that C takes into account.

  C's reference acceleration of an equality constraint with Jacobian J has the
  term -dJ/dt qvel; MJX's has not, and without it the hands of the two engines
  part by millimeters within a few control steps.
  """
  data = mjx.fwd_velocity(model, mjx.fwd_position(model, data))
  curvature = _weld_curvature(data)
  aref = data._impl.efc_aref
  data = data.tree_replace({"_impl.efc_aref": aref.at[:6].add(-curvature)})
  data = mjx.fwd_acceleration(model, mjx.fwd_actuation(model, data))
  return mjx.implicit(model, mjx.solve(model, data))


def _weld_curvature(data):
  """dJ/dt qvel `[6]` of the weld between mocap and hand.

  The residual is the hand's offset to the mocap, then the vector part of
  mocap^-1 * hand, negated both. Their second derivatives without joint
  accelerations need the hand's velocity-product acceleration.
  """
  hand, qvel = _hand_id(), data.qvel[scene.ARM]
  twist = qvel @ data.cdof_dot[scene.ARM]
  spin = data.cvel[hand, :3]
  offset = data.xpos[hand] - data.subtree_com[_root_id()]
  speed = data.cvel[hand, 3:] + jnp.cross(spin, offset)
  linear = twist[3:] + jnp.cross(twist[:3], offset) + jnp.cross(spin, speed)
  back = jnp.asarray(scene.HAND_QUAT) * jnp.array([1.0, -1.0, -1.0, -1.0])
  turned = _multiply(
    jnp.concatenate([jnp.zeros(1), twist[:3]]), data.xquat[hand]
  )
  angular = 0.5 * _multiply(back, turned) - 0.25 * spin @ spin * _multiply(
    back, data.xquat[hand]
  )
  return -jnp.concatenate([linear, angular[1:]])


def _multiply(one, two):
  """The product of two quaternions `[4]`."""
  (w, v), (x, u) = (one[0], one[1:]), (two[0], two[1:])
  vector = w * u + x * v + jnp.cross(v, u)
  return jnp.concatenate([(w * x - v @ u)[None], vector])


@functools.cache
def _compiled() -> mujoco.MjModel:
  return scene.make_model()


@functools.cache
def _hand_id() -> int:
  return _compiled().body("hand").id


@functools.cache
def _root_id() -> int:
  return int(_compiled().body_rootid[_hand_id()])


@functools.cache
def _base_model() -> mjx.Model:
  with jax.ensure_compile_time_eval():
    return mjx.put_model(_compiled(), impl="jax")


@functools.cache
def _base_data() -> mjx.Data:
  with jax.ensure_compile_time_eval():
    return mjx.make_data(_compiled(), impl="jax")

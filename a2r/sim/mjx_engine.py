"""MJX behind JAX arrays: control steps and poses, pure, for any XLA device.

All functions are unbatched; use `jax.vmap`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import mujoco
from mujoco import mjx

from a2r.sim import scene

# XLA:CPU's fusion emitters make deep kinematic chains hundreds of times slower
# (jax-ml/jax#33761); the renderer is faster with them.
_CPU_OPTIONS = {"xla_cpu_use_fusion_emitters": False}


def jit(function: Callable) -> Callable:
  """`jax.jit` with the options that physics needs on the default backend."""
  if jax.default_backend() == "cpu":
    return jax.jit(function, compiler_options=_CPU_OPTIONS)
  return jax.jit(function)


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
) -> tuple[jax.Array, jax.Array]:
  """One control step: five substeps, then `scene.tidy`.

  Args:
    model: from `put_model`.
    qpos: `[nq]`.
    qvel: `[nv]`.
    mocap: `[3]` where the mocap body is held.
    gripper: `[]` target of the claws.

  Returns:
    The next `qpos` and `qvel`.
  """
  data = _base_data().replace(
    qpos=qpos,
    qvel=qvel,
    mocap_pos=mocap[None],
    mocap_quat=jnp.array([scene.HAND_QUAT]),
    ctrl=jnp.stack([gripper, -gripper]),
  )
  data, _ = jax.lax.scan(
    lambda data, _: (mjx.step(model, data), None),
    data,
    length=scene.FRAME_SKIP,
  )
  return scene.tidy(data.qpos, data.qvel, jnp)


def hand_position(model: mjx.Model, qpos: jax.Array) -> jax.Array:
  """Hand position `[3]` of joint positions `[nq]`."""
  data = mjx.kinematics(model, _base_data().replace(qpos=qpos))
  return data.xpos[_hand_id()]


def geom_poses(
  model: mjx.Model, qpos: jax.Array, geom_ids
) -> tuple[jax.Array, jax.Array]:
  """World poses of geoms: `[nq]` to `[G, 3]` and `[G, 3, 3]`."""
  data = mjx.kinematics(model, _base_data().replace(qpos=qpos))
  return data.geom_xpos[geom_ids], data.geom_xmat[geom_ids]


@functools.cache
def _compiled() -> mujoco.MjModel:
  return scene.make_model()


@functools.cache
def _hand_id() -> int:
  return _compiled().body("hand").id


@functools.cache
def _base_model() -> mjx.Model:
  with jax.ensure_compile_time_eval():
    return mjx.put_model(_compiled(), impl="jax")


@functools.cache
def _base_data() -> mjx.Data:
  with jax.ensure_compile_time_eval():
    return mjx.make_data(_compiled(), impl="jax")

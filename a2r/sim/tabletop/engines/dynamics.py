"""Smooth dynamics of the tabletop in few large operations.

What MuJoCo computes before contacts: poses, velocities, inertia matrix, bias
forces (Featherstone, "Rigid Body Dynamics Algorithms", 2008; MuJoCo's
`engine_core_smooth`). MJX walks the kinematic tree body by body; its program
is so long that tracing and compiling it takes most of a minute on a CPU. All
trees here are constants, so every pass but the poses is a product with a
constant matrix of zeros and ones. `mujoco.mjx` has collisions and constraints,
`a2r.sim.tabletop.engines.solver` the rest.

Letters: V degrees of freedom, N bodies, J joints, G geoms. Functions are
unbatched and pure; spatial vectors `[6]` are angular, then linear, about the
center of mass of the whole tree, as MuJoCo has them.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.sim.tabletop.engines import kinematics

# Rows and columns of a symmetric 3x3 matrix among MuJoCo's six numbers.
_UPPER = ((0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2))
_FULL = ((0, 3, 4), (3, 1, 5), (4, 5, 2))


class Smooth(NamedTuple):
  """Everything about a state that contacts do not change."""

  center: jax.Array  # `[N, 3]` centers of mass of the subtrees.
  motion: jax.Array  # `[V, 6]` unit motion of each dof (MuJoCo's cdof).
  motion_dot: jax.Array  # `[V, 6]` its change, times no velocity (cdof_dot).
  velocity: jax.Array  # `[N, 6]` of the bodies (cvel).
  inertia: jax.Array  # `[V, V]` the joint-space inertia matrix.
  force: jax.Array  # `[V]` passive minus bias forces.


def smooth(
  tree: kinematics.Tree,
  poses: kinematics.Poses,
  qpos: jax.Array,
  qvel: jax.Array,
) -> Smooth:
  """Computes all that the state tells without contacts.

  Args:
    tree: the constants.
    poses: of `qpos`.
    qpos: `[nq]`.
    qvel: `[V]`.
  """
  model = tree.model
  root = model.body_rootid
  offset = np.float32(model.body_ipos)
  mass = np.float32(model.body_mass)
  middle = poses.position + kinematics.turned(poses.rotation, offset)
  total = np.maximum(tree.below @ mass, mujoco.mjMINVAL)
  center = _weighted(tree.below, middle * mass[:, None]) / total[:, None]
  motion = _motion(tree, poses, center[root[model.dof_bodyid]])
  inertia = _inertia(tree, poses, middle - center[root])
  moving = motion * qvel[:, None]
  velocity = _weighted(tree.moved, moving)
  motion_dot = _cross_motion(_weighted(tree.before, moving), motion)
  gravity = np.float32([0, 0, 0, *-model.opt.gravity])
  acceleration = gravity + _weighted(tree.moved, motion_dot * qvel[:, None])
  force = _times(inertia, acceleration)
  force += _cross_force(velocity, _times(inertia, velocity))
  bias = jnp.sum(motion * _weighted(tree.moved.T, force), axis=-1)
  carried = _weighted(tree.moved.T, inertia)
  lower = tree.reach * _weighted(_times(carried, motion), motion.T)
  lower_left = lower * np.tri(model.nv, k=-1, dtype=np.float32)
  armature = np.diag(np.float32(model.dof_armature))
  return Smooth(
    center=center,
    motion=motion,
    motion_dot=motion_dot,
    velocity=velocity,
    inertia=lower + lower_left.T + armature,
    force=_passive(model, qpos, qvel) - bias,
  )


def integrate(
  tree: kinematics.Tree, qpos: jax.Array, qvel: jax.Array
) -> jax.Array:
  """Returns `qpos` `[nq]` after one timestep at the velocity `qvel` `[V]`."""
  model = tree.model
  step = model.opt.timestep
  parts = []
  for joint, kind in enumerate(model.jnt_type):
    place, dof = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
    if kind != kinematics.FREE:
      parts.append(qpos[place : place + 1] + step * qvel[dof : dof + 1])
      continue
    parts.append(qpos[place : place + 3] + step * qvel[dof : dof + 3])
    spin = step * qvel[dof + 3 : dof + 6]
    half = jnp.sqrt(jnp.sum(spin * spin) + 1e-20) / 2
    turn = jnp.append(jnp.cos(half), 0.5 * jnp.sinc(half / np.pi) * spin)
    quat = kinematics.multiply(qpos[place + 3 : place + 7], turn)
    parts.append(quat / jnp.sqrt(jnp.sum(quat * quat)))
  return jnp.concatenate(parts)


def _motion(tree, poses, center):
  """Returns unit motions `[V, 6]`; `center` `[V, 3]` is each dof's tree's."""
  model = tree.model
  rows = []
  for joint, kind in enumerate(model.jnt_type):
    line = poses.axis[joint][None]
    offset = center[model.jnt_dofadr[joint]] - poses.anchor[joint]
    if kind == kinematics.SLIDE:
      rows.append(jnp.concatenate([jnp.zeros((1, 3)), line], axis=-1))
      continue
    if kind == kinematics.FREE:
      rows.append(jnp.eye(3, 6, 3))
      line = poses.rotation[model.jnt_bodyid[joint]].T
    around = jnp.cross(line, offset[None])
    rows.append(jnp.concatenate([line, around], axis=-1))
  return jnp.concatenate(rows)


def _inertia(tree, poses, offset):
  """Returns inertias `[N, 10]`: six of the matrix, mass * offset, mass."""
  model = tree.model
  mass = np.float32(model.body_mass)[:, None]
  frame = kinematics.product(poses.rotation, tree.inner)
  scaled = frame * np.float32(model.body_inertia)[:, None, :]
  full = kinematics.product(scaled, jnp.swapaxes(frame, -1, -2))
  shift = jnp.sum(offset * offset, axis=-1)[:, None, None] * np.eye(3)
  shift = shift - offset[:, :, None] * offset[:, None, :]
  full = full + mass[..., None] * shift
  return jnp.concatenate([full[:, *_UPPER], mass * offset, mass], axis=-1)


def _passive(model, qpos, qvel):
  """Returns damping and springs of the joints, `[V]`."""
  joint = model.dof_jntid
  free = model.jnt_type == kinematics.FREE
  at_joint = np.where(free, 0, model.jnt_qposadr)[joint]
  stiffness = np.float32(model.jnt_stiffness[joint])
  rest = np.float32(model.qpos_spring[at_joint])
  spring = stiffness * (qpos[at_joint] - rest)
  return -np.float32(model.dof_damping) * qvel - spring


def _times(inertia, motion):
  """Inertias `[..., 10]` times motions `[..., 6]`."""
  matrix = inertia[..., _FULL]
  moment, mass = inertia[..., 6:9], inertia[..., 9:]
  spin, speed = motion[..., :3], motion[..., 3:]
  angular = kinematics.turned(matrix, spin) + jnp.cross(moment, speed)
  linear = mass * speed - jnp.cross(moment, spin)
  return jnp.concatenate([angular, linear], axis=-1)


def _cross_motion(one, two):
  spin, speed = one[..., :3], one[..., 3:]
  angular = jnp.cross(spin, two[..., :3])
  linear = jnp.cross(speed, two[..., :3]) + jnp.cross(spin, two[..., 3:])
  return jnp.concatenate([angular, linear], axis=-1)


def _cross_force(motion, force):
  spin, speed = motion[..., :3], motion[..., 3:]
  angular = jnp.cross(spin, force[..., :3]) + jnp.cross(speed, force[..., 3:])
  linear = jnp.cross(spin, force[..., 3:])
  return jnp.concatenate([angular, linear], axis=-1)


_weighted = functools.partial(jnp.matmul, precision="highest")

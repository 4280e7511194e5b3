"""Smooth dynamics of the tabletop in few large operations.

What MuJoCo computes before contacts: poses, velocities, inertia matrix, bias
forces (Featherstone, "Rigid Body Dynamics Algorithms", 2008; MuJoCo's
`engine_core_smooth`). MJX walks the kinematic tree body by body; its program
is so long that tracing and compiling it takes most of a minute on a CPU. All
trees here are constants, so every pass but the poses is a product with a
constant matrix of zeros and ones. `mujoco.mjx` has the rest: collisions,
constraints, the solver.

Letters: V degrees of freedom, N bodies, J joints, G geoms. Functions are
unbatched and pure; spatial vectors `[6]` are angular, then linear, about the
center of mass of the whole tree, as MuJoCo has them.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

_FREE, _SLIDE, _HINGE = 0, 2, 3
_WIDTH = {_FREE: 6, _SLIDE: 1, _HINGE: 1}
# Rows and columns of a symmetric 3x3 matrix among MuJoCo's six numbers.
_UPPER = ((0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2))
_FULL = ((0, 3, 4), (3, 1, 5), (4, 5, 2))


class Poses(NamedTuple):
  """Where everything is.

  Attributes:
    position, rotation: `[N, 3]`, `[N, 3, 3]` of the bodies.
    anchor, axis: `[J, 3]` of the joints, in the world.
  """

  position: jax.Array
  rotation: jax.Array
  anchor: jax.Array
  axis: jax.Array


class Smooth(NamedTuple):
  """Everything about a state that contacts do not change.

  Attributes:
    center: `[N, 3]` centers of mass of the subtrees.
    motion: `[V, 6]` unit motion of each degree of freedom (MuJoCo's cdof).
    motion_dot: `[V, 6]` its change in time, times no velocity (cdof_dot).
    velocity: `[N, 6]` of the bodies (cvel).
    inertia: `[V, V]` the joint-space inertia matrix.
    force: `[V]` passive minus bias forces.
  """

  center: jax.Array
  motion: jax.Array
  motion_dot: jax.Array
  velocity: jax.Array
  inertia: jax.Array
  force: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Tree:
  """Constants of a compiled model.

  Attributes:
    model: the model; its bodies' places may be replaced, not its tree.
    turn: `[N, 3, 3]` rotation of each body in its parent.
    inner: `[N, 3, 3]` rotation of each body's inertia in the body.
    shape: `[G, 3, 3]` rotation of each geom in its body.
    below: `[N, N]` 1 where the column is in the row's subtree.
    moved: `[N, V]` 1 where the degree of freedom moves the body.
    before: `[V, V]` 1 where the column moves the row's axis.
    reach: `[V, V]` 1 where the column is the row or one it hangs on.
  """

  model: mujoco.MjModel
  turn: np.ndarray
  inner: np.ndarray
  shape: np.ndarray
  below: np.ndarray
  moved: np.ndarray
  before: np.ndarray
  reach: np.ndarray


def make_tree(model: mujoco.MjModel) -> Tree:
  """Constants of `model`, which has free, slide and hinge joints at the origin.

  Raises:
    ValueError: if a joint is of another kind or off its body's origin.
  """
  if set(model.jnt_type) - set(_WIDTH) or model.jnt_pos.any():
    raise ValueError("joints must be free, slide or hinge, at body origins")
  below = np.eye(model.nbody)
  for body in range(model.nbody - 1, 0, -1):
    below[model.body_parentid[body]] += below[body]
  moved = below.T[:, model.dof_bodyid]
  reach = np.float32(moved[model.dof_bodyid] * np.tri(model.nv))
  before = np.tril(reach, -1)
  for first in model.jnt_dofadr[model.jnt_type == _FREE]:
    # Translations have constant axes, rotations turn with the body's motion.
    before[first : first + 3] = 0
    before[first + 3 : first + 6, first + 3 : first + 6] = 0
  return Tree(
    model=model,
    turn=_matrices(model.body_quat),
    inner=_matrices(model.body_iquat),
    shape=_matrices(model.geom_quat),
    below=np.float32(below),
    moved=np.float32(moved),
    before=before,
    reach=reach,
  )


def body_poses(
  tree: Tree, places: jax.Array, qpos: jax.Array, mocap: jax.Array
) -> Poses:
  """Poses of bodies and joints.

  Args:
    tree: the constants.
    places: `[N, 3]` of the bodies in their parents, meters.
    qpos: `[nq]`, the free joint's quaternion of length 1.
    mocap: `[3]` position of the mocap body.
  """
  model = tree.model
  position, rotation = [jnp.zeros(3)], [jnp.eye(3)]
  anchor, axis = [], []
  for body in range(1, model.nbody):
    parent = model.body_parentid[body]
    if model.body_mocapid[body] >= 0:
      pos, rot = mocap, jnp.asarray(tree.turn[body])
    elif parent == 0:
      pos, rot = places[body], jnp.asarray(tree.turn[body])
    else:
      pos = position[parent] + rotation[parent] @ places[body]
      rot = _product(rotation[parent], tree.turn[body])
    for joint in np.flatnonzero(model.jnt_bodyid == body):
      pos, rot, point, line = _move(model, joint, qpos, pos, rot)
      anchor.append(point)
      axis.append(line)
    pos, rot = _settle(pos, rot)
    position.append(pos)
    rotation.append(rot)
  return Poses(*map(jnp.stack, (position, rotation, anchor, axis)))


def geom_poses(tree: Tree, poses: Poses, geom_ids) -> tuple:
  """Poses of geoms in the world, `[G, 3]` and `[G, 3, 3]`."""
  body = tree.model.geom_bodyid[geom_ids]
  rotation = poses.rotation[body]
  offset = np.float32(tree.model.geom_pos[geom_ids])
  position = poses.position[body] + _turned(rotation, offset)
  return position, _product(rotation, tree.shape[geom_ids])


def smooth(
  tree: Tree, poses: Poses, qpos: jax.Array, qvel: jax.Array
) -> Smooth:
  """All that the state tells without contacts.

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
  middle = poses.position + _turned(poses.rotation, offset)
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


def integrate(tree: Tree, qpos: jax.Array, qvel: jax.Array) -> jax.Array:
  """`qpos` `[nq]` after one timestep at the velocity `qvel` `[V]`."""
  model = tree.model
  step = model.opt.timestep
  parts = []
  for joint, kind in enumerate(model.jnt_type):
    place, dof = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
    if kind != _FREE:
      parts.append(qpos[place : place + 1] + step * qvel[dof : dof + 1])
      continue
    parts.append(qpos[place : place + 3] + step * qvel[dof : dof + 3])
    spin = step * qvel[dof + 3 : dof + 6]
    half = jnp.sqrt(jnp.sum(spin * spin) + 1e-20) / 2
    turn = jnp.append(jnp.cos(half), 0.5 * jnp.sinc(half / np.pi) * spin)
    quat = multiply(qpos[place + 3 : place + 7], turn)
    parts.append(quat / jnp.sqrt(jnp.sum(quat * quat)))
  return jnp.concatenate(parts)


def multiply(one: jax.Array, two: jax.Array) -> jax.Array:
  """The product of two quaternions wxyz `[4]`."""
  (w, v), (x, u) = (one[0], one[1:]), (two[0], two[1:])
  vector = w * u + x * v + jnp.cross(v, u)
  return jnp.concatenate([(w * x - v @ u)[None], vector])


def quaternion(rotation: jax.Array) -> jax.Array:
  """A quaternion wxyz `[4]` of a rotation matrix `[3, 3]`, of either sign.

  Of the four ways to compute it the one with the largest divisor is taken.
  """
  m = rotation
  x, y, z = m[0, 0], m[1, 1], m[2, 2]
  wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
  xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
  rows = jnp.stack(
    [
      jnp.stack([1 + x + y + z, wx, wy, wz]),
      jnp.stack([wx, 1 + x - y - z, xy, xz]),
      jnp.stack([wy, xy, 1 - x + y - z, yz]),
      jnp.stack([wz, xz, yz, 1 - x - y + z]),
    ]
  )
  best = rows[jnp.argmax(jnp.diagonal(rows))]
  return best / jnp.sqrt(jnp.sum(best * best))


def _matrices(quaternions) -> np.ndarray:
  matrices = np.zeros((len(quaternions), 9))
  for matrix, quat in zip(matrices, quaternions, strict=True):
    mujoco.mju_quat2Mat(matrix, quat)
  return np.float32(matrices.reshape(-1, 3, 3))


def _move(model, joint, qpos, pos, rot):
  """Pose of a body after its joint, and the joint's anchor and axis."""
  place = model.jnt_qposadr[joint]
  kind = model.jnt_type[joint]
  if kind == _FREE:
    pos = qpos[place : place + 3]
    rot = _rotation(qpos[place + 3 : place + 7])
    return pos, rot, pos, jnp.array([0.0, 0.0, 1.0])
  local = np.float32(model.jnt_axis[joint])
  line = _turned(rot, local)
  amount = qpos[place] - np.float32(model.qpos0[place])
  if kind == _SLIDE:
    return pos + amount * line, rot, pos, line
  skew = np.cross(np.eye(3), local).astype(np.float32)
  turn = jnp.sin(amount) * skew + (1 - jnp.cos(amount)) * (skew @ skew)
  return pos, _product(rot, np.eye(3, dtype=np.float32) + turn), pos, line


def _rotation(quat):
  """Rotation matrix of a unit quaternion `[4]`."""
  w, x, y, z = quat
  rows = (
    (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
    (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
    (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
  )
  return jnp.stack([jnp.stack(row) for row in rows])


def _settle(*arrays):
  """`arrays`, computed once on a CPU.

  There XLA would compute them again for every body further down the chain
  (jax-ml/jax#33761).
  """
  if jax.default_backend() != "cpu":
    return arrays
  return jax.lax.optimization_barrier(arrays)


def _motion(tree, poses, center):
  """Unit motions `[V, 6]`; `center` `[V, 3]` is each dof's tree's."""
  model = tree.model
  rows = []
  for joint, kind in enumerate(model.jnt_type):
    line = poses.axis[joint][None]
    offset = center[model.jnt_dofadr[joint]] - poses.anchor[joint]
    if kind == _SLIDE:
      rows.append(jnp.concatenate([jnp.zeros((1, 3)), line], axis=-1))
      continue
    if kind == _FREE:
      rows.append(jnp.eye(3, 6, 3))
      line = poses.rotation[model.jnt_bodyid[joint]].T
    around = jnp.cross(line, offset[None])
    rows.append(jnp.concatenate([line, around], axis=-1))
  return jnp.concatenate(rows)


def _inertia(tree, poses, offset):
  """Spatial inertias `[N, 10]`: six of the matrix, mass * offset, mass."""
  model = tree.model
  mass = np.float32(model.body_mass)[:, None]
  frame = _product(poses.rotation, tree.inner)
  scaled = frame * np.float32(model.body_inertia)[:, None, :]
  full = _product(scaled, jnp.swapaxes(frame, -1, -2))
  shift = jnp.sum(offset * offset, axis=-1)[:, None, None] * np.eye(3)
  shift = shift - offset[:, :, None] * offset[:, None, :]
  full = full + mass[..., None] * shift
  return jnp.concatenate([full[:, *_UPPER], mass * offset, mass], axis=-1)


def _passive(model, qpos, qvel):
  """Damping and springs of the joints, `[V]`."""
  joint = model.dof_jntid
  at_joint = np.where(model.jnt_type == _FREE, 0, model.jnt_qposadr)[joint]
  stiffness = np.float32(model.jnt_stiffness[joint])
  rest = np.float32(model.qpos_spring[at_joint])
  spring = stiffness * (qpos[at_joint] - rest)
  return -np.float32(model.dof_damping) * qvel - spring


def _times(inertia, motion):
  """Inertias `[..., 10]` times motions `[..., 6]`."""
  matrix, moment, mass = (
    inertia[..., _FULL],
    inertia[..., 6:9],
    inertia[..., 9:],
  )
  spin, speed = motion[..., :3], motion[..., 3:]
  angular = _turned(matrix, spin) + jnp.cross(moment, speed)
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


def _turned(matrix, vector):
  """`[..., 3, 3]` times `[..., 3]`, elementwise so that it fuses."""
  return jnp.sum(matrix * vector[..., None, :], axis=-1)


def _product(one, two):
  """`[..., 3, 3]` times `[..., 3, 3]`, elementwise so that it fuses."""
  return jnp.sum(one[..., :, :, None] * two[..., None, :, :], axis=-2)


_weighted = functools.partial(jnp.matmul, precision="highest")

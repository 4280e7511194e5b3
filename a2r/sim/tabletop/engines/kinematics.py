"""Forward kinematics of the tabletop: where bodies, joints and geoms are.

As `mj_kinematics`, for a tree of free, slide and hinge joints that is known
when the program is made, in rotation matrices and few operations. Letters: V
degrees of freedom, N bodies, J joints, G geoms. Functions are unbatched and
pure.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

FREE, SLIDE, HINGE = 0, 2, 3


class Poses(NamedTuple):
  """Where everything is."""

  position: jax.Array  # `[N, 3]` of the bodies.
  rotation: jax.Array  # `[N, 3, 3]` of the bodies.
  anchor: jax.Array  # `[J, 3]` of the joints, in the world.
  axis: jax.Array  # `[J, 3]` of the joints, in the world.


@dataclasses.dataclass(frozen=True, eq=False)
class Tree:
  """Constants of a compiled model."""

  model: mujoco.MjModel  # Its bodies' places may be replaced, not its tree.
  turn: np.ndarray  # `[N, 3, 3]` rotation of each body in its parent.
  inner: np.ndarray  # `[N, 3, 3]` rotation of each body's inertia in the body.
  shape: np.ndarray  # `[G, 3, 3]` rotation of each geom in its body.
  below: np.ndarray  # `[N, N]` 1 where the column is in the row's subtree.
  moved: np.ndarray  # `[N, V]` 1 where the degree of freedom moves the body.
  before: np.ndarray  # `[V, V]` 1 where the column moves the row's axis.
  reach: np.ndarray  # `[V, V]` 1 where it is the row, or moves it.


def make_tree(model: mujoco.MjModel) -> Tree:
  """Constants of `model`, which has free, slide and hinge joints at the origin.

  Raises:
    ValueError: if a joint is of another kind or off its body's origin.
  """
  if set(model.jnt_type) - {FREE, SLIDE, HINGE} or model.jnt_pos.any():
    raise ValueError("joints must be free, slide or hinge, at body origins")
  below = np.eye(model.nbody)
  for body in range(model.nbody - 1, 0, -1):
    below[model.body_parentid[body]] += below[body]
  moved = below.T[:, model.dof_bodyid]
  reach = np.float32(moved[model.dof_bodyid] * np.tri(model.nv))
  before = np.tril(reach, -1)
  for first in model.jnt_dofadr[model.jnt_type == FREE]:
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
  """Returns poses of bodies and joints.

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
      rot = product(rotation[parent], tree.turn[body])
    for joint in np.flatnonzero(model.jnt_bodyid == body):
      pos, rot, point, line = _move(model, joint, qpos, pos, rot)
      anchor.append(point)
      axis.append(line)
    pos, rot = _settle(pos, rot)
    position.append(pos)
    rotation.append(rot)
  return Poses(*map(jnp.stack, (position, rotation, anchor, axis)))


def geom_poses(tree: Tree, poses: Poses, geom_ids) -> tuple:
  """Returns poses of geoms in the world, `[G, 3]` and `[G, 3, 3]`."""
  body = tree.model.geom_bodyid[geom_ids]
  rotation = poses.rotation[body]
  offset = np.float32(tree.model.geom_pos[geom_ids])
  position = poses.position[body] + turned(rotation, offset)
  return position, product(rotation, tree.shape[geom_ids])


def multiply(one: jax.Array, two: jax.Array) -> jax.Array:
  """Returns the product of two quaternions wxyz `[4]`."""
  (w, v), (x, u) = (one[0], one[1:]), (two[0], two[1:])
  vector = w * u + x * v + jnp.cross(v, u)
  return jnp.concatenate([(w * x - v @ u)[None], vector])


def quaternion(rotation: jax.Array) -> jax.Array:
  """Returns a quaternion wxyz `[4]` of a rotation `[3, 3]`, of either sign.

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
  """Returns a body's pose after its joint, and the joint's anchor and axis."""
  place = model.jnt_qposadr[joint]
  kind = model.jnt_type[joint]
  if kind == FREE:
    pos = qpos[place : place + 3]
    rot = _rotation(qpos[place + 3 : place + 7])
    return pos, rot, pos, jnp.array([0.0, 0.0, 1.0])
  local = np.float32(model.jnt_axis[joint])
  line = turned(rot, local)
  amount = qpos[place] - np.float32(model.qpos0[place])
  if kind == SLIDE:
    return pos + amount * line, rot, pos, line
  skew = np.cross(np.eye(3), local).astype(np.float32)
  turn = jnp.sin(amount) * skew + (1 - jnp.cos(amount)) * (skew @ skew)
  return pos, product(rot, np.eye(3, dtype=np.float32) + turn), pos, line


def _rotation(quat):
  """Returns the rotation matrix of a unit quaternion `[4]`."""
  w, x, y, z = quat
  rows = (
    (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
    (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
    (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
  )
  return jnp.stack([jnp.stack(row) for row in rows])


def _settle(*arrays):
  """Computes `arrays` once on a CPU.

  There XLA would compute them again for every body further down the chain
  (jax-ml/jax#33761).
  """
  if jax.default_backend() != "cpu":
    return arrays
  return jax.lax.optimization_barrier(arrays)


def turned(matrix, vector):
  """Returns `[..., 3, 3]` times `[..., 3]`, elementwise so that it fuses."""
  return jnp.sum(matrix * vector[..., None, :], axis=-1)


def product(one, two):
  """Returns `[..., 3, 3]` times `[..., 3, 3]`, elementwise so that it fuses."""
  return jnp.sum(one[..., :, :, None] * two[..., None, :, :], axis=-2)

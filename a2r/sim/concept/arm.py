"""The Panda's kinematics: joints to the flange's pose and back; pure.

Arrays are batched: joints `[..., 7]` in radians, positions `[..., 3]` in
meters, quaternions `[..., 4]`.
"""

import functools
import importlib.resources
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.sim.concept import rotations

# The first frame of Concept2Robot's recordings (configs/init/q.npy).
HOME = np.float32([1.1743, -1.0756, -1.6988, -1.7458, 0.1249, 1.4709, 1.2842])
# Its start of task 46, the hand above the table, pointing down.
RAISED = np.float32([-1.3027, -1.21, 0.7952, -2.1186, 0.8972, 1.0616, -0.3452])
NUM_JOINTS = 7
_FROM_LIMITS = 0.02  # Radians that solutions keep from the joints' ranges.
_FAR = 0.3  # The longest error (m and rad together) that a step goes after.
_REST = 0.1  # Share of the way to the rest pose that a step takes.


class Flange(NamedTuple):
  """Where the flange is, and how the joints move it."""

  position: jax.Array  # `[..., 3]`.
  quat: jax.Array  # `[..., 4]`.
  jacobian: jax.Array  # `[..., 6, 7]`: of position, then of rotation vector.


@functools.cache
def make_spec() -> mujoco.MjSpec:
  """Returns the robot's MJCF; copy it before changing it."""
  file = importlib.resources.files(__package__) / "robot.xml"
  return mujoco.MjSpec.from_string(file.read_text(encoding="utf-8"))


@functools.cache
def _chain():
  """Frames of links 1 to 7 and the flange in their parents, and the limits."""
  model = make_spec().copy().compile()
  links = [*(f"link{i + 1}" for i in range(NUM_JOINTS)), "flange"]
  rows = [model.body(name).id for name in links]
  low, high = np.float32(model.jnt_range[:NUM_JOINTS]).T
  frames = np.float32(model.body_pos[rows]), np.float32(model.body_quat[rows])
  return *frames, low + _FROM_LIMITS, high - _FROM_LIMITS


def forward(joints: jax.Array) -> Flange:
  """Returns the flange's pose and Jacobian."""
  offsets, turns, _, _ = _chain()
  position = jnp.zeros((*joints.shape[:-1], 3))
  quat = jnp.zeros((*joints.shape[:-1], 4)).at[..., 0].set(1.0)
  axes, anchors = [], []
  for link, (offset, turn) in enumerate(zip(offsets, turns, strict=True)):
    rotation = rotations.matrix(quat)
    position = position + jnp.einsum("...ij,j->...i", rotation, offset)
    quat = rotations.multiply(quat, jnp.broadcast_to(turn, quat.shape))
    if link == NUM_JOINTS:
      break
    axes.append(rotations.matrix(quat)[..., 2])
    anchors.append(position)
    about_z = joints[..., link, None] * np.float32([0, 0, 1])
    quat = rotations.multiply(quat, rotations.from_vector(about_z))
  linear = [
    jnp.cross(a, position - p) for a, p in zip(axes, anchors, strict=True)
  ]
  jacobian = jnp.concatenate([jnp.stack(linear, -1), jnp.stack(axes, -1)], -2)
  return Flange(position, quat, jacobian)


def solve(
  joints: jax.Array,
  position: jax.Array,
  quat: jax.Array,
  *,
  num_steps: int,
  damping: float,
  rest: jax.Array | None = None,
) -> jax.Array:
  """Returns joints that bring the flange to a pose, or near it.

  Damped least squares (Buss, "Introduction to Inverse Kinematics with Jacobian
  Transpose, Pseudoinverse and Damped Least Squares Methods", 2004), within the
  joints' ranges.

  Args:
    joints: to start from.
    position: of the flange.
    quat: of the flange.
    num_steps: of the iteration.
    damping: in meters and radians; the larger the tamer near singular poses.
    rest: joints that are sought where the pose leaves a choice.
  """
  _, _, low, high = _chain()

  def step(joints, _):
    found = forward(joints)
    turn = rotations.multiply(quat, rotations.conjugate(found.quat))
    error = jnp.concatenate(
      [position - found.position, rotations.to_vector(turn)], axis=-1
    )
    size = jnp.linalg.norm(error, axis=-1, keepdims=True)
    error = error * jnp.minimum(1.0, _FAR / (size + 1e-9))
    wish = 0.0 if rest is None else _REST * (rest - joints)
    toward = error - jnp.einsum(
      "...ki,...i->...k", found.jacobian, wish + 0 * joints
    )
    square = jnp.einsum("...ki,...li->...kl", found.jacobian, found.jacobian)
    square = square + damping**2 * jnp.eye(6)
    weights = jnp.linalg.solve(square, toward[..., None])[..., 0]
    change = wish + jnp.einsum("...ki,...k->...i", found.jacobian, weights)
    return jnp.clip(joints + change, low, high), None

  return jax.lax.scan(step, joints, None, length=num_steps)[0]


def follow(joints: jax.Array, positions: jax.Array, quats: jax.Array):
  """Returns joints `[T, ..., 7]` along a path of the flange.

  Args:
    joints: `[..., 7]` before its first pose.
    positions: `[T, ..., 3]`.
    quats: `[T, ..., 4]`.
  """

  def step(joints, pose):
    joints = solve(joints, *pose, num_steps=4, damping=0.05)
    return joints, joints

  return jax.lax.scan(step, joints, (positions, quats))[1]

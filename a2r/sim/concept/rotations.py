"""Rotations as unit quaternions wxyz, batched; pure.

Arrays are `[..., 4]` for quaternions, `[..., 3]` for vectors.
"""

import jax
import jax.numpy as jnp
import numpy as np

_EPS = 1e-16  # Square radians: the derivative at no turn is finite.


def multiply(one: jax.Array, two: jax.Array) -> jax.Array:
  """Returns the turn by `two` and then by `one`."""
  (w, v), (x, u) = ((q[..., :1], q[..., 1:]) for q in (one, two))
  scalar = w * x - jnp.sum(v * u, axis=-1, keepdims=True)
  return jnp.concatenate([scalar, w * u + x * v + jnp.cross(v, u)], axis=-1)


def conjugate(quat: jax.Array) -> jax.Array:
  """Returns the turn back."""
  return quat * np.float32([1, -1, -1, -1])


def matrix(quat: jax.Array) -> jax.Array:
  """Returns `[..., 3, 3]`, from local to world coordinates."""
  w, x, y, z = jnp.moveaxis(quat, -1, 0)
  rows = (
    (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
    (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
    (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
  )
  return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def from_vector(vector: jax.Array) -> jax.Array:
  """Returns the turn about a vector by its length in radians."""
  angle = jnp.sqrt(jnp.sum(vector**2, axis=-1, keepdims=True) + _EPS)
  axis = vector / angle
  return jnp.concatenate([jnp.cos(angle / 2), axis * jnp.sin(angle / 2)], -1)


def to_vector(quat: jax.Array) -> jax.Array:
  """Returns axis times angle, at most pi radians long."""
  quat = jnp.where(quat[..., :1] < 0, -quat, quat)
  sine = jnp.sqrt(jnp.sum(quat[..., 1:] ** 2, axis=-1, keepdims=True) + _EPS)
  return quat[..., 1:] / sine * 2 * jnp.arctan2(sine, quat[..., :1])


def from_euler(roll: float, pitch: float, yaw: float) -> np.ndarray:
  """Returns `[4]` of the turns about the fixed x, then y, then z; numpy."""
  quat = np.array([1.0, 0.0, 0.0, 0.0])
  for axis, angle in enumerate((roll, pitch, yaw)):
    (w, v), (c, s) = (quat[0], quat[1:]), (np.cos(angle / 2), np.sin(angle / 2))
    turn = s * np.eye(3)[axis]
    quat = np.array([c * w - turn @ v, *(c * v + w * turn + np.cross(turn, v))])
  return quat


def from_axes(z: tuple[float, ...], y: tuple[float, ...]) -> np.ndarray:
  """Returns `[4]` of a frame by its z and, made square to it, its y; numpy."""
  z = np.asarray(z) / np.linalg.norm(z)
  y = np.asarray(y) - z * (z @ y)
  y /= np.linalg.norm(y)
  m = np.stack([np.cross(y, z), y, z], axis=1)
  w = np.sqrt(np.maximum(1 + np.trace(m), 0)) / 2
  if w > 1e-3:
    off = (m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1])
    return np.array([w, *(np.array(off) / (4 * w))])
  # Half a turn: the axis is an eigenvector.
  _, vectors = np.linalg.eigh(m)
  return np.array([0.0, *vectors[:, 2]])

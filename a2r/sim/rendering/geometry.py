"""Shapes in the world, as MuJoCo describes them, and rotations.

Letters: G geoms. Lengths are in meters, angles in radians.
"""

import flax
import jax
import jax.numpy as jnp

PLANE, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX = 0, 2, 3, 4, 5, 6


@flax.struct.dataclass
class Geoms:
  """Shapes in world coordinates; their types are a static tuple beside them."""

  position: jax.Array  # `[G, 3]` centers.
  rotation: jax.Array  # `[G, 3, 3]` from local to world coordinates.
  size: jax.Array  # `[G, 3]` MuJoCo's half sizes (radius, half length).
  rgb: jax.Array  # `[G, 3]` colors in [0, 1].
  pattern: jax.Array | None = None  # `[G]` grain in [0, 1]; None: all plain.
  shine: jax.Array | None = None  # `[G]` highlight in [0, 1]; None: no shine.


def align_z(axis: jax.Array) -> jax.Array:
  """Returns rotations `[..., 3, 3]` whose third column is `axis` `[..., 3]`."""
  z = unit(axis)
  helper = jnp.where(
    jnp.abs(z[..., 2:]) > 0.9,
    jnp.array([0.0, 1.0, 0.0]),
    jnp.array([0.0, 0.0, 1.0]),
  )
  x = unit(jnp.cross(helper, z))
  return jnp.stack([x, jnp.cross(z, x), z], axis=-1)


def rotation_about_z(angle: jax.Array) -> jax.Array:
  """Returns rotations `[..., 3, 3]` by `angle` `[...]` radians about z."""
  c, s = jnp.cos(angle), jnp.sin(angle)
  zero, one = jnp.zeros_like(c), jnp.ones_like(c)
  rows = [[c, -s, zero], [s, c, zero], [zero, zero, one]]
  return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_about(axis: jax.Array, angle: jax.Array) -> jax.Array:
  """Returns `[3, 3]`, by `angle` radians about the unit vector `axis` `[3]`."""
  x, y, z = axis
  cross = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
  return (
    jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * cross @ cross
  )


def unit(vector: jax.Array, eps: float = 1e-9) -> jax.Array:
  """Returns `vector` `[..., 3]` at length 1."""
  return vector / (jnp.linalg.norm(vector, axis=-1, keepdims=True) + eps)

"""A pinhole camera and its rays.

It looks along its own -z with +y up, as MuJoCo's do.
"""

import flax
import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.rendering import geometry


@flax.struct.dataclass
class Camera:
  """A pinhole camera."""

  position: jax.Array  # `[3]` in world coordinates.
  rotation: jax.Array  # `[3, 3]`, columns right, up and backward.
  fovy: jax.Array  # `[]` vertical field of view in degrees.


def look_at(position: jax.Array, target: jax.Array, roll=0.0) -> jax.Array:
  """Returns the rotation `[3, 3]` of a camera that looks at a target.

  Args:
    position: `[3]`; must not lie straight above or below the target.
    target: `[3]`.
    roll: angle about the viewing axis in radians.
  """
  back = geometry.unit(position - target)
  right = geometry.unit(jnp.cross(jnp.array([0.0, 0.0, 1.0]), back))
  up = jnp.cross(back, right)
  c, s = jnp.cos(roll), jnp.sin(roll)
  return jnp.stack([c * right + s * up, c * up - s * right, back], axis=-1)


def rays(height: int, width: int, fovy: jax.Array):
  """Returns the pixels' directions in the camera's frame.

  Args:
    height, width: H and W in pixels, P = H * W.
    fovy: `[...]` degrees.

  Returns:
    x and y `[..., P]`, and -1.0: their length along the viewing axis is 1.
  """
  half = jnp.tan(jnp.deg2rad(fovy) / 2)[..., None]
  y = 1.0 - 2.0 * (np.arange(height) + 0.5) / height
  x = (2.0 * (np.arange(width) + 0.5) / width - 1.0) * width / height
  x, y = np.meshgrid(x, y)
  return half * np.float32(x.ravel()), half * np.float32(y.ravel()), -1.0

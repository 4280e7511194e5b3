"""Records of what the renderer draws: shapes, a camera, a light.

Letters: G geoms, P pixels, H W image height and width. Lengths are in meters,
angles of the camera in degrees. Conventions are MuJoCo's: half sizes, a camera
that looks along its own -z with +y up.
"""

import flax
import jax
import jax.numpy as jnp

PLANE, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX = 0, 2, 3, 4, 5, 6


@flax.struct.dataclass
class Geoms:
  """Shapes in world coordinates; their types are a static tuple beside them.

  Attributes:
    position: `[G, 3]` centers.
    rotation: `[G, 3, 3]` matrices from local to world coordinates.
    size: `[G, 3]` MuJoCo half sizes (radius first, half length second).
    rgb: `[G, 3]` colors in [0, 1].
    pattern: `[G]` strength of the procedural grain in [0, 1]; 0 is plain.
    shine: `[G]` strength of the highlight in [0, 1], or None for none at all.
  """

  position: jax.Array
  rotation: jax.Array
  size: jax.Array
  rgb: jax.Array
  pattern: jax.Array
  shine: jax.Array | None = None


@flax.struct.dataclass
class Camera:
  """A pinhole camera.

  Attributes:
    position: `[3]` in world coordinates.
    rotation: `[3, 3]`, columns right, up and backward.
    fovy: `[]` vertical field of view in degrees.
  """

  position: jax.Array
  rotation: jax.Array
  fovy: jax.Array


@flax.struct.dataclass
class Light:
  """One directional light, a headlight at the camera, and the sky.

  Attributes:
    direction: `[3]` unit vector along which the light travels.
    ambient: `[]` share of color seen without any light.
    headlight: `[]` strength of the light at the camera.
    diffuse: `[]` strength of the directional light, which casts shadows.
    sky: `[3]` color where no ray hits.
    specular: `[]` strength of the directional light's highlights.
  """

  direction: jax.Array
  ambient: jax.Array
  headlight: jax.Array
  diffuse: jax.Array
  sky: jax.Array
  specular: jax.Array | float = 0.0


def look_at(position: jax.Array, target: jax.Array, roll=0.0) -> jax.Array:
  """Rotation `[3, 3]` of a camera at `position` `[3]` facing `target` `[3]`.

  Args:
    position: `[3]`; must not lie straight above or below the target.
    target: `[3]`.
    roll: angle about the viewing axis in radians.
  """
  back = _unit(position - target)
  right = _unit(jnp.cross(jnp.array([0.0, 0.0, 1.0]), back))
  up = jnp.cross(back, right)
  c, s = jnp.cos(roll), jnp.sin(roll)
  return jnp.stack([c * right + s * up, c * up - s * right, back], axis=-1)


def align_z(axis: jax.Array) -> jax.Array:
  """A rotation `[..., 3, 3]` whose third column is `axis` `[..., 3]`."""
  z = _unit(axis)
  helper = jnp.where(
    jnp.abs(z[..., 2:]) > 0.9,
    jnp.array([0.0, 1.0, 0.0]),
    jnp.array([0.0, 0.0, 1.0]),
  )
  x = _unit(jnp.cross(helper, z))
  return jnp.stack([x, jnp.cross(z, x), z], axis=-1)


def rotation_about_z(angle: jax.Array) -> jax.Array:
  """Rotations `[..., 3, 3]` by `angle` `[...]` radians about world z."""
  c, s = jnp.cos(angle), jnp.sin(angle)
  zero, one = jnp.zeros_like(c), jnp.ones_like(c)
  rows = [[c, -s, zero], [s, c, zero], [zero, zero, one]]
  return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_about(axis: jax.Array, angle: jax.Array) -> jax.Array:
  """Rotation `[3, 3]` by `angle` radians about the unit vector `axis` `[3]`."""
  x, y, z = axis
  cross = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
  return (
    jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * cross @ cross
  )


def _unit(vector: jax.Array, eps: float = 1e-9) -> jax.Array:
  return vector / (jnp.linalg.norm(vector, axis=-1, keepdims=True) + eps)

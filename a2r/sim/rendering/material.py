"""How light falls on a surface: the light, its reflection, a wooden grain."""

import flax
import jax
import jax.numpy as jnp

SHININESS = 32


@flax.struct.dataclass
class Light:
  """One directional light, a headlight at the camera, and the sky."""

  direction: jax.Array  # `[3]` unit vector along which the light travels.
  ambient: jax.Array  # `[]` share of color seen without any light.
  headlight: jax.Array  # `[]` strength of the light at the camera.
  diffuse: jax.Array  # `[]` of the directional light, which casts shadows.
  sky: jax.Array  # `[3]` color where no ray hits.
  specular: jax.Array | float = 0.0  # `[]` of its highlights.


def highlight(light: Light, normal, view):
  """Returns the light's reflection at full shine, `[...]`.

  Blinn's half-way vector, to the power of `SHININESS`.

  Args:
    light: the light.
    normal, view: unit vectors from the surface, components first.
  """
  half = [view[i] - light.direction[i] for i in range(3)]
  length = sum(h * h for h in half)
  along = sum(h * n for h, n in zip(half, normal, strict=True))
  share = jnp.maximum(along, 0.0) * jax.lax.rsqrt(length + 1e-9)
  return light.specular * share**SHININESS


def grain(x, y, z):
  """Returns a wood-like pattern in [-0.5, 0.5] at local coordinates."""
  wave = 38.0 * (x + z) + 2.5 * jnp.sin(7.0 * y + 3.0 * jnp.sin(5.0 * x))
  return 0.35 * jnp.sin(wave) + 0.15 * jnp.sin(2.7 * wave + 11.0 * y)

"""Where torchvision's RandomResizedCrop cuts.

Letters: B boxes, H W picture.
"""

import jax
import jax.numpy as jnp
import numpy as np

_TRIES = 10  # Boxes drawn before the one in the middle is taken.


def random_boxes(
  rng: jax.Array,
  num_boxes: int,
  picture: tuple[int, int],
  *,
  scale: tuple[float, float],
  ratio: tuple[float, float],
) -> jax.Array:
  """Boxes as torchvision's RandomResizedCrop draws them.

  The share of the area is uniform in `scale`, the logarithm of the ratio
  uniform, the place uniform; a draw that does not fit is drawn again, and after
  ten of these the box is the largest in the middle with a ratio in `ratio`.

  Args:
    rng: key; consumed.
    num_boxes: B.
    picture: H and W.
    scale: the least and the most of the picture's area that a box has.
    ratio: the least and the most of a box's width over its height.

  Returns:
    `[B, 4]` int32: top, left, height, width.

  Raises:
    ValueError: a range that is not rising, or outside (0, 1] for `scale`.
  """
  if not (0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1]):
    raise ValueError(
      "expected 0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1], "
      f"got scale={scale} and ratio={ratio}"
    )
  height, width = picture
  rng_area, rng_ratio, rng_place = jax.random.split(rng, 3)
  shape = (num_boxes, _TRIES)
  area = jax.random.uniform(rng_area, shape, minval=scale[0], maxval=scale[1])
  area = area * height * width
  low, high = np.log(ratio)
  aspect = jnp.exp(
    jax.random.uniform(rng_ratio, shape, minval=low, maxval=high)
  )
  sides = jnp.stack([jnp.sqrt(area / aspect), jnp.sqrt(area * aspect)], -1)
  sides = jnp.round(sides).astype(jnp.int32)
  whole = jnp.array([height, width])
  fits = ((sides > 0) & (sides <= whole)).all(-1)
  first = jnp.argmax(fits, axis=1)
  sides = jnp.take_along_axis(sides, first[:, None, None], axis=1)[:, 0]
  found = fits.any(1)[:, None]
  sides = jnp.where(found, sides, jnp.array(_middle(height, width, ratio)))
  drawn = jax.random.randint(rng_place, sides.shape, 0, whole - sides + 1)
  corner = jnp.where(found, drawn, (whole - sides) // 2)
  return jnp.concatenate([corner, sides], axis=1)


def _middle(height: int, width: int, ratio) -> tuple[int, int]:
  """Height and width of the largest box whose ratio is in `ratio`."""
  low, high = ratio
  if width / height < low:
    return round(width / low), width
  if width / height > high:
    return height, round(height * high)
  return height, width

"""How near predicted pictures are to the true ones: PSNR and SSIM.

LPIPS and FVD, which FitVid reports too, compare features of networks trained
on public pictures and videos; such weights do not come with the project, so
that these two are absent.

Letters: H W picture, C channels; pictures are in [0, 1].
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

_LOWEST_MSE = 1e-10  # Equal pictures: 100 dB.
_FILTER_SIZE, _FILTER_SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def mse_to_psnr(mse: jax.Array) -> jax.Array:
  """Peak signal-to-noise ratio in dB, at most 100."""
  return -10.0 * jnp.log10(jnp.maximum(mse, _LOWEST_MSE))


def psnr(images: jax.Array, others: jax.Array) -> jax.Array:
  """Peak signal-to-noise ratio `[...]` in dB of `[..., H, W, C]` pictures."""
  chex.assert_equal_shape([images, others])
  return mse_to_psnr(jnp.square(images - others).mean(axis=(-3, -2, -1)))


def ssim(images: jax.Array, others: jax.Array) -> jax.Array:
  """Structural similarity `[...]` of `[..., H, W, C]` pictures, 1 if equal.

  Wang et al., "Image Quality Assessment: From Error Visibility to Structural
  Similarity" (2004): a Gaussian window of 11 pixels and deviation 1.5, only
  where it fits, means over places and channels; as `tf.image.ssim`.

  Args:
    images: `[..., H, W, C]`, both sides 11 at least.
    others: the same shape.
  """
  chex.assert_equal_shape([images, others])
  rows, columns = (_window(size) for size in images.shape[-3:-1])

  def blur(x):
    # Squares are subtracted below: TF32's or bfloat16's digits are too few.
    return jnp.einsum(
      "ih,...hwc,jw->...ijc",
      rows,
      x,
      columns,
      precision=jax.lax.Precision.HIGHEST,
    )

  mean, other_mean = blur(images), blur(others)
  product = mean * other_mean
  squares = jnp.square(mean) + jnp.square(other_mean)
  luminance = (2 * product + _C1) / (squares + _C1)
  covariance = blur(images * others) - product
  variances = blur(jnp.square(images) + jnp.square(others)) - squares
  structure = (2 * covariance + _C2) / (variances + _C2)
  return (luminance * structure).mean(axis=(-3, -2, -1))


def _window(size: int) -> np.ndarray:
  """`[size - 10, size]` matrix of the Gaussian window at every place."""
  if size < _FILTER_SIZE:
    raise ValueError(
      f"ssim needs pictures of {_FILTER_SIZE} pixels and more, got {size}"
    )
  offsets = np.arange(_FILTER_SIZE) - _FILTER_SIZE // 2
  weights = np.exp(-0.5 * np.square(offsets / _FILTER_SIGMA))
  weights /= weights.sum()
  places = size - _FILTER_SIZE + 1
  matrix = np.zeros((places, size), np.float32)
  for place in range(places):
    matrix[place, place : place + _FILTER_SIZE] = weights
  return matrix

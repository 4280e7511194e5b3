"""Measures how near predicted pictures are to the true ones: PSNR and SSIM.

LPIPS and FVD, which FitVid reports too, compare features of networks trained
on public pictures and videos; such weights do not come with the project, so
that these two are absent.

Letters: H W picture, C channels; pictures are in [0, 1].
"""

import chex
import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg

_LOWEST_MSE = 1e-10  # Equal pictures: 100 dB.
_WINDOW, _DEVIATION = 11, 1.5


def mse_to_psnr(mse: jax.Array) -> jax.Array:
  """Returns the peak signal-to-noise ratio in dB, at most 100."""
  return -10.0 * jnp.log10(jnp.maximum(mse, _LOWEST_MSE))


def psnr(images: jax.Array, others: jax.Array) -> jax.Array:
  """Returns the PSNR `[...]` in dB of `[..., H, W, C]` pictures."""
  chex.assert_equal_shape([images, others])
  return mse_to_psnr(jnp.square(images - others).mean(axis=(-3, -2, -1)))


def ssim(images: jax.Array, others: jax.Array) -> jax.Array:
  """Returns structural similarity `[...]` of pictures, 1 if equal.

  Wang et al., "Image Quality Assessment: From Error Visibility to Structural
  Similarity" (2004): a Gaussian window of 11 pixels and deviation 1.5, only
  where it fits, means over places and channels; as `tf.image.ssim`.

  Args:
    images: `[..., H, W, C]`, both sides 11 at least.
    others: the same shape.

  Raises:
    ValueError: pictures that the window does not fit into.
  """
  chex.assert_equal_shape([images, others])
  height, width = images.shape[-3:-1]
  if min(height, width) < _WINDOW:  # dm_pix would give some number.
    raise ValueError(
      f"ssim needs pictures of {_WINDOW} pixels, got {height}x{width}"
    )
  weights = np.exp(-0.5 * np.square(np.arange(-5, 6) / _DEVIATION))
  weights = np.float32(weights / weights.sum())
  rows, columns = (
    linalg.convolution_matrix(weights, size - _WINDOW + 1).T
    for size in (height, width)
  )

  def blur(x):
    # Eight times as fast on a CPU as dm_pix's own. Squares are subtracted then:
    # TF32's or bfloat16's digits would be too few.
    return jnp.einsum(
      "ih,...hwc,jw->...ijc",
      rows,
      x,
      columns,
      precision=jax.lax.Precision.HIGHEST,
    )

  flat = (x.reshape(-1, *x.shape[-3:]) for x in (images, others))
  return dm_pix.ssim(*flat, filter_fn=blur).reshape(images.shape[:-3])

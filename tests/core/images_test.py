"""Which frames are taken, and the resize against torchvision."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import images

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
  "num_available, mode, expected",
  [
    (8, "ends", [0, 2, 5, 7]),
    (61, "ends", [0, 20, 40, 60]),
    (4, "ends", [0, 1, 2, 3]),
    (3, "ends", [0, 1, 2, 2]),
    (1, "ends", [0, 0, 0, 0]),
    (8, "middle", [0, 2, 4, 6]),
    (12, "middle", [1, 4, 7, 10]),
    (10, "middle", [0, 3, 5, 8]),  # Segments [0, 2, 5, 7, 10].
    (5, "middle", [0, 1, 2, 3]),  # Segments [0, 1, 2, 3, 5].
    (3, "middle", [0, 1, 2, 2]),
    (1, "middle", [0, 0, 0, 0]),
  ],
)
def test_indices(num_available, mode, expected):
  indices = images.frame_indices(num_available, 4, mode)
  assert indices.dtype == np.int32
  np.testing.assert_array_equal(indices, expected)


def _draw(num_available, times):
  """Four random frames, some times: `[times, 4]`."""
  rng = np.random.default_rng(0)
  draws = [
    images.frame_indices(num_available, 4, "rand", rng) for _ in range(times)
  ]
  return np.array(draws)


def test_every_frame_but_a_segments_last_is_as_likely():
  # Segments [0, 2, 5, 8, 11]: of the first only its first frame is left.
  segments = ([0], [2, 3], [5, 6], [8, 9])
  for column, allowed in zip(_draw(11, 3000).T, segments, strict=True):
    found, counts = np.unique(column, return_counts=True)
    np.testing.assert_array_equal(found, allowed)
    np.testing.assert_allclose(counts / 3000, 1 / len(allowed), atol=0.04)


def test_random_frames_of_a_video_with_a_segment_of_one_frame():
  # Segments [0, 1, 3, 5, 7] leave the first no frame: any four of the seven.
  drawn = _draw(7, 3000)
  assert (np.diff(drawn, axis=1) > 0).all()
  _, counts = np.unique(drawn, return_counts=True)
  np.testing.assert_allclose(counts / 3000, 4 / 7, atol=0.05)


@pytest.mark.parametrize("num_available", [1, 3, 4])
def test_random_frames_of_a_video_of_few_are_all_of_them(num_available):
  expected = np.minimum(np.arange(4), num_available - 1)
  np.testing.assert_array_equal(_draw(num_available, 1)[0], expected)


@pytest.mark.parametrize(
  "arguments, name",
  [((8, 4, "all"), "'all'"), ((0, 4), "video of 0"), ((8, 4, "rand"), "rng")],
)
def test_errors(arguments, name):
  with pytest.raises(ValueError, match=name):
    images.frame_indices(*arguments)


@pytest.mark.parametrize("size", [32, 64])
def test_resize_equals_torchvision(size):
  with np.load(GOLDEN / "singularity_tiny.npz") as arrays:
    golden = {k: arrays[k] for k in arrays if k.startswith("aux/resize/")}
  pictures = golden["aux/resize/in_uint8"].transpose(0, 2, 3, 1)
  resized = images.resize(pictures, size)
  assert resized.dtype == jnp.uint8
  expected = golden[f"aux/resize/out{size}_uint8"].transpose(0, 2, 3, 1)
  np.testing.assert_array_equal(resized, expected)
  expected = golden[f"aux/resize/out{size}_normalised"].transpose(0, 2, 3, 1)
  np.testing.assert_allclose(images.normalize(resized), expected, atol=2e-7)


@pytest.mark.parametrize(
  "size", [(3, 8), (8, 8), (9, 31), (32, 33), (250, 70), (1, 999)]
)
def test_picked_pixels_resize_as_the_picture(size):
  picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
  picked, rows, columns = images.pick([picture, picture], 8)
  assert {*picked.shape[1:3]} <= {8, 16, 32}
  resized = images.resize_by(picked, rows, columns)
  expected = images.resize(picture, 8)
  np.testing.assert_array_equal(resized, [expected, expected])


def test_weights_between_two_pixels():
  # Twice as many pixels: a quarter past and a quarter before each center.
  # Keys' kernel with a = -0.75 at 1.25, 0.25, 0.75 and 1.75.
  weights = [-0.10546875, 0.87890625, 0.26171875, -0.03515625]
  _, found = images.bicubic_taps(8, 16)
  np.testing.assert_allclose(found[1], weights)
  np.testing.assert_allclose(found[2], weights[::-1])
  # At the border the last pixel stands for those beyond it.
  matrix = images.bicubic_matrix(8, 16)
  np.testing.assert_allclose(matrix[1, :3], [sum(weights[:2]), *weights[2:]])
  np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)


def test_same_size_is_the_identity():
  clip = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(1, 2, 8, 8, 3)
  np.testing.assert_array_equal(images.resize(clip, 8), clip)
  np.testing.assert_array_equal(images.bicubic_matrix(6, 6), np.eye(6))


def test_shared_arrays_cannot_be_written_to():
  for array in (*images.bicubic_taps(4, 8), images.bicubic_matrix(4, 8)):
    with pytest.raises(ValueError, match="read-only"):
      array[:] = 0


def test_patches_hold_their_pixels_row_by_row():
  pictures = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
  folded = images.fold_patches(pictures, 2)
  assert folded.shape == (2, 2, 3, 12)
  np.testing.assert_array_equal(folded[1, 0, 1], pictures[1, :2, 2:4].ravel())
  np.testing.assert_array_equal(images.unfold_patches(folded, 2), pictures)

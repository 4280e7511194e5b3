"""Files of arrays: any layout comes back, what is damaged does not."""

import numpy as np
import pytest

from a2r.core import tensors
from tests import tiny


@pytest.mark.parametrize(
  "array",
  [
    np.arange(6.0, dtype=np.float32).reshape(2, 3).T,
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(8, dtype=np.float32)[::2],
    np.broadcast_to(np.float32(2), (3,)),
    np.float32(2),
  ],
)
def test_an_array_of_any_layout_comes_back(tmp_path, array):
  path = tmp_path / "a.safetensors"
  tensors.save(path, {"x": array}, {"what": "test"})
  np.testing.assert_array_equal(tensors.load(path)["x"], array, strict=True)
  assert tensors.load_metadata(path) == {"what": "test"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(tmp_path, value):
  path = tmp_path / "a.safetensors"
  tensors.save(path, {"fine": np.ones(2), "x": np.float32([1, value])})
  with pytest.raises(ValueError, match=r"a\.safetensors: 1 of 2 values of x"):
    tensors.load(path)
  # A sum may overflow where no term does.
  large = np.full(4, 3e38, np.float32)
  tensors.save(path, {"x": large})
  np.testing.assert_array_equal(tensors.load(path)["x"], large)


@pytest.mark.parametrize("at", [0, 7, 8, 20, 0.5, -1])
def test_a_flipped_bit_is_named(tmp_path, at):
  path = tmp_path / "a.safetensors"
  tensors.save(path, {"x": np.arange(50, dtype=np.float32)})
  tiny.flip(path, at)
  with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
    tensors.load(path)

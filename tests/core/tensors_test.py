"""Files of arrays: any layout comes back, what is damaged does not."""

import io
import json
import struct
import zipfile

import jax.numpy as jnp
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
    np.arange(6, dtype=np.float32)[::-1],
    np.zeros((0, 3), np.float32),
    np.arange(6).reshape(2, 3).astype(jnp.bfloat16).T,
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
  tensors.save(path, {"x": np.array([1, value], jnp.bfloat16)})
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


@pytest.mark.parametrize(
  "size, head",
  [
    (1 << 62, {}),
    (None, {"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}}),
    (
      None,
      {"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}},
    ),
    (None, {"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}),
    (
      None,
      {"x": {"dtype": "F32", "shape": [1 << 62] * 2, "data_offsets": [0, 4]}},
    ),
    (None, {"x": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}),
  ],
)
def test_a_head_asks_for_no_more_memory_than_there_is(tmp_path, size, head):
  path, text = tmp_path / "a.safetensors", json.dumps(head).encode()
  path.write_bytes(struct.pack("<Q", size or len(text)) + text + bytes(4))
  with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
    tensors.load(path)
  with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
    tensors.load_metadata(path)


def _npz(path, shape, size):
  """Writes an .npz whose one array states a shape and has `size` zeros."""
  head = io.BytesIO()
  fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
  np.lib.format.write_array_header_1_0(head, fields)
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a.npy", head.getvalue() + bytes(size))


def test_an_npz_asks_for_no_more_memory_than_it_should(tmp_path, monkeypatch):
  path = tmp_path / "a.npz"
  _npz(path, (100,), 100)
  assert tensors.load_npz(path)["a"].tolist() == [0] * 100
  for shape in ((101,), (1 << 50,), (1 << 70,)):
    _npz(path, shape, 100)
    with pytest.raises(ValueError, match="a.npz is damaged"):
      tensors.load_npz(path)
  monkeypatch.setattr(tensors, "MAX_BYTES", 1000)
  _npz(path, (5000,), 5000)
  assert path.stat().st_size < 1000
  with pytest.raises(ValueError, match="unpacks to 5128 bytes"):
    tensors.load_npz(path)
  for place in (tmp_path, tmp_path / "none.npz"):  # Not damaged.
    with pytest.raises(OSError):
      tensors.load_npz(place)
  np.savez(path, a=np.array([{}], object))
  with pytest.raises(ValueError, match="a.npz is damaged"):
    tensors.load_npz(path)

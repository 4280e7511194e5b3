"""Files that PyTorch wrote, and files that lie."""

import argparse
import collections
import io
import pathlib
import pickle
import resource
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.numpy

from a2r.core import torch_file

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NUMBERS = np.arange(12, dtype=np.float32)


class _Global(NamedTuple):
  """Pickled as the name of something in a module."""

  module: str
  name: str


class _Storage(NamedTuple):
  """Pickled as a reference to numbers in the archive."""

  kind: str
  key: str
  size: int


class _Call(NamedTuple):
  """Pickled as a call of a name."""

  function: _Global
  args: tuple[Any, ...]


class _Pickler(pickle._Pickler):
  """Python's own pickler, which can be told to write any name."""

  def persistent_id(self, obj):
    if isinstance(obj, _Storage):
      return "storage", _Global("torch", obj.kind), obj.key, "cpu", obj.size
    return None

  def save(self, obj, save_persistent_id=True):
    if isinstance(obj, _Global):
      self.write(f"c{obj.module}\n{obj.name}\n".encode())
    elif isinstance(obj, _Call):
      self.save(obj.function)
      self.save(obj.args)
      self.write(pickle.REDUCE)
    else:
      super().save(obj, save_persistent_id)


def call(module, name, *args):
  return _Call(_Global(module, name), args)


def write(path, value, storage=b"", method=zipfile.ZIP_STORED, order=None):
  """Writes an archive as `torch.save` does."""
  stream = io.BytesIO()
  _Pickler(stream, protocol=2).dump(value)
  with zipfile.ZipFile(path, "w", method) as archive:
    archive.writestr("archive/data.pkl", stream.getvalue())
    archive.writestr("archive/data/0", storage)
    if order:
      archive.writestr("archive/byteorder", order)
  return path


def tensor(size, stride, *, offset=0, kind="FloatStorage", key="0", count=12):
  storage = _Storage(kind, key, count)
  args = (storage, offset, size, stride, False, collections.OrderedDict())
  return call("torch._utils", "_rebuild_tensor_v2", *args)


def assert_refused(path, name=""):
  """One line that names the file, what was expected and why it is not that."""
  with pytest.raises(ValueError, match=name or None) as error:
    torch_file.load(path)
  message = str(error.value)
  assert str(path) in message and "file of torch.save" in message
  assert "\n" not in message


def test_published_layout_equals_the_arrays_it_was_made_from():
  stored = torch_file.load(GOLDEN / "singularity_tiny.pth")
  assert (stored["epoch"], stored["scaler"]["scale"]) == (9, 65536.0)
  assert "DictConfig, not loaded" in repr(stored["config"])
  assert stored["optimizer"]["state"][0]["exp_avg"].shape == (2, 3)
  with np.load(GOLDEN / "singularity_tiny.npz") as golden:
    keys = [k.removeprefix("sd/") for k in golden if k.startswith("sd/")]
    assert list(stored["model"]) == keys
    for key in keys:
      actual, expected = stored["model"][key], golden[f"sd/{key}"]
      assert actual.dtype == expected.dtype
      np.testing.assert_array_equal(actual, expected)


def test_tied_arrays_of_half_precision_share_memory():
  state = torch_file.load(GOLDEN / "singularity_tiny_pretrain.pth")["model"]
  words = state["text_encoder.bert.embeddings.word_embeddings.weight"]
  shared = state["text_encoder.cls.predictions.decoder.weight"]
  assert words.dtype == np.float16
  assert np.shares_memory(words, shared)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_strides_and_offsets(tmp_path, method):
  value = {
    "rows": tensor((2, 3), (3, 1), offset=6),
    "turned": tensor((4, 3), (1, 4)),
    "spread": tensor((2, 3), (0, 1), offset=9),
    "scalar": tensor((), (), offset=11),
    "empty": tensor((0, 3), (3, 1)),
  }
  path = write(tmp_path / "x.pth", value, NUMBERS.tobytes(), method)
  stored = torch_file.load(path)
  np.testing.assert_array_equal(stored["rows"], [[6, 7, 8], [9, 10, 11]])
  np.testing.assert_array_equal(stored["turned"], NUMBERS.reshape(3, 4).T)
  np.testing.assert_array_equal(stored["spread"], [[9, 10, 11]] * 2)
  assert stored["scalar"] == 11
  assert stored["empty"].shape == (0, 3)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", sorted(torch_file._STORAGES))
def test_types(tmp_path, kind, order):
  numbers = np.array([0, 1, 3]).astype(torch_file._STORAGES[kind])
  data = numbers.astype(numbers.dtype.newbyteorder("<>"[order == "big"]))
  value = {"x": tensor((3,), (1,), kind=kind, count=3)}
  path = write(tmp_path / "x.pth", value, data.tobytes(), order=order)
  stored = torch_file.load(path)["x"]
  assert stored.dtype == data.dtype
  np.testing.assert_array_equal(stored, numbers)


def test_other_objects_are_not_made(tmp_path):
  value = {
    "args": argparse.Namespace(lr=0.1),
    "table": collections.defaultdict(list, {"a": [1]}),
    "queue": call("collections", "deque", [1, 2]),
    "names": {"a", "b"},
    "long": call("__builtin__", "long", 5),
  }
  stored = torch_file.load(write(tmp_path / "x.pth", value))
  for name in ("args", "table", "queue"):
    assert isinstance(stored[name], torch_file.Placeholder)
  assert "collections.deque" in repr(stored["queue"])
  assert (stored["names"], stored["long"]) == ({"a", "b"}, 5)


@pytest.mark.parametrize(
  "module, name",
  [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("__builtin__", "getattr"),
    ("subprocess", "Popen"),
    ("torch", "load"),
    ("torch._utils", "os.system"),
    ("collections", "OrderedDict.__init__.__globals__"),
    ("nowhere", "Config"),
  ],
)
def test_code_is_not_run(tmp_path, module, name):
  trace = tmp_path / "trace"
  code = call(module, name, f"touch {trace}")
  value = {"model": {"x": tensor((12,), (1,)), "y": code}}
  path = write(tmp_path / "x.pth", value, NUMBERS.tobytes())
  stored = torch_file.load(path)["model"]
  np.testing.assert_array_equal(stored["x"], NUMBERS)
  assert isinstance(stored["y"], torch_file.Placeholder)
  assert not trace.exists()


@pytest.mark.parametrize(
  "value",
  [
    tensor((3, 5), (5, 1)),
    tensor((2,), (1,), offset=-1),
    tensor((2,), (-1,), offset=3),
    tensor((2, 2), (1,)),
    tensor((1 << 30, 1 << 30), (0, 0)),
    tensor((2,), (1,), count=11),
    tensor((2,), (1,), key="1"),
    tensor((2,), (1,), kind="BoolStorage"),
    call("torch._utils", "_rebuild_tensor_v2", "text", 0, (1,), (1,)),
    call("torch._utils", "_rebuild_tensor_v2"),
    call("__builtin__", "int", "x"),
  ],
)
def test_what_does_not_fit_is_one_line(tmp_path, value):
  path = write(tmp_path / "x.pth", {"x": value}, NUMBERS.tobytes())
  assert_refused(path)


def test_safetensors(tmp_path):
  path = tmp_path / "x.safetensors"
  safetensors.numpy.save_file({"x": NUMBERS}, path)
  np.testing.assert_array_equal(torch_file.load(path)["x"], NUMBERS)


@pytest.mark.parametrize(
  "data, name",
  [
    (b"", "b''"),
    (b"version https://git-lfs.github.com/spec/v1\n", "b'version"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "1.6 and later"),
    (b"PK\x03\x04 and no more", "b'PK"),
    (struct.pack("<Q", 9) + b"{damaged}", "safetensors"),
    ((GOLDEN / "singularity_tiny.pth").read_bytes()[:5000], "zip"),
  ],
)
def test_other_files_are_named(tmp_path, data, name):
  (tmp_path / "x.pth").write_bytes(data)
  assert_refused(tmp_path / "x.pth", name)


def test_other_archives_and_paths_are_named(tmp_path):
  path = tmp_path / "x.pth"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("readme.txt", "no weights")
  assert_refused(path)
  assert_refused(write(path, [1]), "list")
  assert_refused(tmp_path, "folder")
  with pytest.raises(FileNotFoundError):
    torch_file.load(tmp_path / "none.pth")


@pytest.mark.parametrize(
  "code, name",
  [
    # Object 2**24 of those to come back to.
    (b"N" + pickle.LONG_BINPUT + struct.pack("<I", 2**24) + b".", "NoneType"),
    (pickle.BYTEARRAY8 + struct.pack("<Q", 2**28) + b".", ""),
    (pickle.BINBYTES8 + struct.pack("<Q", 2**40) + b".", ""),
  ],
)
def test_a_damaged_pickle_takes_no_memory(tmp_path, code, name):
  path = tmp_path / "x.pth"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("archive/data.pkl", pickle.PROTO + b"\x02" + code)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  assert_refused(path, name)
  after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  assert 1024 * (after - before) < 2**26

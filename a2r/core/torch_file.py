"""Files that PyTorch wrote, read without PyTorch and without running code.

`torch.save` writes a zip archive: a pickle of everything but the numbers, and
the numbers of every tensor as one member. This is the format since PyTorch
1.6: https://pytorch.org/docs/stable/notes/serialization.html.

A pickle names the functions that rebuild its objects, and can name any. Here
tensors and plain values are rebuilt; every other name becomes a `Placeholder`
that imports nothing and runs nothing.
"""

import collections
import functools
import io
import math
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import safetensors.numpy

from a2r.core import checks

_STORAGES = {
  "DoubleStorage": np.float64,
  "FloatStorage": np.float32,
  "HalfStorage": np.float16,
  "BFloat16Storage": ml_dtypes.bfloat16,
  "ComplexFloatStorage": np.complex64,
  "ComplexDoubleStorage": np.complex128,
  "LongStorage": np.int64,
  "IntStorage": np.int32,
  "ShortStorage": np.int16,
  "CharStorage": np.int8,
  "ByteStorage": np.uint8,
  "BoolStorage": np.bool_,
}
_PLAIN = (bool, complex, dict, float, frozenset, int, list, set, str, tuple)
_CLASSES = {f"builtins.{kind.__name__}": kind for kind in _PLAIN} | {
  "builtins.long": int,
  "builtins.unicode": str,
  "collections.OrderedDict": collections.OrderedDict,
  "torch.Size": tuple,
}
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_MAX_SPREAD = 1 << 20  # Numbers of a tensor that has fewer of its own.


class Placeholder:
  """Stands for an object of a file that is not loaded, and does nothing."""

  name = ""

  def __init__(self, *args, **kwargs):
    pass

  def _ignore(self, *args):
    pass

  # What a pickle may do to an object that it has made.
  __setstate__ = __setitem__ = append = add = extend = _ignore

  def __repr__(self):
    return f"<{self.name}, not loaded>"


def load(path: str | pathlib.Path) -> dict[str, Any]:
  """Returns the dict that a .pth, .pt, .bin or .safetensors file holds.

  Its tensors are numpy arrays.

  Raises:
    ValueError: it is another kind of file, or damaged.
    OSError: it cannot be read.
  """
  path = checks.path(path)
  expected = f"{path} is not a whole file of torch.save (1.6 and later) or "
  expected += "safetensors with a dict of tensors"
  if path.is_dir():
    raise ValueError(f"{expected}: it is a folder")
  with open(path, "rb") as stream:
    head = stream.read(9)
  try:
    if head[8:] == b"{":
      return safetensors.numpy.load_file(path)
    with zipfile.ZipFile(path) as archive:
      value = _load_archive(archive)
  # What a damaged pickle raises can be anything; that of a name it asks for,
  # nothing, for nothing is called.
  except Exception as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ValueError(
      f"{expected}: {reason} (it begins with {head!r})"
    ) from error
  if not isinstance(value, dict):
    raise ValueError(f"{expected}: it holds a {type(value).__name__}")
  return value


def _load_archive(archive: zipfile.ZipFile) -> Any:
  """The object that an archive of `torch.save` holds."""
  names = archive.namelist()
  (pickled,) = [name for name in names if name.endswith("/data.pkl")]
  folder = pickled.removesuffix("data.pkl")
  order = f"{folder}byteorder"
  big = order in names and archive.read(order) == b"big"

  def read_storage(kind, key, size):
    dtype = np.dtype(_STORAGES[kind]).newbyteorder(">" if big else "<")
    name = f"{folder}data/{key}"
    # Its size is known before memory is asked for.
    num_bytes = archive.getinfo(name).file_size
    if num_bytes != size * dtype.itemsize:
      raise ValueError(f"{name} has {num_bytes} bytes, not {size} {dtype}")
    return np.frombuffer(archive.read(name), dtype)

  return _Unpickler(io.BytesIO(archive.read(pickled)), read_storage).load()


# Python's own unpickler: the one in C makes room for as many objects as a
# damaged file says it has.
class _Unpickler(pickle._Unpickler):
  """Rebuilds tensors and plain values; all else becomes placeholders.

  A pickle may set attributes of what it gets: it gets nothing that others have.
  """

  # This one makes room before it reads; torch.save writes none.
  dispatch = {
    code: method
    for code, method in pickle._Unpickler.dispatch.items()
    if code != pickle.BYTEARRAY8[0]
  }

  def __init__(
    self,
    stream: io.BytesIO,
    read_storage: Callable[[str, str, int], np.ndarray],
  ):
    super().__init__(stream, encoding="utf-8")
    # Tensors that share their numbers share memory.
    self._read_storage = functools.cache(read_storage)

  def find_class(self, module: str, name: str) -> Any:
    full = f"{_PYTHON_2.get(module, module)}.{name}"
    if full.startswith("torch._utils._rebuild_tensor"):
      return lambda *args: _make_tensor(*args[:4])
    if full.startswith("torch._utils._rebuild_parameter"):
      return lambda data, *_: data
    if module == "torch" and name in _STORAGES:
      return name
    if full in _CLASSES:
      return _CLASSES[full]
    return type("Placeholder", (Placeholder,), {"name": full})

  def persistent_load(self, pid: Any) -> np.ndarray:
    _, kind, key, _, size = pid
    return self._read_storage(kind, key, size)


def _make_tensor(storage, offset, size, stride) -> np.ndarray:
  """The tensor of a storage; a ValueError where it does not fit."""
  num = math.prod(size)
  last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
  fits = not num or last < storage.size
  is_spread = num > max(storage.size, _MAX_SPREAD)  # By strides of zero.
  if min((offset, *size, *stride)) < 0 or not fits or is_spread:
    raise ValueError(
      f"a tensor of shape {list(size)}, strides {list(stride)} at {offset} "
      f"does not fit its {storage.size} numbers"
    )
  if not num:
    return np.zeros(size, storage.dtype)
  return np.lib.stride_tricks.as_strided(
    storage[offset:], size, [s * storage.itemsize for s in stride]
  )

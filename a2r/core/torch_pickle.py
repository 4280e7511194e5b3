"""The pickle in a file of PyTorch, read without running code.

A pickle names the functions that rebuild its objects, and can name any. Here
tensors are rebuilt, settings become inert placeholders, and every other name is
refused.
"""

import collections
import math
import pathlib
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

DTYPES = {
  "float64": np.float64,
  "float32": np.float32,
  "float16": np.float16,
  "bfloat16": ml_dtypes.bfloat16,
  "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
  "float8_e5m2": ml_dtypes.float8_e5m2,
  "complex64": np.complex64,
  "complex128": np.complex128,
  "int64": np.int64,
  "int32": np.int32,
  "int16": np.int16,
  "int8": np.int8,
  "uint64": np.uint64,
  "uint32": np.uint32,
  "uint16": np.uint16,
  "uint8": np.uint8,
  "bool": np.bool_,
}
_STORAGES = {
  "DoubleStorage": "float64",
  "FloatStorage": "float32",
  "HalfStorage": "float16",
  "BFloat16Storage": "bfloat16",
  "ComplexFloatStorage": "complex64",
  "ComplexDoubleStorage": "complex128",
  "LongStorage": "int64",
  "IntStorage": "int32",
  "ShortStorage": "int16",
  "CharStorage": "int8",
  "ByteStorage": "uint8",
  "BoolStorage": "bool",
  "UntypedStorage": "uint8",
}
_PLAIN = {
  "collections.OrderedDict": collections.OrderedDict,
  "torch.Size": tuple,
  "builtins.long": int,
  "builtins.unicode": str,
} | {
  f"builtins.{kind.__name__}": kind
  for kind in (
    bool,
    complex,
    dict,
    float,
    frozenset,
    int,
    list,
    set,
    str,
    tuple,
  )
}
# Objects of these become placeholders. Nothing of them is imported.
_SETTINGS = {
  "addict",
  "argparse",
  "easydict",
  "enum",
  "ml_collections",
  "numpy",
  "omegaconf",
  "pathlib",
  "typing",
  "yacs",
}
_SETTINGS_NAMES = {
  "_codecs.encode",
  "collections.Counter",
  "collections.defaultdict",
  "collections.deque",
  "copyreg._reconstructor",
  "builtins.object",
  "torch.device",
  "types.SimpleNamespace",
}
_BUFFERS = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class Refused(ValueError):
  """A file asks for something that is neither a tensor nor a setting."""


class Placeholder:
  """Holds what a file says of an object, and does nothing with it.

  Attributes:
    args: what it would have been called with.
    state: what it would have been told after that.
    items: what would have been put into it.
  """

  name = ""

  def __new__(cls, *args, **kwargs):
    placeholder = super().__new__(cls)
    placeholder.args = (*args, *kwargs.items())
    placeholder.state = None
    placeholder.items = []
    return placeholder

  def __setstate__(self, state):
    self.state = state

  def __setitem__(self, key, value):
    self.items.append((key, value))

  def append(self, item):
    self.items.append(item)

  def extend(self, items):
    self.items.extend(items)

  def add(self, item):
    self.items.append(item)

  def __repr__(self):
    return f"<{self.name}, not loaded>"


class Unpickler(pickle._Unpickler):
  """Rebuilds tensors, makes placeholders of settings, refuses the rest.

  Python's own, not the one in C: that one makes room for as many objects as a
  damaged file says it has.
  """

  dispatch = {
    code: method
    for code, method in pickle._Unpickler.dispatch.items()
    # These make room before they read; torch.save writes none.
    if code not in b"".join(_BUFFERS)
  }

  def __init__(
    self,
    stream: BinaryIO,
    path: pathlib.Path,
    storage_fn: Callable[[str, str, int], np.ndarray],
  ):
    """Reads a pickle of `torch.save`.

    Args:
      stream: the pickle.
      path: of the file, for errors.
      storage_fn: name, dtype and size of a storage -> its numbers `[size]`.
    """
    super().__init__(stream, encoding="utf-8")
    self._path = path
    self._storage_fn = storage_fn
    self._storages = {}
    # Made anew for every file: a pickle may set attributes of what it got.
    self._rebuild = {
      "_rebuild_tensor": lambda *args: _view(*args[:4]),
      "_rebuild_tensor_v2": lambda *args: _view(*args[:4]),
      "_rebuild_tensor_v3": lambda *args: _view(*args[:4], dtype=args[6]),
      "_rebuild_parameter": lambda data, *_: data,
      "_rebuild_parameter_with_state": lambda data, *_: data,
    }

  def find_class(self, module: str, name: str) -> Any:
    module = _PYTHON_2.get(module, module)
    full = f"{module}.{name}"
    if module == "torch._utils" and name in self._rebuild:
      return self._rebuild[name]
    if module in ("torch", "torch.storage") and name in _STORAGES:
      return _STORAGES[name]
    if module == "torch" and name in DTYPES:
      return name
    if full in _PLAIN:
      return _PLAIN[full]
    if module.partition(".")[0] in _SETTINGS or full in _SETTINGS_NAMES:
      return type("Placeholder", (Placeholder,), {"name": full})
    raise Refused(
      f"{self._path} asks for {full}, which is neither a tensor nor a "
      "setting: refused, nothing was run"
    )

  def persistent_load(self, pid: Any) -> np.ndarray:
    kind, dtype, key, _, size = pid
    if kind != "storage" or dtype not in DTYPES:
      raise TypeError(f"unknown reference {kind!r} {dtype!r}")
    if key not in self._storages:
      self._storages[key] = self._storage_fn(key, dtype, size)
    return self._storages[key]


def _view(storage, offset, size, stride, dtype=None) -> np.ndarray:
  """The tensor of a storage; raises a ValueError where it does not fit."""
  if dtype is not None:
    storage = storage.view(np.dtype(DTYPES[dtype]))
  last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
  outside = math.prod(size) and last >= storage.size
  if min((offset, *size, *stride)) < 0 or outside:
    raise ValueError(
      f"a tensor of shape {list(size)}, strides {list(stride)} at {offset} "
      f"does not fit its {storage.size} numbers"
    )
  if not math.prod(size):
    return np.zeros(size, storage.dtype)
  return np.lib.stride_tricks.as_strided(
    storage[offset:], size, [s * storage.itemsize for s in stride]
  )

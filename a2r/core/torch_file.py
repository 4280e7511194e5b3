"""Files that PyTorch wrote, read without PyTorch and without running code.

`torch.save` writes a zip archive: a pickle of everything but the numbers, and
the numbers of every tensor as one member. This is the format since PyTorch
1.6: https://pytorch.org/docs/stable/notes/serialization.html.

Arrays are views of the mapped file: what is not looked at is not read.
"""

import io
import mmap
import pathlib
import pickle
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import safetensors.numpy

from a2r.core import torch_pickle

# What a damaged or malformed pickle raises.
_MALFORMED = (
  pickle.UnpicklingError,
  zipfile.BadZipFile,
  zlib.error,
  struct.error,
  ArithmeticError,
  AttributeError,
  EOFError,
  LookupError,
  MemoryError,
  NotImplementedError,
  TypeError,
  ValueError,
)
_EXPECTED = "expected a file of torch.save, or safetensors"


def load(path: str | pathlib.Path) -> dict[str, Any]:
  """What a .pth, .pt, .bin or .safetensors file holds.

  Args:
    path: of the file.

  Returns:
    The dict that was saved. Tensors are read-only numpy arrays; their numbers
    are read from disk when they are looked at.

  Raises:
    ValueError: it is another kind of file, or damaged, or it names a function
      that is not known to be harmless; nothing was run.
    OSError: it cannot be read.
  """
  path = pathlib.Path(path).expanduser()
  if path.is_dir():
    raise ValueError(f"{path} is a folder; {_EXPECTED}")
  with open(path, "rb") as stream:
    head = stream.read(512)
  if head[8:9] == b"{":
    try:
      return safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as e:
      raise ValueError(f"{path} is damaged: {e}") from e
  if not head.startswith(b"PK"):
    raise ValueError(f"{path} {_foreign(head)}")
  try:
    value = _Archive(path).load()
  except torch_pickle.Refused:
    raise
  except _MALFORMED as e:
    raise ValueError(f"{path} is damaged, or not of torch.save: {e}") from e
  if not isinstance(value, dict):
    raise ValueError(
      f"{path} holds a {type(value).__name__}, expected a dict of tensors"
    )
  return value


def _foreign(head: bytes) -> str:
  """What a file that is no archive of PyTorch is."""
  if not head:
    return "is empty"
  if head.startswith(b"version https://git-lfs"):
    return "is a Git LFS pointer, not the weights: run git lfs pull"
  if head.lstrip().startswith(b"<"):
    return "is a web page, not weights: the download went wrong"
  if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
    return (
      "is an archive: unpack it (tar xf) and pass a .pth file that is in it"
    )
  if head.startswith(b"\x80"):
    return (
      "is in PyTorch's format before 1.6; with PyTorch installed, "
      "torch.save(torch.load(path), path) brings it up to date"
    )
  return f"is no weights file; {_EXPECTED}"


class _Archive:
  """An open zip archive of `torch.save`."""

  def __init__(self, path: pathlib.Path):
    self._path = path
    self._zip = zipfile.ZipFile(path)
    self._entries = {info.filename: info for info in self._zip.infolist()}
    with open(path, "rb") as stream:
      self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    pickles = [name for name in self._entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise ValueError("a zip archive without a data.pkl")
    self._pickle = pickles[0]
    self._folder = pickles[0].removesuffix("data.pkl")
    order = self._folder + "byteorder"
    big = order in self._entries and self._zip.read(order) == b"big"
    self._order = ">" if big else "<"

  def load(self) -> Any:
    """The saved object."""
    with self._zip:
      stream = io.BytesIO(self._zip.read(self._pickle))
      return torch_pickle.Unpickler(stream, self._path, self._storage).load()

  def _storage(self, key: str, dtype: str, size: int) -> np.ndarray:
    """`[size]` numbers, a view of the file."""
    name = f"{self._folder}data/{key}"
    if name not in self._entries:
      raise ValueError(f"it has no {name}")
    entry = self._entries[name]
    dtype = np.dtype(torch_pickle.DTYPES[dtype]).newbyteorder(self._order)
    if entry.file_size != size * dtype.itemsize:
      raise ValueError(
        f"{name} has {entry.file_size} bytes, expected {size * dtype.itemsize}"
      )
    if entry.compress_type != zipfile.ZIP_STORED:
      return np.frombuffer(self._zip.read(name), dtype, size)
    # The local header repeats the name, with extras of its own.
    header = entry.header_offset
    lengths = struct.unpack_from("<HH", self._bytes, header + 26)
    start = header + 30 + sum(lengths)
    if start + entry.file_size > len(self._bytes):
      raise ValueError(f"{name} is cut off")
    return np.frombuffer(self._bytes, dtype, size, start)

"""Files of named arrays (safetensors), written whole and checked when read."""

import pathlib
from collections.abc import Mapping

import numpy as np
import safetensors
import safetensors.numpy

from a2r.core import checks, digests, files, trees

MAX_BYTES = 1 << 31  # Of an .npz, which may be packed to a thousandth.


def save(
  path: pathlib.Path,
  arrays: Mapping[str, np.ndarray],
  metadata: dict[str, str] | None = None,
  *,
  recorded: bool = True,
):
  """Writes named arrays, all or nothing.

  Args:
    path: of the .safetensors file.
    arrays: of any shape and layout.
    metadata: texts that stand beside them.
    recorded: whether the file's digest goes on its folder's record.
  """
  # The library stores what is not contiguous in wrong order, without an error.
  dense = {name: np.asarray(x, order="C") for name, x in arrays.items()}
  write = files.recorded_write if recorded else files.atomic_write
  with write(path) as partial:
    # Written here: the library lets nobody else read what it writes.
    partial.write_bytes(safetensors.numpy.save(dense, metadata))


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the arrays of a file.

  Raises:
    ValueError: the file is damaged, or an array is not finite; names it.
    OSError: it cannot be read.
  """
  try:
    arrays = safetensors.numpy.load_file(path)
  except (safetensors.SafetensorError, KeyError, TypeError) as error:
    raise _damaged(path, error) from error
  digests.check(path)
  trees.check_finite(arrays, str(path))
  return arrays


def load_metadata(path: pathlib.Path) -> dict[str, str]:
  """Returns the texts that stand beside the arrays of a file, unchecked.

  Raises:
    ValueError: the file is not whole; names it.
    OSError: it cannot be read.
  """
  try:
    with safetensors.safe_open(path, "numpy") as stored:
      return stored.metadata() or {}
  except safetensors.SafetensorError as error:
    raise _damaged(path, error) from error


def load_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the arrays of an .npz file, of anyone's.

  Raises:
    ValueError: the file is damaged, holds objects, or more than `MAX_BYTES`
      when it is unpacked; names it.
    OSError: it cannot be read.
  """
  digests.check(path)
  with open(path, "rb") as stream:
    try:
      with np.load(stream) as stored:
        size = sum(member.file_size for member in stored.zip.infolist())
        if size > MAX_BYTES:
          raise ValueError(f"it unpacks to {size} bytes, more than {MAX_BYTES}")
        return dict(stored)
    # As many kinds as there are places of damage.
    except Exception as error:
      text = checks.one_line(error)
      raise ValueError(f"{path} is damaged ({text}): copy it again") from error


def _damaged(path, error) -> ValueError:
  return ValueError(
    f"{path} is damaged, not a whole safetensors file ({error}): copy or make "
    "it again"
  )

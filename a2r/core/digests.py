"""Digests of files, kept beside them, so that a damaged one is not used.

The file `digests.json` of a folder has zlib's CRC-32 of its files: it finds
every change of up to 32 bits in a row, and reads 4 GB/s. A folder that appears
as a whole (an export, a conversion, a part of a checkpoint) is recorded before
it appears. Where files are replaced one by one (a run), a file's last two
digests are kept and the new one is on record first: a kill in between leaves
a file that is known.
"""

import functools
import json
import pathlib
import zlib
from collections.abc import Sequence
from typing import Any

from absl import logging

from a2r.core import checks

FILE = "digests.json"
_BLOCK = 1 << 16  # Bytes; stays in the processor's cache.


def crc32(path: pathlib.Path) -> str:
  """Returns a file's CRC-32 in hexadecimal."""
  crc = 0
  with open(path, "rb") as stream:
    while block := stream.read(_BLOCK):
      crc = zlib.crc32(block, crc)
  return f"{crc:08x}"


def read(folder: pathlib.Path) -> dict[str, list[str]] | None:
  """Returns a folder's digests by file, the newest first; None without any.

  Raises:
    ValueError: the record itself is broken.
  """
  path = folder / FILE
  if not path.is_file():
    return None
  try:
    known = checks.parse_json(path.read_bytes(), path, dict)
    for name in known:
      if pathlib.Path(name).is_absolute() or ".." in pathlib.Path(name).parts:
        raise ValueError(f"{name!r} is outside of the folder")
    return {name: list(digests) for name, digests in known.items()}
  except (ValueError, AttributeError, TypeError) as error:
    raise ValueError(
      f"{path} is damaged ({error}): copy {folder} again; deleting the file "
      "alone leaves the folder unchecked"
    ) from error


def make(folder: pathlib.Path) -> str:
  """Returns the content of the record of a folder and the folders in it."""
  paths = sorted(path for path in folder.rglob("*") if path.is_file())
  names = {path.relative_to(folder).as_posix(): path for path in paths}
  names.pop(FILE, None)
  return to_json({name: [crc32(path)] for name, path in names.items()})


def to_json(digests: dict[str, Any]) -> str:
  """Returns a record as text, one line per file."""
  lines = (f"  {json.dumps(n)}: {json.dumps(digests[n])}" for n in digests)
  return "{\n" + ",\n".join(lines) + "\n}\n"


def check(*paths: pathlib.Path):
  """Fails where a file is not as its folder's record has it.

  What is on no record, or not there, is not checked.

  Raises:
    ValueError: a file has changed since it was written; names it.
  """
  for path in paths:
    known = (read(path.parent) or {}).get(path.name)
    if known is not None and path.is_file():
      _compare(path, known, path.parent)


def check_folder(folder: pathlib.Path) -> bool:
  """Fails where a folder or a folder in it is not as its record has it.

  Returns:
    Whether there is a record.

  Raises:
    ValueError: a file has changed or is missing; names it.
  """
  known = read(folder)
  for name, digests in (known or {}).items():
    _compare(folder / name, digests, folder)
  return known is not None


def _compare(path: pathlib.Path, known: Sequence[str], folder: pathlib.Path):
  """Fails unless a file has one of the digests known of it."""
  if not path.is_file():
    raise ValueError(
      f"{path} is missing, {folder / FILE} has it: copy {folder} again"
    )
  found = crc32(path)
  if found not in known:
    raise ValueError(
      f"{path} is damaged: its CRC-32 is {found}, {folder / FILE} has "
      f"{known[0] if known else 'none'}; copy or make it again (whoever "
      f"changed it on purpose deletes {FILE})"
    )


@functools.cache
def note_unchecked(folder: pathlib.Path):
  """Logs, once for a folder, that it has no record to be checked against."""
  logging.warning(
    "%s has no %s (it is of an older version): its files are not checked for "
    "damage",
    folder,
    FILE,
  )
